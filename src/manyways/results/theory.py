"""Rows of the result tables about the theory: what was measured beside what it expects."""

from dataclasses import dataclass
from typing import Literal

from manyways.records import Phase, Score

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A share at one moment of RL. ``step``: the last one of the stretch that it is over."""

    step: int
    share: Score


@dataclass(frozen=True, kw_only=True, slots=True)
class OpeningRow:
    """The share of RL's own attempts that open with one heuristic: its course and its prediction.

    heuristic: ``direct`` for attempts that show none.
    course:    the share over stretches of RL steps, all seeds together; attempts of one step are
               counted as alike, ``n`` counts labelled attempts.
    change:    last fifth of the steps minus the first; ``seeds``: its interval over seeds.
    push:      Cov(opens with it, correct) within RL's problems just before RL, times c_G(p): the
               speed of its mass under the replicator (B1); None without attempts to take it from.
    """

    arm: str
    heuristic: str
    course: list[Point]
    change: Score
    seeds: Score | None
    push: Score | None
    expected: str
    outcome: Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class ForkRow:
    """The next-token distribution of one checkpoint where the ways of one problem part.

    entropy: in nats, at temperature 1.
    above:   number of tokens with a probability above 0.05.
    known:   probability of the tokens that the kept solutions go on with.
    shared:  tokens of a solution before this one.
    """

    problem_id: str
    entropy: float
    above: int
    known: float
    shared: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenModesRow:
    """How many tokens a checkpoint could well go on with where solutions part, from its logits.

    modes:  exp of the entropy, mean over problems; ``seeds``: its interval over seeds.
    above, known: means of the fields of ForkRow.
    shared: mean tokens of a solution before that place.
    """

    checkpoint: str
    arm: str
    phase: Phase
    modes: Score
    seeds: Score | None
    above: Score
    known: Score
    shared: float
