"""How text is sampled: the contract of an engine and the table of engines."""

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
    """One prompt and the seeds of the attempts wanted for it.

    Example: ``SampleRequest(messages=(Message(role="user", content="..."),), seeds=(17, 99))``
    asks for two attempts.

    A last message of the assistant is the beginning of its answer: the completion goes on from
    there, and its text is only what was added.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """One attempt that ended.

    request: the number of its request in the stream, from 0.
    place:   the number of its seed in that request, from 0.
    """

    request: int
    place: int
    completion: Completion


@dataclass(frozen=True, kw_only=True, slots=True)
class Going:
    """A sign of life: attempts are being worked on.

    running: attempts in work.
    begun:   of these, how many were taken up since the last sign.
    tokens:  gives the tokens sampled so far of each of them; nothing where the engine cannot tell.
    """

    running: int
    begun: int = 0
    tokens: Callable[[], Sequence[int]] = tuple


Event = Ended | Going


class Engine(Protocol):
    """Samples text. One object holds one model; ``close`` frees it.

    An engine of the user's own may leave out ``stream``, ``reads_ahead`` (it does not) and
    ``facts``; see ``engines.queueing.stream``.
    """

    @property
    def reads_ahead(self) -> bool:
        """Whether it works ahead of the request that it yields, and so wants one long stream.

        An engine that forms batches of its own says False: it is given part after part, so that a
        resumed run forms the batches of an undisturbed one.
        """
        ...

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        """Yield, for each request in order, one completion per seed in order."""
        ...

    def stream(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[Event]:
        """The same attempts, each as soon as it ended, in whatever order that happens.

        Between them comes a sign of life at least every few seconds where the engine can.
        """
        ...

    def facts(self) -> Mapping[str, str | int]:
        """What a reader of the attempts has to know, written beside them.

        Always ``seeds``: whether an attempt can be sampled again from its seed.
        """
        ...

    def close(self) -> None:
        """Free the model."""
        ...
