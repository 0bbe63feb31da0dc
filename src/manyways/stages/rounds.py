"""Adaptive sampling of the pool: round after round, only at cells that have no solution yet.

A round's cells follow from the recipe and from the attempts of earlier rounds alone. So a run that
was killed is continued by going through the rounds again: what they ask for is there already, up to
the round in which it was killed. A fixed pool of as many samples holds every attempt that rounds
can ask for, with the same seeds.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from manyways.context import Context
from manyways.engines import Engine
from manyways.pool import adherence, attempt_files
from manyways.pool.allocation import write_asked
from manyways.pool.requests import Cell, Sampling
from manyways.pool.sampling import LazyEngine, sample_missing, tidy
from manyways.pool.scope import wanted_attempts
from manyways.stages import selection
from manyways.stages.cells import Cells, Totals
from manyways.tables import write_text

FILE = "rounds.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """The pool after a round; ``RUN/1-attempts/rounds.json`` lists them.

    Example: ``Round(number=3, cells=200, tokens=41210, accepted=153, open=1402, given_up=45)``.

    cells:  given one more attempt each in this round.
    tokens: sampled up to here. accepted, open, given_up: cells after it, all of the pool's.
    """

    number: int
    cells: int
    tokens: int
    accepted: int
    open: int
    given_up: int


def request(ctx: Context) -> dict[str, object]:
    """What adaptive sampling adds to what is wanted of the pool; nothing for fixed sampling.

    Thresholds of selection say when a cell has its solution: changing them may ask for more
    attempts, and never makes those that are there wrong.
    """
    recipe = ctx.recipe
    if recipe.generate.sampling == "fixed":
        return {}
    return {
        "sampling": "adaptive",
        "select": selection.thresholds(ctx),
        "labeller": recipe.heuristics.labeller,
        **adherence.identity(ctx),
    }


def collect(
    ctx: Context, *, engine: Callable[[], Engine], cells: Sequence[Cell], sampling: Sampling
) -> dict[str, float]:
    """Sample round after round, one more attempt at every open cell, until no cell is open.

    A cell is open while selection would keep none of its attempts and it has had fewer than its
    ``samples``.

    engine: called when something is missing; what it returns is closed.

    Returns the counts of ``sampling.collect`` over what was asked for, and rounds, accepted,
    given_up.

    Raises VerifierUnwell when more than ``verify.max_undecided`` of the answers are undecided.
    """
    tidy(ctx, cells, sampling)
    state = Cells(cells)
    opened, history = LazyEngine(engine), list[Round]()
    try:
        while asked := state.ask():
            write_asked(sampling.folder, state.asked())
            label = _label(sampling.label, len(history), state.totals())
            sample_missing(ctx, opened, asked, replace(sampling, label=label))
            if adherence.asks_a_judge(ctx):
                # Two models at once may not fit; the engine is opened again where it is needed.
                opened.close()
            _learn(ctx, state, {cell.problem.id for cell in asked})
            history.append(_round(state, len(history), len(asked)))
            _write(history, sampling)
    finally:
        opened.close()
    wanted = state.asked()
    totals = asdict(state.totals())
    del totals["tokens"], totals["open"]
    counts = attempt_files.counts(sampling.folder, wanted)
    attempt_files.check_undecided(sampling.folder, limit=ctx.recipe.verify.max_undecided)
    return {**counts, "rounds": len(history), **totals}


def sentence(counts: dict[str, float]) -> str:
    """``generate: 312 of 540 cells have a solution after 9 rounds, 187 tokens each; ...``."""
    cells = counts["accepted"] + counts["given_up"]
    return (
        f"generate: {counts['accepted']:.0f} of {cells:.0f} cells have a solution after "
        f"{counts['rounds']:.0f} rounds, {counts['tokens'] / max(counts['accepted'], 1):,.0f} "
        f"tokens each; {counts['given_up']:.0f} given up. Shares of all attempts lean towards hard "
        "cells, which are tried most often."
    )


def _learn(ctx: Context, state: Cells, problems: set[str]) -> None:
    """What the attempts at ``problems`` say about their cells, as selection would decide."""
    table = wanted_attempts(ctx)
    table = table.filter(pc.is_in(table["problem_id"], value_set=pa.array(sorted(problems))))
    names = list(zip(table["problem_id"].to_pylist(), table["heuristic"].to_pylist(), strict=True))
    tokens: Counter[tuple[str, str]] = Counter()
    for name, count in zip(names, table["tokens"].to_pylist(), strict=True):
        tokens[name] += count
    state.learn(tokens, selection.solved_cells(ctx, table))


def _round(state: Cells, number: int, cells: int) -> Round:
    return Round(number=number, cells=cells, **asdict(state.totals()))


def _label(label: str, number: int, before: Totals) -> str:
    if not number:
        return f"{label}, round 0"
    each = before.tokens / max(before.accepted, 1)
    return (
        f"{label}, round {number} ({before.accepted} cells accepted, {before.open} open, "
        f"{each:,.0f} tokens per accepted solution)"
    )


def _write(history: Sequence[Round], sampling: Sampling) -> None:
    rows = json.dumps([asdict(row) for row in history], indent=1)
    write_text(sampling.folder / FILE, rows)
