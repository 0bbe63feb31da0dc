"""The prefix-swap matrix with its intervals: what the probe's attempts say.

Shapes: _P problems, _H heuristics (first, second).
"""

import numpy as np
from numpy.typing import NDArray

from manyways.metrics.intervals import clustered_share, mean_intervals
from manyways.metrics.resampling import Resampling, resamples
from manyways.records import Score
from manyways.results.theory import ProbeRow
from manyways.stages.analysis.passes import score
from manyways.stages.context import Context
from manyways.stages.probe import BETWEEN, FOLDER, probed
from manyways.tables import read_attempts_table
from manyways.theory.measurement import complementarity, step_independence

Floats = NDArray[np.float64]


def probe_rows(ctx: Context, settings: Resampling) -> list[ProbeRow]:
    """One row, or none where the probe has not been run."""
    names = [heuristic.id for heuristic in probed(ctx)]
    right_PHH, tried_PHH = _counts(ctx, names)
    if not tried_PHH.size or not tried_PHH.any():
        return []
    with np.errstate(invalid="ignore"):
        rates_PHH = right_PHH / tried_PHH
    gaps_P, covs_P = _per_problem(rates_PHH)
    return [
        ProbeRow(
            model="base",
            heuristics=names,
            matrix=[
                [_cell(right_PHH[:, i, j], tried_PHH[:, i, j]) for j in range(len(names))]
                for i in range(len(names))
            ],
            complementarity=_mean("Swapped minus kept", gaps_P, settings),
            covariance=_mean("Covariance of strengths", covs_P, settings),
            dependence=_dependence(right_PHH, tried_PHH, settings),
            attempts=int(tried_PHH.sum()),
        )
    ]


def _counts(ctx: Context, names: list[str]) -> tuple[Floats, Floats]:
    """Right and tried attempts, (P, H, H)."""
    table = read_attempts_table(
        ctx.run.path(FOLDER), ["problem_id", "heuristic", "sample", "status"]
    )
    problems = {name: i for i, name in enumerate(sorted(set(table["problem_id"].to_pylist())))}
    place = {name: i for i, name in enumerate(names)}
    tried = np.zeros((len(problems), len(names), len(names)))
    right = np.zeros_like(tried)
    for row in table.to_pylist():
        first, _, second = row["heuristic"].partition(BETWEEN)
        if first in place and second in place and row["sample"] < ctx.recipe.probe.samples:
            where = problems[row["problem_id"]], place[first], place[second]
            tried[where] += 1
            right[where] += row["status"] == "correct"
    return right, tried


def _per_problem(rates_PHH: Floats) -> tuple[Floats, Floats]:
    """Complementarity of each problem's own matrix, and the covariance that it stands for (M6)."""
    gaps, covs = [], []
    for rates_HH in rates_PHH:
        there = ~np.isnan(np.diag(rates_HH))
        square = rates_HH[np.ix_(there, there)]
        if len(square) >= 2 and not np.isnan(square).any():
            gaps.append(complementarity(square))
            covs.append(-gaps[-1] * (len(square) - 1) / len(square))
    return np.array(gaps), np.array(covs)


def _cell(right_P: Floats, tried_P: Floats) -> Score:
    return score("success", clustered_share(right_P, tried_P), int((tried_P > 0).sum()))


def _mean(name: str, values_P: Floats, settings: Resampling) -> Score | None:
    if not len(values_P):
        return None
    mean, low, high = (float(x[0]) for x in mean_intervals(values_P, settings))
    return score(name, (mean, low, high), len(values_P))


def _dependence(right_PHH: Floats, tried_PHH: Floats, settings: Resampling) -> Score | None:
    """Second over first singular value of the mean matrix.

    Noise alone makes it positive, more so in a bootstrap: the interval is the basic one
    (2 x value - quantiles), cut at 0.
    """
    count, names, _ = right_PHH.shape
    draws_RP = np.concatenate([np.ones((1, count)), resamples(count, settings)])
    values = []
    flat = (counts.reshape(count, -1) for counts in (right_PHH, tried_PHH))
    for right, tried in zip(*(draws_RP @ counts for counts in flat), strict=True):
        if tried.all():
            values.append(step_independence((right / tried).reshape(names, names)))
    if len(values) < 2:
        return None
    low, high = np.quantile(values[1:], [0.025, 0.975])
    value = values[0]
    bounds = (value, max(0.0, 2 * value - float(high)), max(value, 2 * value - float(low)))
    return score("Second over first singular value", bounds, count)
