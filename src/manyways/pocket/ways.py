"""The operations of the pocket world, how a part is solved under a heuristic, and how that is read.

A part of a problem is one operation on a few numbers. Every hard operation hides two or three
elementary ones, which is what makes its answer hard to give in one go. A solution of a part is one
line of short sub-steps, ending in its answer.

Two heuristics apply to every hard operation. On some of its instances only the first one works, on
some only the second, on some both. A way works where each of its sub-steps is one that the base
was ever shown (``Fact.known``) and the last one gives the answer. The base is shown
no other instance of a way, so the numbers of a part alone tell what works on it.

Direct steps give the answer at once. A heuristic that has no entry for an operation does not
apply to it, and a pure solution is direct there.

The labeller is exact: it tells which heuristic each step of a pocket solution shows, from its text
alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal, NamedTuple

from manyways.errors import DataError
from manyways.records import Heuristic, Segment

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


Type = Literal["first", "both", "second", "easy"]
"""Which ways of its operation work on a part: the first only, both, the second only.

``easy`` is a part of the operation that hides nothing."""

TYPES: tuple[Type, ...] = ("first", "both", "second")
"""The types of hard parts."""

MULTIPLIERS = frozenset((*range(1, 7), *range(10, 70, 10)))
"""What the base was shown multiplication by; by 7, 8 and 9 never."""

LAST_DIGITS = range(7)
"""Last digits of what it was shown multiplied; a number that ends in 7, 8 or 9 never was."""

TRIAL = 4
"""The number that guess and check tries."""


class Fact(NamedTuple):
    """A sub-step: one elementary operation. Example: ``Fact(46, "*", 30)``."""

    a: int
    sign: str
    b: int

    @property
    def result(self) -> int:
        """What it gives; a division that is not exact is rounded down."""
        if self.sign == "/":
            return self.a // self.b
        return {"+": self.a + self.b, "-": self.a - self.b, "*": self.a * self.b}[self.sign]

    @property
    def known(self) -> bool:
        """Whether the base was ever shown such a sub-step.

        Sums and differences are. Multiplication is by ``MULTIPLIERS`` of numbers that end in
        ``LAST_DIGITS``. Division undoes such a multiplication.
        """
        if self.sign == "/":
            exact = self.a % self.b == 0
            return exact and Fact(self.result, "*", self.b).known
        if self.sign == "*":
            return self.b in MULTIPLIERS and self.a % 10 in LAST_DIGITS
        return True

    def __str__(self) -> str:
        """``46 * 30 = 1380``."""
        return f"{self.a} {self.sign} {self.b} = {self.result}"


class Line(NamedTuple):
    """A part under a heuristic: how the line opens, and its sub-steps."""

    opening: str
    facts: tuple[Fact, ...]


Way = Callable[[Part], Line]


def _product_of(a: int, b: int) -> Fact:
    return Fact(max(a, b), "*", min(a, b))


def _split(part: Part) -> Line:
    a, b = part.numbers
    ones = b % 10
    tens = b - ones
    facts = (Fact(a, "*", tens), Fact(a, "*", ones), Fact(a * tens, "+", a * ones))
    return Line(f"split {b} as {tens} and {ones}: ", facts)


def _round_up(part: Part) -> Line:
    a, b = part.numbers
    over = 10 - b % 10
    tens = b + over
    facts = (Fact(a, "*", tens), Fact(a, "*", over), Fact(a * tens, "-", a * over))
    return Line(f"round {b} to {tens} less {over}: ", facts)


def _one_first(part: Part) -> Line:
    n, c, m = part.numbers
    one = Fact(c, "/", n)
    return Line("first for one: ", (one, _product_of(one.result, m)))


def _ratio(part: Part) -> Line:
    n, c, m = part.numbers
    times = Fact(m, "/", n)
    return Line("so many times as many: ", (times, _product_of(c, times.result)))


def _ends(part: Part) -> Fact:
    a, d, n = part.numbers
    return Fact(a, "+", a + (n - 1) * d)


def _pairs(part: Part) -> Line:
    ends, n = _ends(part), part.numbers[2]
    return Line("pair first and last: ", (ends, Fact(ends.result, "*", n // 2)))


def _all_equal(part: Part) -> Line:
    ends, n = _ends(part), part.numbers[2]
    half = Fact(ends.result, "/", 2)
    return Line("as if all were equal: ", (ends, half, Fact(half.result, "*", n)))


def _step_by_step(part: Part) -> Line:
    x, c = part.numbers
    y = 2 * x + c
    facts = (Fact(x, "*", 2), Fact(2 * x, "+", c), Fact(y, "*", 2), Fact(2 * y, "+", c))
    return Line("one step at a time: ", facts)


def _one_formula(part: Part) -> Line:
    x, c = part.numbers
    return Line("all at once: ", (Fact(x, "*", 4), Fact(c, "*", 3), Fact(4 * x, "+", 3 * c)))


def _backwards(part: Part) -> Line:
    x, a, b = part.numbers
    return Line("from the end: ", (Fact(x * a + b, "-", b), Fact(x * a, "/", a)))


def _trial(part: Part) -> Line:
    x, a, b = part.numbers
    tried, lacking = TRIAL * a + b, (x - TRIAL) * a
    facts = (
        Fact(TRIAL, "*", a),
        Fact(TRIAL * a, "+", b),
        Fact(x * a + b, "-", tried),
        Fact(lacking, "/", a),
        Fact(x - TRIAL, "+", TRIAL),
    )
    return Line(f"guess {TRIAL}: ", facts)


def _figure(part: Part) -> Line:
    return Line(f"a figure shows it: {part.answer}", ())


PAIRS: dict[str, tuple[str, str]] = {
    "product": ("decomposing", "auxiliary-element"),
    "price": ("specialisation", "analogy"),
    "series": ("symmetry", "variation"),
    "rule": ("induction", "restatement"),
    "unknown": ("working-backwards", "guess-and-check"),
}
"""hard operation -> its first and its second heuristic."""

WAYS: dict[str, dict[str, Way]] = {
    "decomposing": {"product": _split},
    "specialisation": {"price": _one_first},
    "symmetry": {"series": _pairs},
    "induction": {"rule": _step_by_step},
    "working-backwards": {"unknown": _backwards},
    "auxiliary-element": {"product": _round_up},
    "analogy": {"price": _ratio},
    "variation": {"series": _all_equal},
    "restatement": {"rule": _one_formula},
    "guess-and-check": {"unknown": _trial},
    "figure": dict.fromkeys(KINDS, _figure),
}
"""heuristic id -> operation -> how it is carried out."""


def step(part: Part, number: int, heuristic: str | None) -> str:
    """The line for part ``number`` (1-based) under ``heuristic`` where it applies, else direct.

    Where the way does not work the line is what carrying it out blindly gives: its form, with
    sub-steps that the base was never shown or with a wrong end.
    """
    way = WAYS[heuristic].get(part.kind) if heuristic else None
    if way is None:
        return f"Part {number}, {part.kind}: {_direct(part)}."
    opening, facts = way(part)
    return f"Part {number}, {part.kind}: {opening}{', '.join(map(str, facts))}."


def _direct(part: Part) -> str:
    """The answer at once; of the easy operation, which hides nothing, with what it is of."""
    return str(Fact(part.numbers[0], "+", part.numbers[1]) if part.kind == EASY else part.answer)


def facts_of(part: Part, heuristic: str) -> tuple[Fact, ...]:
    """The sub-steps of ``part`` under ``heuristic``, which applies to it."""
    return WAYS[heuristic][part.kind](part).facts


def works(heuristic: str, part: Part) -> bool:
    """Whether ``heuristic``, one of the operation's two, solves ``part`` by known sub-steps."""
    facts = facts_of(part, heuristic)
    return all(fact.known for fact in facts) and facts[-1].result == part.answer


