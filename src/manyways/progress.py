"""What is told on a terminal: sentences, tables, and the progress of long work.

Progress is a bar on a terminal, elsewhere a line after ten seconds, then every 30. Texts of models,
data and recipes are text: nothing in them is markup, and what would move the cursor, colour the
screen or turn the reading direction is shown by its escape (``visible``).
"""

import sys
import time
import unicodedata
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

PLAIN = {"markup": False, "highlight": False, "emoji": False}
"""For every ``Console``: a text is printed as it is."""
CONSOLE = Console(stderr=True, **PLAIN)  # type: ignore[arg-type]
"""Everything that is not a result goes here, so that standard output can be piped."""

FIRST_SECONDS = 10.0
"""After which the first line comes."""
QUIET_SECONDS = 30.0
"""Between later lines."""
BAR_SECONDS = 0.5
"""Between changes of a bar."""
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what acts on a terminal, or is not seen, instead of being a character."""


def visible(text: str) -> str:
    r"""``text`` with line breaks; whatever else acts becomes an escape like ``\x1b`` or ``\u202e``.

    A tab becomes four spaces: its width would depend on where it stands.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    return "".join(c if c == "\n" or not _acts(c) else _escape(c) for c in text)


def _acts(character: str) -> bool:
    return unicodedata.category(character) in HIDDEN


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


class _TextTable(Table):
    """A table whose cells and heads are text."""

    def add_row(self, *cells: object, **options: object) -> None:
        """As Rich's, for strings and ``Text``."""
        plain = (Text(visible(cell)) if isinstance(cell, str) else cell for cell in cells)
        super().add_row(*plain, **options)  # type: ignore[arg-type]


def open_table(*columns: str, title: str | None = None) -> Table:
    """A table without a frame whose cells fold instead of being cut."""
    shown = None if title is None else Text(visible(title))
    table = _TextTable(show_edge=False, pad_edge=False, title=shown, title_justify="left")
    for column in columns:
        table.add_column(Text(visible(column)), overflow="fold")
    return table


def say(text: str) -> None:
    """Tell the user one sentence."""
    # In a log, a path or an address that is broken across lines cannot be copied or searched for.
    CONSOLE.print(visible(text), soft_wrap=not CONSOLE.is_terminal)


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.5 h``: as exact as an estimate deserves."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class Meter:
    """Counts finished units of work and, optionally, tokens. Use as a context manager.

    Example: ``with Meter("generate", total=1600, unit="attempts") as meter: meter.advance(64,
    tokens=3100)``.
    """

    _bars: ClassVar[int] = 0

    def __init__(
        self,
        label: str,
        *,
        total: int,
        unit: str,
        summary: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``summary``: say a last sentence at the end."""
        self._label, self._total, self._unit, self._clock = label, total, unit, clock
        self._summary = summary
        self._count = self._tokens = 0
        self._start = self._shown = clock()
        self._due = self._start + FIRST_SECONDS
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            TimeElapsedColumn(),
        )
        # A terminal has room for one bar: what is measured within other work tells lines.
        quiet = not sys.stderr.isatty() or Meter._bars > 0
        self._bar = Progress(*columns, console=CONSOLE, disable=quiet)
        self._task = self._bar.add_task(visible(label), total=total, state="")

    def __enter__(self) -> Self:
        Meter._bars += not self._bar.disable
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        Meter._bars -= not self._bar.disable
        self._bar.stop()
        if kind is None and self._count and self._summary:
            say(f"{self._label}: {self._count} {self._unit} in {self._seconds:.1f} s{self._rate()}")

    @property
    def _seconds(self) -> float:
        return self._clock() - self._start

    def _rate(self) -> str:
        return f", {self._tokens / max(self._seconds, 1e-9):,.0f} tokens/s" if self._tokens else ""

    def advance(self, count: int = 1, *, tokens: int = 0) -> None:
        """Report ``count`` more finished units and ``tokens`` more tokens; tell if it is time."""
        self.count(count, tokens=tokens)
        self.pulse(self._by_count)

    def count(self, count: int, *, tokens: int = 0) -> None:
        """As ``advance``, without telling."""
        self._count += count
        self._tokens += tokens
        self._bar.update(self._task, advance=count)

    def pulse(self, state: Callable[[], str]) -> None:
        """Work goes on; ``state`` says how far, and is asked where it is time to tell."""
        now = self._clock()
        if self._bar.disable and now >= self._due:
            self._due = now + QUIET_SECONDS
            say(f"{self._label}: {self._count}/{self._total} {self._unit}, {state()}")
        elif not self._bar.disable and now >= self._shown + BAR_SECONDS:
            self._shown = now
            self._bar.update(self._task, state=state())

    def _by_count(self) -> str:
        left = (self._total - self._count) * self._seconds / max(self._count, 1)
        words = [self._rate().removeprefix(", "), f"about {duration(left)} left"]
        return ", ".join(filter(None, words))
