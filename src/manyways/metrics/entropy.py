"""Entropy and effective numbers of categories from counts, with the small-sample bias removed.

Shapes: _C categories, _R several sets of counts.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from manyways.metrics.resampling import Floats


def entropies(counts_RC: ArrayLike, *, corrected: bool = True) -> Floats:
    """Shannon entropy in nats of each row of counts, shape (R,); 0 for no counts.

    The plug-in estimate is low by about ``(C - 1) / (2N)`` with C categories seen in N draws
    (Miller 1955); ``corrected`` adds that back and stops at log C.
    """
    counts = np.asarray(counts_RC, dtype=float)
    total_R1 = np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    shares = counts / total_R1
    found_R: Floats = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    if corrected:
        seen_R = np.maximum((counts > 0).sum(axis=1), 1)
        found_R = np.minimum(np.log(seen_R), found_R + (seen_R - 1) / (2 * total_R1[:, 0]))
    return np.maximum(found_R, 0.0)


def effective_numbers(counts_RC: ArrayLike, *, corrected: bool = True) -> Floats:
    """exp(entropy) of each row, shape (R,): n for n equal ones (theory A1); 0 for no counts."""
    counts = np.asarray(counts_RC, dtype=float)
    return np.where(counts.any(axis=1), np.exp(entropies(counts, corrected=corrected)), 0.0)


def effective_number(counts_C: Sequence[float], *, corrected: bool = True) -> float:
    """As ``effective_numbers``, of one set of counts."""
    return float(effective_numbers([list(counts_C)], corrected=corrected)[0])
