"""The operations of the pocket world, the ways to solve a part, and the labeller that reads them.

A part of a problem is one operation on a few numbers. A hard operation has two to five elementary
sub-steps, so its answer is hard to give at once. A solution writes the sub-steps of a part in one
row of text, which ends in the answer of the part.

Two heuristics apply to each hard operation. On some of its parts only the first one works, on some
only the second, on some both. A way works if the base was shown each of its sub-steps
(``Fact.known``) and the last one gives the answer. The base is shown a way only on parts where it
works. So the numbers of a part alone decide what works on it.

A direct step gives the answer at once. A heuristic without an entry for an operation does not apply
to it, and a pure solution is direct there.

The labeller is exact: the text of a step says which heuristic it shows.
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
"""The operation without sub-steps. Of all heuristics only the decoy applies to it."""


class Part(NamedTuple):
    """One operation on its free numbers. Example: ``Part("product", (46, 38))``."""

    kind: str
    numbers: tuple[int, ...]

    @property
    def answer(self) -> int:
        """Its correct answer."""
        return KINDS[self.kind].answer(*self.numbers)

    @property
    def shown(self) -> Mapping[str, int]:
        """The numbers that the question shows, by the names that wordings use."""
        return KINDS[self.kind].shown(*self.numbers)


@dataclass(frozen=True, slots=True)
class Kind:
    """One operation, as functions of its free numbers.

    answer: the correct answer.
    shown:  the numbers of the question, by name.
    fits:   whether the numbers are admissible (a whole answer, no round factor, no long one).
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
"""Name of an operation, as solutions write it -> the operation."""


Type = Literal["first", "both", "second", "easy"]
"""The ways that work on a part: only the first, both, or only the second.

``easy``: a part of the easy operation."""

TYPES: tuple[Type, ...] = ("first", "both", "second")
"""The types of hard parts."""

MULTIPLIERS = frozenset((*range(1, 7), *range(10, 70, 10)))
"""Multipliers that the base was shown; 7, 8 and 9 are not among them."""

LAST_DIGITS = range(7)
"""Last digits of the multiplied numbers that it was shown; 7, 8 and 9 are not among them."""

TRIAL = 4
"""The first guess of guess and check."""


