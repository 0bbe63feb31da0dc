"""The progress of a stream of attempts: how many run and ended, tokens per second, time left."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from manyways.engines import Ended, Event
from manyways.engines.pace import Pace
from manyways.progress import Meter, duration


class SamplingMeter:
    """Shows what ``Engine.stream`` tells. Use as a context manager.

    Example: ``with SamplingMeter("generate", total=40, most=512) as meter: meter.take(event)``.

    total, most: as ``Pace``.  summary: as ``Meter``.
    """

    def __init__(
        self,
        label: str,
        *,
        total: int,
        most: int,
        summary: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._meter = Meter(label, total=total, unit="attempts", summary=summary, clock=clock)
        self._pace = Pace(total=total, most=most, clock=clock)

    def __enter__(self) -> Self:
        self._meter.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._meter.__exit__(kind, error, trace)

    def take(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, Ended):
            self.end(event.completion.tokens, cut_off=event.completion.finish == "length")
        else:
            self.step(event.running, event.begun, event.tokens)

    def end(self, tokens: int, *, cut_off: bool) -> None:
        """Count an attempt that ended, by itself or at the limit."""
        self._pace.end(tokens, cut_off=cut_off)
        self._meter.count(1, tokens=tokens)

    def step(self, running: int, begun: int, tokens: Callable[[], Sequence[int]]) -> None:
        """As ``Going``."""
        self._pace.step(running, begun, tokens)
        self._meter.pulse(self._state)

    def _state(self) -> str:
        pace = self._pace
        words = [f"{pace.running} running"] if pace.running else []
        words.append(f"{pace.rate:,.0f} tokens/s")
        left = pace.left()
        if left is not None:
            # While none has ended by itself, each is taken to run to its limit.
            words.append(f"{'about' if pace.ended else 'at most'} {duration(left)} left")
        return ", ".join(words)
