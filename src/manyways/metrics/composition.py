"""Heuristics in solutions, from labels: how solutions combine them, which opens, how many occur.

A solution is a sequence of step labels; None is a direct or neutral step. The label of a whole
solution is the heuristic that opens it, or ``DIRECT`` where none is shown. Entropies and effective
numbers have their small-sample bias removed.

Shapes: _C categories, _R sets of counts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from manyways.metrics.intervals import Floats


def entropies(counts_RC: ArrayLike, *, corrected: bool = True) -> Floats:
    """Shannon entropy in nats of each row of counts, shape (R,); 0 for no counts.

    The plug-in estimate is low by about ``(C - 1) / (2N)`` with C categories seen in N draws
    (Miller 1955); ``corrected`` adds that back and stops at log C.
    """
    counts = np.asarray(counts_RC, dtype=float)
    total_R1 = np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    shares = counts / total_R1
    found_R: Floats = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    if corrected:
        seen_R = np.maximum((counts > 0).sum(axis=1), 1)
        found_R = np.minimum(np.log(seen_R), found_R + (seen_R - 1) / (2 * total_R1[:, 0]))
    return np.maximum(found_R, 0.0)


def effective_numbers(counts_RC: ArrayLike, *, corrected: bool = True) -> Floats:
    """exp(entropy) of each row, shape (R,): n for n equal ones (theory A1); 0 for no counts."""
    counts = np.asarray(counts_RC, dtype=float)
    return np.where(counts.any(axis=1), np.exp(entropies(counts, corrected=corrected)), 0.0)


def effective_number(counts_C: Sequence[float], *, corrected: bool = True) -> float:
    """As ``effective_numbers``, of one set of counts."""
    return float(effective_numbers([list(counts_C)], corrected=corrected)[0])


DIRECT = "direct"
"""What a step without a heuristic is called in shares."""

Labels = Sequence[str | None]


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


def total_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sums of some counts, such as ``Ways.steps``: highest first, equal ones by name."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def effective_ways(solutions: Iterable[Ways]) -> float:
    """Effective number of ways in all steps, direct counted as one way; 0 for no steps."""
    return effective_number(list(total_counts(s.steps for s in solutions).values()))