class Fact(NamedTuple):
    """A sub-step: one elementary operation. Example: ``Fact(46, "*", 30)``."""

    a: int
    sign: str
    b: int

    @property
    def result(self) -> int:
        """Its value. A division that is not exact is rounded down."""
        if self.sign == "/":
            return self.a // self.b
        return {"+": self.a + self.b, "-": self.a - self.b, "*": self.a * self.b}[self.sign]

    @property
    def known(self) -> bool:
        """Whether the base was shown such sub-steps.

        It was shown sums, differences, multiplications of numbers that end in ``LAST_DIGITS`` by
        ``MULTIPLIERS``, and divisions that undo such a multiplication.
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


class Steps(NamedTuple):
    """How a heuristic solves a part: the words that open the text, and the sub-steps."""

    opening: str
    facts: tuple[Fact, ...]


Way = Callable[[Part], Steps]


def _product_of(a: int, b: int) -> Fact:
    return Fact(max(a, b), "*", min(a, b))


def _split(part: Part) -> Steps:
    a, b = part.numbers
    ones = b % 10
    tens = b - ones
    facts = (Fact(a, "*", tens), Fact(a, "*", ones), Fact(a * tens, "+", a * ones))
    return Steps(f"split {b} as {tens} and {ones}: ", facts)


def _round_up(part: Part) -> Steps:
    a, b = part.numbers
    over = 10 - b % 10
    tens = b + over
    facts = (Fact(a, "*", tens), Fact(a, "*", over), Fact(a * tens, "-", a * over))
    return Steps(f"round {b} to {tens} less {over}: ", facts)


def _one_first(part: Part) -> Steps:
    n, c, m = part.numbers
    one = Fact(c, "/", n)
    return Steps("first for one: ", (one, _product_of(one.result, m)))


def _ratio(part: Part) -> Steps:
    n, c, m = part.numbers
    times = Fact(m, "/", n)
    return Steps("so many times as many: ", (times, _product_of(c, times.result)))


def _ends(part: Part) -> Fact:
    a, d, n = part.numbers
    return Fact(a, "+", a + (n - 1) * d)


def _pairs(part: Part) -> Steps:
    ends, n = _ends(part), part.numbers[2]
    return Steps("pair first and last: ", (ends, Fact(ends.result, "*", n // 2)))


def _all_equal(part: Part) -> Steps:
    ends, n = _ends(part), part.numbers[2]
    half = Fact(ends.result, "/", 2)
    return Steps("as if all were equal: ", (ends, half, Fact(half.result, "*", n)))


def _step_by_step(part: Part) -> Steps:
    x, c = part.numbers
    y = 2 * x + c
    facts = (Fact(x, "*", 2), Fact(2 * x, "+", c), Fact(y, "*", 2), Fact(2 * y, "+", c))
    return Steps("one step at a time: ", facts)


def _one_formula(part: Part) -> Steps:
    x, c = part.numbers
    return Steps("all at once: ", (Fact(x, "*", 4), Fact(c, "*", 3), Fact(4 * x, "+", 3 * c)))


def _backwards(part: Part) -> Steps:
    x, a, b = part.numbers
    return Steps("from the end: ", (Fact(x * a + b, "-", b), Fact(x * a, "/", a)))


def _trial(part: Part) -> Steps:
    x, a, b = part.numbers
    tried, lacking = TRIAL * a + b, (x - TRIAL) * a
    facts = (
        Fact(TRIAL, "*", a),
        Fact(TRIAL * a, "+", b),
        Fact(x * a + b, "-", tried),
        Fact(lacking, "/", a),
        Fact(x - TRIAL, "+", TRIAL),
    )
    return Steps(f"guess {TRIAL}: ", facts)


def _figure(part: Part) -> Steps:
    return Steps(f"a figure shows it: {part.answer}", ())


PAIRS: dict[str, tuple[str, str]] = {
    "product": ("decomposing", "auxiliary-element"),
    "price": ("specialisation", "analogy"),
    "series": ("symmetry", "variation"),
    "rule": ("induction", "restatement"),
    "unknown": ("working-backwards", "guess-and-check"),
}
"""Hard operation -> (its first heuristic, its second one)."""

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
"""Heuristic id -> operation -> how the heuristic solves it."""


def step(part: Part, number: int, heuristic: str | None) -> str:
    """The text for part ``number`` (from 1) under ``heuristic``; direct where it does not apply.

    If the way does not work on the part, the text still has its form: with sub-steps that the base
    was not shown, or with a wrong answer.
    """
    way = WAYS[heuristic].get(part.kind) if heuristic else None
    if way is None:
        return f"Part {number}, {part.kind}: {_direct(part)}."
    opening, facts = way(part)
    return f"Part {number}, {part.kind}: {opening}{', '.join(map(str, facts))}."


def _direct(part: Part) -> str:
    """The answer at once. Of the easy operation it is the whole sum."""
    return str(Fact(part.numbers[0], "+", part.numbers[1]) if part.kind == EASY else part.answer)


def facts_of(part: Part, heuristic: str) -> tuple[Fact, ...]:
    """The sub-steps of ``part`` under ``heuristic``. It must apply to the operation."""
    return WAYS[heuristic][part.kind](part).facts


def works(heuristic: str, part: Part) -> bool:
    """Whether ``heuristic``, a way of the operation, solves ``part`` by known sub-steps."""
    facts = facts_of(part, heuristic)
    return all(fact.known for fact in facts) and facts[-1].result == part.answer


def type_of(part: Part) -> Type | None:
    """The type of ``part``; None if no way works on it. The world has no such part."""
    if part.kind == EASY:
        return "easy"
    first, second = (works(heuristic, part) for heuristic in PAIRS[part.kind])
    if first:
        return "both" if second else "first"
    return "second" if second else None


@lru_cache(maxsize=64)
def instances(kind: str, ranges: tuple[Range, ...]) -> Mapping[Type, tuple[Part, ...]]:
    """Type -> every part of ``kind`` within ``ranges`` that some way solves."""
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
"""Heuristic id -> the words that open its steps, as a regular expression."""

OPERATIONS = {heuristic: tuple(ways) for heuristic, ways in WAYS.items()}
"""Heuristic id -> names of the operations to which it applies."""

_ANY_SIGN = re.compile("|".join(f"(?P<g{i}>{sign})" for i, sign in enumerate(SIGNS.values())))
_PART = re.compile(r"Part \d+, (?P<kind>[a-z]+):")
_IDS = tuple(SIGNS)


class PocketLabeller:
    """Labels each step of a solution by the words that open it, without the problem."""

    exact = True

    def segments(self, text: str) -> list[Segment]:
        """A segment for each line of text, or for each heuristic that it shows; direct: None."""
        return [
            segment for line in text.splitlines() if line.strip() for segment in _segments(line)
        ]

    def adherence(self, text: str, heuristic: Heuristic) -> float:
        """The share, in [0, 1], of the parts to which ``heuristic`` applies that show it.

        0 if it applies to no part.
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

    Raises DataError if ``pack`` has a heuristic that the pocket world does not have.
    """
    unknown = [heuristic.id for heuristic in pack if heuristic.id not in SIGNS]
    if unknown:
        raise DataError(
            f"the pocket labeller does not know {', '.join(unknown)}: use it with the pack "
            "'pocket', or use another labeller."
        )
    return PocketLabeller()


def operation(line: str) -> str | None:
    """The operation that a line of a solution names; None if it names none."""
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
