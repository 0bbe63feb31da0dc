"""Measured beside expected: each measurable quantity of the theory, and whether they agree."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from manyways.measures.measure import Finding, Measure
from manyways.measures.theory.expectation import SIGNS, Outcome, Part, PredictionRow
from manyways.records import Score
from manyways.reporting import words
from manyways.reporting.blocks import Block, Cell, Figure, Note, Table

if TYPE_CHECKING:
    from manyways.measures.seen import Seen


RULE = (
    "Agrees: every interval lies on the expected side (for “within”: inside the band). Disagrees: "
    "every interval lies on the other side (outside the band). Cannot tell: anything else.",
    "The interval over problems and, from three seeds on, the one over seeds both have to say so; "
    "with three seeds the latter is wide. n: problems, or seeds where a training gives one number. "
    "Nothing is corrected for the number of rows.",
)
PARTS: tuple[Part, ...] = ("before RL", "through RL", "between arms")
ORDER: tuple[Outcome, ...] = ("disagrees", "agrees", "cannot tell", "no sign expected")


def measured(seen: "Seen") -> list[PredictionRow]:
    """Everything that the theory speaks of and the run has data for."""
    from manyways.measures.theory.quantities import prediction_rows

    return prediction_rows(seen)


def example() -> list[PredictionRow]:
    """One that agrees and one that does not."""

    def row(quantity: str, value: float, outcome: Outcome) -> PredictionRow:
        return PredictionRow(
            part="through RL", quantity=quantity, proposition="D2",
            of="heuristics-8 after RL − before", expected="above 0", outcome=outcome,
            measured=Score(name=quantity, value=value, low=value - 0.1, high=value + 0.1, n=12),
        )  # fmt: skip

    return [row("Change of the composition rate", 0.2, "agrees"),
            row("Switch rate", -0.3, "disagrees")]  # fmt: skip


def blocks(seen: "Seen") -> list[Block]:
    """How many agree, what disagrees, and on demand every row that can be told."""
    rows = seen.rows(PREDICTIONS)
    if not rows:
        nothing = "Nothing that the theory speaks of could be measured in this run."
        return [Note(kind="empty", sentences=(nothing,))]
    drawn: list[Block] = [Note(kind="finding", sentences=(_tally(rows),))]
    against = tuple(_said(row) for row in rows if row.outcome == "disagrees")
    if against:
        drawn.append(Note(kind="caution", sentences=against))
    told = [row for row in rows if row.outcome != "cannot tell"]
    return [*drawn, *_tables(seen, told), Note(kind="empty", sentences=RULE)]


def _tally(rows: list[PredictionRow]) -> str:
    counts = Counter(row.outcome for row in rows)
    signed = sum(counts[outcome] for outcome in ORDER[:3])
    return f"Of {words.plural(signed, 'expected sign')}, {_counted(counts)}."


def _counted(counts: Counter[Outcome]) -> str:
    """``16 agree with what was measured, 1 disagrees and 72 cannot be told``."""
    agree, against = (
        f"{counts[outcome]} {outcome if counts[outcome] == 1 else outcome.removesuffix('s')}"
        for outcome in ORDER[1::-1]
    )
    return f"{agree} with what was measured, {against} and {counts['cannot tell']} cannot be told"


def _said(row: PredictionRow) -> str:
    measured = _number(row.measured) if row.measured else words.NONE
    return (
        f"Against the theory: {row.quantity} ({row.proposition}), {words.named(row.of)}: "
        f"{measured}; expected {row.expected}."
    )


def _tables(seen: "Seen", rows: list[PredictionRow]) -> list[Table]:
    """One table for each part of the story; arms beside the main one on demand."""
    found = []
    for part in PARTS:
        mine = [row for row in rows if row.part == part]
        others = [arm for arm in seen.recipe.arms if arm != seen.lead]
        aside = [r for r in mine if part == "through RL" and any(arm in r.of for arm in others)]
        main = [row for row in mine if row not in aside]
        for title, some, folded in ((part, main, False), (f"{part}, other arms", aside, True)):
            if some:
                found.append(_table(f"{title[0].upper()}{title[1:]}", some, folded=folded))
    return found


def _table(caption: str, rows: list[PredictionRow], *, folded: bool) -> Table:
    cells: list[tuple[Cell, ...]] = [
        (
            row.quantity,
            SIGNS.get(row.outcome, "– no sign"),
            _number(row.measured) if row.measured else words.NONE,
            words.count(row.measured.n) if row.measured else words.NONE,
            f"[{_number(row.seeds).interval}]" if row.seeds else words.NONE,
            f"{row.proposition}: {row.expected}",
            words.named(f"{row.of}: {row.note}" if row.note else row.of),
        )
        for row in rows
    ]
    return Table(
        caption=caption,
        head=("", "outcome", "measured", "n", "over seeds", "expected", "of"),
        rows=tuple(cells),
        folded=folded,
        strong=tuple(i for i, row in enumerate(rows) if row.outcome == "disagrees"),
    )


def _number(score: Score) -> Figure:
    """Three digits after the point, four where the number is small."""
    digits = 4 if 0 < max(abs(score.low), abs(score.high)) < 0.01 else 3
    value, low, high = (words.number(x, digits) for x in (score.value, score.low, score.high))
    return Figure(value=value, interval=f"{low}, {high}")


def says(seen: "Seen") -> Iterator[Finding]:
    """How what was measured compares with what the theory expects."""
    rows = seen.rows(PREDICTIONS)
    counts = Counter(row.outcome for row in rows)
    if not counts:
        return
    against = [
        f"{r.quantity} of {words.named(r.of)}"
        for r in seen.rows(PREDICTIONS)
        if r.outcome == "disagrees"
    ]
    sentence = f"Of the signs that the theory expects, {_counted(counts)}" + (
        f". Against the theory: {'; '.join(against)}." if against else "."
    )
    yield Finding(kind="mechanism", sentence=sentence)


PREDICTIONS = Measure(
    name="predictions",
    row=PredictionRow,
    measured=measured,
    example=example,
    shown={"theory": blocks},
    says=says,
)
