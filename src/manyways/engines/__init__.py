"""How text is sampled: the contract of an engine and the table of engines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from manyways.records import Finish, Message

ENGINES: dict[str, str] = {
    "transformers": "manyways.engines.transformers:TransformersEngine",
}
"""name -> ``module:class``; called as ``cls(model_path, model_settings)``."""

ENGINE_NEEDS: dict[str, tuple[str, ...]] = {"transformers": ("torch", "transformers")}
"""name -> modules that it imports; ``manyways doctor`` says which are missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRequest:
    """One prompt and the seeds of the attempts wanted for it.

    Example: ``SampleRequest(messages=(Message(role="user", content="..."),), seeds=(17, 99))``
    asks for two attempts.
    """

    messages: tuple[Message, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingSettings:
    """How to sample. ``max_tokens`` is required: a default would truncate silently."""

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """One sampled text. ``text`` has no special tokens; ``tokens`` counts EOS if sampled."""

    text: str
    finish: Finish
    prompt_tokens: int
    tokens: int


class Engine(Protocol):
    """Samples text. One object holds one model; ``close`` frees it."""

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        """Yield, for each request in order, one completion per seed in order."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...
