"""How solutions combine heuristics: from the labels of their steps to rates.

A solution is a sequence of step labels; None is a direct or neutral step.
Shapes: _P problems, _S solutions, _H heuristics.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manyways.metrics.entropy import effective_number

DIRECT = "direct"
"""What a step without a heuristic is called in shares."""

Labels = Sequence[str | None]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ways:
    """What one solution's labels say.

    Example: the labels ``("split", None, "undo")`` give ``Ways(composed=True, boundaries=1,
    switches=1, steps={"split": 1, "direct": 1, "undo": 1}, pairs={"split > undo": 1},
    opening="split")``.

    composed:   two or more different heuristics appear.
    boundaries: neighbouring pairs of labelled steps, direct steps skipped.
    switches:   boundaries where the heuristic changes.
    opening:    the first heuristic shown, ``direct`` when there is none.
    """

    composed: bool
    boundaries: int
    switches: int
    steps: Mapping[str, int]
    pairs: Mapping[str, int]
    opening: str = DIRECT


def ways_of(labels: Labels) -> Ways:
    """Read the labels of one solution, in order."""
    named = [label for label in labels if label is not None]
    pairs = Counter(f"{a} > {b}" for a, b in pairwise(named) if a != b)
    return Ways(
        composed=len(set(named)) > 1,
        boundaries=max(0, len(named) - 1),
        switches=sum(pairs.values()),
        steps=Counter(label or DIRECT for label in labels),
        pairs=pairs,
        opening=named[0] if named else DIRECT,
    )


def switch_rate(solutions: Iterable[Ways]) -> float | None:
    """Switches per boundary over all solutions (the leak of theory A2, D6); None without any."""
    counted = [(s.switches, s.boundaries) for s in solutions]
    boundaries = sum(b for _, b in counted)
    return sum(s for s, _ in counted) / boundaries if boundaries else None


def step_counts(solutions: Iterable[Ways]) -> Counter[str]:
    """Heuristic (``direct`` for none) -> number of steps, most frequent first."""
    total: Counter[str] = Counter()
    for solution in solutions:
        total.update(solution.steps)
    return Counter(dict(sorted(total.items(), key=lambda item: (-item[1], item[0]))))


def pair_counts(solutions: Iterable[Ways]) -> Counter[str]:
    """``first > second`` -> number of switches, most frequent first."""
    total: Counter[str] = Counter()
    for solution in solutions:
        total.update(solution.pairs)
    return Counter(dict(sorted(total.items(), key=lambda item: (-item[1], item[0]))))


def effective_ways(solutions: Iterable[Ways]) -> float:
    """Effective number of ways in all steps, direct counted as one way; 0 for no steps."""
    return effective_number(list(step_counts(solutions).values()))


def within_covariance(problem_S: ArrayLike, composed_S: ArrayLike, correct_S: ArrayLike) -> Floats:
    """Cov(composed, correct) inside each problem: the drift that theory D2 predicts.

    Unbiased sample covariance (N - 1) per problem; problems with one solution say nothing and
    are left out. The mean over problems estimates dC/dt under the replicator dynamics.

    Args:
        problem_S: number of the problem of each solution, (S,), 0-based integers.
        composed_S: 1 where composed, (S,).
        correct_S: 1 where correct, (S,).

    Returns:
        One covariance per problem with at least two solutions, in the order of their numbers.
    """
    problem = np.asarray(problem_S, dtype=np.int64)
    x, y = np.asarray(composed_S, dtype=float), np.asarray(correct_S, dtype=float)
    n_P = np.bincount(problem).astype(float)
    usable = n_P > 1
    sum_xy = np.bincount(problem, x * y)[usable]
    sum_x, sum_y = np.bincount(problem, x)[usable], np.bincount(problem, y)[usable]
    result: Floats = (sum_xy - sum_x * sum_y / n_P[usable]) / (n_P[usable] - 1)
    return result


def composed_if_alone(mass_TH: ArrayLike) -> Floats:
    """Chance of two or more different heuristics if each part picks its own: theory D4, sigma = 0.

    ``1 - prod_t d_t - sum_h [prod_t (d_t + p_th) - prod_t d_t]``, d_t the mass of direct steps:
    all ways but none and one. Unbiased in estimated masses where the parts differ, since each of
    them then enters every product once.

    Args:
        mass_TH: how part t is solved when it is asked alone, (..., T, H); column 0 is direct, and
            rows sum to 1.

    Returns:
        The chances, (...).
    """
    mass = np.asarray(mass_TH, dtype=float)
    direct = mass[..., :1]
    none = direct.prod(axis=-2)[..., 0]
    one_H = (direct + mass[..., 1:]).prod(axis=-2) - none[..., None]
    return np.asarray(1 - none - one_H.sum(axis=-1))
