"""Differences between two policies or runs: intervals and tests. SciPy is imported late.

Shapes: _P problems, _K quantities measured on the same problems.
"""

from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from manyways.metrics.intervals import (
    BLOCK,
    LEVEL,
    Floats,
    Resampling,
    as_columns,
    mean_intervals,
    stratum_weights,
)

EXACT_SIGNS = 12
"""Up to this many problems every pattern of signs is enumerated."""
MORE_SIGNS = 5
"""How many times as many patterns are drawn where no drawn one reaches what is observed."""


def difference_intervals(
    differences_PK: ArrayLike, settings: Resampling, strata_P: ArrayLike | None = None
) -> tuple[Floats, Floats, Floats]:
    """``mean_intervals`` for paired differences in [-1, 1].

    Where no problem differs, the interval is what n equal problems can exclude: a share of
    differing problems above ``1 - 0.05^(1/n)`` ("rule of three").
    """
    d_PK = as_columns(differences_PK)
    mean_K, low_K, high_K = mean_intervals(d_PK, settings, strata_P)
    for j in range(d_PK.shape[1]):
        if len(d_PK) and not d_PK[:, j].any():
            high_K[j] = 1 - (1 - LEVEL) ** (1 / len(d_PK))
            low_K[j] = -high_K[j]
    return mean_K, low_K, high_K


def sign_flip(
    differences_P: ArrayLike, settings: Resampling, strata_P: ArrayLike | None = None
) -> float:
    """Two-sided p of "the two are exchangeable on every problem" (Fisher's permutation test).

    With ``d_P`` the paired differences and ``w_P`` their weights in the (stratified) mean,
    ``T(s) = |sum_P s_P w_P d_P|``, and p is the share of sign patterns ``s`` in {-1, +1}^P with
    ``T(s) >= T(1, ..., 1)``. Up to 12 problems that differ (``EXACT_SIGNS``): all patterns, so
    with m differing problems p is at least ``2 / 2^m``. Beyond: ``R = settings.resamples`` random
    patterns and ``p = (1 + hits) / (1 + R)``, never 0 (Phipson and Smyth 2010). Without any hit
    in ``R`` patterns, ``MORE_SIGNS * R`` count in their place: else no p could remain after a
    correction for more than ``R / 20`` comparisons. p stays valid: below ``1 / (1 + R)`` it is
    that of the larger sample, above it that of the first. Problems without a difference do not
    enter; without any that differs p is 1.
    """
    d_P = np.asarray(differences_P, dtype=float)
    weight_P, _ = stratum_weights(len(d_P), strata_P)
    terms_P = (weight_P * d_P)[d_P != 0]
    if not len(terms_P):
        return 1.0
    observed = abs(float(terms_P.sum())) * (1 - 1e-12)
    if len(terms_P) <= EXACT_SIGNS:
        signs = np.array(list(product((1.0, -1.0), repeat=len(terms_P))))
        return float(np.mean(np.abs(signs @ terms_P) >= observed))
    random, drawn = np.random.default_rng(settings.seed), settings.resamples
    hits = _flips_as_large(terms_P, observed, drawn, random)
    if not hits:
        more = (MORE_SIGNS - 1) * drawn
        hits, drawn = _flips_as_large(terms_P, observed, more, random), drawn + more
    return (hits + 1) / (drawn + 1)


def _flips_as_large(
    terms_P: Floats, observed: float, left: int, random: np.random.Generator
) -> int:
    """How many of ``left`` random sign patterns have a sum of at least ``observed``."""
    hits = 0
    while left:
        rows = min(left, max(1, BLOCK // len(terms_P)))
        signs = random.integers(0, 2, size=(rows, len(terms_P))) * 2.0 - 1.0
        hits += int((np.abs(signs @ terms_P) >= observed).sum())
        left -= rows
    return hits


def welch_interval(a: ArrayLike, b: ArrayLike) -> tuple[float, float, float]:
    """Mean of ``a`` minus mean of ``b``, two independent groups of replicates (Welch 1947).

    Degrees of freedom by Welch and Satterthwaite; (nan, nan) bounds where a group has fewer than 2.
    """
    from scipy.special import stdtrit

    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    difference = float(x.mean() - y.mean()) if len(x) and len(y) else float("nan")
    if min(len(x), len(y)) < 2:
        return difference, float("nan"), float("nan")
    u, v = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    if u + v == 0:
        return difference, difference, difference
    freedom = (u + v) ** 2 / (u**2 / (len(x) - 1) + v**2 / (len(y) - 1))
    half = float(stdtrit(freedom, 0.5 + LEVEL / 2) * np.sqrt(u + v))
    return difference, difference - half, difference + half


def holm(p_values: ArrayLike) -> Floats:
    """Adjust p values for their number (Holm 1979), in the given order."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return adjusted
