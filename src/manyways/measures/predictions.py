"""Measured beside expected: each measurable quantity of the theory, and whether they agree.

The theory expects a number to lie above, below or near a reference. The rule looks at the interval
over problems and, with three or more seeds, at the interval over seeds:

| expected | agrees                    | disagrees                | cannot tell |
|----------|---------------------------|--------------------------|-------------|
| above    | every interval above      | every interval below     | else        |
| below    | every interval below      | every interval above     | else        |
| near     | every interval in the band| every one outside it     | else        |

The band of ``near`` is the reference plus and minus a margin that the row states: an interval that
merely holds the reference does not show that there is no difference.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from manyways.measures import Finding, Measure, example_score
from manyways.records import Score
from manyways.reporting import Block, Entry, Figure, Note, Table, words

if TYPE_CHECKING:
    from manyways.measures.seen import Seen

Chapter = Literal["before RL", "through RL", "between arms"]
BEFORE: Chapter = "before RL"
THROUGH: Chapter = "through RL"
BETWEEN: Chapter = "between arms"
Outcome = Literal["agrees", "disagrees", "cannot tell", "no sign expected"]
SIGNS = {"agrees": "✓ agrees", "disagrees": "✗ disagrees", "cannot tell": "? cannot tell"}
Side = Literal["above", "below", "near", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictionRow:
    """One measurable quantity of the theory.

    part:        the chapter of the theory to which it belongs.
    quantity:    what is measured, in words.
    proposition: the proposition about it, for example ``A2``.
    of:          the checkpoint, the difference ``a − b``, or the arm.
    measured:    value with its interval over problems; None when it could not be measured.
    seeds:       with three or more seeds, the interval over seeds.
    expected:    what the theory says about its sign or size, in words.
    outcome:     whether it is as expected.
    note:        the two sides of a difference, or why nothing can be said.
    """

    part: Chapter
    quantity: str
    proposition: str
    of: str
    measured: Score | None
    seeds: Score | None = None
    expected: str
    outcome: Outcome
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """Where a number should lie.

    side: None when the theory says nothing about the sign; ``unknown`` when it follows from another
    measurement that leaves it open.
    """

    words: str
    side: Side | None
    reference: float = 0.0
    margin: float = 0.0


def decide(expected: Expectation, measured: Score | None, seeds: Score | None = None) -> Outcome:
    """The rule in the table above; without a measurement nothing can be told."""
    if expected.side is None:
        return "no sign expected"
    if measured is None or expected.side == "unknown":
        return "cannot tell"
    places = {_place(score, expected) for score in (measured, seeds) if score is not None}
    if len(places) > 1 or "across" in places:
        return "cannot tell"
    return "agrees" if expected.side in places else "disagrees"


def _place(score: Score, expected: Expectation) -> str:
    low, high = expected.reference - expected.margin, expected.reference + expected.margin
    if score.low > high:
        return "above"
    if score.high < low:
        return "below"
    if expected.side == "near" and low <= score.low and score.high <= high:
        return "near"
    return "across"


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """A quantity of the theory, before it is measured."""

    part: Chapter
    name: str
    proposition: str
    of: str

    def row(
        self,
        expected: Expectation,
        measured: Score | None,
        seeds: Score | None = None,
        *,
        note: str = "",
    ) -> PredictionRow:
        """The row with its outcome."""
        return PredictionRow(
            part=self.part,
            quantity=self.name,
            proposition=self.proposition,
            of=self.of,
            measured=measured,
            seeds=seeds,
            expected=expected.words,
            outcome=decide(expected, measured, seeds),
            note=note,
        )

    def unmeasured(self, expected: Expectation, why: str) -> PredictionRow:
        """The row of a quantity that this run cannot measure."""
        return self.row(expected, None, note=f"cannot be measured here because {why}")


RULE = (
    "Agrees: every interval lies on the expected side (for “within”: inside the band). Disagrees: "
    "every interval lies on the other side (outside the band). Cannot tell: anything else.",
    "The interval over problems and, from three seeds on, the one over seeds both have to say so; "
    "with three seeds the latter is wide. n: problems, or seeds where a training gives one number. "
    "Nothing is corrected for the number of rows.",
)
CHAPTERS = (BEFORE, THROUGH, BETWEEN)
ORDER: tuple[Outcome, ...] = ("disagrees", "agrees", "cannot tell", "no sign expected")


def measured(seen: "Seen") -> list[PredictionRow]:
    """Every quantity of the theory for which the run has data."""
    from manyways.measures.theory import prediction_rows

    return prediction_rows(seen)


def example() -> list[PredictionRow]:
    """One that agrees and one that does not."""

    def row(quantity: str, value: float, outcome: Outcome) -> PredictionRow:
        return PredictionRow(
            part=THROUGH, quantity=quantity, proposition="D2",
            of="heuristics-8 after RL − before", expected="above 0", outcome=outcome,
            measured=example_score(quantity, value),
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
        f"Against the theory: {row.quantity} ({row.proposition}), {words.with_labels(row.of)}: "
        f"{measured}; expected {row.expected}."
    )


def _tables(seen: "Seen", rows: list[PredictionRow]) -> list[Table]:
    """One table for each chapter; arms beside the main one on demand."""
    found = []
    for chapter in CHAPTERS:
        mine = [row for row in rows if row.part == chapter]
        others = [arm for arm in seen.recipe.arms if arm != seen.lead]
        aside = [r for r in mine if chapter == THROUGH and any(arm in r.of for arm in others)]
        main = [row for row in mine if row not in aside]
        for title, some, folded in (
            (chapter, main, False),
            (f"{chapter}, other arms", aside, True),
        ):
            if some:
                found.append(_table(f"{title[0].upper()}{title[1:]}", some, folded=folded))
    return found


def _table(caption: str, rows: list[PredictionRow], *, folded: bool) -> Table:
    entries: list[tuple[Entry, ...]] = [
        (
            row.quantity,
            SIGNS.get(row.outcome, "– no sign"),
            _number(row.measured) if row.measured else words.NONE,
            words.count(row.measured.n) if row.measured else words.NONE,
            f"[{_number(row.seeds).interval}]" if row.seeds else words.NONE,
            f"{row.proposition}: {row.expected}",
            words.with_labels(f"{row.of}: {row.note}" if row.note else row.of),
        )
        for row in rows
    ]
    return Table(
        caption=caption,
        head=("", "outcome", "measured", "n", "over seeds", "expected", "of"),
        rows=tuple(entries),
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
        f"{r.quantity} of {words.with_labels(r.of)}"
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
