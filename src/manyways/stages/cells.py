"""The cells of an adaptive pool: what each was asked and gave, and which are asked again.

Shapes: _C cells.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyways.pool.allocation import Name
from manyways.pool.requests import Cell

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Cells by state, and tokens sampled. accepted + open + given_up = all cells."""

    accepted: int
    open: int
    given_up: int
    tokens: int


class Cells:
    """What is known about every cell; all of it comes from attempts that were asked for."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells
        self._names: list[Name] = [(cell.problem.id, cell.heuristic) for cell in cells]
        self._place = {name: i for i, name in enumerate(self._names)}
        self._most_C = np.array([cell.samples for cell in cells])
        self._asked_C = np.zeros(len(cells), dtype=np.int64)
        self._tokens_C = np.zeros(len(cells), dtype=np.int64)
        self._accepted_C = np.zeros(len(cells), dtype=bool)

    def ask(self) -> list[Cell]:
        """Ask every open cell for one more attempt; these cells, with as many samples as asked."""
        chosen = np.flatnonzero(self._open_C)
        self._asked_C[chosen] += 1
        return [replace(self._cells[i], samples=int(self._asked_C[i])) for i in chosen.tolist()]

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

    def asked(self) -> dict[Name, int]:
        """How many attempts every cell was asked for that was asked for any."""
        return {self._names[i]: int(self._asked_C[i]) for i in np.flatnonzero(self._asked_C)}

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
