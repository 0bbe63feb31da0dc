"""The operations of the pocket world: what each hides in one answer, from which free numbers.

A part of a problem is one operation on a few numbers. Every hard operation hides two or three
elementary ones, which is what makes its answer hard to give in one go.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

Range = tuple[int, int]
"""Lowest and highest value of a free number, both included."""


class Part(NamedTuple):
    """One operation on its free numbers. Example: ``Part("product", (47, 36))``."""

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
    mend:   moves drawn numbers to admissible ones (exact division, no round factor).
    """

    answer: Callable[..., int]
    shown: Callable[..., Mapping[str, int]]
    mend: Callable[..., tuple[int, ...]] = lambda *numbers: numbers

    def draw(self, rng: Random, ranges: tuple[Range, ...]) -> tuple[int, ...]:
        """Admissible free numbers within ``ranges`` (up to mending)."""
        return self.mend(*[_between(rng, low, high) for low, high in ranges])


def _between(rng: Random, low: int, high: int) -> int:
    """As ``rng.randint``, from the same bits in less time: a set of problems takes 100,000."""
    span = high - low + 1
    bits = span.bit_length()
    drawn = rng.getrandbits(bits)
    while drawn >= span:
        drawn = rng.getrandbits(bits)
    return low + drawn


def _iterate(x: int, c: int, k: int) -> int:
    for _ in range(k):
        x = 2 * x + c
    return x


def _not_round(a: int, b: int) -> tuple[int, int]:
    return a + (a % 10 == 0), b + (b % 10 == 0)


KINDS: dict[str, Kind] = {
    "product": Kind(lambda a, b: a * b, lambda a, b: {"a": a, "b": b}, _not_round),
    "unknown": Kind(lambda x, a, b: x, lambda x, a, b: {"a": a, "b": b, "c": x * a + b}),
    "price": Kind(
        lambda p, n, m: p * m,
        lambda p, n, m: {"n": n, "c": p * n, "m": m},
        lambda p, n, m: (p, n, m + (m == n)),
    ),
    "series": Kind(
        lambda a, d, h: h * (2 * a + (2 * h - 1) * d),
        lambda a, d, h: {
            "a": a,
            "b": a + d,
            "e": a + 2 * d,
            "d": d,
            "n": 2 * h,
            "stop": a + 2 * h * d,
        },
    ),
    "animals": Kind(
        lambda hens, cows: cows,
        lambda hens, cows: {"h": hens + cows, "l": 2 * hens + 4 * cows, "top": hens + cows + 1},
    ),
    "boxes": Kind(lambda k, a, b: k * (a + b), lambda k, a, b: {"k": k, "a": a, "b": b}),
    "rule": Kind(_iterate, lambda x, c, k: {"x": x, "c": c, "k": k}),
    "sum": Kind(lambda a, b: a + b, lambda a, b: {"a": a, "b": b}),
}
"""word by which a solution names the operation -> the operation."""
