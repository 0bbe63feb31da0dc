"""How well does a solution follow its heuristic? What every scorer of adherence has in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from manyways.records import Heuristic


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One text that was asked to follow ``heuristic``."""

    question: str
    text: str
    heuristic: Heuristic


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """What a scorer says about one case.

    Example: ``Opinion(value=0.75, note="orders disagree")``.

    value:  higher follows better; None when the scorer could not tell. On the scale of the scorer:
            a share in [0, 1], or any number where ``Scorer.ranks``.
    note:   why there is no value, or what is doubtful about it; empty for nothing to say.
    detail: what it is based on (the replies of a judge), kept for reading.
    """

    value: float | None
    note: str = ""
    detail: str = ""


class Scorer(Protocol):
    """Scores adherence. ``close`` frees what it holds.

    ranks: values are comparable only among texts on one problem under one heuristic, so selection
        replaces them by ``ranks_of`` within (problem, heuristic).
    """

    ranks: bool

    def opinions(self, cases: Sequence[Case]) -> list[Opinion]:
        """One opinion for each case, in order."""
        ...

    def close(self) -> None:
        """Free the model, if there is one."""
        ...


def ranks_of(values: Sequence[float]) -> list[float]:
    """For each value the share of the *other* values that are lower, equal ones counted half.

    Example: ``ranks_of([3.1, -2.0, 0.4]) == [1.0, 0.0, 0.5]``. A value alone has no rival: 1.
    """
    x = np.asarray(values, dtype=float)
    if len(x) < 2:
        return [1.0] * len(x)
    lower = (x[None, :] < x[:, None]).sum(axis=1)
    equal = (x[None, :] == x[:, None]).sum(axis=1) - 1
    ranks: list[float] = ((lower + equal / 2) / (len(x) - 1)).tolist()
    return ranks
