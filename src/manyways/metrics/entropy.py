"""Entropy and effective numbers of categories from counts, with the small-sample bias removed.

Shapes: _C categories.
"""

import numpy as np
from numpy.typing import ArrayLike


def entropy(counts_C: ArrayLike, *, corrected: bool = True) -> float:
    """Shannon entropy in nats; 0 for no counts.

    The plug-in estimate is low by about ``(C - 1) / (2N)`` with C categories seen in N draws
    (Miller 1955); ``corrected`` adds that back and stops at log C.
    """
    counts = np.asarray(counts_C, dtype=float)
    counts = counts[counts > 0]
    if not len(counts):
        return 0.0
    shares = counts / counts.sum()
    plain = float(-(shares * np.log(shares)).sum())
    if not corrected:
        return max(0.0, plain)
    bias = (len(counts) - 1) / (2 * float(counts.sum()))
    return max(0.0, min(float(np.log(len(counts))), plain + bias))


def effective_number(counts_C: ArrayLike, *, corrected: bool = True) -> float:
    """exp(entropy): n for n equal categories (theory A1); 0 for no counts."""
    total = float(np.sum(np.asarray(counts_C, dtype=float)))
    return float(np.exp(entropy(counts_C, corrected=corrected))) if total else 0.0
