"""Sampling with vLLM in this process: any model that it can load, on the GPUs of this machine.

docs/engines.md says what was checked and how; it was not run on a GPU.
"""

import gc
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from manyways import trust
from manyways.checkpoints import load_tokenizer
from manyways.engines import Completion, SampleRequest, SamplingSettings
from manyways.engines.http_client import FINISHES
from manyways.engines.queueing import windows
from manyways.errors import EngineError
from manyways.plugins import install_command
from manyways.recipe.engines import ModelConfig
from manyways.rendering import render, trim

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams


class VllmEngine:
    """One model in vLLM, with its prefix cache.

    Requests come heuristic by heuristic, so prompts with the same exemplars are neighbours, and
    their prefix is computed once. Prompts are rendered to tokens here, as for every other engine.

    Raises EngineError when vLLM is not installed or cannot start with the settings of
    ``[model.vllm]``.
    """

    reads_ahead = False

    def __init__(self, path: str, model_config: ModelConfig) -> None:
        try:
            import vllm
        except ModuleNotFoundError as error:
            if error.name != "vllm":
                raise
            raise EngineError(
                "engine 'vllm' needs the package vllm, on a machine with a GPU: "
                f"{install_command('vllm')}"
            ) from error
        self._vllm: Any = vllm
        self._tokenizer: Any = load_tokenizer(path, model_config.chat_template_kwargs)
        self._llm: LLM | None = _start(path, model_config)
        self._context: int = self._open_llm().model_config.max_model_len

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        """For each request in order, yield one completion per seed in order.

        Raises DataError when a prompt and its completion do not fit the model's context.
        """
        for window in windows(requests):
            prompts: list[dict[str, list[int]]] = []
            params = []
            for request in window:
                ids = render(
                    self._tokenizer,
                    request.messages,
                    max_tokens=settings.max_tokens,
                    context=self._context,
                )
                prompts += [{"prompt_token_ids": list(ids)} for _ in request.seeds]
                params += [self._params(seed, settings) for seed in request.seeds]
            llm = self._open_llm()
            found = iter(llm.generate(prompts, params, use_tqdm=False) if prompts else ())
            for request in window:
                yield [_completion(next(found), settings) for _ in request.seeds]

    def facts(self) -> Mapping[str, str | int]:
        """See ``Engine.facts``."""
        return {
            "engine": "vllm",
            "version": str(self._vllm.__version__),
            "seeds": "honoured by vLLM for each attempt, up to ties in floating point",
            "tokens": "counted, EOS included",
        }

    def close(self) -> None:
        """Free the model and its processes; the engine cannot be used afterwards."""
        self._llm = None
        gc.collect()

    def _params(self, seed: int, settings: SamplingSettings) -> "SamplingParams":
        return self._vllm.SamplingParams(
            n=1,
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_tokens=settings.max_tokens,
            stop=list(settings.stop),
            seed=seed,
        )

    def _generate(
        self, prompts: list[dict[str, list[int]]], params: list["SamplingParams"]
    ) -> list["RequestOutput"]:
        llm = self._open_llm()
        return list(llm.generate(prompts, params, use_tqdm=False)) if prompts else []

    def _open_llm(self) -> "LLM":
        if self._llm is None:
            raise EngineError("this engine was closed: open another one to sample again.")
        return self._llm


def _start(path: str, config: ModelConfig) -> "LLM":
    from vllm import LLM

    trust.require_plain(config.vllm, "model.vllm")
    settings: dict[str, Any] = {"enable_prefix_caching": True, **config.vllm}
    try:
        return LLM(model=path, dtype=config.dtype, **settings)
    except (TypeError, ValueError, RuntimeError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise EngineError(
            f"vLLM cannot start '{path}' with [model.vllm] = {config.vllm}: {lines[0]} (Copies of "
            "a model side by side: model.engine = 'ray', or one server that http asks.)"
        ) from error


def _completion(output: "RequestOutput", settings: SamplingSettings) -> Completion:
    """The one choice of vLLM's output for one prompt."""
    (choice,) = output.outputs
    text, stopped = trim(choice.text, settings.stop)
    return Completion(
        text=text,
        finish="stop" if stopped else FINISHES.get(choice.finish_reason, "error"),
        prompt_tokens=len(output.prompt_token_ids),
        tokens=len(choice.token_ids),
    )
