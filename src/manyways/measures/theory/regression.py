"""Which gradient moves the masses? The regression M5, where a run has the data for it.

Across heuristics, the change of log p_h through RL is regressed on A_h and on p_h A_h, all minus
their means over heuristics: coefficients (1, 0) times a step size mean the natural gradient,
(0, 1) the vanilla one. Advantages are taken within problems: p_h A_h is Cov(opens with h, correct),
so that a heuristic is not called weak because its problems are hard. They come from the gate's
attempts, and the masses from the benchmarks': noise that both sides share would look like a
relation.

The law is one of a single choice. Where all of RL's problems have one part and a benchmark asks
parts alone, they are taken part by part and the regression is over (part, heuristic), minus the
means of each part. Elsewhere all problems are one: where a policy prefers other heuristics for
other parts, the vanilla gradient then shows in both coefficients, however large the run.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from manyways.measures.score_curves import score
from manyways.measures.solutions import Policy, labels_of, numbered, on_problems
from manyways.measures.theory.expectation import Expectation, Part, PredictionRow, Quantity
from manyways.metrics.intervals import Resampling, resamples
from manyways.theory.measurement import flow_coefficients

PART: Part = "through RL"
Floats = NDArray[np.float64]

SEEN = 20
"""Attempts that a heuristic must open before RL, after it and at the gate: fewer have no log."""
PROBLEMS = 5
"""Problems of a part at the gate and on the benchmarks: fewer give no interval over problems."""
CONTRASTS = 3
"""Heuristics with that many, minus one for each part: two coefficients would fit any fewer."""

Around = tuple[Policy, Policy, Policy]
"""At the gate, before RL, after it."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Sums over the attempts at each problem. Shapes (P, H) and (P,).

    opened: attempts that open with each heuristic.  tried: attempts.
    push:   Cov(opens with it, correct), summed over seeds.  rows: how many of these there are.
    """

    opened_PH: Floats
    tried_P: Floats
    push_PH: Floats
    rows_P: Floats


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One part, or all problems as one: what was counted at the gate, before RL and after it.

    labels: those that open enough attempts in all three.
    """

    labels: Sequence[str]
    counted: tuple[Counted, Counted, Counted]


def regression_rows(
    around: Around, part_of: Mapping[str, str], settings: Resampling
) -> Iterator[PredictionRow]:
    """The two coefficients with bootstrap intervals over problems, or why there are none.

    around: the policies at the gate, before RL and after it.
    part_of: problem -> its part, of problems of one part; empty takes all problems as one.
    """
    cells = list(_cells(around, part_of))
    quantities = [
        Quantity(
            part=PART,
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
    found = _coefficients(cells, settings)
    nothing = np.empty(0)
    for quantity, words, values in zip(
        quantities, expected, found or (nothing, nothing), strict=True
    ):
        if not len(values):
            yield quantity.row(words, None, note=_why_not(cells))
            continue
        low, high = np.quantile(values[1:], [0.025, 0.975])
        measured = score(quantity.name, (values[0], low, high), _contrasts(cells))
        yield quantity.row(words, measured, note=_note(cells, part_of))


def _note(cells: Sequence[Cell], part_of: Mapping[str, str]) -> str:
    note = "n: heuristics minus one for each part; interval over problems"
    if part_of:
        return f"{note}; within {len(cells)} parts"
    return f"{note}; all parts as one, so both may differ from 0 under the vanilla gradient"


def _why_not(cells: Sequence[Cell]) -> str:
    if _contrasts(cells) < CONTRASTS:
        return (
            f"cannot be measured here because only {_contrasts(cells)} heuristics, one of each "
            f"part not counted, open {SEEN} attempts at {PROBLEMS} problems or more each at the "
            f"gate, before and after RL; it needs {CONTRASTS}"
        )
    return "cannot be measured here because the two regressors are nearly proportional"


def _contrasts(cells: Sequence[Cell]) -> int:
    return sum(len(cell.labels) - 1 for cell in cells)


def _cells(around: Around, part_of: Mapping[str, str]) -> Iterator[Cell]:
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
            yield Cell(labels=labels, counted=(gate, before, after))


def _within(policy: Policy, problems: Container[str]) -> Policy:
    seeds = {seed: on_problems(one, problems) for seed, one in policy.seeds.items()}
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


def _coefficients(cells: Sequence[Cell], settings: Resampling) -> tuple[Floats, Floats] | None:
    """The coefficients, then those of each resample of problems; None where there are none."""
    if _contrasts(cells) < CONTRASTS:
        return None
    value = _fit([cell.counted for cell in cells])
    if value is None:
        return None
    found = [value]
    every = [one for cell in cells for one in cell.counted]
    draws = [
        resamples(len(one.tried_P), Resampling(resamples=settings.resamples, seed=seed))
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


def _drawn(counted: Counted, times_P: Floats) -> Counted:
    """Each problem as often as it was drawn."""
    parts = {field.name: getattr(counted, field.name) for field in fields(counted)}
    return Counted(**{name: (part.T * times_P).T for name, part in parts.items()})


def _fit(cells: Sequence[tuple[Counted, Counted, Counted]]) -> tuple[float, float] | None:
    """None where a label was not drawn or the regressors cannot be told apart."""
    points = [_points(*counted) for counted in cells]
    if any(one is None for one in points):
        return None
    change_N, advantage_N, weighted_N = np.concatenate(
        [one for one in points if one is not None], axis=1
    )
    try:
        return flow_coefficients(change_N, advantage_N, weighted_N)
    except ValueError:  # proportional regressors
        return None


def _points(gate: Counted, before: Counted, after: Counted) -> Floats | None:
    """Change of log mass, advantage and mass x advantage minus their means, (3, H)."""
    masses = [
        one.opened_PH.sum(axis=0) / max(one.tried_P.sum(), 1) for one in (gate, before, after)
    ]
    if not all(mass.all() for mass in masses):
        return None
    weighted_H = gate.push_PH.sum(axis=0) / max(gate.rows_P.sum(), 1)
    rows = np.stack([np.log(masses[2]) - np.log(masses[1]), weighted_H / masses[0], weighted_H])
    return np.asarray(rows - rows.mean(axis=1, keepdims=True))


def _counted(policy: Policy, labels: Sequence[str]) -> Counted:
    """Seeds are summed by problem: problems are what is resampled."""
    every = labels_of(list(policy.seeds.values()))
    columns = [every.index(label) for label in labels]
    problems = sorted({name for one in policy.seeds.values() for name in one.problem})
    shape = (len(problems), len(labels))
    opened, push = np.zeros(shape), np.zeros(shape)
    tried, rows = np.zeros(len(problems)), np.zeros(len(problems))
    for solutions in policy.seeds.values():
        names, found = numbered(solutions, every)
        where = np.searchsorted(problems, names)
        tried_P, right_P = found.tried_PH.sum(axis=1), found.right_PH.sum(axis=1)
        opened[where] += found.tried_PH[:, columns]
        tried[where] += tried_P
        spare_P = np.maximum(tried_P - 1, 1)
        shared_PH = found.tried_PH * (right_P / tried_P)[:, None]
        push[where] += ((found.right_PH - shared_PH) / spare_P[:, None])[:, columns]
        rows[where] += tried_P > 1
    return Counted(opened_PH=opened, tried_P=tried, push_PH=push, rows_P=rows)
