"""How text is sampled: the interface of an engine, and the table of engines."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from manyways.records import Finish, Message

ENGINES: dict[str, str] = {
    "transformers": "manyways.engines.transformers:TransformersEngine",
    "vllm": "manyways.engines.vllm:VllmEngine",
    "ray": "manyways.engines.ray:RayEngine",
    "http": "manyways.engines.http:HttpEngine",
}
"""name -> ``module:class``; called as ``cls(model_path, model_settings)``."""

ENGINE_NEEDS: dict[str, tuple[str, ...]] = {
    "transformers": ("torch", "transformers"),
    "vllm": ("vllm",),
    "ray": ("ray",),
    "http": ("httpx2", "anyio"),
}
"""name -> modules that it imports; ``manyways doctor`` says which are missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRequest:
    """One prompt, and the seeds of the attempts to sample for it.

    Example: ``SampleRequest(messages=(Message(role="user", content="..."),), seeds=(17, 99))``
    asks for two attempts.

    If the last message is the assistant's, it is the beginning of the answer. The completion
    continues it, and its text is only the continuation.
    """

    messages: tuple[Message, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingSettings:
    """How to sample. ``max_tokens`` has no default, because a default would truncate silently."""

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """One sampled text.

    text:   without special tokens.
    tokens: number of sampled tokens, EOS included.
    """

    text: str
    finish: Finish
    prompt_tokens: int
    tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """An event: one attempt has ended.

    request: index of its request in the stream, from 0.
    place:   index of its seed in that request, from 0.
    """

    request: int
    place: int
    completion: Completion


@dataclass(frozen=True, kw_only=True, slots=True)
class Going:
    """An event: the engine is working. It lets the caller show progress.

    running: number of attempts that run.
    begun:   how many of them began since the last event of this kind.
    tokens:  returns the number of tokens so far of each of them; empty if the engine cannot tell.
    """

    running: int
    begun: int = 0
    tokens: Callable[[], Sequence[int]] = tuple


Event = Ended | Going


class Engine(Protocol):
    """Samples text. One object holds one model; ``close`` frees it.

    A user's own engine may leave out ``stream``, ``reads_ahead`` (then False) and ``facts``; see
    ``engines.queueing.stream``.
    """

    @property
    def reads_ahead(self) -> bool:
        """Whether it samples later requests before it yields earlier ones.

        If True, it gets all requests of a stage as one stream. An engine that forms its own batches
        says False and gets the attempts of one file at a time, so that a resumed run forms the same
        batches as one that was not killed.
        """
        ...

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        """For each request in order, yield one completion per seed in order."""
        ...

    def stream(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[Event]:
        """Yield the same attempts as ``Ended``, each when it ends, in any order.

        Between them it yields ``Going``, if possible every few seconds.
        """
        ...

    def facts(self) -> Mapping[str, str | int]:
        """Facts for a reader of the attempts. They are stored next to the attempts.

        ``seeds`` is always there: whether an attempt can be sampled again from its seed.
        """
        ...

    def close(self) -> None:
        """Free the model."""
        ...
