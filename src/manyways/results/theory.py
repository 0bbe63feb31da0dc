"""Rows of the result tables about the theory: what was measured beside what it expects."""

from dataclasses import dataclass
from typing import Literal

from manyways.records import Score

Part = Literal["before RL", "through RL", "between arms"]
Outcome = Literal["agrees", "disagrees", "cannot tell", "no sign expected"]


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
    outcome:     by the rule of ``stages.analysis.expectation``.
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
class ProbeRow:
    """Prefix swap: success of attempts that begin under one heuristic and end under another.

    matrix:          rows: the first heuristic, columns: the second; ``n`` counts problems.
    complementarity: mean over problems of (mean off the diagonal - mean on it); above 0 where
                     changing the heuristic pays.
    covariance:      of the heuristics' strengths at the two halves, ``-(n-1)/n`` times that (M6).
    dependence:      second over first singular value of the mean matrix; 0 if the two halves
                     succeed independently (noise makes it positive).
    """

    model: str
    heuristics: list[str]
    matrix: list[list[Score]]
    complementarity: Score | None
    covariance: Score | None
    dependence: Score | None
    attempts: int
