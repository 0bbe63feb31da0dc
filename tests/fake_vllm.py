"""Stands in for the package vllm: records how it is called, writes token ids that follow the seed.

tests/engines/test_vllm.py holds the recorded calls against the real package.
"""

import random
import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

__version__ = "0.0-fake"
CALLS: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {}
CONTEXT = 512


def note(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    CALLS.setdefault(name, []).append((args, kwargs))


class SamplingParams:
    """As vLLM's, for the fields that are used."""

    def __init__(self, **kwargs: Any) -> None:
        note("SamplingParams", (), kwargs)
        self.__dict__.update(kwargs)


@dataclass
class CompletionOutput:
    text: str
    token_ids: list[int]
    finish_reason: str | None


@dataclass
class RequestOutput:
    prompt_token_ids: list[int]
    outputs: list[CompletionOutput] = field(default_factory=list)


class LLM:
    """As vLLM's, for the calls that are made."""

    def __init__(self, **kwargs: Any) -> None:
        note("LLM", (), kwargs)
        if kwargs.get("data_parallel_size", 1) > 1:
            raise ValueError("LLM(data_parallel_size=2) is not supported for single-process usage")
        if "tensor_paralel_size" in kwargs:
            raise TypeError("EngineArgs.__init__() got an unexpected keyword argument")
        self.model_config = SimpleNamespace(max_model_len=CONTEXT)

    def generate(self, *args: Any, **kwargs: Any) -> list[RequestOutput]:
        note("LLM.generate", args, kwargs)
        prompts, params = args
        return [answer(p["prompt_token_ids"], q) for p, q in zip(prompts, params, strict=True)]


def answer(ids: list[int], params: SamplingParams) -> RequestOutput:
    rng = random.Random(f"{ids}|{params.seed}")
    words = [rng.choice(["so", "then", "7", "box", "left"]) for _ in range(rng.randint(2, 50))]
    ended, words = len(words) < params.max_tokens, words[: params.max_tokens]
    text = " ".join(words)
    found = re.search("|".join(map(re.escape, params.stop)), text) if params.stop else None
    if found:
        text, ended = text[: found.start()], True
        words = text.split()
    count = min(len(words) + ended, params.max_tokens)
    one = CompletionOutput(text, list(range(count)), "stop" if ended else "length")
    return RequestOutput(prompt_token_ids=ids, outputs=[one])
