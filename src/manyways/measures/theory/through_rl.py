"""Measured beside expected, through RL: where mass moves, whether composition rises, entropy."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from manyways.measures.curves import ENDS
from manyways.measures.openings import OpeningRow, logged_openings, moved
from manyways.measures.score_curves import over_seeds
from manyways.measures.solutions import (
    ByProblem,
    Policy,
    Solutions,
    both_means,
    contrast,
    labels_of,
    numbered,
)
from manyways.measures.theory.expectation import Expectation, Part, PredictionRow, Quantity
from manyways.metrics import composition
from manyways.metrics.composition import within_covariance
from manyways.metrics.intervals import Resampling
from manyways.records import Score

if TYPE_CHECKING:
    from manyways.measures.curves import CurveRow
    from manyways.measures.probe import ProbeRow


PART: Part = "through RL"


NOTHING = 0.05
"""A composition rate moves by less than this: called no change."""


BINS = 12
"""Stretches of RL steps over which entropy and reward are averaged before a curve is fitted."""


def change_rows(before: Policy, after: Policy, settings: Resampling) -> Iterator[PredictionRow]:
    """Where RL moved the mass of one arm, on the benchmarks (B1)."""
    name = "Mass moves towards heuristics that succeed"
    labels = labels_of([*before.seeds.values(), *after.seeds.values()])
    moved = {
        seed: _moved(before.seeds.get(seed) or before.seeds[None], solutions, labels)
        for seed, solutions in after.seeds.items()
        if seed in before.seeds or None in before.seeds
    }
    measured, seeds = contrast(name, moved, None, settings)
    expected = Expectation(words="above 0: mass follows success", side="above")
    quantity = Quantity(
        part=PART, name=name, proposition="B1, B2", of=f"{before.name} → {after.name}"
    )
    yield quantity.row(
        expected, measured, seeds, note="sum over heuristics of share after RL x advantage before"
    )


def drift_rows(
    policies: tuple[Policy, Policy, Policy], group: int, settings: Resampling
) -> Iterator[PredictionRow]:
    """The covariance that pushes composition, and what composition then did (D2).

    policies: at the gate (RL's problems), before RL and after it (benchmarks).
    """
    gate, before, after = policies
    name = "Cov(composed, correct) within problems, weighted by c_G"
    push, push_seeds = contrast(
        name, gate.values(lambda s: weighted_covariance(s, group)), None, settings
    )
    of = f"{before.name} → {after.name}, on RL problems"
    quantity = Quantity(part=PART, name=name, proposition="D2", of=of)
    yield quantity.row(
        Expectation(words="its sign is that of the change below", side=None), push, push_seeds
    )
    name = "Change of the composition rate through RL"
    a, b = after.values(composed), before.values(composed)
    measured, seeds = contrast(name, a, b, settings)
    quantity = Quantity(part=PART, name=name, proposition="D2", of=f"{after.name} − {before.name}")
    note = "no problem with attempts both before and after"
    if measured:
        ended, began = both_means(a, b)
        note = f"{began:.3f} before, {ended:.3f} after"
    yield quantity.row(direction(gate, push, push_seeds), measured, seeds, note=note)


def logged_rows(
    arm: str, curves: "Sequence[CurveRow]", expected: Expectation
) -> Iterator[PredictionRow]:
    """The same change in RL's own attempts, and entropy as a function of reward (B6)."""
    by_seed: dict[int, list[CurveRow]] = {}
    for row in curves:
        if row.arm == arm and row.stage == "rl":
            by_seed.setdefault(row.seed, []).append(row)
    name = "Composition in RL's own attempts, last fifth − first fifth"
    rises = [rise for rows in by_seed.values() if (rise := _rise(rows)) is not None]
    quantity = Quantity(part=PART, name=name, proposition="D2", of=f"{arm} during RL")
    yield _over_seeds_row(quantity, expected, rises)
    name = "Bend of entropy over reward during RL"
    bends = [bend for rows in by_seed.values() if (bend := _bend(rows)) is not None]
    concave = Expectation(words="below 0: entropy is a concave function of reward", side="below")
    quantity = Quantity(part=PART, name=name, proposition="B6", of=f"{arm} during RL")
    yield _over_seeds_row(quantity, concave, bends)


def swap_row(swap: "ProbeRow", change: PredictionRow | None) -> PredictionRow:
    """The prefix swap beside what composition did: both should have one sign (D2 i, M6)."""
    quantity = Quantity(
        part=PART,
        name="Swapped minus kept heuristic, by prefix swap",
        proposition="D2 (i), M6",
        of=f"{swap.model}, {len(swap.heuristics)} heuristics",
    )
    scores = [s for s in (change.measured, change.seeds) if s is not None] if change else []
    expected = Expectation(words="the sign of the change of composition, not known", side="unknown")
    if scores and all(score.low > 0 for score in scores):
        expected = Expectation(words="above 0, as composition rose through RL", side="above")
    elif scores and all(score.high < 0 for score in scores):
        expected = Expectation(words="below 0, as composition fell through RL", side="below")
    note = f"{swap.attempts} continuations"
    return quantity.row(expected, swap.complementarity, note=note)


def composed(solutions: Solutions) -> ByProblem:
    """Share of composed solutions at each problem."""
    names, problem_S = solutions.numbered
    rates = np.bincount(problem_S, solutions.composed_S) / np.bincount(problem_S)
    return dict(zip(names, rates.tolist(), strict=True))


def weighted_covariance(
    solutions: Solutions, group: int, flags: Sequence[bool] | None = None
) -> ByProblem:
    """Cov(flag, correct) x c_G(p) at each problem with two or more attempts.

    flags: of each solution; whether it is composed when left out.
    """
    names, problem_S = solutions.numbered
    n_P = np.bincount(problem_S)
    flag_S = solutions.composed_S if flags is None else np.array(flags, dtype=float)
    cov_P = within_covariance(problem_S, flag_S, solutions.correct_S)
    usable = n_P > 1
    p_P = np.bincount(problem_S, solutions.correct_S)[usable] / n_P[usable]
    each = zip(compress(names, usable), p_P.tolist(), cov_P.tolist(), strict=True)
    return {name: cov * _clock(p, group) for name, p, cov in each}


@lru_cache(maxsize=4096)
def _clock(p: float, group: int) -> float:
    from manyways.theory import dynamics

    return dynamics.clock(p, group)


def _moved(before: Solutions, after: Solutions, labels: Sequence[str]) -> ByProblem:
    both = sorted(set(before.problem) & set(after.problem))
    tables = []
    for solutions in (before, after):
        names, found = numbered(solutions, labels)
        place = {name: row for row, name in enumerate(names)}
        rows = [place[problem] for problem in both]
        tables.append(
            composition.Openings(tried_PH=found.tried_PH[rows], right_PH=found.right_PH[rows])
        )
    moved_P = composition.moved_towards_success(*tables)
    return dict(zip(both, moved_P.tolist(), strict=True))


def direction(gate: Policy | None, push: Score | None, seeds: Score | None) -> Expectation:
    """The sign of the covariance where its intervals leave out 0; none where nothing is composed.

    gate: attempts at RL's problems.  push, seeds: their covariance over problems and over seeds.
    """
    scores = [score for score in (push, seeds) if score is not None]
    if gate and not any(way.composed for one in gate.seeds.values() for way in one.ways):
        words = f"within {NOTHING} of 0: no attempt at RL's problems combines anything (D4)"
        return Expectation(words=words, side="near", margin=NOTHING)
    if scores and all(score.low > 0 for score in scores):
        return Expectation(words="above 0, as the covariance is", side="above")
    if scores and all(score.high < 0 for score in scores):
        return Expectation(words="below 0, as the covariance is", side="below")
    return Expectation(words="the sign of the covariance, which cannot be told", side="unknown")


def _rise(rows: "Sequence[CurveRow]") -> float | None:
    points = [(row.step, row.composed) for row in rows if row.composed is not None]
    if len(points) < 2:
        return None
    last = max(step for step, _ in points)
    first_values = [value for step, value in points if step <= max(1.0, ENDS * last)]
    last_values = [value for step, value in points if step > (1 - ENDS) * last]
    return float(np.mean(last_values) - np.mean(first_values)) if first_values else None


def _bend(rows: "Sequence[CurveRow]") -> float | None:
    """The quadratic coefficient of entropy over reward, both averaged over stretches of steps."""
    points = np.array(
        [(r.reward, r.entropy) for r in rows if r.reward is not None and r.entropy is not None]
    )
    if len(points) < BINS:
        return None
    means = np.array([part.mean(axis=0) for part in np.array_split(points, BINS)])
    if np.ptp(means[:, 0]) == 0:
        return None
    return float(np.polyfit(means[:, 0], means[:, 1], 2)[0])


def _over_seeds_row(
    quantity: Quantity, expected: Expectation, values: Sequence[float]
) -> PredictionRow:
    """A number that one training gives once: its only interval is that over seeds."""
    measured = over_seeds(quantity.name, list(values))
    note = "" if measured else f"{len(values)} seeds; an interval needs three"
    return quantity.row(expected, measured, note=note)


def replicator_rows(
    arm: str, curves: "Sequence[CurveRow]", rows: Sequence[OpeningRow]
) -> Iterator[PredictionRow]:
    """Whether the shares together moved the way that the covariances point; one number per seed.

    The inner product of the changes with the covariances, these scaled to length 1.
    """
    logged = logged_openings(arm, curves)
    quantity = Quantity(
        part=PART,
        name="First-heuristic mass during RL, along the direction of the replicator",
        proposition="B1",
        of=f"{arm} during RL",
    )
    expected = Expectation(words="above 0: mass follows success", side="above")
    push_H = np.array([row.push.value if row.push else 0.0 for row in rows])
    length = float(np.linalg.norm(push_H))
    if not rows or not length:
        why = (
            "RL logged no opening heuristics"
            if not rows
            else ("no heuristic was right more often than another in the gate's attempts")
        )
        yield quantity.row(expected, None, note=f"cannot be measured here because {why}")
        return
    moves = [
        float(sum(moved(row.heuristic, steps) * x for row, x in zip(rows, push_H, strict=True)))
        for steps in logged.values()
    ]
    values = [x / length for x in moves]
    measured = over_seeds(quantity.name, values)
    seeds = "1 seed" if len(values) == 1 else f"{len(values)} seeds"
    few = f"{np.mean(values):+.3f} over {seeds}; an interval needs three"
    note = "change of each share x its covariance with success before RL" if measured else few
    yield quantity.row(expected, measured, note=note)
