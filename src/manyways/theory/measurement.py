"""What the model says about quantities measured on runs (M5, M6).

Estimators with intervals are in ``manyways.metrics``: Wilson (M4), corrected rate (M3), switch
rate, within-problem covariance.
Shapes: _H heuristics, _N observations.
"""

import numpy as np
from numpy.typing import ArrayLike

from manyways.theory import checks


def complementarity(success_HH: ArrayLike) -> float:
    """M6: mean off-diagonal minus mean diagonal of a prefix-swap matrix.

    ``R_ij`` is the success of attempts that begin with heuristic i and end with j. If steps are
    independent, R_ij = s_1i s_2j, it equals ``-(n/(n-1)) Cov_i(s_1i, s_2i)`` (population
    covariance): positive means complementary strengths, D2 (i).

    Raises:
        ValueError: not a square matrix of at least two heuristics, or values outside [0, 1].
    """
    r = checks.successes(success_HH)
    if r.ndim != 2 or r.shape[0] != r.shape[1] or len(r) < 2:
        raise ValueError(f"success must be square with two or more rows, its shape is {r.shape}")
    diagonal = float(np.trace(r))
    n = len(r)
    return (float(r.sum()) - diagonal) / (n * (n - 1)) - diagonal / n


def step_independence(success_HH: ArrayLike) -> float:
    """M6: second over first singular value of a prefix-swap matrix; 0 if R_ij = s_1i s_2j.

    0 for a matrix of zeros.

    Raises:
        ValueError: not a matrix with two or more rows and columns, or values outside [0, 1].
    """
    r = checks.successes(success_HH)
    if r.ndim != 2 or min(r.shape) < 2:
        raise ValueError(f"success must have two or more rows and columns, its shape is {r.shape}")
    values = np.linalg.svd(r, compute_uv=False)
    return float(values[1] / values[0]) if values[0] > 0 else 0.0


def flow_coefficients(
    change_N: ArrayLike, advantage_N: ArrayLike, weighted_N: ArrayLike
) -> tuple[float, float]:
    """M5: least-squares coefficients that tell which gradient moves the masses.

    Regresses the change of ``log(p_h / p_1)`` on ``A_h - A_1`` and ``p_h A_h - p_1 A_1`` (no
    intercept). (1, 0) times the step size is natural-like, (0, 1) vanilla-like.

    Raises:
        ValueError: shapes that differ, fewer than two observations, or regressors that cannot be
            told apart.
    """
    y = np.asarray(change_N, dtype=float)
    advantage, weighted = np.asarray(advantage_N, dtype=float), np.asarray(weighted_N, dtype=float)
    if not y.shape == advantage.shape == weighted.shape or y.ndim != 1 or len(y) < 2:
        raise ValueError("change, advantage and weighted must be as long as each other, 2 or more")
    x = np.stack([advantage, weighted], axis=1)
    found, _, rank, _ = np.linalg.lstsq(x, y)
    if rank < 2:
        raise ValueError("the two regressors are proportional: the masses do not vary enough")
    return float(found[0]), float(found[1])
