"""The cells of an adaptive pool: what each was asked and gave, and which are asked next.

Shapes: _C cells, _P problems, _H heuristics (plain prompts count as one), _F features of a text.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyways.fingerprint import attempt_seed
from manyways.metrics.acceptance import Prior, fit_prior
from manyways.metrics.texts import text_features
from manyways.pool.allocation import Asked
from manyways.pool.requests import Cell, Sampling

Array = NDArray[Any]
Name = tuple[str, str]
"""(problem id, heuristic)."""

FIRST_ROUND, LATER_ROUNDS = 1 / 8, 1 / 16
"""Shares of all cells that a round takes when a budget is spent: small enough to learn before most
of the budget is gone, large enough for batches. The first is a sample from which rates are told."""
DIGITS = 6
"""Of the logarithm of the gain; what lies beyond may differ between machines."""


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Cells by state, and tokens sampled. accepted + open + given_up = all cells."""

    accepted: int
    open: int
    given_up: int
    tokens: int


class Cells:
    """What is known about every cell; all of it comes from attempts that were asked for."""

    def __init__(self, cells: Sequence[Cell], sampling: Sampling) -> None:
        self._cells = cells
        self._names: list[Name] = [(cell.problem.id, cell.heuristic) for cell in cells]
        self._place = {name: i for i, name in enumerate(self._names)}
        self._problem_C = _numbered([problem for problem, _ in self._names])
        self._heuristic_C = _numbered([heuristic for _, heuristic in self._names])
        seed = sampling.run_seed
        self._tie_C = np.array([attempt_seed(seed, *name, 0) for name in self._names])
        self._longest = sampling.settings.max_tokens
        self._most_C = np.array([cell.samples for cell in cells])
        self._asked_C = np.zeros(len(cells), dtype=np.int64)
        self._first_C = np.full(len(cells), -1)
        self._tokens_C = np.zeros(len(cells), dtype=np.int64)
        self._accepted_C = np.zeros(len(cells), dtype=bool)
        self.prior: Prior | None = None

    def choose(self, budget: int | None) -> list[int]:
        """The cells that get one more attempt each; none when none is open or ``budget`` is spent.

        Without a budget every open cell. With one, those with the highest expected number of
        newly accepted solutions per token, ``chance / price``; ties, as all cells are at first, in
        an order drawn from the seed. Cells are left out from where the expected tokens would pass
        what is left of the budget.
        """
        open_C = np.flatnonzero(self._open_C)
        if budget is None:
            return [int(i) for i in open_C]
        left = budget - int(self._tokens_C.sum())
        if left <= 0 or not len(open_C):
            return []
        price_C = self._price_H()[self._heuristic_C]
        gain_C = np.log(self._chance_C() / price_C).round(DIGITS)
        ranked = open_C[np.lexsort((self._tie_C[open_C], -gain_C[open_C]))]
        share = LATER_ROUNDS if self._asked_C.any() else FIRST_ROUND
        ranked = ranked[: math.ceil(share * len(self._cells))]
        affordable = np.searchsorted(np.cumsum(price_C[ranked]), left, side="right")
        return sorted(int(i) for i in ranked[: max(affordable, 1)])

    def ask(self, chosen: Sequence[int], number: int) -> list[Cell]:
        """Ask for one more attempt at each; returns these cells with as many samples as asked."""
        self._asked_C[chosen] += 1
        new = np.array(chosen)[self._first_C[chosen] < 0]
        self._first_C[new] = number
        return [_with_samples(self._cells[i], int(self._asked_C[i])) for i in chosen]

    def learn(self, tokens: Mapping[Name, int], accepted: Collection[Name]) -> None:
        """Take over what all attempts asked for at some problems gave.

        tokens: sampled so far at each cell of these problems that was asked.
        accepted: those of them that have a solution now. A cell can lose its solution again, to a
            near-duplicate that was found under an earlier heuristic.
        """
        for name, count in tokens.items():
            place = self._place[name]
            self._tokens_C[place] = count
            self._accepted_C[place] = name in accepted

    def asked(self) -> Iterator[Asked]:
        """Every cell that was asked for something."""
        for i in np.flatnonzero(self._asked_C):
            problem, heuristic = self._names[i]
            yield Asked(
                problem_id=problem,
                heuristic=heuristic,
                samples=int(self._asked_C[i]),
                first_round=int(self._first_C[i]),
            )

    def totals(self) -> Totals:
        """Cells by state, and tokens."""
        accepted, still_open = int(self._accepted_C.sum()), int(self._open_C.sum())
        return Totals(
            accepted=accepted,
            open=still_open,
            given_up=len(self._cells) - accepted - still_open,
            tokens=int(self._tokens_C.sum()),
        )

    @property
    def _open_C(self) -> Array:
        return ~self._accepted_C & (self._asked_C < self._most_C)

    def _chance_C(self) -> Array:
        """Chance that the next attempt is accepted, from the prior fitted to all attempts."""
        shape = (self._problem_C.max() + 1, self._heuristic_C.max() + 1)
        tried_PH, accepted_PH = np.zeros(shape), np.zeros(shape)
        place = (self._problem_C, self._heuristic_C)
        tried_PH[place], accepted_PH[place] = self._asked_C, self._accepted_C
        self.prior = fit_prior(tried_PH, accepted_PH, self._features_PF, start=self.prior)
        return self.prior.chance(tried_PH, accepted_PH)[place]

    @cached_property
    def _features_PF(self) -> Array:
        """Of the problems' questions, in the order of ``_problem_C``."""
        questions = {cell.problem.id: cell.problem.question for cell in self._cells}
        return text_features(list(questions.values()))

    def _price_H(self) -> Array:
        """Expected tokens of an attempt: the mean under its heuristic, shrunk to that of all.

        The mean of all counts as one attempt more. It is the token limit while there are none.
        """
        attempts = int(self._asked_C.sum())
        overall = self._tokens_C.sum() / attempts if attempts else self._longest
        tokens_H = np.bincount(self._heuristic_C, weights=self._tokens_C)
        attempts_H = np.bincount(self._heuristic_C, weights=self._asked_C)
        price_H: Array = np.maximum((tokens_H + overall) / (attempts_H + 1), 1.0)
        return price_H


def _with_samples(cell: Cell, samples: int) -> Cell:
    return Cell(
        problem=cell.problem, heuristic=cell.heuristic, messages=cell.messages, samples=samples
    )


def _numbered(names: Sequence[str]) -> Array:
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], dtype=np.int64)
