"""majority@k from the answers of attempts.

It has one policy, for every problem:
- An attempt votes for the group of its answer; one without an answer does not vote. Without a
  single vote the score is 0.
- A group is worth the share of its attempts that are correct: 1 or 0 as a rule, in between where
  the verifier ran out of time for some of them.
- Groups with the same, largest number of votes split the score evenly.
- For k < N the score is the mean over all subsets of k of the N attempts, not of one of them.

Shapes: _K values of k, _N attempts of one problem, _G groups of equal answers.
"""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from manyways.metrics.intervals import Floats

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
