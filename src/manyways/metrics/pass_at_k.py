"""pass@k and its relatives from counts of correct attempts; majority@k from their answers.

Shapes: _P problems, _K values of k, _N attempts of one problem, _G groups of equal answers.

majority@k has one policy, for every problem:
- An attempt votes for the group of its answer; one without an answer does not vote. Without a
  single vote the score is 0.
- A group is worth the share of its attempts that are correct: 1 or 0 as a rule, in between where
  the verifier ran out of time for some of them.
- Groups with the same, largest number of votes split the score evenly.
- For k < N the score is the mean over all subsets of k of the N attempts, not of one of them.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from math import comb, log2

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    return _by_pair(n_P, c_P, lambda n, c: _pass_one(n, c, k))


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


def _pass_one(n: int, c: int, k: int) -> float:
    return (comb(n, k) - comb(n - c, k)) / comb(n, k) if n >= k else float("nan")


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


EXACT = 128
"""Up to this many attempts the mean over subsets is exact; beyond, over DRAWS random ones."""
DRAWS = 1000


def majority_at_k(
    answers_N: Sequence[Hashable | None],
    correct_N: Sequence[bool],
    ks: Sequence[int],
    *,
    seed: int = 0,
) -> Floats:
    """majority@k of one problem for each k (Wang et al. 2022, arXiv 2203.11171, at k = N).

    Args:
        answers_N: what each attempt answered, equal for equal answers; None for no answer.
        correct_N: whether each attempt is correct.
        ks: numbers of attempts, each >= 1.
        seed: of the random subsets (more than ``EXACT`` attempts and k < N only).

    Returns:
        (K,) in [0, 1]; nan where k is larger than N.

    Raises:
        ValueError: the lengths differ, or a k is below 1.
    """
    if len(answers_N) != len(correct_N):
        raise ValueError("every attempt needs an answer (or None) and a verdict")
    if any(k < 1 for k in ks):
        raise ValueError(f"k must be at least 1, it is {min(ks)}")
    votes_G, worth_G = _groups(answers_N, correct_N)
    n = len(answers_N)
    scores_K = np.full(len(ks), np.nan)
    inside = [i for i, k in enumerate(ks) if k <= n]
    if not inside:
        return scores_K
    if not worth_G.any():
        scores_K[inside] = 0.0
    elif n <= EXACT:
        wanted = tuple(ks[i] for i in inside)
        scores_K[inside] = _exact(tuple(votes_G.tolist()), tuple(worth_G.tolist()), n, wanted)
    else:
        random = np.random.default_rng(seed)
        for i in inside:
            scores_K[i] = _sampled(votes_G, worth_G, n, ks[i], random=random)
    return scores_K


def exact_majority(
    votes_G: Sequence[int] | NDArray[np.int64], worth_G: Sequence[float] | Floats, n: int,
    ks: Sequence[int],
) -> Floats:  # fmt: skip
    """The mean score over all k-subsets of n attempts, by counting them; (K,).

    For a largest number of votes m, a polynomial in x (attempts drawn) and y (groups that reach m)
    is multiplied up group by group: a group of c attempts brings ``sum_{a<m} C(c,a) x^a`` when it
    stays below m and ``C(c,m) x^m y`` when it reaches it. A second polynomial carries the worth of
    the groups that reached m. All terms are positive: nothing cancels.

    Args:
        votes_G: attempts in each group; what is missing to ``n`` are attempts without an answer.
        worth_G: in [0, 1], what each group scores when it wins.
        n: number of attempts.
        ks: each between 1 and n.
    """
    top = max(ks)
    total_K = np.zeros(len(ks))
    for most in range(1, min(top, max(votes_G)) + 1):
        small = n - sum(int(c) for c in votes_G if c >= most)
        count_YX = np.array([[float(comb(small, x)) for x in range(top + 1)]])
        worth_YX = np.zeros_like(count_YX)
        for votes, worth in zip(votes_G, worth_G, strict=True):
            if votes >= most:
                count_YX, worth_YX = _add_group(count_YX, worth_YX, int(votes), worth, most=most)
        shares_Y = 1 / np.maximum(np.arange(len(count_YX)), 1)
        total_K += shares_Y @ worth_YX[:, list(ks)]
    mean_K: Floats = total_K / np.array([float(comb(n, k)) for k in ks])
    return mean_K


@lru_cache(maxsize=1 << 14)
def _exact(votes: tuple[int, ...], worth: tuple[float, ...], n: int, ks: tuple[int, ...]) -> Floats:
    """Problems with few attempts often split the votes in the same way."""
    return exact_majority(votes, worth, n, ks)


def _add_group(
    count_YX: Floats, worth_YX: Floats, votes: int, worth: float, *, most: int
) -> tuple[Floats, Floats]:
    """Multiply both polynomials by one more group, which may reach ``most`` votes."""
    rows, width = count_YX.shape
    stay_XX = _staying_below(votes, most, width)
    new_count, new_value = np.zeros((rows + 1, width)), np.zeros((rows + 1, width))
    new_count[:-1], new_value[:-1] = count_YX @ stay_XX, worth_YX @ stay_XX
    ways, rest = float(comb(votes, most)), width - most
    new_count[1:, most:] += ways * count_YX[:, :rest]
    new_value[1:, most:] += ways * (worth_YX[:, :rest] + worth * count_YX[:, :rest])
    return new_count, new_value


def _staying_below(votes: int, most: int, width: int) -> Floats:
    """Multiplication by ``sum_{a<most} C(votes,a) x^a`` as a banded matrix."""
    terms = np.zeros(2 * width)
    terms[: min(most, width)] = _binomials(votes)[: min(most, width)]
    # Below the diagonal the differences are negative and read the zeros at the end.
    band: Floats = terms[_differences(width)]
    return band


@lru_cache(maxsize=EXACT)
def _binomials(n: int) -> Floats:
    return np.array([float(comb(n, a)) for a in range(n + 1)])


@lru_cache(maxsize=8)
def _differences(width: int) -> NDArray[np.int64]:
    return np.arange(width)[None, :] - np.arange(width)[:, None]


def _groups(
    answers_N: Sequence[Hashable | None], correct_N: Sequence[bool]
) -> tuple[NDArray[np.int64], Floats]:
    votes: dict[Hashable, int] = {}
    right: dict[Hashable, int] = {}
    for answer, correct in zip(answers_N, correct_N, strict=True):
        if answer is not None:
            votes[answer] = votes.get(answer, 0) + 1
            right[answer] = right.get(answer, 0) + bool(correct)
    votes_G = np.array(list(votes.values()), dtype=np.int64)
    return votes_G, np.array([right[answer] for answer in votes], dtype=float) / votes_G


def _sampled(
    votes_G: NDArray[np.int64], worth_G: Floats, n: int, k: int, *, random: np.random.Generator
) -> float:
    silent = n - int(votes_G.sum())
    draws = random.multivariate_hypergeometric([*votes_G, silent], k, size=1 if k == n else DRAWS)
    drawn_RG = draws[:, :-1]
    most_R = drawn_RG.max(axis=1, keepdims=True)
    wins_RG = (drawn_RG == most_R) & (most_R > 0)
    return float(np.mean((wins_RG @ worth_G) / np.maximum(wins_RG.sum(axis=1), 1)))
