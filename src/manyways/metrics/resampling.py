"""Bootstrap samples of independent units (problems), the same for every table.

Shapes: _P problems, _K quantities measured on the same problems, _R resamples.
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
    x_PK = columns(values_PK)
    weight_P, groups = weights(len(x_PK), strata_P)
    return weight_P @ x_PK, resampled(x_PK, weight_P, groups, settings)


def resamples(units: int, settings: Resampling) -> Floats:
    """How often each unit is in each bootstrap sample, (R, units), for statistics of one's own."""
    return np.asarray(_draws(units, settings.resamples, (settings.seed, 0, 0)), dtype=float)


def resampled_sums(counts_PK: Floats, settings: Resampling) -> Floats:
    """Sums over the units of each bootstrap sample, (R, K): ``resamples(P) @ counts_PK`` in blocks.

    Exact, and so the same in blocks or at once, where counts are whole numbers.
    """
    units, count = len(counts_PK), settings.resamples
    if units * count <= BLOCK:
        return np.asarray(resamples(units, settings) @ counts_PK)
    sums_RK = np.empty((count, counts_PK.shape[1]))
    random = np.random.default_rng((settings.seed, 0, 0))
    even, rows = np.full(units, 1 / units), max(1, BLOCK // units)
    for start in range(0, count, rows):
        draws = random.multinomial(units, even, size=min(rows, count - start))
        sums_RK[start : start + rows] = draws.astype(float) @ counts_PK
    return sums_RK


def columns(values: ArrayLike) -> Floats:
    """Values as (P, K); one quantity is one column."""
    x = np.asarray(values, dtype=float)
    return x[:, None] if x.ndim == 1 else x


def weights(count: int, strata_P: ArrayLike | None) -> tuple[Floats, list[Ints]]:
    """Weight of each problem in the mean of strata means, and the members of each stratum."""
    strata = np.zeros(count, dtype=np.int64) if strata_P is None else np.asarray(strata_P)
    groups = [np.flatnonzero(strata == s) for s in np.unique(strata)]
    weight_P = np.zeros(count)
    for members in groups:
        weight_P[members] = 1 / (len(groups) * len(members))
    return weight_P, groups


def resampled(x_PK: Floats, weight_P: Floats, groups: list[Ints], settings: Resampling) -> Floats:
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
