"""When does a measurement agree with what the theory expects? One rule for every row.

The theory expects a number to lie above, below or near a reference. Both the interval over problems
and, with three or more seeds, the interval over seeds are asked:

| expected | agrees                    | disagrees                | cannot tell |
|----------|---------------------------|--------------------------|-------------|
| above    | every interval above      | every interval below     | else        |
| below    | every interval below      | every interval above     | else        |
| near     | every interval in the band| every one outside it     | else        |

The band of ``near`` is the reference plus and minus a margin that the row states: an interval that
merely holds the reference does not show that there is no difference.
"""

from dataclasses import dataclass
from typing import Literal

from manyways.records import Score

Part = Literal["before RL", "through RL", "between arms"]
Outcome = Literal["agrees", "disagrees", "cannot tell", "no sign expected"]
SIGNS = {"agrees": "✓ agrees", "disagrees": "✗ disagrees", "cannot tell": "? cannot tell"}
Side = Literal["above", "below", "near", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictionRow:
    """One measurable quantity of the theory.

    part:        where in the story it belongs.
    quantity:    what is measured, in words.
    proposition: which one speaks of it, for example ``A2``.
    of:          whose it is: a checkpoint, or ``a − b``, or a line of arms.
    measured:    value with its interval over problems; None when it could not be measured.
    seeds:       with three or more seeds, the interval over seeds.
    expected:    what the theory says about its sign or size, in words.
    outcome:     whether it is as expected.
    note:        the two sides of a difference, or why nothing can be said.
    """

    part: Part
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
    """What a row is about, before it is measured."""

    part: Part
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
