"""Token modes where solutions part, with intervals over problems and over seeds (A1, A3, B6)."""

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from manyways.metrics.resampling import Resampling
from manyways.records import Checkpoint
from manyways.results.tables import read_rows
from manyways.results.theory import ForkRow, Part, PredictionRow, TokenModesRow
from manyways.stages import branch
from manyways.stages.analysis.contrasts import Values, contrast, mean_of
from manyways.stages.analysis.evaluated import BASE
from manyways.stages.analysis.expectation import Expectation, Quantity
from manyways.stages.context import Context

NAME = "Token modes where solutions part, from logits"
BEFORE: Part = "before RL"
THROUGH: Part = "through RL"

Seen = Mapping[str, tuple[Checkpoint, Mapping[int | None, list[ForkRow]]]]
"""Pooled checkpoint -> one of its checkpoints, and the rows of each seed."""


def read_forks(ctx: Context) -> Seen:
    """What the stage ``branch`` left of every checkpoint of the recipe."""
    found: dict[str, tuple[Checkpoint, dict[int | None, list[ForkRow]]]] = {}
    for checkpoint in ctx.checkpoints:
        rows = read_rows(branch.file_of(ctx, checkpoint), ForkRow)
        if rows:
            found.setdefault(checkpoint.pooled, (checkpoint, {}))[1][checkpoint.seed] = rows
    return found


def why_none(ctx: Context) -> str:
    """Why there are no rows."""
    return branch.left_out(ctx) or (
        "no problem of the pool has kept solutions under two heuristics, or the stage branch has "
        "not been run"
    )


def mode_rows(seen: Seen, settings: Resampling) -> list[TokenModesRow]:
    """One row for each pooled checkpoint, in the order of the recipe."""
    return [_row(name, *one, settings) for name, one in seen.items()]


def token_rows(
    seen: Seen, main: str, few: str, settings: Resampling, *, why: str
) -> Iterator[PredictionRow]:
    """Many ways against few before RL, and the main arm through RL.

    few: the checkpoint that many ways are compared with.  why: why there is nothing, if so.
    """
    many, rest = _modes(seen, f"{main}/mid"), _modes(seen, few)
    of = f"{main}/mid − {few}"
    quantity = Quantity(part=BEFORE, name=NAME, proposition="A1, A3", of=of)
    expected = Expectation(words="above 0: the best fit has the modes of its data", side="above")
    if many is None or rest is None:
        yield quantity.row(expected, None, note=f"cannot be measured here because {why}")
        return
    measured, seeds = contrast(NAME, many, rest, settings)
    note = f"{mean_of(many):.3g} against {mean_of(rest):.3g} tokens; tokens are not heuristics"
    yield quantity.row(expected, measured, seeds, note=note)
    after = _modes(seen, f"{main}/rl")
    if after is not None:
        measured, seeds = contrast(NAME, after, many, settings)
        of = f"{main}/rl − {main}/mid"
        quantity = Quantity(part=THROUGH, name=NAME, proposition="B6", of=of)
        expected = Expectation(words="below 0: from equal modes, entropy falls", side="below")
        note = f"{mean_of(many):.3g} before, {mean_of(after):.3g} after"
        yield quantity.row(expected, measured, seeds, note=note)


def _modes(seen: Seen, name: str) -> Values | None:
    return _values(seen[name][1], lambda row: math.exp(row.entropy)) if name in seen else None


def _values(seeds: Mapping[int | None, list[ForkRow]], value: Callable[[ForkRow], float]) -> Values:
    return {seed: {row.problem_id: value(row) for row in rows} for seed, rows in seeds.items()}


def _row(
    name: str,
    checkpoint: Checkpoint,
    seeds: Mapping[int | None, list[ForkRow]],
    settings: Resampling,
) -> TokenModesRow:
    modes, over_seeds = contrast(
        "token modes", _values(seeds, lambda row: math.exp(row.entropy)), None, settings
    )
    above, _ = contrast("likely tokens", _values(seeds, lambda r: float(r.above)), None, settings)
    known, _ = contrast("known tokens", _values(seeds, lambda row: row.known), None, settings)
    assert modes and above and known, "a seed without rows is left out when they are read"
    return TokenModesRow(
        checkpoint=name,
        arm=BASE if name == BASE else checkpoint.arm,
        phase=checkpoint.phase,
        modes=modes,
        seeds=over_seeds,
        above=above,
        known=known,
        shared=float(np.mean([row.shared for rows in seeds.values() for row in rows])),
    )
