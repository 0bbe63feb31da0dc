"""The base model and its engine: ``[model]`` and the sections of single engines in it."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from manyways import trust
from manyways.recipe.section import Extra, Positive, Rate, Section

DECIDED_OF_HTTP = {"messages", "model", "n", "prompt", "seed", "stop", "stream"}
"""Fields of a request that other keys of the recipe set, or that reading the reply depends on."""


class HttpConfig(Section):
    """The OpenAI-compatible server of the engine ``http``; see docs/engines.md.

    It may be vLLM, SGLang, llama.cpp, TGI or another one.
    """

    url: str
    """The address of the server, up to and including ``/v1``."""

    model: str = ""
    """The name of the model on the server, if it is not ``path``."""

    api_key_env: str = ""
    """The environment variable that holds the API key. The key itself is never written."""

    endpoint: Literal["chat", "completions"] = "chat"
    """``chat``: the server applies the chat template. ``completions``: manyways applies it."""

    concurrency: Positive = 32
    """Requests that run at the same time."""

    timeout: Rate = 600.0
    """Seconds of wall clock for one try of a request. Waiting in the queue of the server counts."""

    retries: Annotated[int, Field(ge=0)] = 10
    """Further tries of a request after an error of the server or of the connection."""

    choices: Positive = 1
    """Attempts per request. Above 1, only the first attempt of a request has a seed of its own."""

    tokenizer: str = ""
    """A checkpoint whose tokenizer renders prompts for ``completions``. It also counts tokens where
    the server does not."""

    reasoning: Literal["drop", "join"] = "drop"
    """What to do with reasoning that a server returns in a field of its own (``reasoning_content``
    or ``reasoning``): ``drop`` it, or ``join`` it in ``<think>`` tags before the answer."""

    extra: Extra = Field(default_factory=dict)
    """Further fields of the request body."""

    @model_validator(mode="after")
    def _no_secrets(self) -> Self:
        # A validator of the whole section: a message about one field would show its value.
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url: give an address like http://localhost:8000/v1")
        if parts.username or parts.password or parts.query:
            raise ValueError("url: no user, password or query; a key goes through api_key_env")
        if self.api_key_env and not self.api_key_env.isidentifier():
            raise ValueError("api_key_env: the NAME of an environment variable, not the key itself")
        if taken := sorted(DECIDED_OF_HTTP & set(self.extra)):
            raise ValueError(f"extra: {', '.join(taken)}: decided by the recipe's own keys")
        return self


class RayConfig(Section):
    """Copies of another engine on a Ray cluster; see docs/engines.md."""

    engine: str = "transformers"
    """The engine that each worker runs. The settings of that engine stand in its usual section."""

    workers: Positive = 1
    """Number of workers. Each has its own processors and GPUs."""

    cpus: Annotated[float, Field(ge=0.0)] = 1.0
    """Processors per worker."""

    gpus: Annotated[float, Field(ge=0.0)] = 0.0
    """GPUs per worker. With 0 a worker sees none."""

    block: Positive = 256
    """The fewest attempts that a worker is given at a time. A worker that is lost loses these."""

    address: str = ""
    """The address of a running cluster (``auto``, ``ray://host:10001``). If empty, a cluster is
    started on this machine."""

    @property
    def elsewhere(self) -> bool:
        """Whether the cluster is on another machine. Ray unpickles what that machine sends."""
        return self.address not in ("", "auto", "local") and trust.leaves_machine(self.address)

    @model_validator(mode="after")
    def _not_itself(self) -> Self:
        if self.engine == "ray":
            raise ValueError("engine: workers sample with another engine than 'ray'")
        return self


PLACEMENT = {
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "data_parallel_size",
    "distributed_executor_backend",
    "gpu_memory_utilization",
    "max_num_seqs",
    "max_num_batched_tokens",
    "enforce_eager",
    "enable_prefix_caching",
    "disable_log_stats",
}
"""Settings of vLLM that change where and how fast it samples, but not what."""
DECIDED_OF_LOAD = {
    "config": "change the checkpoint's own config.json",
    "device_map": "model.device says where",
    "dtype": "that is model.dtype",
    "quantization_config": 'that is quantization, "4bit", "8bit" or a table',
    "state_dict": "model.path says which weights",
    "torch_dtype": "that is model.dtype",
}
QUANTIZATIONS = ("4bit", "8bit")
SAME_RESULTS = {"attn_implementation", "low_cpu_mem_usage", "use_safetensors"}
"""Keys of ``load`` that change the speed. Results change no more than with another device."""
DECIDED_OF_VLLM = {"model", "dtype", "tokenizer"}


class ModelConfig(Section):
    """The base model, and the engine that samples it."""

    path: str
    """The model: a folder, ``package:PACKAGE/FOLDER``, a Hub id, or its name on a server."""

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """The data type of the weights. ``auto`` keeps the type in which they were saved, but takes
    float32 where the processor cannot compute in that type."""

    device: str = "auto"
    """``cuda``, ``mps``, ``xpu`` or ``cpu``. ``auto`` takes an accelerator if there is one."""

    engine: str = "transformers"
    """The engine that samples: ``transformers``, ``vllm``, ``ray``, ``http`` or ``module:class``
    (docs/engines.md)."""

    chat_template_kwargs: Extra = Field(default_factory=dict)
    """Arguments of the chat template, as ``{ enable_thinking = false }``. They apply to every
    prompt of this model, in all stages, trainings and engines."""

    load: Extra = Field(default_factory=dict)
    """Arguments of ``from_pretrained`` besides path and dtype, as ``attn_implementation``, for
    sampling and for training. ``quantization = "4bit"`` or ``"8bit"`` (or a table of settings of
    bitsandbytes) loads quantised weights, on which only adapters can be trained."""

    batch_tokens: Positive | Literal["auto"] = "auto"
    """The most tokens of prompts and attempts in one batch of ``transformers``. ``auto`` goes by
    the free memory. A batch that does not fit is halved."""

    http: HttpConfig | None = None
    """Where the server of the engine ``http`` is."""

    vllm: Extra = Field(default_factory=dict)
    """Arguments of ``vllm.LLM`` besides path and dtype, under the names of vLLM."""

    ray: RayConfig | None = None
    """How many copies the engine ``ray`` makes, and of what."""

    @property
    def sampler(self) -> str:
        """The engine that holds the model: for ``ray``, the engine of the workers."""
        return self.ray.engine if self.engine == "ray" and self.ray else self.engine

    @property
    def remote(self) -> bool:
        """Whether a server holds the model. ``path`` is then a name, and nothing can be loaded."""
        return self.sampler == "http"

    @property
    def identity(self) -> dict[str, object]:
        """The settings that attempts depend on, besides the weights. A cluster changes nothing."""
        placed = {"path", "device", "engine", "batch_tokens", "http", "vllm", "ray", "load"}
        found = self.model_dump(mode="json", exclude=placed, exclude_defaults=True)
        found |= {"dtype": self.dtype, "engine": self.sampler}
        if self.sampler not in ("http", "vllm"):
            found |= self.loaded
        if self.remote and self.http is not None:
            # Without the address, because a server may move to another one.
            line = {"url", "api_key_env", "concurrency", "timeout", "retries"}
            found["http"] = self.http.model_dump(exclude=line, exclude_defaults=True)
        if self.sampler == "vllm":
            found["vllm"] = {k: v for k, v in self.vllm.items() if k not in PLACEMENT}
        return found

    @property
    def loaded(self) -> dict[str, object]:
        """The keys of ``load`` that results depend on."""
        found = {key: value for key, value in self.load.items() if key not in SAME_RESULTS}
        return {"load": found} if found else {}

    @property
    def quantized(self) -> bool:
        """Whether the weights are quantised when they are loaded."""
        return bool(self.load.get("quantization"))

    def under(self, engine: str | None) -> Self:
        """The same model with another engine; None keeps its own."""
        return self if engine is None else self.model_copy(update={"engine": engine})

    def check_sections(self) -> None:
        """Raise ValueError if the engine needs a section that the recipe lacks."""
        if self.remote and self.http is None:
            raise ValueError("engine 'http' needs the address of a server: set model.http.url")
        if self.engine == "ray" and self.ray is None:
            raise ValueError("engine 'ray' needs to know how many copies: set model.ray.workers")
        self._check_load()
        lost = self.remote and self.http and self.http.endpoint == "completions"
        if self.chat_template_kwargs and lost and self.http and not self.http.tokenizer:
            raise ValueError(
                "chat_template_kwargs: prompts for 'completions' are rendered here: name the "
                "tokenizer whose template reads them in model.http.tokenizer"
            )
        taken = sorted(DECIDED_OF_VLLM & set(self.vllm))
        if taken:
            raise ValueError(f"vllm: {', '.join(taken)} follow from model.path and model.dtype")

    def _check_load(self) -> None:
        for key in DECIDED_OF_LOAD.keys() & self.load.keys():
            raise ValueError(f"load.{key}: {DECIDED_OF_LOAD[key]}")
        named = self.load.get("quantization", {})
        if not isinstance(named, dict) and named not in QUANTIZATIONS:
            raise ValueError(
                f"load.quantization = {named!r}: '4bit', '8bit' or a table of settings of "
                "BitsAndBytesConfig"
            )

    @model_validator(mode="after")
    def _tables_are_there(self) -> Self:
        self.check_sections()
        return self
