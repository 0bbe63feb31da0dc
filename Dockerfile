# docker build -t manyways .                    the demo on a CPU: docker run -v "$PWD/runs:/work/runs" manyways
# docker build -t manyways-gpu --build-arg EXTRAS=vllm .        with vLLM, for docker run --gpus all
FROM python:3.12-slim
ARG EXTRAS=""
RUN apt-get update -q && apt-get install -y -q --no-install-recommends bubblewrap gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN python -m pip install --no-cache-dir --constraint constraints.txt ".[train${EXTRAS:+,$EXTRAS}]"
WORKDIR /work
ENTRYPOINT ["manyways"]
CMD ["demo"]
