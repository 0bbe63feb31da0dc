"""How many tokens each checkpoint could well go on with where solutions diverge, by its logits."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.measures import Measure, example_score, read_rows
from manyways.measures.predictions import (
    BEFORE,
    THROUGH,
    Expectation,
    PredictionRow,
    Quantity,
)
from manyways.records import Checkpoint, Phase, Score, pooled
from manyways.reporting import Block, Chart, Charts, Heading, Table, charts, words

if TYPE_CHECKING:
    from manyways.measures.material import Material
    from manyways.measures.seen import Seen
    from manyways.measures.solutions import Values
    from manyways.metrics.intervals import Resampling

    Forks = Mapping[str, tuple[Checkpoint, Mapping[int | None, list["ForkRow"]]]]
    """Pooled checkpoint -> one of its checkpoints, and the rows of each seed."""


TEXT = (
    "Kept solutions of one problem under different heuristics are laid side by side. Each "
    "checkpoint is given what they have in common, and says with which tokens it could go on: the "
    "effective number is exp of the entropy, exact from its logits at temperature 1. Tokens are "
    "not heuristics: several heuristics may share one, and a heuristic may have several (A3)."
)
NAME = "Token modes where solutions part, from logits"


@dataclass(frozen=True, kw_only=True, slots=True)
class ForkRow:
    """The next-token distribution of one checkpoint where the ways of one problem diverge.

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

    modes:  exp of the entropy, mean over problems.
    seeds:  its interval over seeds.
    above:  number of tokens with a probability above 0.05, mean over problems.
    known:  probability of the tokens that kept solutions go on with, mean over problems.
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


def measured(seen: "Seen") -> list[TokenModesRow]:
    """One row for each pooled checkpoint, in the order of the recipe."""
    material = seen.material
    return [_row(name, *one, material.settings) for name, one in material.forks.items()]


def read_forks(material: "Material") -> "Forks":
    """What the stage ``branch`` left of every checkpoint of the recipe."""
    found: dict[str, tuple[Checkpoint, dict[int | None, list[ForkRow]]]] = {}
    for checkpoint in material.ctx.checkpoints:
        rows = read_rows(material.stages.forks(material.ctx, checkpoint), ForkRow)
        if rows:
            found.setdefault(checkpoint.pooled, (checkpoint, {}))[1][checkpoint.seed] = rows
    return found


def token_rows(
    forks: "Forks", main: str, few: str, settings: "Resampling", *, why: str
) -> Iterator[PredictionRow]:
    """Many ways against few before RL, and the main arm through RL.

    few: the checkpoint that many ways are compared with.  why: why there is nothing, if so.
    """
    from manyways.measures.solutions import both_means, contrast

    many, rest = _modes(forks, pooled(main, "mid")), _modes(forks, few)
    of = f"{pooled(main, 'mid')} − {few}"
    quantity = Quantity(part=BEFORE, name=NAME, proposition="A1, A3", of=of)
    expected = Expectation(words="above 0: the best fit has the modes of its data", side="above")
    if many is None or rest is None:
        yield quantity.unmeasured(expected, why)
        return
    measured, seeds = contrast(NAME, many, rest, settings)
    first, second = both_means(many, rest)
    note = f"{first:.3g} against {second:.3g} tokens; tokens are not heuristics"
    yield quantity.row(expected, measured, seeds, note=note)
    after = _modes(forks, pooled(main, "rl"))
    if after is not None:
        measured, seeds = contrast(NAME, after, many, settings)
        of = f"{pooled(main, 'rl')} − {pooled(main, 'mid')}"
        quantity = Quantity(part=THROUGH, name=NAME, proposition="B6", of=of)
        expected = Expectation(words="below 0: from equal modes, entropy falls", side="below")
        ended, began = both_means(after, many)
        note = f"{began:.3g} before, {ended:.3g} after"
        yield quantity.row(expected, measured, seeds, note=note)


def _modes(forks: "Forks", name: str) -> "Values | None":
    return _values(forks[name][1], lambda row: math.exp(row.entropy)) if name in forks else None


def _values(
    seeds: Mapping[int | None, list[ForkRow]], value: Callable[[ForkRow], float]
) -> "Values":
    return {seed: {row.problem_id: value(row) for row in rows} for seed, rows in seeds.items()}


def _row(
    name: str,
    checkpoint: "Checkpoint",
    seeds: Mapping[int | None, list[ForkRow]],
    settings: "Resampling",
) -> TokenModesRow:
    import numpy as np

    from manyways.measures.solutions import contrast

    modes, over_seeds = contrast(
        "token modes", _values(seeds, lambda row: math.exp(row.entropy)), None, settings
    )
    above, _ = contrast("likely tokens", _values(seeds, lambda r: float(r.above)), None, settings)
    known, _ = contrast("known tokens", _values(seeds, lambda row: row.known), None, settings)
    assert modes and above and known, "a seed without rows is left out when they are read"
    return TokenModesRow(
        checkpoint=name,
        arm=checkpoint.arm,
        phase=checkpoint.phase,
        modes=modes,
        seeds=over_seeds,
        above=above,
        known=known,
        shared=float(np.mean([row.shared for rows in seeds.values() for row in rows])),
    )


def why_none(material: "Material") -> str:
    """Why there are no rows."""
    return material.stages.no_forks(material.ctx) or (
        "no problem of the pool has kept solutions under two heuristics, or the stage branch has "
        "not been run"
    )


def example() -> list[TokenModesRow]:
    """One arm before RL."""
    return [
        TokenModesRow(
            checkpoint=pooled("heuristics-8", "mid"), arm="heuristics-8", phase="mid",
            modes=example_score("token modes", 3.5), seeds=None,
            above=example_score("likely tokens", 2.5),
            known=example_score("known tokens", 0.6), shared=4.0,
        )
    ]  # fmt: skip


def blocks(seen: "Seen") -> list[Block]:
    """A figure and a table; nothing where no logits were read."""
    rows = seen.rows(TOKEN_MODES)
    if not rows:
        return []
    lines = seen.checkpoint_lines(
        (
            (row, row.modes, f"{words.quantity(row.modes)} tokens, n = {row.modes.n} problems", "")
            for row in rows
        ),
    )
    chart = Chart(
        id="token-modes",
        title="Token modes where solutions part",
        alt=f"Effective number of next tokens: {charts.in_text(lines)}",
        spec=charts.intervals(lines, axis="effective number of next tokens"),
        height=charts.height_of(lines),
        note="95% bootstrap intervals over problems.",
    )
    heading = Heading(title="How many ways could it go on?", text=TEXT)
    return [heading, Charts(charts=(chart,)), _table(seen)]


def _table(seen: "Seen") -> Table:
    return Table(
        caption="Next tokens where solutions part",
        head=("", "effective number", "over seeds", "likely tokens", "known", "n"),
        rows=tuple(
            (
                words.checkpoint_label(row.checkpoint),
                words.quantity(row.modes),
                words.quantity(row.seeds),
                words.quantity(row.above),
                words.quantity(row.known),
                words.count(row.modes.n),
            )
            for row in seen.rows(TOKEN_MODES)
        ),
        note="Likely tokens: those with a probability above 0.05. Known: the probability of the "
        "tokens that the kept solutions go on with. Solutions part after "
        f"{words.number(seen.rows(TOKEN_MODES)[0].shared, 1)} tokens of their own on average. n: "
        "problems.",
        folded=len(seen.rows(TOKEN_MODES)) > 8,
    )


TOKEN_MODES = Measure(
    name="token_modes",
    row=TokenModesRow,
    measured=measured,
    example=example,
    shown={"theory": blocks},
)
