"""Rows through RL: where mass moves, whether composition rises, entropy over reward.

The regression M5 asks which gradient moves the masses. Over heuristics h, the change of log p_h
through RL is regressed on A_h and on p_h A_h, each minus its mean over heuristics. Coefficients
(1, 0) times a step size mean the natural gradient, (0, 1) the vanilla one. p_h A_h is
Cov(opens with h, correct) within problems, so that a heuristic does not look weak because its
problems are hard. The advantages come from the gate's attempts and the masses from those at
benchmarks, because noise in both would look like a relation.

M5 holds for a single choice. If all of RL's problems have one part and a benchmark has problems of
one part, the regression is over (part, heuristic), minus the means of each part. Otherwise it takes
all problems together. Then, if a policy prefers other heuristics at other parts, both coefficients
differ from 0 under the vanilla gradient, however large the run.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from manyways.measures import sign_of
from manyways.measures.curves import ENDS
from manyways.measures.openings import OpeningRow, logged_openings, share_change
from manyways.measures.predictions import THROUGH, Expectation, PredictionRow, Quantity
from manyways.measures.score_curves import over_seeds, resampled_score
from manyways.measures.solutions import (
    ByProblem,
    Policy,
    Solutions,
    both_means,
    contrast,
    count_openings,
    labels_of,
    restrict_to,
)
from manyways.metrics import modes
from manyways.metrics.intervals import Floats, Resampling, draw_counts
from manyways.metrics.modes import within_covariance
from manyways.records import Score
from manyways.reporting.words import plus
from manyways.theory.dynamics import clock, flow_coefficients

if TYPE_CHECKING:
    from manyways.measures.curves import CurveRow
    from manyways.measures.probe import ProbeRow

NOTHING = 0.05
"""A smaller change of a composition rate counts as none."""


BINS = 12
"""Entropy and reward are averaged over so many stretches of RL before the curve is fitted."""


def change_rows(before: Policy, after: Policy, settings: Resampling) -> Iterator[PredictionRow]:
    """Whether RL moved mass to heuristics that succeed, on the benchmarks (B1)."""
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
        part=THROUGH, name=name, proposition="B1, B2", of=f"{before.name} → {after.name}"
    )
    yield quantity.row(
        expected, measured, seeds, note="sum over heuristics of share after RL x advantage before"
    )


def drift_rows(
    policies: tuple[Policy, Policy, Policy], group: int, settings: Resampling
) -> Iterator[PredictionRow]:
    """The covariance of composed and correct, and the change of composition through RL (D2).

    policies: at the gate (on RL's problems), before RL and after it (on benchmarks).
    """
    gate, before, after = policies
    name = "Cov(composed, correct) within problems, weighted by c_G"
    push, push_seeds = contrast(
        name, gate.values(lambda s: weighted_covariance(s, group)), None, settings
    )
    of = f"{before.name} → {after.name}, on RL problems"
    quantity = Quantity(part=THROUGH, name=name, proposition="D2", of=of)
    yield quantity.row(
        Expectation(words="its sign is that of the change below", side=None), push, push_seeds
    )
    name = "Change of the composition rate through RL"
    a, b = after.values(composition_rates), before.values(composition_rates)
    measured, seeds = contrast(name, a, b, settings)
    quantity = Quantity(
        part=THROUGH, name=name, proposition="D2", of=f"{after.name} − {before.name}"
    )
    note = "no problem with attempts both before and after"
    if measured:
        ended, began = both_means(a, b)
        note = f"{began:.3f} before, {ended:.3f} after"
    yield quantity.row(direction(gate, push, push_seeds), measured, seeds, note=note)


def logged_rows(
    arm: str, curves: "Sequence[CurveRow]", expected: Expectation
) -> Iterator[PredictionRow]:
    """The change of composition in RL's own attempts, and entropy over reward (B6)."""
    by_seed: dict[int, list[CurveRow]] = {}
    for row in curves:
        if row.arm == arm and row.stage == "rl":
            by_seed.setdefault(row.seed, []).append(row)
    name = "Composition in RL's own attempts, last fifth − first fifth"
    rises = [rise for rows in by_seed.values() if (rise := _rise(rows)) is not None]
    quantity = Quantity(part=THROUGH, name=name, proposition="D2", of=f"{arm} during RL")
    yield _over_seeds_row(quantity, expected, rises)
    name = "Bend of entropy over reward during RL"
    bends = [bend for rows in by_seed.values() if (bend := _bend(rows)) is not None]
    concave = Expectation(words="below 0: entropy is a concave function of reward", side="below")
    quantity = Quantity(part=THROUGH, name=name, proposition="B6", of=f"{arm} during RL")
    yield _over_seeds_row(quantity, concave, bends)


def swap_row(swap: "ProbeRow", change: PredictionRow | None) -> PredictionRow:
    """The prefix swap: it should have the sign of the change of composition (D2 i, M6)."""
    quantity = Quantity(
        part=THROUGH,
        name="Swapped minus kept heuristic, by prefix swap",
        proposition="D2 (i), M6",
        of=f"{swap.model}, {len(swap.heuristics)} heuristics",
    )
    sign = sign_of(change.measured, change.seeds) if change else 0
    expected = Expectation(words="the sign of the change of composition, not known", side="unknown")
    if sign > 0:
        expected = Expectation(words="above 0, as composition rose through RL", side="above")
    elif sign < 0:
        expected = Expectation(words="below 0, as composition fell through RL", side="below")
    note = f"{swap.attempts} continuations"
    return quantity.row(expected, swap.complementarity, note=note)


def composition_rates(solutions: Solutions) -> ByProblem:
    """Problem -> share of composed solutions."""
    names, problem_S = solutions.numbered
    rates = np.bincount(problem_S, solutions.composed_S) / np.bincount(problem_S)
    return dict(zip(names, rates.tolist(), strict=True))


def weighted_covariance(
    solutions: Solutions, group: int, flags: Sequence[bool] | None = None
) -> ByProblem:
    """Problem -> Cov(flag, correct) x c_G(p), for problems with two or more attempts.

    flags: one for each solution; without them, whether it is composed.
    """
    names, problem_S = solutions.numbered
    n_P = np.bincount(problem_S)
    flag_S = solutions.composed_S if flags is None else np.array(flags, dtype=float)
    cov_P = within_covariance(problem_S, flag_S, solutions.correct_S)
    usable = n_P > 1
    p_P = np.bincount(problem_S, solutions.correct_S)[usable] / n_P[usable]
    speeds = {p: clock(p, group) for p in set(p_P.tolist())}
    each = zip(compress(names, usable), p_P.tolist(), cov_P.tolist(), strict=True)
    return {name: cov * speeds[p] for name, p, cov in each}


def _moved(before: Solutions, after: Solutions, labels: Sequence[str]) -> ByProblem:
    both = sorted(set(before.problem) & set(after.problem))
    tables = []
    for solutions in (before, after):
        names, found = count_openings(solutions, labels)
        place = {name: row for row, name in enumerate(names)}
        rows = [place[problem] for problem in both]
        tables.append(modes.Openings(tried_PH=found.tried_PH[rows], right_PH=found.right_PH[rows]))
    moved_P = modes.moved_towards_success(*tables)
    return dict(zip(both, moved_P.tolist(), strict=True))


def direction(gate: Policy | None, push: Score | None, seeds: Score | None) -> Expectation:
    """What is expected of the change of composition: the sign of the covariance, if it is known.

    gate: attempts at RL's problems. If none is composed, no change is expected.
    push, seeds: their covariance, with intervals over problems and over seeds.
    """
    sign = sign_of(push, seeds)
    if gate and not any(way.composed for one in gate.seeds.values() for way in one.ways):
        words = f"within {NOTHING} of 0: no attempt at RL's problems combines anything (D4)"
        return Expectation(words=words, side="near", margin=NOTHING)
    if sign > 0:
        return Expectation(words="above 0, as the covariance is", side="above")
    if sign < 0:
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
    means = np.array([bin_.mean(axis=0) for bin_ in np.array_split(points, BINS)])
    if np.ptp(means[:, 0]) == 0:
        return None
    return float(np.polyfit(means[:, 0], means[:, 1], 2)[0])


def _over_seeds_row(
    quantity: Quantity, expected: Expectation, values: Sequence[float]
) -> PredictionRow:
    """A row of a quantity with one value for each training: its interval is over seeds."""
    measured = over_seeds(quantity.name, list(values))
    note = "" if measured else f"{len(values)} seeds; an interval needs three"
    return quantity.row(expected, measured, note=note)


def replicator_rows(
    arm: str, curves: "Sequence[CurveRow]", rows: Sequence[OpeningRow]
) -> Iterator[PredictionRow]:
    """Whether the shares moved in the direction of the covariances, with one number per seed.

    It is the inner product of the changes with the covariances, which are scaled to length 1.
    """
    logged = logged_openings(arm, curves)
    quantity = Quantity(
        part=THROUGH,
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
        yield quantity.unmeasured(expected, why)
        return
    moves = [
        float(
            sum(share_change(row.heuristic, steps) * x for row, x in zip(rows, push_H, strict=True))
        )
        for steps in logged.values()
    ]
    values = [x / length for x in moves]
    measured = over_seeds(quantity.name, values)
    seeds = "1 seed" if len(values) == 1 else f"{len(values)} seeds"
    few = f"{plus(float(np.mean(values)), 3)} over {seeds}; an interval needs three"
    note = "change of each share x its covariance with success before RL" if measured else few
    yield quantity.row(expected, measured, note=note)


SEEN = 20
"""The least attempts that a heuristic must open: at the gate, before RL and after it."""
PROBLEMS = 5
"""The least problems of a part, at the gate and on benchmarks, for an interval over problems."""
CONTRASTS = 3
"""The least heuristics, minus one for each part: two coefficients fit any fewer exactly."""

Around = tuple[Policy, Policy, Policy]
"""(policy at the gate, before RL, after it)."""


@dataclass(frozen=True, kw_only=True)
class OpeningCounts:
    """Sums over the attempts at each problem. Shapes (P, H) and (P,).

    opened: attempts that open with each heuristic.  tried: all attempts.
    push:   Cov(opens with it, correct), summed over seeds.  rows: the number of summands.
    """

    opened_PH: Floats
    tried_P: Floats
    push_PH: Floats
    rows_P: Floats


@dataclass(frozen=True, kw_only=True)
class PartCounts:
    """The counts of one part, or of all problems, at the gate, before RL and after it.

    labels: heuristics that open enough attempts in all three.
    """

    labels: Sequence[str]
    counted: tuple[OpeningCounts, OpeningCounts, OpeningCounts]


def regression_rows(
    around: Around, part_of: Mapping[str, str], settings: Resampling
) -> Iterator[PredictionRow]:
    """The two coefficients of M5 with bootstrap intervals over problems, or why there are none.

    part_of: problem of one part -> its part. If it is empty, all problems are taken together.
    """
    parts = list(_parts(around, part_of))
    quantities = [
        Quantity(
            part=THROUGH,
            name=f"Regression of log mass on {what}",
            proposition="M5",
            of=f"{around[1].name} → {around[2].name}",
        )
        for what in ("advantage", "mass x advantage")
    ]
    expected = [
        Expectation(
            words=f"no sign: {which} gradient alone would leave the other row at 0", side=None
        )
        for which in ("a natural", "a vanilla")
    ]
    found = _coefficients(parts, settings)
    nothing = np.empty(0)
    for quantity, words, values in zip(
        quantities, expected, found or (nothing, nothing), strict=True
    ):
        if not len(values):
            yield quantity.unmeasured(words, _why_not(parts))
            continue
        measured = resampled_score(quantity.name, values, _contrasts(parts))
        yield quantity.row(words, measured, note=_note(parts, part_of))


def _note(parts: Sequence[PartCounts], part_of: Mapping[str, str]) -> str:
    note = "n: heuristics minus one for each part; interval over problems"
    if part_of:
        return f"{note}; within {len(parts)} parts"
    return f"{note}; all parts as one, so both may differ from 0 under the vanilla gradient"


def _why_not(parts: Sequence[PartCounts]) -> str:
    if _contrasts(parts) < CONTRASTS:
        return (
            f"only {_contrasts(parts)} heuristics, one of each part not counted, open {SEEN} "
            f"attempts at {PROBLEMS} problems or more each at the gate, before and after RL; it "
            f"needs {CONTRASTS}"
        )
    return "the two regressors are nearly proportional"


def _contrasts(parts: Sequence[PartCounts]) -> int:
    return sum(len(part.labels) - 1 for part in parts)


def _parts(around: Around, part_of: Mapping[str, str]) -> Iterator[PartCounts]:
    members: dict[str, set[str]] = {}
    for problem, part in part_of.items():
        members.setdefault(part, set()).add(problem)
    every: list[Sequence[Policy]] = [
        [_within(one, members[part]) for one in around] for part in sorted(members)
    ]
    for policies in every or [around]:
        labels = _seen_enough(policies)
        gate, before, after = (_counted(policy, labels) for policy in policies)
        if len(labels) > 1 and min(len(c.tried_P) for c in (gate, before, after)) >= PROBLEMS:
            yield PartCounts(labels=labels, counted=(gate, before, after))


def _within(policy: Policy, problems: Container[str]) -> Policy:
    seeds = {seed: restrict_to(one, problems) for seed, one in policy.seeds.items()}
    return Policy(name=policy.name, seeds=seeds)


def _seen_enough(policies: Sequence[Policy]) -> list[str]:
    labels = labels_of([one for policy in policies for one in policy.seeds.values()])
    counts = [
        [
            sum(way.opening == label for one in p.seeds.values() for way in one.ways)
            for p in policies
        ]
        for label in labels
    ]
    return [label for label, row in zip(labels, counts, strict=True) if min(row) >= SEEN]


def _coefficients(
    parts: Sequence[PartCounts], settings: Resampling
) -> tuple[Floats, Floats] | None:
    """Each coefficient: its value, then those of the resamples; None if it cannot be told."""
    if _contrasts(parts) < CONTRASTS:
        return None
    value = _fit([part.counted for part in parts])
    if value is None:
        return None
    found = [value]
    every = [one for part in parts for one in part.counted]
    draws = [
        draw_counts(len(one.tried_P), Resampling(resamples=settings.resamples, seed=seed))
        for seed, one in enumerate(every, start=1)
    ]
    for rows in zip(*draws, strict=True):
        drawn = [_drawn(one, row) for one, row in zip(every, rows, strict=True)]
        again = _fit(list(zip(drawn[::3], drawn[1::3], drawn[2::3], strict=True)))
        if again is not None:
            found.append(again)
    if len(found) < 0.9 * settings.resamples:
        return None
    table = np.array(found)
    return table[:, 0], table[:, 1]


def _drawn(counted: OpeningCounts, times_P: Floats) -> OpeningCounts:
    """The counts with each problem as often as it was drawn."""
    sums = {field.name: getattr(counted, field.name) for field in fields(counted)}
    return OpeningCounts(**{name: (one.T * times_P).T for name, one in sums.items()})


def _fit(
    parts: Sequence[tuple[OpeningCounts, OpeningCounts, OpeningCounts]],
) -> tuple[float, float] | None:
    """The coefficients; None if a label was not drawn or the regressors are proportional."""
    points = [_points(*counted) for counted in parts]
    if any(one is None for one in points):
        return None
    change_N, advantage_N, weighted_N = np.concatenate(
        [one for one in points if one is not None], axis=1
    )
    try:
        return flow_coefficients(change_N, advantage_N, weighted_N)
    except ValueError:  # proportional regressors
        return None


def _points(gate: OpeningCounts, before: OpeningCounts, after: OpeningCounts) -> Floats | None:
    """Change of log mass, advantage, mass x advantage, each minus its mean over H; (3, H)."""
    masses = [
        one.opened_PH.sum(axis=0) / max(one.tried_P.sum(), 1) for one in (gate, before, after)
    ]
    if not all(mass.all() for mass in masses):
        return None
    weighted_H = gate.push_PH.sum(axis=0) / max(gate.rows_P.sum(), 1)
    rows = np.stack([np.log(masses[2]) - np.log(masses[1]), weighted_H / masses[0], weighted_H])
    return np.asarray(rows - rows.mean(axis=1, keepdims=True))


def _counted(policy: Policy, labels: Sequence[str]) -> OpeningCounts:
    """The sums over seeds for each problem, because problems are resampled."""
    every = labels_of(list(policy.seeds.values()))
    columns = [every.index(label) for label in labels]
    problems = sorted({name for one in policy.seeds.values() for name in one.problem})
    shape = (len(problems), len(labels))
    opened, push = np.zeros(shape), np.zeros(shape)
    tried, rows = np.zeros(len(problems)), np.zeros(len(problems))
    for solutions in policy.seeds.values():
        names, found = count_openings(solutions, every)
        where = np.searchsorted(problems, names)
        tried_P, right_P = found.tried_PH.sum(axis=1), found.right_PH.sum(axis=1)
        opened[where] += found.tried_PH[:, columns]
        tried[where] += tried_P
        spare_P = np.maximum(tried_P - 1, 1)
        shared_PH = found.tried_PH * (right_P / tried_P)[:, None]
        push[where] += ((found.right_PH - shared_PH) / spare_P[:, None])[:, columns]
        rows[where] += tried_P > 1
    return OpeningCounts(opened_PH=opened, tried_P=tried, push_PH=push, rows_P=rows)
