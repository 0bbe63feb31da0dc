"""A report is made of sections, and these of blocks. HTML and Markdown print the same blocks.

This package shows numbers. It computes no statistics.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from manyways.records import Score

Spec = dict[str, object]
"""A Plotly figure as plain JSON: ``data``, ``layout``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """An entry that links within the page. Example: ``Link(text="star", target="#data")``."""

    text: str
    target: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A number with its interval. Example: ``Figure(value="0.53", interval="0.48, 0.58")``."""

    value: str
    interval: str

    def __str__(self) -> str:
        return f"{self.value} [{self.interval}]".lstrip()


Entry = str | Link | Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows under a head; the first entry of a row names it. ``folded``: shown on demand."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    note: str = ""
    folded: bool = False
    strong: tuple[int, ...] = ()
    """Numbers of the rows that stand out."""
    whole: bool = False
    """Whether it is shown however long it is; others are folded if they have many rows."""
    cells: bool = False
    """Whether a figure of the same numbers stands beside it."""

    @property
    def numeric(self) -> tuple[bool, ...]:
        """For each column, whether it has only numbers and is aligned to the right."""
        columns = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.head)
        return tuple(bool(column) and all(map(_is_number, column)) for column in columns)


_NUMBER = re.compile(r"[<+−-]?[\d,.]*( ?(%|s|h|min|[\d, ]+))*|–")


def _is_number(entry: Entry) -> bool:
    text = entry.text if isinstance(entry, Link) else entry
    return isinstance(text, Figure) or _NUMBER.fullmatch(text) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """One figure. ``alt`` says in words what it shows; ``height`` is in pixels."""

    id: str
    title: str
    alt: str
    spec: Spec
    height: int = 300
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key of a legend. It switches the traces whose ``meta[group]`` is ``name``."""

    group: Literal["arm", "phase", "k", "band", "stack", "line"]
    name: str
    label: str
    colour: str
    dash: str = "solid"
    symbol: str = ""
    on: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Charts:
    """Figures side by side under one legend. ``wide``: each takes the full width."""

    charts: tuple[Chart, ...]
    legend: tuple[Key, ...] = ()
    wide: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """A heading within a section; ``text`` explains what follows."""

    title: str
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Sentences that stand out: findings, cautions, or the reason why nothing is shown."""

    kind: Literal["finding", "caution", "stop", "empty", "terms", "next"]
    sentences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """Text shown as it is, on demand."""

    caption: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A stage of the method with the count of this run; ``target``: where the page says more.

    Example: ``Step(title="kept", count="155", text="one for each way", target="#data")``.
    """

    title: str
    count: str
    text: str
    target: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline:
    """The stages in order, from problems to scores."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One solution. A step is (text, name of its heuristic or "", its colour or "")."""

    name: str
    colour: str
    steps: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ways:
    """One problem and different correct solutions of it, side by side."""

    caption: str
    question: str
    answer: str
    ways: tuple[Way, ...]
    note: str = ""
    target: str = ""
    link: str = ""
    """The text of the link to ``target``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explorer:
    """Problems with their texts, to search and filter.

    note: what the problems are a sample of.  data: what the script of the page reads.
    """

    note: str
    data: Spec


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """Figures and tables shown on demand."""

    title: str
    blocks: "tuple[Block, ...]"


Block = Table | Charts | Heading | Note | Code | Pipeline | Ways | Fold | Explorer


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One section of the report. ``intro`` explains it to a student in one or two sentences.

    question, tags: what the report asks; what the run is, in a few words each. Only the first
    section has them.
    warning: what a reader must know first.
    """

    id: str
    title: str
    intro: str
    blocks: tuple[Block, ...]
    question: str = ""
    tags: tuple[str, ...] = ()
    warning: str = ""

    @property
    def every(self) -> tuple[Block, ...]:
        """Its blocks, with those inside folds."""
        return _unfolded(self.blocks)


def _unfolded(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    inner = (_unfolded(b.blocks) if isinstance(b, Fold) else (b,) for b in blocks)
    return tuple(block for found in inner for block in found)


ROW = 3
"""Charts side by side on a wide screen."""


def first_row(figures: Sequence[Chart], legend: tuple[Key, ...], other: str) -> list[Block]:
    """The first charts, and the others on demand. other: the name of one of the others."""
    first, rest = tuple(figures[:ROW]), tuple(figures[ROW:])
    drawn: list[Block] = [Charts(charts=first, legend=legend)] if first else []
    if rest:
        title = f"{len(rest)} {other}" if len(rest) == 1 else f"{len(rest)} {other}s"
        names = ", ".join(chart.title[:1].lower() + chart.title[1:] for chart in rest)
        title += f": {names}" if len(rest) <= ROW else ""
        drawn.append(Fold(title=title, blocks=(Charts(charts=rest, legend=legend),)))
    return drawn


def explorer_link(*, of: int | None = None, **filters: str) -> str:
    """A link to the texts behind a number: the explorer, with its filters set.

    of: how many attempts of the run match the filters. The page has a sample of these, and says so
        beside this count.  filters: fields of the explorer's form, see ``explorer.js``.
    """
    return f"#explorer?{urlencode(filters | ({'of': str(of)} if of is not None else {}))}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """Example: ``Column(benchmark="aime24/test", k=64)``."""

    benchmark: str
    k: int

    @property
    def measure(self) -> str:
        """``pass@64``."""
        return f"pass@{self.k}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One arm at one phase. ``seeds``: its number of training seeds; None for the base model."""

    label: str
    seeds: int | None
    scores: tuple[Score | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """The paper's figures for the benchmarks of this run, in %; None where it has none."""

    source: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmsTable:
    """The comparison table, in no format yet. ``published``: only for the paper's benchmarks."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    published: Published | None

    def best(self, column: int) -> set[int]:
        """Rows with the highest printed score of a column; none if fewer than two have a score."""
        scores = [row.scores[column] for row in self.rows]
        printed = [None if score is None else percent(score.value) for score in scores]
        there = [score.value for score in scores if score is not None]
        if len(there) < 2:
            return set()
        return {i for i, text in enumerate(printed) if text == percent(max(there))}


def percent(value: float) -> str:
    """0.4321 -> ``43.2``."""
    return f"{100 * value:.1f}"
