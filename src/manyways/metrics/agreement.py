"""Errors of labellers: how far two agree beyond chance, and a rate corrected for one's errors.

Cohen's kappa compares two labellers. ``sklearn`` has its value; whole problems have to be drawn for
its interval, which sums that can be resampled give here in one step. A rate is corrected for the
errors of one labeller (theory M3).

Shapes: _P problems, _S solutions, _R resamples, _D draws.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from manyways.metrics.intervals import LEVEL, Floats, Resampling, effective_share, resampled_sums


def kappa_interval(
    first_S: Sequence[Hashable],
    second_S: Sequence[Hashable],
    problem_S: Sequence[Hashable],
    settings: Resampling,
) -> tuple[float, float, float]:
    """Cohen's kappa (1960) with its percentile bootstrap interval; whole problems are drawn.

    Agreement beyond that of independent labels with these shares: 1 for full agreement, 0 for what
    chance gives. Not defined where both give one and the same label only.

    Resamples in which it is not defined are left out.

    Returns:
        (kappa, low, high); nan where kappa is not defined.
    """
    sums = _sums(first_S, second_S, problem_S)
    value = float(_kappas(sums.sum(axis=0, keepdims=True))[0])
    if not len(sums) or np.isnan(value):
        return value, float("nan"), float("nan")
    kappas_R = _kappas(resampled_sums(sums, settings))
    tail = (1 - LEVEL) / 2
    low, high = (float(q) for q in np.nanquantile(kappas_R, [tail, 1 - tail]))
    return value, low, high


def _sums(
    first_S: Sequence[Hashable], second_S: Sequence[Hashable], problem_S: Sequence[Hashable]
) -> Floats:
    """Per problem: texts, agreements, then how often each labeller gives each label."""
    labels = {label: i for i, label in enumerate(dict.fromkeys([*first_S, *second_S]))}
    problems = {problem: i for i, problem in enumerate(dict.fromkeys(problem_S))}
    sums = np.zeros((len(problems), 2 + 2 * len(labels)))
    for first, second, problem in zip(first_S, second_S, problem_S, strict=True):
        row = sums[problems[problem]]
        row[0] += 1
        row[1] += first == second
        row[2 + labels[first]] += 1
        row[2 + len(labels) + labels[second]] += 1
    return sums


def _kappas(sums: Floats) -> Floats:
    """Kappa of each row of sums."""
    total = np.where(sums[:, 0] > 0, sums[:, 0], np.nan)
    half = (sums.shape[1] - 2) // 2
    observed = sums[:, 1] / total
    chance = (sums[:, 2 : 2 + half] * sums[:, 2 + half :]).sum(axis=1) / total**2
    kappas: Floats = (observed - chance) / np.where(chance < 1, 1 - chance, np.nan)
    return kappas


DRAWS = 20_000

Counts = tuple[float, float]
"""(right ones, number of texts) on which a sensitivity or a specificity was measured."""


def corrected_rate(observed: float, *, sensitivity: float, specificity: float) -> float:
    """A rate as it was before an imperfect labeller, in [0, 1].

    ``(obs + sp - 1) / (se + sp - 1)`` (Rogan and Gladen 1978; theory M3).

    Raises:
        ValueError: the labeller is no better than chance (se + sp <= 1).
    """
    gain = sensitivity + specificity - 1
    if gain <= 0:
        raise ValueError("sensitivity + specificity must exceed 1: the labels carry no information")
    return min(1.0, max(0.0, (observed + specificity - 1) / gain))


def corrected_share(
    successes_P: ArrayLike, trials_P: ArrayLike, *, sensitivity: Counts, specificity: Counts
) -> tuple[float, float, float] | None:
    """``corrected_rate`` of a share over clustered trials, with its 95% interval.

    The interval holds three doubts: about the observed share (trials of a problem being alike, see
    ``intervals.clustered_share``), the sensitivity and the specificity. Each is drawn from its Beta
    posterior under Jeffreys' prior (1/2, 1/2), and the interval is that of the corrected draws
    between their quantiles. A draw with se + sp <= 1 says nothing: it counts as a uniform one.

    An observed share can only lie between ``1 - sp`` and ``se``. Where nearly all draws lie beyond
    one end, the error cannot be that of these texts, and clipping would pass it off as 0 or 1.

    Returns:
        (rate, low, high), or None without trials, where the measured se + sp <= 1, and where the
        observed share contradicts the error (97.5% of the draws beyond one end).
    """
    share, effective = effective_share(successes_P, trials_P)
    se, sp = (right / number if number else 0.0 for right, number in (sensitivity, specificity))
    if not effective or se + sp <= 1:
        return None
    rng = np.random.default_rng(0)
    pairs = [(share * effective, effective), sensitivity, specificity]
    observed_D, se_D, sp_D = (rng.beta(x + 0.5, n - x + 0.5, DRAWS) for x, n in pairs)
    tail = (1 - LEVEL) / 2
    if max((observed_D > se_D).mean(), (observed_D < 1 - sp_D).mean()) >= 1 - tail:
        return None
    gain_D = se_D + sp_D - 1
    known_D = np.clip((observed_D + sp_D - 1) / np.where(gain_D > 0, gain_D, 1.0), 0.0, 1.0)
    rates_D = np.where(gain_D > 0, known_D, rng.random(DRAWS))
    low, high = (float(q) for q in np.quantile(rates_D, [tail, 1 - tail]))
    rate = corrected_rate(share, sensitivity=se, specificity=sp)
    return rate, min(low, rate), max(high, rate)
