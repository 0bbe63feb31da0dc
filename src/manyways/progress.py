"""Everything that is printed: sentences, tables, progress bars, and the results of commands.

On a terminal, progress is a bar at the bottom of the screen while the work lasts; work inside other
work has its bar below. Elsewhere, progress is a line after 10 seconds and then every 30 seconds.
Texts of models, data and recipes are printed as text: nothing in them is markup, and a character
that would move the cursor, colour the screen or turn the reading direction is shown by its escape
(``visible``).

The result of a command goes to standard output, everything else to standard error.
"""

import contextlib
import os
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress import Progress, ProgressColumn, Task, TaskID
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:  # run_dir prints through this module
    from manyways.run_dir import Amount, RunDir

PLAIN = {"markup": False, "highlight": False, "emoji": False}
"""Options of every ``Console``: a text is printed as it is, without markup."""


def on_a_terminal(stream: TextIO | None) -> bool:
    """Whether ``stream`` is a terminal. Rich's own test also says yes if FORCE_COLOR is set."""
    return stream is not None and stream.isatty()


ABOVE_BARS = on_a_terminal(sys.stdout)
"""Whether Rich may write standard output above a bar; it must not touch a file or a pipe."""
CONSOLE = Console(stderr=True, **PLAIN)  # type: ignore[arg-type]
"""Everything that is not a result goes here, so that standard output can be piped."""

FIRST_SECONDS = 10.0
"""Time to the first line of progress."""
QUIET_SECONDS = 30.0
"""Time between later lines."""
BAR_SECONDS = 0.5
"""Time between changes of the words beside a bar."""
BAR_WIDTHS = 10, 30
"""The smallest and the largest width of a bar, in characters."""
NAME = 36
"""The longest name that a table does not break."""
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories of characters that control a terminal or are not visible."""


def visible(text: str) -> str:
    r"""``text`` with escapes (``\x1b``) for all ``HIDDEN`` characters but line breaks.

    A tab becomes four spaces, because its width depends on where it stands.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    hidden = {c for c in text if c != "\n" and unicodedata.category(c) in HIDDEN}
    return text.translate({ord(c): c.encode("unicode_escape").decode("ascii") for c in hidden})


class _TextTable(Table):
    """A table whose entries are printed as text, without markup."""

    def add_row(self, *entries: object, **options: object) -> None:
        """As Rich's, for strings and ``Text``."""
        plain = [Text(visible(one)) if isinstance(one, str) else one for one in entries]
        # A name is kept whole where other columns can be broken: people look for it, and copy it.
        name, column = str(plain[0]), self.columns[0]
        fits = len(name) <= NAME and " " not in name and CONSOLE.width >= 2 * NAME
        column.no_wrap = fits and (column.no_wrap or not self.rows)
        super().add_row(*plain, **options)  # type: ignore[arg-type]


def open_table(*columns: str, title: str | None = None) -> Table:
    """A table without a frame. Long entries are folded and not cut."""
    shown = None if title is None else Text(visible(title))
    table = _TextTable(show_edge=False, pad_edge=False, title=shown, title_justify="left")
    for column in columns:
        table.add_column(Text(visible(column)), overflow="fold")
    return table


def say(text: str) -> None:
    """Tell the user one sentence."""
    # In a log, lines are not broken: a broken path could not be copied or searched for.
    CONSOLE.print(visible(text), soft_wrap=not on_a_terminal(sys.stderr))


def duration(seconds: float) -> str:
    """Seconds in words, rounded as an estimate should be: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class _Row(ProgressColumn):
    """A task in one line if it fits, else its label above its bar. Nothing is cut."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(ratio=1))

    def render(self, task: Task) -> RenderableType:
        """The label, the bar, how many units of how many, and the task's state."""
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
"""The bottom of the terminal. It shows every bar while its work lasts."""


def _own_streams() -> None:
    """In a forked child, restore the streams that Rich redirects in the parent."""
    if _SCREEN.live.is_started:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_own_streams)


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """Hide our bars while a child process shows its own."""
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

        summary: print a sentence at the end.
        state:   returns the words beside the bar, whenever it is drawn; by default the time left.
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

    def __exit__(self, kind: object, *_: object) -> None:
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
        """Count finished units and their tokens, and print progress if it is time."""
        self.count(count, tokens=tokens)
        self.pulse(self._asked or self._by_count)

    def count(self, count: int, *, tokens: int = 0) -> None:
        """Count finished units and their tokens without printing."""
        self._count += count
        self._tokens += tokens
        if self._task is not None:
            _SCREEN.update(self._task, advance=count)

    def pulse(self, state: Callable[[], str]) -> None:
        """Print progress if it is time. ``state`` is called only then and says how far work is."""
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
    """Base of meters that wrap a ``Meter``, which shows while they are used as context managers."""

    _meter: Meter

    def __enter__(self) -> Self:
        self._meter.__enter__()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._meter.__exit__(kind)


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """Seconds of the work that is left. ``whole``: False if some of it cannot be estimated yet."""

    seconds: float
    whole: bool


