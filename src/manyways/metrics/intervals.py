"""Intervals and tests over independent units (problems, seeds), from the same resamples everywhere.

Shapes: _P problems, _K quantities measured on the same problems, _R resamples.
Every random draw is seeded: the same numbers in give the same interval out. SciPy is imported late:
a command that finds its work finished must not wait for it.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BLOCK = 1 << 22
"""Numbers held at once while resampling."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resampling:
    """How to bootstrap. ``resamples``: number of replicates; ``seed`` of its random draws."""

    resamples: int = 2000
    seed: int = 0
    kind: Literal["bca", "percentile"] = "bca"


def bootstrap_means(
    values_PK: ArrayLike, settings: Resampling, strata_P: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """(mean_K, means of the resamples (R, K)) as in ``mean_intervals``, for functions of means."""
    x_PK = as_columns(values_PK)
    weight_P, groups = stratum_weights(len(x_PK), strata_P)
    return weight_P @ x_PK, resampled_means(x_PK, weight_P, groups, settings)


def draw_counts(units: int, settings: Resampling) -> Floats:
    """How often each unit is in each bootstrap sample, (R, units), for statistics of one's own."""
    return np.asarray(_draws(units, settings.resamples, (settings.seed, 0, 0)), dtype=float)


def resampled_sums(counts_PK: Floats, settings: Resampling) -> Floats:
    """Sums over the units of each bootstrap sample, (R, K): ``resamples(P) @ counts_PK`` in blocks.

    Exact, and so the same in blocks or at once, where counts are whole numbers.
    """
    units, count = len(counts_PK), settings.resamples
    if units * count <= BLOCK:
        return np.asarray(draw_counts(units, settings) @ counts_PK)
    sums_RK = np.empty((count, counts_PK.shape[1]))
    random = np.random.default_rng((settings.seed, 0, 0))
    even, rows = np.full(units, 1 / units), max(1, BLOCK // units)
    for start in range(0, count, rows):
        draws = random.multinomial(units, even, size=min(rows, count - start))
        sums_RK[start : start + rows] = draws.astype(float) @ counts_PK
    return sums_RK


def as_columns(values: ArrayLike) -> Floats:
    """Values as (P, K); one quantity is one column."""
    x = np.asarray(values, dtype=float)
    return x[:, None] if x.ndim == 1 else x


def stratum_weights(count: int, strata_P: ArrayLike | None) -> tuple[Floats, list[Ints]]:
    """Weight of each problem in the mean of strata means, and the members of each stratum."""
    strata = np.zeros(count, dtype=np.int64) if strata_P is None else np.asarray(strata_P)
    groups = [np.flatnonzero(strata == s) for s in np.unique(strata)]
    weight_P = np.zeros(count)
    for members in groups:
        weight_P[members] = 1 / (len(groups) * len(members))
    return weight_P, groups


def resampled_means(
    x_PK: Floats, weight_P: Floats, groups: list[Ints], settings: Resampling
) -> Floats:
    """Means of bootstrap samples, drawn within groups, (R, K)."""
    means_RK = np.zeros((settings.resamples, x_PK.shape[1]))
    for number, members in enumerate(groups):
        part_PK = weight_P[members, None] * x_PK[members]
        rows = max(1, BLOCK // len(members))
        for start in range(0, settings.resamples, rows):
            size = min(rows, settings.resamples - start)
            draws = _draws(len(members), size, (settings.seed, number, start))
            means_RK[start : start + size] += draws @ part_PK
    return means_RK


@lru_cache(maxsize=8)
def _draws(units: int, resamples: int, seed: tuple[int, ...]) -> NDArray[np.float32]:
    """How often each unit is in each bootstrap sample, (R, units); the same for every table."""
    random = np.random.default_rng(seed)
    even = np.full(units, 1 / units)
    return random.multinomial(units, even, size=resamples).astype(np.float32)


LEVEL = 0.95
RARE = 1.0
"""Problems' worth of success or failure below which resampling alone is not trusted."""
DIGITS = 12
"""Decimals of a mean that are told from rounding."""


def wilson(successes: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927); (0, 1) when n is 0.

    ``n`` may be an effective, fractional number of units.
    """
    from scipy.special import ndtri

    if n <= 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + level / 2))
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    low = 0.0 if successes <= 0 else max(0.0, centre - half)
    return low, 1.0 if successes >= n else min(1.0, centre + half)


def clustered_share(successes_P: ArrayLike, trials_P: ArrayLike) -> tuple[float, float, float]:
    """A share over trials that come in clusters (attempts at one problem), with its interval.

    Wilson's interval on the effective number of trials ``p(1-p) / Var(p)``, the variance being
    that between clusters (ratio estimator with P/(P-1)); at most the number of trials. Where p is
    0 or 1 the variance says nothing, and the number of clusters is used (Korn and Graubard 1998).

    Returns:
        (share, low, high); nan and (0, 1) without trials.
    """
    share, effective = effective_share(successes_P, trials_P)
    if not effective:
        return share, 0.0, 1.0
    return share, *wilson(share * effective, effective)


def effective_share(successes_P: ArrayLike, trials_P: ArrayLike) -> tuple[float, float]:
    """A share over clustered trials and its effective number of trials: see ``clustered_share``.

    (nan, 0) without trials.
    """
    s_P, m_P = np.asarray(successes_P, dtype=float), np.asarray(trials_P, dtype=float)
    s_P, m_P = s_P[m_P > 0], m_P[m_P > 0]
    total, clusters = float(m_P.sum()), len(m_P)
    if not total:
        return float("nan"), 0.0
    share = float(s_P.sum() / total)
    spread = float((((s_P - share * m_P) / total) ** 2).sum()) * clusters / max(clusters - 1, 1)
    if 0 < share < 1 and clusters > 1:
        return share, min(total, share * (1 - share) / max(spread, 1e-12))
    return share, float(clusters)


def mean_intervals(
    values_PK: ArrayLike, settings: Resampling, strata_P: ArrayLike | None = None
) -> tuple[Floats, Floats, Floats]:
    """Means over problems with bootstrap intervals, the same resamples for every column.

    With ``strata_P`` (a benchmark number per problem) the mean is the average of the strata's
    means and problems are drawn within their stratum. BCa corrects for bias and skewness (Efron
    1987); its acceleration comes from the jackknife over problems.

    A column that is constant gives an interval of width zero here: see ``score_intervals`` and
    ``difference_intervals`` for what to print then.

    Returns:
        (mean_K, low_K, high_K); nan for no problems.
    """
    x_PK = as_columns(values_PK)
    weight_P, groups = stratum_weights(len(x_PK), strata_P)
    if not len(x_PK):
        nothing = np.full(x_PK.shape[1], np.nan)
        return nothing, nothing, nothing
    # Rounded: sums of the same numbers in another order differ in their last bits, and a resample
    # that equals the mean must be seen to, or BCa's bias depends on the number of columns.
    mean_K = np.round(weight_P @ x_PK, DIGITS)
    means_RK = np.round(resampled_means(x_PK, weight_P, groups, settings), DIGITS)
    tail = (1 - LEVEL) / 2
    low_K, high_K = np.full(x_PK.shape[1], tail), np.full(x_PK.shape[1], 1 - tail)
    if settings.kind == "bca":
        low_K, high_K = _bca_levels(x_PK, weight_P, groups, (mean_K, means_RK))
    bounds = [
        np.array([np.quantile(means_RK[:, j], q_K[j]) for j in range(x_PK.shape[1])])
        for q_K in (low_K, high_K)
    ]
    return mean_K, bounds[0], bounds[1]


def score_intervals(
    values_PK: ArrayLike, settings: Resampling, strata_P: ArrayLike | None = None
) -> tuple[Floats, Floats, Floats]:
    """``mean_intervals`` for values in [0, 1] that stays honest near 0 and 1.

    Where less than ``RARE`` problem's worth of success (or of failure) was seen, resampling cannot
    know the tail that it did not see: a set that looks saturated gave 95% intervals that held the
    truth half of the time. There the interval is widened to Wilson's with one trial per problem,
    the widest that values in [0, 1] can need. ``bench/coverage.py`` measures both.
    """
    x_PK = as_columns(values_PK)
    mean_K, low_K, high_K = mean_intervals(x_PK, settings, strata_P)
    weight_P, _ = stratum_weights(len(x_PK), strata_P)
    # A mean of benchmarks of unequal size is worth fewer problems than they have together.
    units = 1 / float(weight_P @ weight_P) if len(x_PK) else 0.0
    for j in range(x_PK.shape[1]):
        if len(x_PK) and np.ptp(x_PK[:, j]) == 0:
            mean_K[j] = x_PK[0, j]
            low_K[j], high_K[j] = wilson(mean_K[j] * units, units)
        elif min(mean_K[j], 1 - mean_K[j]) * units < RARE:
            low, high = wilson(mean_K[j] * units, units)
            low_K[j], high_K[j] = min(low_K[j], low), max(high_K[j], high)
    return mean_K, low_K, high_K


def rising_bounds(low_K: Floats, high_K: Floats) -> tuple[Floats, Floats]:
    """Bounds of a score that cannot fall with k, widened where theirs do.

    Each k is resampled with the same problems, but the corrections of each interval differ.
    """
    return np.minimum.accumulate(low_K[::-1])[::-1], np.maximum.accumulate(high_K)


def t_interval(values: ArrayLike) -> tuple[float, float, float]:
    """Mean of replicates (seeds) with Student's t interval; (nan, nan) bounds for fewer than 2."""
    from scipy.special import stdtrit

    x = np.asarray(values, dtype=float)
    mean = float(x.mean()) if len(x) else float("nan")
    if len(x) < 2:
        return mean, float("nan"), float("nan")
    half = float(stdtrit(len(x) - 1, 0.5 + LEVEL / 2) * x.std(ddof=1) / np.sqrt(len(x)))
    return mean, mean - half, mean + half


def _bca_levels(
    x_PK: Floats, weight_P: Floats, groups: list[Ints], boot: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """The quantile levels that BCa reads the bootstrap distribution at."""
    from scipy.special import ndtr, ndtri

    mean_K, means_RK = boot
    # Sums in another order differ in their last digits: a tie stays one, however k are batched.
    tied_RK = np.isclose(means_RK, mean_K, rtol=0, atol=1e-6)
    below_K = ((means_RK < mean_K) & ~tied_RK).mean(axis=0) + 0.5 * tied_RK.mean(axis=0)
    floor = 0.5 / len(means_RK)
    z0_K = ndtri(np.clip(below_K, floor, 1 - floor))
    influence_PK = np.zeros_like(x_PK)
    for members in groups:
        centred = x_PK[members] - x_PK[members].mean(axis=0)
        influence_PK[members] = weight_P[members, None] * centred
    scale_K = (influence_PK**2).sum(axis=0) ** 1.5
    accel_K = (influence_PK**3).sum(axis=0) / np.where(scale_K > 0, 6 * scale_K, 1.0)
    levels = []
    for z in (ndtri((1 - LEVEL) / 2), ndtri(0.5 + LEVEL / 2)):
        shifted_K = z0_K + z
        levels.append(ndtr(z0_K + shifted_K / (1 - accel_K * shifted_K)))
    return levels[0], levels[1]
