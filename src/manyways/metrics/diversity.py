"""How different texts are: as n-grams and as vectors, offline and the same on every machine.

Vendi score: the effective number of different items in a set, from a similarity kernel: exp of the
entropy of the eigenvalues of K/n (Friedman and Dieng 2022, arXiv 2210.02410). With the cosine
kernel K = X X^T the non-zero eigenvalues of the n x n matrix K/n are those of the d x d matrix
X^T X / n, so any number of texts costs d x d memory and texts can be streamed.

Shapes: _N texts or items, _D dimensions, _F features of all texts, _G groups of problems.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray

from manyways.metrics.intervals import Floats

DIMENSIONS = 256
VOCABULARY = 1 << 18
EMBEDDER = f"words and word pairs, numbers masked, randomly projected to {DIMENSIONS} dimensions"
"""Stated beside every score: Vendi scores under different embedders cannot be compared."""

REMEMBERED = 1 << 20
"""Words and pairs whose features are kept at hand."""

NUMBER = re.compile(r"\d+")
WORD = re.compile(r"\w+|[^\w\s]")


def embed(texts: Sequence[str], dimensions: int = DIMENSIONS) -> Floats:
    """Unit vectors, (N, D): which words and word pairs a text has, in whatever amounts.

    Presence of each feature in a hashed vocabulary of 2^18, then a fixed signed projection of one
    entry per feature, which keeps inner products up to noise of about 1/sqrt(D) without bias
    (Weinberger et al. 2009, arXiv 0902.2206). Numbers are masked: two solutions that differ in
    their figures alone are the same. An empty text gets the first axis.
    """
    present = [_features(text) for text in texts]
    feature_F = np.fromiter(chain.from_iterable(present), np.int64)
    text_F = np.repeat(np.arange(len(texts)), [len(features) for features in present])
    columns, signs = _projection(dimensions)
    cell_F = text_F * dimensions + columns[feature_F]
    sums = np.bincount(cell_F, signs[feature_F], minlength=len(texts) * dimensions)
    x_ND = sums.reshape(len(texts), dimensions)
    length_N = np.linalg.norm(x_ND, axis=1)
    x_ND[length_N == 0, 0] = 1.0
    unit: Floats = x_ND / np.where(length_N == 0, 1.0, length_N)[:, None]
    return unit


def _features(text: str) -> set[int]:
    """The features that a text has: its words and pairs of neighbouring words."""
    words = WORD.findall(NUMBER.sub("0", text).lower())
    if len(_FEATURES) > REMEMBERED:
        _FEATURES.clear()
    return {*map(_FEATURES.__getitem__, words), *map(_FEATURES.__getitem__, pairwise(words))}


class _Features(dict[str | tuple[str, ...], int]):
    """Word or pair of words -> feature, hashed as scikit-learn's HashingVectorizer hashes it."""

    def __missing__(self, gram: str | tuple[str, ...]) -> int:
        words = gram if isinstance(gram, str) else " ".join(gram)
        self[gram] = feature = abs(int(_hash()(words))) % VOCABULARY
        return feature


@cache
def _hash() -> Callable[[str], int]:
    # An import statement in the loop would cost more than the hashing.
    from sklearn.utils import murmurhash3_32

    return cast(Callable[[str], int], murmurhash3_32)


_FEATURES = _Features()


@cache
def _projection(dimensions: int) -> tuple[NDArray[np.int64], Floats]:
    """The one column that each feature goes to, and its random sign."""
    random = np.random.default_rng(20260508)
    columns = random.integers(0, dimensions, size=VOCABULARY)
    signs = (random.integers(0, 2, size=VOCABULARY) * 2 - 1).astype(np.float64)
    return columns, signs


def distinct_n(texts: Iterable[str], n: int = 3) -> float:
    """Different word n-grams over all word n-grams (Li et al. 2016); nan where there are none.

    Falls as texts are added: compare sets of similar size.
    """
    seen: set[int] = set()
    total = 0
    for text in texts:
        words = WORD.findall(text.lower())
        grams = [hash(tuple(words[i : i + n])) for i in range(len(words) - n + 1)]
        seen.update(grams)
        total += len(grams)
    return len(seen) / total if total else float("nan")


