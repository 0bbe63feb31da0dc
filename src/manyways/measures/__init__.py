"""What a ``Measure`` is: one figure or table of the report, in one file.

``catalogue`` lists the measures in reading order. Most are measured when a run is analysed; the
others are read from files that a stage left. Rows stand in ``7-tables/<name>.json``: a list, one
row a line. Every rate comes with its 95% interval and the number of independent units behind it.
``checkpoint`` is ``base`` or ``<arm>/seed-<s>/<mid|rl>``; rows pooled over seeds have ``seed`` None
and the name ``<arm>/<phase>``.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from manyways.errors import RunDirError
from manyways.records import Score
from manyways.reporting import Block

if TYPE_CHECKING:
    from manyways.measures.seen import Seen


R = TypeVar("R")
Kind = Literal["main", "mechanism", "data", "training", "caution"]
Chapter = Literal["answer", "why", "theory", "data", "training", "evaluation", "explorer", "costs"]
"""The id of a section of the report."""


DIRECT = "direct"
"""What a step or a text shows that shows no heuristic."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One plain sentence of the report.

    kind:     what it is about, and the order of the sentences.
    sentence: with its interval, or "no difference found".
    """

    kind: Kind
    sentence: str


def _silent(_: "Seen") -> Iterator[Finding]:
    """The findings of a measure that has none."""
    yield from ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure(Generic[R]):
    """One thing that is measured: how, how it is shown and what it says.

    name:     of its table.
    row:      a frozen dataclass.
    measured: its rows, from ``seen.material`` and the rows of other measures.
    shown:    section -> its blocks there.
    says:     its findings in words.
    example:  rows for tests: they are shown, written and read again.
    within:   for a measure without blocks of its own, the measure whose table shows its numbers.
    """

    name: str
    row: type[R]
    measured: Callable[["Seen"], Iterable[R]]
    example: Callable[[], Sequence[R]]
    shown: dict[Chapter, Callable[["Seen"], Iterable[Block]]]
    says: Callable[["Seen"], Iterable[Finding]] = _silent
    within: str = ""


def example_score(name: str, value: float, *, half: float = 0.1, n: int = 12) -> Score:
    """A score for the example of a measure; ``half``: of the width of its interval."""
    return Score(name=name, value=value, low=value - half, high=value + half, n=n)


def sign_of(*scores: Score | None) -> int:
    """1 or -1 where all intervals that there are lie on one side of 0, else 0."""
    there = [score for score in scores if score is not None]
    if there and all(score.low > 0 for score in there):
        return 1
    return -1 if there and all(score.high < 0 for score in there) else 0


def write_rows(path: Path, rows: Iterable[Any]) -> None:
    """Write rows (dataclass instances) as a JSON list, a line for each."""
    from manyways.tables import write_text

    lines = (json.dumps(asdict(row), ensure_ascii=False) for row in rows)
    write_text(path, "[" + ",".join(f"\n{line}" for line in lines) + "\n]\n")


def read_rows(path: Path, row_type: type[R]) -> list[R]:
    """Read rows of ``row_type``; an absent file is an empty table.

    Raises RunDirError for rows that this release does not write.
    """
    from pydantic import TypeAdapter, ValidationError

    if not path.is_file():
        return []
    try:
        rows: list[R] = TypeAdapter(list[row_type]).validate_json(path.read_bytes())  # type: ignore[valid-type]
    except ValidationError as error:
        raise RunDirError(
            f"'{path}' is damaged or was written by another release. `manyways analyse RUN` makes "
            "the tables of a run anew."
        ) from error
    return rows
