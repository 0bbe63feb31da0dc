"""The operations of the pocket world: what each hides in one answer, from which free numbers.

A part of a problem is one operation on a few numbers. Every hard operation hides two or three
elementary ones, which is what makes its answer hard to give in one go.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

Range = tuple[int, int]
"""Lowest and highest value of a free number, both included."""

EASY = "sum"
"""The operation that hides nothing: no heuristic but the decoy applies to it."""


class Part(NamedTuple):
    """One operation on its free numbers. Example: ``Part("product", (46, 38))``."""

    kind: str
    numbers: tuple[int, ...]

    @property
    def answer(self) -> int:
        """The right answer."""
        return KINDS[self.kind].answer(*self.numbers)

    @property
    def shown(self) -> Mapping[str, int]:
        """The numbers that the question shows, by the names that wordings use."""
        return KINDS[self.kind].shown(*self.numbers)


@dataclass(frozen=True, slots=True)
class Kind:
    """One operation.

    answer: from the free numbers.
    shown:  the numbers of the question, by name, from the free numbers.
    fits:   whether free numbers are admissible (a whole answer, no round factor, no long one).
    """

    answer: Callable[..., int]
    shown: Callable[..., Mapping[str, int]]
    fits: Callable[..., bool] = lambda *numbers: True

    def every(self, ranges: tuple[Range, ...]) -> Iterator[tuple[int, ...]]:
        """All admissible free numbers within ``ranges``, in rising order."""
        values = product(*(range(low, high + 1) for low, high in ranges))
        return (numbers for numbers in values if self.fits(*numbers))


def _series_shown(a: int, d: int, n: int) -> Mapping[str, int]:
    last = a + (n - 1) * d
    return {"a": a, "b": a + d, "d": d, "n": n, "z": last, "stop": last + 1}


KINDS: dict[str, Kind] = {
    "product": Kind(
        lambda a, b: a * b,
        lambda a, b: {"a": a, "b": b},
        lambda a, b: a % 10 > 0 and b % 10 > 0,
    ),
    "price": Kind(
        lambda n, c, m: c * m // n,
        lambda n, c, m: {"n": n, "c": c, "m": m},
        lambda n, c, m: c * m % n == 0 and n not in (c, m),
    ),
    "series": Kind(
        lambda a, d, n: (2 * a + (n - 1) * d) * n // 2,
        _series_shown,
        lambda a, d, n: 2 * a + (n - 1) * d < 100,
    ),
    "rule": Kind(lambda x, c: 4 * x + 3 * c, lambda x, c: {"x": x, "c": c}),
    "unknown": Kind(lambda x, a, b: x, lambda x, a, b: {"a": a, "b": b, "c": x * a + b}),
    EASY: Kind(lambda a, b: a + b, lambda a, b: {"a": a, "b": b}),
}
"""word by which a solution names the operation -> the operation."""