BLOCK = 4096
GROUPS = 20


def vendi(x_ND: Floats) -> float:
    """Vendi score of unit rows; between 1 and min(n, d), nan for no rows.

    Rows that are all alike give 1, orthogonal rows give n.
    """
    n, d = x_ND.shape
    if not n:
        return float("nan")
    return vendi_of_gram((x_ND @ x_ND.T if n < d else x_ND.T @ x_ND) / n)


def vendi_of_gram(gram_DD: Floats) -> float:
    """The score from X^T X / n, or from any positive semi-definite matrix of trace 1."""
    values = np.linalg.eigvalsh(gram_DD)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


@dataclass(frozen=True, kw_only=True, slots=True)
class VendiScores:
    """Vendi scores of one set of texts.

    pooled:     (score, low, high) of all texts together; the bounds are nan for fewer than two
                problems, and all three without any text.
    per_problem_P: of the texts on each problem that has two or more, problems as they appear.
    """

    pooled: tuple[float, float, float]
    per_problem_P: Floats


def vendi_scores(
    texts: Sequence[str],
    problems: Sequence[object],
    embed: Callable[[Sequence[str]], Floats],
    groups: int = GROUPS,
) -> VendiScores:
    """Vendi scores of any number of texts, pooled with an interval over problems, and per problem.

    The interval is value +- t standard errors of a jackknife that leaves out one group of
    problems at a time: the d x d matrices of groups add up, so it costs ``groups`` eigenvalue
    problems. (A bootstrap would repeat texts, and repeats lower the score.) Each text is embedded
    once and no more than a block of them is held.

    Args:
        texts: the items.
        problems: what each text is about; texts on one problem stay together.
        embed: texts -> unit rows (N, D).
        groups: how many groups of problems; fewer when there are fewer problems.
    """
    names = {name: i for i, name in enumerate(dict.fromkeys(problems))}
    count = min(groups, len(names))
    if not count:
        return VendiScores(pooled=(float("nan"),) * 3, per_problem_P=np.empty(0))
    problem_N = np.array([names[name] for name in problems])
    order_N = np.argsort(problem_N, kind="stable")
    grams: list[Floats | float] = [0.0] * count
    each: list[float] = []
    begun = np.empty((0, 0))
    for start in range(0, len(order_N), BLOCK):
        rows = order_N[start : start + BLOCK]
        x_ND = embed([texts[row] for row in rows])
        _add_grams(grams, problem_N[rows] % count, x_ND)
        parts = np.split(x_ND, np.flatnonzero(np.diff(problem_N[rows])) + 1)
        if start and problem_N[rows[0]] == problem_N[order_N[start - 1]]:
            parts[0] = np.concatenate([begun, parts[0]])
        elif start:
            parts.insert(0, begun)
        begun = parts.pop()
        each += [vendi(part) for part in parts if len(part) > 1]
    each += [vendi(begun)] if len(begun) > 1 else []
    sizes_G = np.bincount(problem_N % count, minlength=count).astype(float)
    return VendiScores(pooled=_jackknife(np.stack(grams), sizes_G), per_problem_P=np.array(each))


def _add_grams(grams: list[Floats | float], group_N: NDArray[np.int64], x_ND: Floats) -> None:
    """Add X^T X of every group of problems."""
    for group in np.unique(group_N):
        rows = x_ND[group_N == group]
        grams[group] = grams[group] + rows.T @ rows


def _jackknife(grams_GDD: Floats, sizes_G: Floats) -> tuple[float, float, float]:
    """The score of all groups together, and its interval from leaving out one at a time."""
    from scipy.special import stdtrit

    total, n, count = grams_GDD.sum(axis=0), sizes_G.sum(), len(sizes_G)
    score = vendi_of_gram(total / n)
    if count < 2:
        return score, float("nan"), float("nan")
    left = [
        vendi_of_gram((total - gram) / (n - size))
        for gram, size in zip(grams_GDD, sizes_G, strict=True)
    ]
    error = float(np.std(left) * np.sqrt(count - 1))
    half = float(stdtrit(count - 1, 0.975)) * error
    return score, max(1.0, score - half), score + half