def remaining(
    todo: "Iterable[Amount]",
    every: "Sequence[Amount]",
    *,
    took: Mapping[str, float],
    expected: Mapping[str, float],
) -> Left:
    """Estimate how long ``todo`` will take, from the finished pieces of the same stage.

    Within a stage, time is proportional to a piece's size: its steps, or else its attempts, or 1.
    For a stage without a finished piece the estimate is ``expected``. Sampling that is not in
    ``expected`` goes at the pace of other sampling, by its bound of tokens.

    took, expected: seconds by the name of a piece.
    """
    paces = _paces((one.stage, _size(one), took[one.work]) for one in every if one.work in took)
    # Trainings sample too, but their time is mostly that of their steps.
    samples = [one for one in every if one.work in took and one.prompts and not one.steps]
    sampling = _paces(("", one.bound, took[one.work]) for one in samples).get("")
    seconds, whole = 0.0, True
    for one in todo:
        if one.stage in paces:
            seconds += paces[one.stage] * _size(one)
        elif one.work in expected:
            seconds += expected[one.work]
        elif sampling is not None and one.prompts and not one.steps:
            seconds += sampling * one.bound
        else:
            whole = whole and one.stage in QUICK
    return Left(seconds=seconds, whole=whole)


QUICK = ("select", "analyse", "report")
"""Stages that take seconds while others take minutes; the estimate may leave them out."""


def _size(one: "Amount") -> int:
    return one.steps or one.attempts or 1


def _paces(done: Iterable[tuple[str, int, float]]) -> dict[str, float]:
    """Seconds for each unit of size, by name."""
    sums: dict[str, tuple[int, float]] = {}
    for name, size, seconds in done:
        sizes, spent = sums.get(name, (0, 0.0))
        sums[name] = sizes + size, spent + seconds
    return {name: spent / sizes for name, (sizes, spent) in sums.items() if sizes}


class RunMeter(Metered):
    """Shows how far a run is. Use as a context manager.

    Example: ``with RunMeter("smoke", run, pieces, expected={}) as meter: with
    meter.piece("rl/star/seed-0"): ...``.

    pieces:   name of a step -> its amounts.
    expected: name of a piece of work -> seconds, from a forecast; empty without one.
    jobs:     how many steps run at once.
    """

    def __init__(
        self,
        name: str,
        run: "RunDir",
        pieces: "Mapping[str, Sequence[Amount]]",
        *,
        expected: Mapping[str, float],
        jobs: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._expected, self._jobs, self._clock = run, expected, jobs, clock
        self._every = [one for amounts in pieces.values() for one in amounts]
        self._todo = dict(pieces)
        self._now: str | None = None
        self._meter = Meter(
            name, total=len(pieces), unit="pieces of work", state=self._words, clock=clock
        )
        self._look()

    @contextlib.contextmanager
    def piece(self, name: str) -> Iterator[None]:
        """While in this context, work on the piece. It counts as passed at the end, even failed."""
        self._now = name
        self._estimate()
        try:
            yield
        finally:
            self.passed([name])

    def passed(self, names: Iterable[str]) -> None:
        """Count pieces that are finished, or that will be left out."""
        gone = [name for name in names if self._todo.pop(name, None) is not None]
        self._now = None
        self._look()
        self._meter.advance(len(gone))

    def _look(self) -> None:
        """Read which pieces are finished, and estimate again."""
        self._took = {stamp.work: stamp.seconds for stamp in self._run.stamps()}
        self._estimate()

    def _estimate(self) -> None:
        self._since = self._clock()
        self._piece, self._rest = (
            remaining(
                (one for name, amounts in self._todo.items() for one in amounts
                 if (name == self._now) is current),
                self._every, took=self._took, expected=self._expected,
            )
            for current in (True, False)
        )  # fmt: skip

    def _words(self) -> str:
        """``about 3 min left``; ``at least`` while some stage cannot be estimated."""
        elapsed = self._clock() - self._since
        seconds = self._rest.seconds / self._jobs
        # A piece that takes longer than expected must not shorten the estimate of the others.
        if self._now is None:
            seconds = max(0.0, seconds - elapsed)
        seconds += max(0.0, self._piece.seconds - elapsed)
        whole = self._piece.whole and self._rest.whole
        if not whole and not seconds:
            return ""
        return f"{'about' if whole else 'at least'} {duration(seconds)} left"


def print_text(text: str) -> None:
    """Print a text as it is; ``visible`` escapes what would control the terminal."""
    print(visible(text))


def print_sentence(text: str) -> None:
    """Print a sentence: on a terminal it is broken between words, elsewhere it is one line."""
    console = Console(**PLAIN)  # type: ignore[arg-type]
    console.print(visible(text), soft_wrap=not on_a_terminal(sys.stdout))


def print_result(table: Table, *, width: int | None = None) -> None:
    """Print a table of ``open_table``, as wide as the terminal or ``width``."""
    Console(width=width, **PLAIN).print(table)  # type: ignore[arg-type]


def print_panel(text: str, *, title: str) -> None:
    """Print a text in a frame as wide as the terminal."""
    panel = Panel(Text(visible(text)), title=Text(visible(title)))
    Console(**PLAIN).print(panel)  # type: ignore[arg-type]
