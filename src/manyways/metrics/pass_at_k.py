"""pass@k and its relatives from counts of correct attempts.

Shapes: _P problems, _K values of k.
"""

from collections.abc import Callable, Sequence
from math import comb, log2

import numpy as np
from numpy.typing import ArrayLike

from manyways.metrics.intervals import Floats, Ints


def pass_at_k(attempts_P: ArrayLike, correct_P: ArrayLike, k: int) -> Floats:
    """Unbiased pass@k of every problem, exact to the last bit.

    ``1 - C(n-c, k) / C(n, k)``: the share of the k-subsets of n attempts that hold a correct one
    (Chen et al. 2021, arXiv 2107.03374, eq. 1). Computed as a quotient of integers, so neither
    large n nor c close to n loses digits.

    Args:
        attempts_P: number n of attempts of each problem, (P,); a scalar stands for all.
        correct_P: number c of correct ones, (P,), 0 <= c <= n.
        k: sample budget, >= 1.

    Returns:
        (P,) in [0, 1]; nan where n < k: nothing unbiased exists there.

    Raises:
        ValueError: k < 1, or a count is outside 0 <= c <= n.
    """
    n_P, c_P = _counts(attempts_P, correct_P)
    if k < 1:
        raise ValueError(f"k must be at least 1, it is {k}")
    return _by_pair(
        n_P, c_P, lambda n, c: (comb(n, k) - comb(n - c, k)) / comb(n, k) if n >= k else np.nan
    )


def pass_matrix(attempts_P: ArrayLike, correct_P: ArrayLike, ks: Sequence[int]) -> Floats:
    """``pass_at_k`` for several k: (P, K)."""
    columns = [pass_at_k(attempts_P, correct_P, k) for k in ks]
    return np.stack(columns, axis=1) if columns else np.empty((np.size(correct_P), 0))


def sampling_variance(attempts_P: ArrayLike, correct_P: ArrayLike) -> Floats:
    """Unbiased variance of every problem's share of correct attempts, (P,).

    ``p (1 - p) / (n - 1)`` with ``p = c / n``: how far the share would move if the same problem
    were attempted n times anew. nan for n = 1: one attempt says nothing about its own luck.
    """
    n_P, c_P = _counts(attempts_P, correct_P)
    p_P = c_P / np.maximum(n_P, 1)
    variance_P: Floats = np.where(n_P > 1, p_P * (1 - p_P) / np.maximum(n_P - 1, 1), np.nan)
    return variance_P


def powers_of_two(limit: int) -> list[int]:
    """1, 2, 4, ... up to ``limit``."""
    return [1 << i for i in range(int(log2(limit)) + 1)] if limit >= 1 else []


def signal_rate(attempts_P: ArrayLike, correct_P: ArrayLike, group: int) -> Floats:
    """Unbiased chance that a GRPO group holds both right and wrong attempts, (P,).

    ``1 - C(c,G)/C(n,G) - C(n-c,G)/C(n,G)`` estimates ``1 - p^G - (1-p)^G`` without bias (theory
    C1, C4). nan where n < G.

    Raises:
        ValueError: group < 1, or a count is outside 0 <= c <= n.
    """
    n_P, c_P = _counts(attempts_P, correct_P)
    if group < 1:
        raise ValueError(f"group must be at least 1, it is {group}")
    return _by_pair(n_P, c_P, lambda n, c: _mixed_one(n, c, group))


def crossover(ks: Sequence[int], a_K: ArrayLike, b_K: ArrayLike) -> float | None:
    """The k at which curve b first catches up with curve a, by interpolation in log k.

    Theory E3: a policy of one mode leads at k = 1, a mixture overtakes it at one k*. None when b
    does not start below a or never reaches it on the grid.
    """
    gap_K = np.asarray(b_K, dtype=float) - np.asarray(a_K, dtype=float)
    if len(gap_K) == 0 or not gap_K[0] < 0 or not (gap_K >= 0).any():
        return None
    i = int(np.argmax(gap_K >= 0))
    share = -gap_K[i - 1] / (gap_K[i] - gap_K[i - 1])
    return float(2 ** (log2(ks[i - 1]) + share * (log2(ks[i]) - log2(ks[i - 1]))))


def _mixed_one(n: int, c: int, group: int) -> float:
    if n < group:
        return float("nan")
    total = comb(n, group)
    return (total - comb(c, group) - comb(n - c, group)) / total


def _counts(attempts_P: ArrayLike, correct_P: ArrayLike) -> tuple[Ints, Ints]:
    c_P = np.atleast_1d(np.asarray(correct_P, dtype=np.int64))
    n_P = np.broadcast_to(np.asarray(attempts_P, dtype=np.int64), c_P.shape)
    if ((c_P < 0) | (c_P > n_P)).any():
        raise ValueError("every count of correct attempts must be between 0 and the attempts")
    return n_P, c_P


def _by_pair(n_P: Ints, c_P: Ints, value: Callable[[int, int], float]) -> Floats:
    pairs, inverse_P = np.unique(np.stack([n_P, c_P]), axis=1, return_inverse=True)
    values = np.array([value(int(n), int(c)) for n, c in pairs.T], dtype=float)
    return values[inverse_P.reshape(-1)] if len(values) else np.empty(0)