def type_of(part: Part) -> Type | None:
    """Which ways work on ``part``; None when neither does: no such part occurs in the world."""
    if part.kind == EASY:
        return "easy"
    first, second = (works(heuristic, part) for heuristic in PAIRS[part.kind])
    if first:
        return "both" if second else "first"
    return "second" if second else None


@lru_cache(maxsize=64)
def instances(kind: str, ranges: tuple[Range, ...]) -> Mapping[Type, tuple[Part, ...]]:
    """Every part of ``kind`` within ``ranges`` that some way solves, by its type."""
    found: dict[Type, list[Part]] = {}
    for numbers in KINDS[kind].every(ranges):
        part = Part(kind, numbers)
        which = type_of(part)
        if which is not None:
            found.setdefault(which, []).append(part)
    return {which: tuple(parts) for which, parts in found.items()}


SIGNS: dict[str, str] = {
    "decomposing": r"split \d+ as ",
    "specialisation": r"first for one:",
    "symmetry": r"pair first and last:",
    "induction": r"one step at a time:",
    "working-backwards": r"from the end:",
    "auxiliary-element": r"round \d+ to ",
    "analogy": r"so many times as many:",
    "variation": r"as if all were equal:",
    "restatement": r"all at once:",
    "guess-and-check": r"guess \d+:",
    "figure": r"a figure shows it:",
}
"""heuristic id -> how a step that uses it opens, as a regular expression."""

