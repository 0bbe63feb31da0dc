"""Which gradient moves the masses? The regression M5, where a run has the data for it.

Across heuristics, the change of log(p_h / p_1) through RL is regressed on A_h - A_1 and on
p_h A_h - p_1 A_1: coefficients (1, 0) times a step size mean the natural gradient, (0, 1) the
vanilla one. Advantages are taken within problems: p_h A_h is Cov(opens with h, correct), so that a
heuristic is not called weak because its problems are hard. They come from the gate's attempts, and
the masses from the benchmarks': noise that both sides share would look like a relation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from manyways.metrics.resampling import Resampling, resamples
from manyways.results.theory import Part, PredictionRow
from manyways.stages.analysis.contrasts import Policy, labels_of, numbered
from manyways.stages.analysis.expectation import Expectation, Quantity
from manyways.stages.analysis.passes import score
from manyways.theory.measurement import flow_coefficients

PART: Part = "through RL"
Floats = NDArray[np.float64]

SEEN = 20
"""Attempts that a heuristic must open before RL, after it and at the gate: fewer have no log."""
HEURISTICS = 4
"""Heuristics with that many: two coefficients from fewer points would fit anything."""


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


def flow_rows(
    gate: Policy, before: Policy, after: Policy, settings: Resampling
) -> Iterator[PredictionRow]:
    """The two coefficients with bootstrap intervals over problems, or why there are none."""
    labels = _seen_enough((gate, before, after))
    quantities = [
        Quantity(
            part=PART,
            name=f"Regression of log mass on {what}",
            proposition="M5",
            of=f"{before.name} → {after.name}",
        )
        for what in ("advantage", "mass x advantage")
    ]
    expected = [
        Expectation(
            words=f"no sign: {which} gradient alone would leave the other row at 0", side=None
        )
        for which in ("a natural", "a vanilla")
    ]
    found = _coefficients((gate, before, after), labels, settings)
    nothing = np.empty(0)
    for quantity, words, values in zip(
        quantities, expected, found or (nothing, nothing), strict=True
    ):
        if not len(values):
            yield quantity.row(words, None, note=_why_not(labels))
            continue
        low, high = np.quantile(values[1:], [0.025, 0.975])
        note = f"n: heuristics, beside the reference {labels[0]}; interval over problems"
        measured = score(quantity.name, (values[0], low, high), len(labels) - 1)
        yield quantity.row(words, measured, note=note)


def _why_not(labels: Sequence[str]) -> str:
    if len(labels) < HEURISTICS:
        return (
            f"cannot be measured here because {len(labels)} of the labels, not {HEURISTICS} or "
            f"more, open {SEEN} attempts each at the gate, before and after RL"
        )
    return "cannot be measured here because the two regressors are nearly proportional"


def _seen_enough(policies: Sequence[Policy]) -> list[str]:
    labels = labels_of([one for policy in policies for one in policy.seeds.values()])
    counts = [
        [
            sum(way.opening == label for one in p.seeds.values() for way in one.ways)
            for p in policies
        ]
        for label in labels
    ]
    kept = [(label, row) for label, row in zip(labels, counts, strict=True) if min(row) >= SEEN]
    # The first is the reference: that of most attempts before RL.
    return [label for label, _ in sorted(kept, key=lambda item: -item[1][1])]


def _coefficients(
    policies: tuple[Policy, Policy, Policy], labels: Sequence[str], settings: Resampling
) -> tuple[Floats, Floats] | None:
    """The coefficients, then those of each resample of problems; None where there are none."""
    if len(labels) < HEURISTICS:
        return None
    gate, before, after = (_counted(policy, labels) for policy in policies)
    value = _fit(gate, before, after)
    if value is None:
        return None
    draws = [
        resamples(len(one.tried_P), Resampling(resamples=settings.resamples, seed=seed))
        for one, seed in ((gate, 1), (before, 2), (after, 3))
    ]
    found = [value]
    for rows in zip(*draws, strict=True):
        again = _fit(
            *(_drawn(one, row) for one, row in zip((gate, before, after), rows, strict=True))
        )
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


def _fit(gate: Counted, before: Counted, after: Counted) -> tuple[float, float] | None:
    """None where a label was not drawn or the regressors cannot be told apart."""
    masses = [one.opened_PH.sum(axis=0) / one.tried_P.sum() for one in (gate, before, after)]
    if not all(mass.all() for mass in masses):
        return None
    change_H = np.log(masses[2] / masses[2][0]) - np.log(masses[1] / masses[1][0])
    weighted_H = gate.push_PH.sum(axis=0) / max(gate.rows_P.sum(), 1)
    advantage_H = weighted_H / masses[0]
    try:
        return flow_coefficients(
            change_H[1:], (advantage_H - advantage_H[0])[1:], (weighted_H - weighted_H[0])[1:]
        )
    except ValueError:  # proportional regressors
        return None


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
