"""Adaptive sampling of the pool: in rounds, and only at cells that have no solution yet.

The cells of a round follow from the recipe and from the attempts of earlier rounds only. So a run
that was killed goes through the rounds again, and finds their attempts there already, up to the
round in which it was killed. A fixed pool with the same ``samples`` holds every attempt that rounds
can ask for, with the same seeds.

Shapes: _C cells.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from manyways.context import Context
from manyways.engines import Engine
from manyways.pool import adherence, attempt_files
from manyways.pool.attempt_files import Cell, Sampling
from manyways.pool.sampling import LazyEngine, sample_missing, tidy
from manyways.pool.solutions import (
    COLUMNS,
    Name,
    in_order,
    solved_cells,
    thresholds,
    write_requests,
)
from manyways.tables import beside, parts, read_table, write_text

FILE = "rounds.json"
Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """The state of the pool after a round; ``RUN/.1-attempts.rounds.json`` lists all rounds.

    Example: ``Round(number=3, cells=200, tokens=41210, accepted=153, open=1402, given_up=45)``.

    cells:    cells that got one more attempt in this round.
    tokens:   tokens sampled up to and in this round.
    accepted, open, given_up: all cells of the pool by their state after the round.
    """

    number: int
    cells: int
    tokens: int
    accepted: int
    open: int
    given_up: int


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Numbers of cells by state, and of tokens sampled; accepted + open + given_up = all cells."""

    accepted: int
    open: int
    given_up: int
    tokens: int


class Cells:
    """What is known about every cell, from the attempts that rounds asked for."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells
        self._names: list[Name] = [(cell.problem.id, cell.heuristic) for cell in cells]
        self._place = {name: i for i, name in enumerate(self._names)}
        self._most_C = np.array([cell.samples for cell in cells])
        self._asked_C = np.zeros(len(cells), dtype=np.int64)
        self._tokens_C = np.zeros(len(cells), dtype=np.int64)
        self._accepted_C = np.zeros(len(cells), dtype=bool)

    def ask(self) -> list[Cell]:
        """Ask for one more attempt at every open cell; returns these cells with new ``samples``."""
        chosen = np.flatnonzero(self._open_C)
        self._asked_C[chosen] += 1
        return [replace(self._cells[i], samples=int(self._asked_C[i])) for i in chosen.tolist()]

    def learn(self, tokens: Mapping[Name, int], accepted: Collection[Name]) -> None:
        """Update the cells of some problems from all attempts that were asked for there.

        tokens:   cell -> tokens sampled at it so far.
        accepted: the cells that have a solution now. A cell can lose its solution again when a
            near-duplicate is found under an earlier heuristic.
        """
        for name, count in tokens.items():
            place = self._place[name]
            self._tokens_C[place] = count
            self._accepted_C[place] = name in accepted

    def requests(self) -> dict[Name, int]:
        """Cell -> how many attempts were asked for, if any."""
        return {self._names[i]: int(self._asked_C[i]) for i in np.flatnonzero(self._asked_C)}

    def totals(self) -> Totals:
        """Numbers of cells by state, and of tokens."""
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


def request(ctx: Context) -> dict[str, object]:
    """What adaptive sampling adds to the request of the pool; nothing for fixed sampling.

    The thresholds of selection decide when a cell has its solution. A change of them may ask for
    more attempts, and never makes earlier attempts invalid.
    """
    recipe = ctx.recipe
    if recipe.generate.sampling == "fixed":
        return {}
    return {
        "sampling": "adaptive",
        "select": thresholds(ctx),
        "labeller": [recipe.heuristics.labeller, adherence.FORMAT],
        **adherence.identity(ctx),
    }


def collect(
    ctx: Context, *, engine: Callable[[], Engine], cells: Sequence[Cell], sampling: Sampling
) -> dict[str, float]:
    """Sample in rounds, one more attempt at every open cell, until no cell is open.

    A cell is open while selection would keep none of its attempts and it has fewer than its
    ``samples``.

    engine: opens an engine, called only if an attempt is missing; the engine is closed at the end.

    Returns the counts of ``sampling.collect`` over the attempts asked for, and rounds, accepted,
    given_up.

    Raises VerifierUnwell when more than ``verify.max_undecided`` of the answers are undecided.
    """
    tidy(ctx, cells, sampling)
    state, pool = Cells(cells), _Pool(sampling.folder)
    have = attempt_files.held(sampling.folder)
    opened, history = LazyEngine(engine), list[Round]()
    try:
        while asked := state.ask():
            write_requests(sampling.folder, state.requests())
            label = _label(sampling.label, len(history), state.totals())
            named = replace(sampling, label=label)
            sample_missing(ctx, opened, asked, sampling=named, have=have)
            if adherence.kind_of(ctx) == "judge":
                # It samples, too, and two models may not fit into memory. The engine is opened
                # again when needed.
                opened.close()
            # All cells of these problems, because a new solution may make another a near-duplicate.
            _learn(ctx, state, pool.at({cell.problem.id for cell in asked}))
            totals = state.totals()
            history.append(Round(number=len(history), cells=len(asked), **asdict(totals)))
            rows = json.dumps([asdict(row) for row in history], indent=1)
            write_text(beside(sampling.folder, FILE), rows)
    finally:
        opened.close()
    counts = attempt_files.counts(sampling.folder, state.requests())
    attempt_files.check_undecided(sampling.folder, limit=ctx.recipe.verify.max_undecided)
    end = state.totals()
    cells_by_state = {"accepted": end.accepted, "given_up": end.given_up}
    return {**counts, "rounds": len(history), **cells_by_state}


def sentence(counts: dict[str, float]) -> str:
    """``generate: 312 of 540 cells have a solution after 9 rounds, 187 tokens each; ...``."""
    cells = counts["accepted"] + counts["given_up"]
    return (
        f"generate: {counts['accepted']:.0f} of {cells:.0f} cells have a solution after "
        f"{counts['rounds']:.0f} rounds, {counts['tokens'] / max(counts['accepted'], 1):,.0f} "
        f"tokens each; {counts['given_up']:.0f} given up. Shares of all attempts lean towards hard "
        "cells, which are tried most often."
    )


class _Pool:
    """The attempts in a folder that grows. Each file is read once, and not in every round."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: dict[Path, pa.Table] = {}

    def at(self, problems: Collection[str]) -> pa.Table:
        """The attempts at ``problems`` that the folder holds now."""
        for part in parts(self._folder):
            if part not in self._tables:
                self._tables[part] = read_table(part, COLUMNS)
        table = pa.concat_tables(self._tables.values())
        return table.filter(pc.is_in(table["problem_id"], value_set=pa.array(sorted(problems))))


def _learn(ctx: Context, state: Cells, attempts: pa.Table) -> None:
    """Update ``state`` with all attempts at some problems, decided as selection would."""
    table = in_order(ctx, attempts, state.requests())
    names = list(zip(table["problem_id"].to_pylist(), table["heuristic"].to_pylist(), strict=True))
    tokens: Counter[tuple[str, str]] = Counter()
    for name, count in zip(names, table["tokens"].to_pylist(), strict=True):
        tokens[name] += count
    state.learn(tokens, solved_cells(ctx, table))


def _label(label: str, number: int, before: Totals) -> str:
    if not number:
        return f"{label}, round 0"
    each = before.tokens / max(before.accepted, 1)
    return (
        f"{label}, round {number} ({before.accepted} cells accepted, {before.open} open, "
        f"{each:,.0f} tokens per accepted solution)"
    )
