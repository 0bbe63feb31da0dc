"""What is told on a terminal: sentences, tables, progress of long work; what a command answers.

Progress is a bar at the foot of a terminal for as long as the work lasts, elsewhere a line after
ten seconds, then every 30. Work within other work has its bar below that. Texts of models, data and
recipes are text: nothing in them is markup, and what would move the cursor, colour the screen or
turn the reading direction is shown by its escape (``visible``).

What a command answers goes to standard output, all else to standard error.
"""

import contextlib
import os
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress import Progress, ProgressColumn, Task, TaskID
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

PLAIN = {"markup": False, "highlight": False, "emoji": False}
"""For every ``Console``: a text is printed as it is."""


def on_a_terminal(stream: TextIO | None) -> bool:
    """Whether ``stream`` is a terminal; Rich also says so where FORCE_COLOR is set."""
    return stream is not None and stream.isatty()


ABOVE_BARS = on_a_terminal(sys.stdout)
"""Whether Rich may write standard output above a bar: not what goes to a file or a pipe."""
CONSOLE = Console(stderr=True, **PLAIN)  # type: ignore[arg-type]
"""Everything that is not a result goes here, so that standard output can be piped."""

FIRST_SECONDS = 10.0
"""After which the first line comes."""
QUIET_SECONDS = 30.0
"""Between later lines."""
BAR_SECONDS = 0.5
"""Between changes of what is written beside a bar."""
BAR_WIDTHS = 10, 30
"""Of a bar, at least and at most."""
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
    CONSOLE.print(visible(text), soft_wrap=not on_a_terminal(sys.stderr))


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.5 h``: as exact as an estimate deserves."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class _Row(ProgressColumn):
    """A task in one line where there is room, else its label above its bar: nothing is cut."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(ratio=1))

    def render(self, task: Task) -> RenderableType:
        """The label, the bar, how many of how many, and what else is known."""
        state = task.fields["state"]()
        label = Text(task.description)
        known = Text(f"{task.completed:.0f}/{task.total:.0f}{state and f' {state}'}")
        room = CONSOLE.width - known.cell_len - 2
        least, most = BAR_WIDTHS
        if room - label.cell_len > least:
            bar = _bar(task, min(most, room - label.cell_len - 1))
            return _side_by_side(label, bar, known)
        return Group(label, _side_by_side(_bar(task, max(least, min(most, room))), known))


def _bar(task: Task, width: int) -> ProgressBar:
    return ProgressBar(total=task.total, completed=task.completed, width=width)


def _side_by_side(*parts: RenderableType) -> Table:
    grid = Table.grid(*(Column(overflow="fold") for _ in parts), padding=(0, 1))
    grid.add_row(*parts)
    return grid


_SCREEN = Progress(
    _Row(),
    console=CONSOLE,
    expand=True,
    transient=True,
    refresh_per_second=4,
    redirect_stdout=ABOVE_BARS,
)
"""The foot of the terminal, where every bar stands while its work lasts."""


def _own_streams() -> None:
    """Undo in a forked child that Rich writes the parent's streams above the parent's bars."""
    if _SCREEN.live.is_started:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_own_streams)


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """Leave the terminal to a process that shows bars of its own."""
    shown = _SCREEN.live.is_started
    _SCREEN.stop()
    try:
        yield
    finally:
        if shown:
            _SCREEN.start()


class Meter:
    """Counts finished units of work and, optionally, tokens. Use as a context manager.

    Example: ``with Meter("generate", total=1600, unit="attempts") as meter: meter.advance(64,
    tokens=3100)``.
    """

    def __init__(
        self,
        label: str,
        *,
        total: int,
        unit: str,
        summary: bool = True,
        state: Callable[[], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Label, total and unit as in ``4/20 steps``.

        summary: say a last sentence at the end.
        state:   what is known, asked whenever a bar is drawn; by default the time left.
        """
        self._label, self._total, self._unit, self._clock = label, total, unit, clock
        self._summary, self._asked = summary, state
        self._count = self._tokens = 0
        self._start = self._shown = clock()
        self._due = self._start + FIRST_SECONDS
        self._state = ""
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if on_a_terminal(sys.stderr) and not CONSOLE.quiet:
            state = self._asked or (lambda: self._state)
            self._task = _SCREEN.add_task(visible(self._label), total=self._total, state=state)
            _SCREEN.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            _SCREEN.remove_task(self._task)
            if not _SCREEN.tasks:
                _SCREEN.stop()
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
        self.pulse(self._asked or self._by_count)

    def count(self, count: int, *, tokens: int = 0) -> None:
        """As ``advance``, without telling."""
        self._count += count
        self._tokens += tokens
        if self._task is not None:
            _SCREEN.update(self._task, advance=count)

    def pulse(self, state: Callable[[], str]) -> None:
        """Work goes on; ``state`` says how far, and is asked where it is time to tell."""
        now = self._clock()
        if self._task is None and now >= self._due:
            self._due = now + QUIET_SECONDS
            words = filter(None, (f"{self._count}/{self._total} {self._unit}", state()))
            say(f"{self._label}: {', '.join(words)}")
        elif self._task is not None and now >= self._shown + BAR_SECONDS:
            self._shown = now
            self._state = state()

    def _by_count(self) -> str:
        left = (self._total - self._count) * self._seconds / max(self._count, 1)
        words = [self._rate().removeprefix(", "), f"about {duration(left)} left"]
        return ", ".join(filter(None, words))


class Metered:
    """What shows a ``Meter`` of its own for as long as it is used as a context manager."""

    _meter: Meter

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


def print_text(text: str) -> None:
    """A text as it is; what would act on the terminal is shown by its escape."""
    print(visible(text))


def print_sentence(text: str) -> None:
    """A sentence: broken between words on a terminal, in one line elsewhere."""
    console = Console(**PLAIN)  # type: ignore[arg-type]
    console.print(visible(text), soft_wrap=not on_a_terminal(sys.stdout))


def print_result(table: Table, *, width: int | None = None) -> None:
    """A table of ``open_table``, as wide as the terminal or ``width``."""
    Console(width=width, **PLAIN).print(table)  # type: ignore[arg-type]


def print_panel(text: str, *, title: str) -> None:
    """A text in a frame as wide as the terminal."""
    panel = Panel(Text(visible(text)), title=Text(visible(title)))
    Console(**PLAIN).print(panel)  # type: ignore[arg-type]
