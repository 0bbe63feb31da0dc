"""One way per problem, so that all problems together show the ways as often as many ways would.

What is trained on under many ways is a table of problems by ways, one example in each cell that has
a solution. Here every problem keeps one of its cells, repeated as often as it had cells. Sums over
rows (examples of a problem) are those of the table exactly, sums over columns (examples of a way)
as nearly as whole problems allow. So what is left to differ is whether the ways of *one* problem
are seen side by side; a model that cannot tell problems apart cannot see that (theory A4).
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence


def one_way_each(ways: Mapping[str, Sequence[str]], rng: random.Random) -> dict[str, str]:
    """Problem -> its way, in the order of ``ways``.

    Problems with a single way are given it. The others, those of most ways first, take the way that
    lacks most examples; then single problems are moved while that makes the sums more alike.

    Args:
        ways: problem -> the ways that it has, at least one.
        rng: breaks ties.
    """
    lacking = Counter(way for options in ways.values() for way in options)
    luck = {problem: rng.random() for problem in ways}
    order = sorted(ways, key=lambda p: (len(ways[p]) > 1, -len(ways[p]), luck[p]))
    chosen: dict[str, str] = {}
    for problem in order:
        options = ways[problem]
        most = max(lacking[way] for way in options)
        chosen[problem] = rng.choice([way for way in options if lacking[way] == most])
        lacking[chosen[problem]] -= len(options)
    while _moved(ways, order, chosen, lacking):
        pass
    return {problem: chosen[problem] for problem in ways}


def mismatch(ways: Mapping[str, Sequence[str]], chosen: Mapping[str, str]) -> float:
    """Total variation distance of the two distributions over ways: the share that is amiss."""
    lacking = Counter(way for options in ways.values() for way in options)
    total = lacking.total()
    for problem, way in chosen.items():
        lacking[way] -= len(ways[problem])
    return sum(abs(count) for count in lacking.values()) / (2 * total)


def _moved(
    ways: Mapping[str, Sequence[str]],
    order: Sequence[str],
    chosen: dict[str, str],
    lacking: Counter[str],
) -> bool:
    """Move problems to another way where the sum of squares of ``lacking`` falls by it.

    Moving k examples from a to b changes it by 2k (k + lacking[a] - lacking[b]). It is a sum of
    squares of whole numbers, so this ends.
    """
    moved = False
    for problem in order:
        here, size = chosen[problem], len(ways[problem])
        there = max(ways[problem], key=lacking.__getitem__)
        if lacking[there] - lacking[here] > size:
            lacking[here] += size
            lacking[there] -= size
            chosen[problem] = there
            moved = True
    return moved
