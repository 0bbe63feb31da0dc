"""Texts as vectors and as n-grams, offline and the same on every machine.

Shapes: _N texts, _D dimensions, _F features of all texts.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain, pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256
VOCABULARY = 1 << 18
EMBEDDER = f"words and word pairs, numbers masked, randomly projected to {DIMENSIONS} dimensions"
"""Stated beside every score: Vendi scores under different embedders cannot be compared."""

REMEMBERED = 1 << 20
"""Words and pairs whose features are kept at hand."""

NUMBER = re.compile(r"\d+")
WORD = re.compile(r"\w+|[^\w\s]")


def embed(texts: Sequence[str], dimensions: int = DIMENSIONS) -> NDArray[np.float64]:
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
    unit: NDArray[np.float64] = x_ND / np.where(length_N == 0, 1.0, length_N)[:, None]
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
def _projection(dimensions: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
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