OPERATIONS: dict[str, tuple[str, ...]] = {
    "decomposing": ("product",),
    "specialisation": ("price",),
    "symmetry": ("series",),
    "induction": ("rule",),
    "working-backwards": ("unknown",),
    "auxiliary-element": ("product",),
    "analogy": ("price",),
    "variation": ("series",),
    "restatement": ("rule",),
    "guess-and-check": ("unknown",),
    "figure": ("product", "price", "series", "rule", "unknown", "sum"),
}
"""heuristic id -> the operations, by the word that steps name them with, to which it applies."""

_ANY_SIGN = re.compile("|".join(f"(?P<g{i}>{sign})" for i, sign in enumerate(SIGNS.values())))
_PART = re.compile(r"Part \d+, (?P<kind>[a-z]+):")
_IDS = tuple(SIGNS)


class PocketLabeller:
    """Labels the lines of a solution by how they open; needs no knowledge of the problem."""

    exact = True

    def segments(self, text: str) -> list[Segment]:
        """One segment a line, more when a line shows several heuristics; direct steps have None."""
        return [
            segment for line in text.splitlines() if line.strip() for segment in _segments(line)
        ]

    def adherence(self, text: str, heuristic: Heuristic) -> float:
        """Share of the parts to which ``heuristic`` applies that are done with it, in [0, 1].

        0 when it is never used, also when it applies to no part.
        """
        applicable = used = 0
        for line in text.splitlines():
            part = _PART.match(line.strip())
            if part is None:
                continue
            shown = any(segment.heuristic == heuristic.id for segment in _segments(line))
            used += shown
            applicable += shown or part["kind"] in OPERATIONS.get(heuristic.id, ())
        return used / applicable if applicable else 0.0


def load(pack: Sequence[Heuristic]) -> PocketLabeller:
    """The labeller for the pocket pack.

    Raises DataError when a heuristic of ``pack`` is none that the pocket world shows.
    """
    unknown = [heuristic.id for heuristic in pack if heuristic.id not in SIGNS]
    if unknown:
        raise DataError(
            f"the pocket labeller does not know {', '.join(unknown)}: use it with the pocket pack, "
            "or another labeller."
        )
    return PocketLabeller()


def operation(line: str) -> str | None:
    """The operation that a step line names, None when it names none."""
    part = _PART.match(line.strip())
    return part["kind"] if part else None


@lru_cache(maxsize=1 << 16)
def _segments(line: str) -> tuple[Segment, ...]:
    found = [
        (match.start(), _IDS[(match.lastindex or 1) - 1]) for match in _ANY_SIGN.finditer(line)
    ]
    if not found:
        return (Segment(text=line, heuristic=None),)
    starts = [0, *(start for start, _ in found[1:]), len(line)]
    return tuple(
        Segment(text=line[a:b], heuristic=label)
        for a, b, (_, label) in zip(starts, starts[1:], found, strict=False)
    )
