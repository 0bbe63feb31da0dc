"""What the attempts of a group earn, where that depends on one another.

A group's attempts at one problem come with their verdicts; each earns a number, or None where it
could not be judged. ``docs/rl.md`` says when each of these is worth it.
"""

from collections.abc import Callable, Sequence
from math import comb, sqrt

from manyways.records import Verdict

Earning = Callable[[Sequence[Verdict], Sequence[str]], list[float | None]]
"""(verdicts of one group, its texts) -> what each attempt earns."""
Ways = Callable[[str], frozenset[str]]
"""A text -> the heuristics that it shows."""


def reward_of(verdict: Verdict) -> float | None:
    """1.0 for a correct attempt, 0.0 for another, None for an undecided verdict."""
    if verdict.status == "undecided":
        return None
    return 1.0 if verdict.status == "correct" else 0.0


def best_of(k: int) -> Earning:
    """The advantage of each attempt where what counts is the best of ``k`` drawn from the group.

    Over all subsets of ``k`` of the n judged attempts, ``wrong`` of which are wrong: a subset earns
    1 when one of its own is right; its mean is m and its standard deviation s; an attempt has the
    mean advantage of the subsets that hold it. (Chen et al. 2025, "Pass@k Training", arXiv
    2508.10751, the analytical derivation.) They sum to 0, and are all 0 where fewer than ``k`` are
    wrong: no subset could fail. With fewer than ``k`` judged attempts the subset is all of them.

    Within a group these are the 1 and 0 of the verdicts, moved and stretched: a trainer must not
    divide by the group's standard deviation again, which would undo just that.
    """

    def earned(verdicts: Sequence[Verdict], texts: Sequence[str]) -> list[float | None]:
        plain = [reward_of(verdict) for verdict in verdicts]
        right, wrong = analytic(plain.count(1.0), plain.count(0.0), k)
        return [None if one is None else (right if one else wrong) for one in plain]

    return earned


def analytic(right: int, wrong: int, k: int) -> tuple[float, float]:
    """Advantages of a right and of a wrong attempt of a group, by ``best_of``."""
    n, k = right + wrong, min(k, right + wrong)
    failing = comb(wrong, k) / comb(n, k) if n else 0.0
    spread = sqrt(failing * (1 - failing))
    if spread == 0:
        return 0.0, 0.0
    # Of the subsets that hold a given wrong attempt, those that fail.
    with_it = comb(wrong - 1, k - 1) / comb(n - 1, k - 1)
    return failing / spread, (failing - with_it) / spread


def diverse(weight: float, ways: Ways) -> Earning:
    """1 for a correct attempt, and up to ``weight`` more for showing other heuristics than others.

    The bonus is ``weight`` times the mean, over the other correct attempts of the group, of the
    Jaccard distance between the heuristics shown: 0 where all show the same or none is left to
    compare with, 1 where they have none in common. A wrong attempt earns 0 however it differs.
    (The idea, with classes of a learned classifier and a product: Li et al. 2025, "Jointly
    Reinforcing Diversity and Quality", arXiv 2509.02534.)
    """

    def earned(verdicts: Sequence[Verdict], texts: Sequence[str]) -> list[float | None]:
        plain = [reward_of(verdict) for verdict in verdicts]
        shown = {i: ways(texts[i]) for i, one in enumerate(plain) if one}
        return [one + weight * _others(shown, i) if one else one for i, one in enumerate(plain)]

    return earned


def _others(shown: dict[int, frozenset[str]], i: int) -> float:
    """How much attempt ``i`` differs from the others, in [0, 1]."""
    others = [ways for j, ways in shown.items() if j != i]
    return sum(distance(shown[i], ways) for ways in others) / len(others) if others else 0.0


def distance(a: frozenset[str], b: frozenset[str]) -> float:
    """One minus the share that two sets have in common; 0 for two empty ones (Jaccard 1901)."""
    both = a | b
    return 1 - len(a & b) / len(both) if both else 0.0
