"""The pocket world: seeded problems of independent parts, in splits that never share a problem."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from manyways.pocket import wordings
from manyways.pocket.kinds import KINDS, Part, Range

SHARED_SPLITS = (
    "seed", "rl", "validation", "test", "harder", "ood-equations", "ood-code", "ood-story",
)  # fmt: skip
"""Every split but ``base``. Which one a problem belongs to is decided by a hash of its content."""

SPLITS = ("base", *SHARED_SPLITS)

SIZES: dict[str, tuple[int, ...]] = {
    "base": (1, 2, 3, 4),
    "seed": (1, 2),
    "rl": (2, 3),
    "validation": (1, 2, 3),
    "test": (2, 3),
    "harder": (4,),
    "ood-equations": (2, 3),
    "ood-code": (2, 3),
    "ood-story": (1, 2),
}
"""split -> the numbers of parts that its problems have."""

PARTS = SIZES["base"]
"""Numbers of parts that a problem may have: the base model never saw another."""

PATIENCE = 500
"""Repeats in a row after which a sequence of chosen sizes has no more to give."""

SURFACES = {"ood-equations": "equations", "ood-code": "code", "ood-story": "story"}


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """The parameters of a world.

    seed:   of all draws.
    ranges: operation -> ranges of its free numbers.
    mix:    operation -> relative frequency; operations left out never occur.
    """

    name: str
    seed: int
    ranges: Mapping[str, tuple[Range, ...]]
    mix: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 1))


WORLDS: dict[str, World] = {
    "main": World(
        name="main",
        seed=1945,
        ranges={
            "product": ((12, 49), (12, 29)),
            "unknown": ((3, 29), (3, 9), (2, 20)),
            "price": ((3, 20), (3, 9), (2, 9)),
            "series": ((2, 30), (2, 6), (2, 4)),
            "animals": ((2, 24), (2, 24)),
            "boxes": ((3, 7), (5, 20), (5, 20)),
            "rule": ((3, 30), (2, 12), (2, 3)),
            "sum": ((2, 30), (2, 20)),
        },
    ),
    "held-out": World(
        name="held-out",
        seed=1887,
        ranges={
            "product": ((21, 44), (15, 27)),
            "unknown": ((5, 25), (4, 8), (5, 25)),
            "price": ((5, 18), (4, 9), (3, 8)),
            "series": ((5, 25), (3, 7), (2, 4)),
            "animals": ((4, 22), (4, 22)),
            "boxes": ((4, 8), (8, 18), (8, 18)),
            "rule": ((6, 28), (3, 11), (2, 3)),
            "sum": ((8, 34), (5, 18)),
        },
        mix={
            "product": 2, "unknown": 1, "price": 2, "series": 1, "animals": 2, "boxes": 1,
            "rule": 1, "sum": 1,
        },
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Exercise:
    """A drawn problem before it becomes a record: its parts, its text and its right answer.

    choices: option texts in order for the story surface, else empty.
    """

    parts: tuple[Part, ...]
    surface: str
    question: str
    choices: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """What the final box holds: ``12``, ``(12, 47)``, or a letter when there are choices."""
        text = answer_text(tuple(part.answer for part in self.parts))
        return "ABCD"[self.choices.index(text)] if self.choices else text


def answer_text(answers: tuple[int, ...]) -> str:
    """``(12,)`` as ``12``; ``(12, 47)`` as ``(12, 47)``."""
    return str(answers[0]) if len(answers) == 1 else f"({', '.join(map(str, answers))})"


def split_of(parts: tuple[Part, ...]) -> str:
    """The one split that a problem with these parts, in any order, belongs to.

    Half of all problems are base problems; the other splits share the rest equally.
    """
    content = sorted([f"{kind} {numbers}" for kind, numbers in parts])
    slot = _hash("; ".join(content)) % (2 * len(SHARED_SPLITS))
    return SHARED_SPLITS[slot] if slot < len(SHARED_SPLITS) else "base"


def draw_part(rng: Random, world: World, kind: str | None = None) -> Part:
    """One part of ``kind`` (by the world's mix when None)."""
    kind = kind or rng.choices(list(world.mix), weights=list(world.mix.values()))[0]
    return Part(kind, KINDS[kind].draw(rng, world.ranges[kind]))


def draw_parts(
    rng: Random, world: World, split: str, *, size: int, kind: str | None = None
) -> tuple[Part, ...]:
    """``size`` parts of different operations, ``kind`` among them if given, that make ``split``."""
    kinds = [kind] if kind else []
    while len(kinds) < size:
        left = {k: weight for k, weight in world.mix.items() if k not in kinds}
        kinds += rng.choices(list(left), weights=list(left.values()))
    rng.shuffle(kinds)
    while True:
        parts = tuple([draw_part(rng, world, kind=k) for k in kinds])
        if split_of(parts) == split:
            return parts


def exercises(world: World, split: str, sizes: tuple[int, ...] = ()) -> Iterator[Exercise]:
    """The reproducible sequence of exercises of ``split``, none with repeated content.

    sizes: the numbers of parts, in rising order; those of the split when empty. Which problems
        belong to the split does not depend on them.

    Endless for the split's own sizes. Of one part there are about 500 problems in each split: the
    sequence of other sizes ends when ``PATIENCE`` draws in a row were had before.
    """
    own = sizes in ((), SIZES[split])
    rng = Random(f"{world.seed}/{split}" if own else f"{world.seed}/{split}/{sizes}")
    seen: set[tuple[Part, ...]] = set()
    repeats = 0
    while own or repeats < PATIENCE:
        parts = draw_parts(rng, world, split, size=rng.choice(sizes or SIZES[split]))
        exercise = phrase(rng, parts, SURFACES.get(split, "words"))
        content = tuple(sorted(parts, key=str))
        repeats += 1
        if content not in seen:
            repeats = 0
            seen.add(content)
            yield exercise


def phrase(rng: Random, parts: tuple[Part, ...], surface: str) -> Exercise:
    """Put ``parts`` into words on ``surface``: words, equations, code or story."""
    table = {"equations": wordings.EQUATIONS, "code": wordings.CODE}.get(surface, wordings.WORDS)
    lines = [
        f"Part {number}: {_fill(rng, rng.choice(table[part.kind]), part.shown)}"
        for number, part in enumerate(parts, start=1)
    ]
    if surface != "story":
        head = wordings.HEADS.get(surface, "")
        return Exercise(parts=parts, surface=surface, question=head + "\n".join(lines))
    options = _options(rng, tuple(part.answer for part in parts))
    lines = [f"{_aside(rng)} {line}" for line in lines]
    listed = " ".join(f"{letter}: {text}" for letter, text in zip("ABCD", options, strict=True))
    question = "\n".join([*lines, f"{_aside(rng)} Which is right? {listed}"])
    return Exercise(parts=parts, surface=surface, question=question, choices=options)


def _fill(rng: Random, wording: str, shown: Mapping[str, int]) -> str:
    name, things = rng.choice(wordings.NAMES), rng.choice(wordings.THINGS)
    return wording.format(**shown, name=name, things=things)


def _aside(rng: Random) -> str:
    return _fill(rng, rng.choice(wordings.ASIDES), {"u": rng.randint(3, 29)})


def _options(rng: Random, answers: tuple[int, ...]) -> tuple[str, ...]:
    """Four option texts in random order: the right one and three near misses."""
    options = [answers]
    while len(options) < 4:
        place = rng.randrange(len(answers))
        shift = rng.choice((-20, -10, -2, -1, 1, 2, 10, 20))
        near = tuple(a + shift * (i == place) for i, a in enumerate(answers))
        if near not in options and min(near) > 0:
            options.append(near)
    rng.shuffle(options)
    return tuple(answer_text(option) for option in options)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")
