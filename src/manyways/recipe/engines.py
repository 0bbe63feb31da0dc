"""The base model and what samples it: ``[model]`` and the tables of single engines within it."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from manyways.recipe.section import Extra, Positive, Rate, Section

DECIDED_OF_HTTP = {"messages", "model", "n", "prompt", "seed", "stop", "stream"}
"""Fields of a request that follow from the recipe's own keys, or that a reply is read by."""


class HttpConfig(Section):
    """An OpenAI-compatible server (vLLM, SGLang, llama.cpp, TGI, ...); docs/engines.md."""

    url: str
    """Up to and including ``/v1``."""

    model: str = ""
    """The name by which the server knows the model, where it is not that of ``path``."""

    api_key_env: str = ""
    """The environment variable that holds the key: the key itself is never written."""

    endpoint: Literal["chat", "completions"] = "chat"
    """``chat``: the server applies its template; ``completions``: prompts are rendered here."""

    concurrency: Positive = 32
    """Requests in flight at once."""

    timeout: Rate = 600.0
    """Seconds of wall clock for one try, waiting in the server's queue included."""

    retries: Annotated[int, Field(ge=0)] = 10
    """Further tries of a request after a fault of the server or the line."""

    choices: Positive = 1
    """Attempts asked for in one request; above 1, only the first has its own seed."""

    tokenizer: str = ""
    """A checkpoint whose tokenizer renders prompts for ``completions``, and counts tokens where the
    server does not."""

    reasoning: Literal["drop", "join"] = "drop"
    """What a server returns apart from the answer (``reasoning_content`` or ``reasoning``):
    ``drop`` it, or ``join`` it in ``<think>`` tags before the answer."""

    extra: Extra = Field(default_factory=dict)
    """Further fields of the request's body."""

    @model_validator(mode="after")
    def _no_secrets(self) -> Self:
        # On the whole section: a message about one field would repeat its value.
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
    """Copies of another engine on a Ray cluster; docs/engines.md."""

    engine: str = "transformers"
    """What each worker samples with; its own table is where it always is."""

    workers: Positive = 1
    """How many, each with its processors and GPUs to itself."""

    cpus: Annotated[float, Field(ge=0.0)] = 1.0
    """Of each worker."""

    gpus: Annotated[float, Field(ge=0.0)] = 0.0
    """Of each worker; with 0 it sees none."""

    block: Positive = 256
    """Attempts that a worker is given at a time, at least: what a lost worker loses."""

    address: str = ""
    """Of a running cluster (``auto``, ``ray://host:10001``); empty starts one here."""

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
"""Settings of vLLM that say where and how fast, not what is sampled."""
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
"""Keys of ``load`` that say how fast, and change what is computed as little as a device does."""
DECIDED_OF_VLLM = {"model", "dtype", "tokenizer"}


class ModelConfig(Section):
    """The base model and what samples it."""

    path: str
    """A folder, ``package:PACKAGE/FOLDER``, a Hub id, or the name that a server knows."""

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the weights; ``auto`` takes them as they were saved, but in float32 where a processor has
    no arithmetic for that."""

    device: str = "auto"
    """``cuda``, ``mps``, ``xpu``, ``cpu``; ``auto`` takes an accelerator where there is one."""

    engine: str = "transformers"
    """``transformers``, ``vllm``, ``ray``, ``http`` or ``module:class`` (docs/engines.md)."""

    chat_template_kwargs: Extra = Field(default_factory=dict)
    """Switches of the chat template, as ``{ enable_thinking = false }``, for every prompt of this
    model in all stages, trainings and engines."""

    load: Extra = Field(default_factory=dict)
    """What ``from_pretrained`` is given besides path and dtype, for sampling and training:
    ``attn_implementation``, ... ``quantization = "4bit"`` or ``"8bit"`` (or a table of
    bitsandbytes' settings) loads quantised weights, on which adapters alone are trained."""

    batch_tokens: Positive | Literal["auto"] = "auto"
    """Tokens of prompts and attempts that ``transformers`` holds in one batch, at most; ``auto``
    looks at the memory. Halved where that does not suffice."""

    http: HttpConfig | None = None
    """Where the server of the engine ``http`` is."""

    vllm: Extra = Field(default_factory=dict)
    """What ``vllm.LLM`` is given besides path and dtype, under vLLM's own names."""

    ray: RayConfig | None = None
    """How many copies the engine ``ray`` makes, and of what."""

    @property
    def sampler(self) -> str:
        """The engine that holds the model: on a cluster, that of the workers."""
        return self.ray.engine if self.engine == "ray" and self.ray else self.engine

    @property
    def remote(self) -> bool:
        """Whether a server holds the model: ``path`` is a name then, and nothing can be loaded."""
        return self.sampler == "http"

    @property
    def identity(self) -> dict[str, object]:
        """What attempts depend on, the weights themselves aside. Not whether on a cluster."""
        placed = {"path", "device", "engine", "batch_tokens", "http", "vllm", "ray", "load"}
        found = self.model_dump(mode="json", exclude=placed, exclude_defaults=True)
        found |= {"dtype": self.dtype, "engine": self.sampler}
        if self.sampler not in ("http", "vllm"):
            found |= self.loaded
        if self.remote and self.http is not None:
            # Not the address: the same server may come back on another one.
            line = {"url", "api_key_env", "concurrency", "timeout", "retries"}
            found["http"] = self.http.model_dump(exclude=line, exclude_defaults=True)
        if self.sampler == "vllm":
            found["vllm"] = {k: v for k, v in self.vllm.items() if k not in PLACEMENT}
        return found

    @property
    def loaded(self) -> dict[str, object]:
        """What results depend on of ``load``; empty where they do not."""
        found = {key: value for key, value in self.load.items() if key not in SAME_RESULTS}
        return {"load": found} if found else {}

    @property
    def quantized(self) -> bool:
        """Whether the weights are loaded in fewer bits than they were saved in."""
        return bool(self.load.get("quantization"))

    def under(self, engine: str | None) -> Self:
        """The same model sampled by ``engine``; by its own when that is None."""
        return self if engine is None else self.model_copy(update={"engine": engine})

    def check_tables(self) -> None:
        """Raise ValueError when the engine needs a table that is not there."""
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
        self.check_tables()
        return self
