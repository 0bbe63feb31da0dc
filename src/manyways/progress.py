"""Progress of long work: a bar with rates on a terminal, one line every half minute elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

CONSOLE = Console(stderr=True)
"""Everything that is not a result goes here, so that standard output can be piped."""

QUIET_SECONDS = 30.0


def say(text: str) -> None:
    """Tell the user one sentence."""
    # In a log, a path or an address that is broken across lines cannot be copied or searched for.
    CONSOLE.print(text, highlight=False, markup=False, soft_wrap=not CONSOLE.is_terminal)


class Meter:
    """Counts finished units of work and, optionally, tokens. Use as a context manager.

    Example: ``with Meter("generate", total=1600, unit="attempts") as meter: meter.advance(64,
    tokens=3100)``.
    """

    def __init__(self, label: str, *, total: int, unit: str) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._count = self._tokens = 0
        self._start = self._spoke = time.monotonic()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=CONSOLE, disable=not sys.stderr.isatty())
        self._task = self._bar.add_task(label, total=total, rate="")

    def __enter__(self) -> "Meter":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if kind is None and self._count:
            say(f"{self._label}: {self._count} {self._unit} in {self._seconds:.1f} s{self._rate()}")

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._start

    def _rate(self) -> str:
        return f", {self._tokens / max(self._seconds, 1e-9):,.0f} tokens/s" if self._tokens else ""

    def advance(self, count: int = 1, *, tokens: int = 0) -> None:
        """Report ``count`` more finished units and ``tokens`` more tokens."""
        self._count += count
        self._tokens += tokens
        self._bar.update(self._task, advance=count, rate=self._rate().removeprefix(", "))
        now = time.monotonic()
        if self._bar.disable and now - self._spoke > QUIET_SECONDS:
            self._spoke = now
            left = (self._total - self._count) * self._seconds / max(self._count, 1)
            say(
                f"{self._label}: {self._count}/{self._total} {self._unit}{self._rate()}, "
                f"about {left:.0f} s left"
            )
