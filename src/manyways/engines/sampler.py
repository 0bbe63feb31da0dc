"""A decoder with as many attempts at once as the memory takes."""

from collections import deque
from collections.abc import Iterator
from typing import Literal

from manyways.engines import SamplingSettings
from manyways.engines.decoding import Decoder, Step, StopCheck
from manyways.engines.memory import batch_tokens, free_memory, out_of_memory
from manyways.engines.queueing import Waiting
from manyways.errors import ModelError
from manyways.progress import say


class Sampler:
    """Samples with ``decoder``, whose batches hold at most ``size`` tokens, or what fits."""

    def __init__(self, decoder: Decoder, size: int | Literal["auto"]) -> None:
        self.decoder, self._size = decoder, size

    @property
    def size(self) -> int:
        """Tokens of prompts and attempts in one batch, at most."""
        if self._size == "auto":
            self._size = batch_tokens(self.decoder.model)
        return self._size

    def steps(
        self, waiting: deque[Waiting], settings: SamplingSettings, stop: StopCheck | None = None
    ) -> Iterator[Step]:
        """All passes until nothing waits; where the memory does not suffice, with half of it.

        Raises ModelError when not even one attempt fits, or the model's output is broken.
        """
        while waiting:
            try:
                yield from self.decoder.steps(waiting, settings, stop, batch_tokens=self.size)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._halve(max(len(one.prompt) for one in waiting) + settings.max_tokens, error)

    def _halve(self, least: int, error: Exception) -> None:
        if self.size <= least:
            raise ModelError(
                f"one attempt of up to {least} tokens does not fit the memory: lower max_tokens, "
                "or take a smaller model or dtype."
            ) from error
        self._size = max(least, self.size // 2)
        say(
            "memory does not suffice for so many attempts at once: going on with batches of "
            f"{self._size} tokens."
        )
        free_memory()
