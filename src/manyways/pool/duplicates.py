"""How much two texts share: word 3-grams and their Jaccard similarity."""

import re

WORD = re.compile(r"\w+|[^\w\s]")


def shingles(text: str, size: int = 3) -> frozenset[int]:
    """Hashes of the word ``size``-grams of ``text``; signs count as words, case does not.

    A shorter text is one shingle. The hashes hold within one process only.
    """
    words = WORD.findall(text.lower())
    if len(words) <= size:
        return frozenset({hash(tuple(words))})
    return frozenset(hash(tuple(words[i : i + size])) for i in range(len(words) - size + 1))


def jaccard(a: frozenset[int], b: frozenset[int], *, at_least: float = 0.0) -> float:
    """Size of the intersection over size of the union.

    Returns 0 without looking where the sizes alone keep the result below ``at_least``.
    """
    small, large = sorted((len(a), len(b)))
    if not large or small < at_least * large:
        return 0.0
    common = len(a & b)
    return common / (len(a) + len(b) - common)
