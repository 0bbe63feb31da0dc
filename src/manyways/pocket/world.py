"""The pocket world: seeded problems of independent parts, in splits that share no problem.

First come the wordings of each operation, by surface. In braces stand the numbers that the
operation shows, ``name`` (a person) and ``things`` (a plural).

The name of the problem set is ``pocket/<split>[?count=N&parts=1&world=held-out]``.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from random import Random
from typing import NamedTuple, Protocol

from manyways.errors import DataError
from manyways.plugins import nearest
from manyways.pocket.ways import EASY, KINDS, TYPES, Part, Range, Type, instances, type_of
from manyways.records import Problem

NAMES = ("Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gita", "Hugo")
THINGS = ("pens", "apples", "shells", "stamps", "beads", "cards", "nuts", "coins")

WORDS: dict[str, tuple[str, ...]] = {
    "product": (
        "A hall has {a} rows of {b} chairs. How many chairs are there?",
        "{name} packs {a} bags with {b} {things} each. How many {things} in all?",
        "What is {a} times {b}?",
    ),
    "unknown": (
        "{name} thinks of a number, multiplies it by {a} and adds {b}. "
        "The result is {c}. What is the number?",
        "{a} equal bags and {b} loose {things} make {c} {things}. How many are in a bag?",
        "{a} times a number plus {b} is {c}. Find the number.",
    ),
    "price": (
        "{n} {things} cost {c} cents. What do {m} {things} cost?",
        "{name} walks {c} metres in {n} minutes. How many metres in {m} minutes?",
        "{n} bags hold {c} {things}. How many {things} do {m} bags hold?",
    ),
    "series": (
        "Of {n} rows the first has {a} seats, the last {z}, and they grow evenly. How many seats?",
        "{name} saves {a} cents in week 1, evenly more up to {z} in week {n}. How many cents?",
        "Add {n} numbers that grow evenly from {a} to {z}. What is the total?",
    ),
    "rule": (
        "Start with {x}. 2 times, double it and add {c}. What comes out?",
        "{name} has {x} {things}. Each day they double and {c} more come. How many after 2 days?",
        "Double {x} and add {c}, and do so 2 times in all. What is the result?",
    ),
    "sum": (
        "{name} has {a} {things} and finds {b} more. How many now?",
        "What is {a} plus {b}?",
        "A bag holds {a} red and {b} blue {things}. How many in all?",
    ),
}
"""The wordings of the surface ``words``, which all splits have but the ``ood`` ones."""

EQUATIONS: dict[str, tuple[str, ...]] = {
    "product": ("{a} * {b} = ?",),
    "unknown": ("{a} * ? + {b} = {c}",),
    "price": ("{n} : {c} = {m} : ?",),
    "series": ("{a} + {b} + ... + {z} ({n} terms) = ?",),
    "rule": ("x = {x}, 2 times x = 2 * x + {c}, x = ?",),
    "sum": ("{a} + {b} = ?",),
}

CODE: dict[str, tuple[str, ...]] = {
    "product": ("print({a} * {b})",),
    "unknown": ("for x in range(999): if {a} * x + {b} == {c}: print(x)",),
    "price": ("print({c} * {m} // {n})",),
    "series": ("print(sum(range({a}, {stop}, {d})))",),
    "rule": ("x = {x}; for i in range(2): x = 2 * x + {c}; print(x)",),
    "sum": ("print({a} + {b})",),
}

ASIDES = (
    "It was day {u} of a warm month.",
    "The shop next door has {u} windows.",
    "{name} is {u} years old.",
    "A train with {u} cars went by.",
    "The clock in the hall was {u} minutes late.",
)
"""Sentences of a story that do not matter for the answer."""

HEADS = {"code": "What does each program print?\n", "equations": "Solve.\n"}
"""Surface -> the first line of its questions."""


def spelled_out() -> Iterator[str]:
    """Every wording, with 1 for each number. Together they have all names and things."""
    parts = [
        text for table in (WORDS, EQUATIONS, CODE) for texts in table.values() for text in texts
    ]
    lines = [*(f"Part 1: {text}" for text in parts), *(f"{aside} Part 1" for aside in ASIDES)]
    for line in (*lines, *HEADS.values()):
        plain = re.sub(r"\{(?!name|things)\w+\}", "1", line)
        for name, things in zip(NAMES, THINGS, strict=True):
            yield plain.replace("{name}", name).replace("{things}", things)


class Shape(NamedTuple):
    """A number of hard parts and one of easy parts; ``weight``: how often it occurs."""

    hard: int
    easy: int
    weight: float = 1


SHAPES: dict[str, tuple[Shape, ...]] = {
    "base": tuple(Shape(n - easy, easy) for n in (1, 2, 3, 4) for easy in (0, 1)),
    "seed": (Shape(1, 0, 2), Shape(1, 1, 7), Shape(2, 0, 1)),
    "rl": (Shape(2, 0, 3), Shape(2, 1, 2)),
    "validation": (Shape(1, 0), Shape(1, 1), Shape(2, 0), Shape(2, 1)),
    "test": (Shape(2, 0, 3), Shape(2, 1, 2)),
    "harder": (Shape(3, 0, 3), Shape(3, 1, 2)),
    "ood-equations": (Shape(2, 0, 3), Shape(2, 1, 2)),
    "ood-code": (Shape(2, 0, 3), Shape(2, 1, 2)),
    "ood-story": (Shape(1, 1), Shape(2, 0)),
}
"""Split -> the shapes of its problems. Most seed problems have one hard part, because a pure
solution uses one heuristic. Problems of RL and of benchmarks have several."""

SHARED_SPLITS = tuple(split for split in SHAPES if split != "base")
"""Every split but ``base``. A hash of its content decides the split of a problem."""

SIZES: dict[str, tuple[int, ...]] = {
    split: tuple(sorted({shape.hard + shape.easy for shape in shapes}))
    for split, shapes in SHAPES.items()
}
"""Split -> the numbers of parts that its problems have."""

PARTS = SIZES["base"]
"""The numbers of parts that a problem may have. The base model saw no others."""

EQUAL: Mapping[Type, float] = dict.fromkeys(TYPES, 1.0)

LEANING: dict[str, Mapping[Type, float]] = {
    "seed": {"first": 0.20, "both": 0.75, "second": 0.05},
    "harder": {"first": 0.15, "both": 0.25, "second": 0.60},
}
"""Split -> weights of the types of its hard parts; the same for all types in other splits."""

TOLD = 7
"""One hard part in so many is *told*: base documents may give its answer at once."""

PATIENCE = 500
"""After so many draws without a new problem of the split, other operations or types are drawn."""

SPENT = 20
"""A sequence of chosen sizes ends after patience ran out so many times in a row."""

SURFACES = {"ood-equations": "equations", "ood-code": "code", "ood-story": "story"}


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """The parameters of a world.

    seed:   seed of all draws.
    ranges: operation -> ranges of its free numbers.
    mix:    operation -> weight among the hard parts.
    """

    name: str
    seed: int
    ranges: Mapping[str, tuple[Range, ...]]
    mix: Mapping[str, float] = field(
        default_factory=lambda: {kind: 1.0 for kind in KINDS if kind != EASY}
    )

    def parts(self, kind: str) -> Mapping[Type, tuple[Part, ...]]:
        """Type -> every part of ``kind`` that some way solves."""
        return instances(kind, self.ranges[kind])

    def told(self, kind: str) -> Mapping[Type, tuple[Part, ...]]:
        """Type -> the told parts of ``kind``."""
        return _told(kind, self.ranges[kind])


WORLDS: dict[str, World] = {
    "main": World(
        name="main",
        seed=1945,
        ranges={
            "product": ((12, 36), (11, 39)),
            "price": ((2, 6), (4, 56), (4, 32)),
            "series": ((2, 30), (1, 6), (3, 12)),
            "rule": ((3, 36), (3, 29)),
            "unknown": ((11, 36), (2, 6), (2, 9)),
            EASY: ((2, 30), (2, 20)),
        },
    ),
    "held-out": World(
        name="held-out",
        seed=1887,
        ranges={
            "product": ((14, 35), (13, 38)),
            "price": ((2, 6), (6, 54), (6, 30)),
            "series": ((4, 24), (1, 4), (3, 12)),
            "rule": ((5, 35), (4, 25)),
            "unknown": ((13, 35), (3, 6), (3, 9)),
            EASY: ((8, 34), (5, 18)),
        },
        mix={"product": 2, "price": 1, "series": 1, "rule": 2, "unknown": 1},
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Exercise:
    """A problem of the world before it becomes a ``Problem``.

    choices: the texts of the options, in order, on the surface ``story``; else empty.
    """

    parts: tuple[Part, ...]
    surface: str
    question: str
    choices: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """What the final box holds: ``12``, ``(12, 47)``, or a letter if there are choices."""
        text = answer_text(tuple(part.answer for part in self.parts))
        return "ABCD"[self.choices.index(text)] if self.choices else text


def answer_text(answers: tuple[int, ...]) -> str:
    """``(12,)`` as ``12``; ``(12, 47)`` as ``(12, 47)``."""
    return str(answers[0]) if len(answers) == 1 else f"({', '.join(map(str, answers))})"


def split_of(parts: tuple[Part, ...]) -> str:
    """The split of a problem with these parts, in any order.

    Half of all problems belong to ``base``; the other splits have equal shares of the rest.
    """
    content = sorted([f"{kind} {numbers}" for kind, numbers in parts])
    slot = _hash("; ".join(content)) % (2 * len(SHARED_SPLITS))
    return SHARED_SPLITS[slot] if slot < len(SHARED_SPLITS) else "base"


def draw_kinds(rng: Random, mix: Mapping[str, float], count: int) -> list[str]:
    """Draw ``count`` different operations with the weights ``mix``."""
    left, kinds = dict(mix), list[str]()
    while len(kinds) < count:
        kinds += rng.choices(list(left), weights=list(left.values()))
        del left[kinds[-1]]
    return kinds


def draw_type(rng: Random, kind: str, types: Mapping[Type, float] = EQUAL) -> Type:
    """Draw the type of a part of ``kind``, with the weights ``types`` if it is hard."""
    return "easy" if kind == EASY else rng.choices(list(types), weights=list(types.values()))[0]


def draw_parts(
    rng: Random, split: str, choices: Sequence[Sequence[Part]]
) -> Iterator[tuple[Part, ...]]:
    """Draw one part of each of ``choices``, without end.

    A draw that makes no problem of ``split`` is yielded as (), so that a caller can count draws.
    """
    while True:
        parts = tuple([rng.choice(some) for some in choices])
        yield parts if split_of(parts) == split else ()


def is_told(part: Part) -> bool:
    """Whether base documents may give the answer of ``part`` at once.

    Of an easy part they may. For a hard part a hash of its content decides; in the documents the
    answer of a part that is not told stands only after its sub-steps.
    """
    return part.kind == EASY or _hash(f"told {part.kind} {part.numbers}") % TOLD == 0


@lru_cache(maxsize=64)
def _told(kind: str, ranges: tuple[Range, ...]) -> Mapping[Type, tuple[Part, ...]]:
    every = instances(kind, ranges)
    return {which: tuple(filter(is_told, parts)) for which, parts in every.items()}


def exercises(world: World, split: str, sizes: tuple[int, ...] = ()) -> Iterator[Exercise]:
    """The exercises of ``split``, all different; the same sequence every time.

    sizes: the numbers of parts, in rising order; empty for those of the split. They do not change
        which problems belong to the split. If no shape of the split has such a number, all parts
        are hard.

    The sequence is endless for the split's own sizes. With other sizes it ends if ``SPENT``
    times in a row no new problem was found: a split has only a few hundred problems of one part.
    """
    own = sizes in ((), SIZES[split])
    rng = Random(f"{world.seed}/{split}" if own else f"{world.seed}/{split}/{sizes}")
    shapes = SHAPES[split] if own else _shapes(split, sizes)
    weights = [shape.weight for shape in shapes]
    seen: set[tuple[Part, ...]] = set()
    spent = 0
    while own or spent < SPENT:
        shape = rng.choices(shapes, weights=weights)[0]
        kinds = draw_kinds(rng, world.mix, shape.hard) + [EASY] * shape.easy
        rng.shuffle(kinds)
        types = LEANING.get(split, EQUAL)
        choices = [world.parts(kind)[draw_type(rng, kind, types)] for kind in kinds]
        parts = _new(draw_parts(rng, split, choices), seen)
        spent = 0 if parts else spent + 1
        if parts:
            seen.add(tuple(sorted(parts)))
            yield phrase(rng, parts, SURFACES.get(split, "words"))


def _shapes(split: str, sizes: tuple[int, ...]) -> list[Shape]:
    """The shapes for ``sizes``, with equal total weight for each size."""
    found = []
    for size in sizes:
        own = [shape for shape in SHAPES[split] if shape.hard + shape.easy == size]
        total = sum(shape.weight for shape in own)
        found += [shape._replace(weight=shape.weight / total) for shape in own]
        found += [] if own else [Shape(size, 0)]
    return found


def _new(draws: Iterator[tuple[Part, ...]], seen: set[tuple[Part, ...]]) -> tuple[Part, ...]:
    """The next parts that are not in ``seen``; empty if ``PATIENCE`` draws had none."""
    for parts in islice(draws, PATIENCE):
        if parts and tuple(sorted(parts)) not in seen:
            return parts
    return ()


def phrase(rng: Random, parts: tuple[Part, ...], surface: str) -> Exercise:
    """Put ``parts`` into words on ``surface``: words, equations, code or story."""
    table = {"equations": EQUATIONS, "code": CODE}.get(surface, WORDS)
    lines = [
        f"Part {number}: {_fill(rng, rng.choice(table[part.kind]), part.shown)}"
        for number, part in enumerate(parts, start=1)
    ]
    if surface != "story":
        head = HEADS.get(surface, "")
        return Exercise(parts=parts, surface=surface, question=head + "\n".join(lines))
    options = _options(rng, tuple(part.answer for part in parts))
    lines = [f"{_aside(rng)} {line}" for line in lines]
    listed = " ".join(f"{letter}: {text}" for letter, text in zip("ABCD", options, strict=True))
    question = "\n".join([*lines, f"{_aside(rng)} Which is right? {listed}"])
    return Exercise(parts=parts, surface=surface, question=question, choices=options)


def _fill(rng: Random, wording: str, shown: Mapping[str, int]) -> str:
    name, things = rng.choice(NAMES), rng.choice(THINGS)
    return wording.format(**shown, name=name, things=things)


def _aside(rng: Random) -> str:
    return _fill(rng, rng.choice(ASIDES), {"u": rng.randint(3, 29)})


def _options(rng: Random, answers: tuple[int, ...]) -> tuple[str, ...]:
    """The texts of four options in random order: the correct one and three close ones."""
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


COUNTS = {"seed": 400, "rl": 2000, "validation": 200}
"""Split -> its number of problems without ``count``; other splits have 100."""

OPTIONS = ("count", "parts", "world")


class Source(Protocol):
    """What the pocket world reads of a problem source."""

    @property
    def options(self) -> Mapping[str, str]:
        """The options in the set's name: ``?key=value``."""
        ...


def load(split: str, source: Source) -> list[Problem]:
    """The first problems of ``split``. With a larger count the same ones come first.

    Options: ``count``, ``parts`` (only problems with so many parts: ``1`` or ``2,3``), ``world``
    (``main`` or ``held-out``). If ``parts`` differs from the split's own numbers, the ids say so:
    ``pocket/rl-parts-1/00000``.

    Raises DataError on an unknown split, option or world, a count that is not positive or higher
    than the number of problems, or numbers of parts that no problem has.
    """
    if split not in SHARED_SPLITS:
        raise DataError(
            f"the pocket world has no split '{split}'. Known: {', '.join(SHARED_SPLITS)}."
        )
    for key in source.options:
        if key not in OPTIONS:
            raise DataError(f"pocket problems have no option '{key}'.{nearest(key, OPTIONS)}")
    world, count, sizes = _world(source), _count(source, split), _sizes(source, split)
    drawn = list(islice(exercises(world, split, sizes), count))
    if "count" in source.options and len(drawn) < count:
        raise DataError(
            f"pocket/{split}?parts={source.options['parts']} has {len(drawn)} different problems, "
            f"fewer than count={count}: give a smaller count."
        )
    name = "pocket" if world.name == "main" else f"pocket-{world.name}"
    name += f"/{split}"
    if sizes != SIZES[split]:
        name += f"-parts-{'-'.join(map(str, sizes))}"
    return [_record(f"{name}/{i:05d}", exercise) for i, exercise in enumerate(drawn)]


def _world(source: Source) -> World:
    name = source.options.get("world", "main")
    if name not in WORLDS:
        raise DataError(f"there is no pocket world '{name}'.{nearest(name, WORLDS)}")
    return WORLDS[name]


def _count(source: Source, split: str) -> int:
    text = source.options.get("count", str(COUNTS.get(split, 100)))
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 20_000:
        raise DataError(f"pocket option count={text}: give a number from 1 to 20000.")
    return int(text)


def _sizes(source: Source, split: str) -> tuple[int, ...]:
    """The numbers of parts, in rising order: ``3,2`` and ``2,3`` are one set."""
    text = source.options.get("parts")
    if text is None:
        return SIZES[split]
    words = [word.strip() for word in text.split(",")]
    known = {str(size): size for size in PARTS}
    if not set(words) <= set(known):
        raise DataError(
            f"pocket option parts={text}: give numbers from {PARTS[0]} to {PARTS[-1]}, for example "
            "parts=1 or parts=2,3."
        )
    return tuple(sorted({known[word] for word in words}))


def _record(problem_id: str, exercise: Exercise) -> Problem:
    return Problem(
        id=problem_id,
        question=exercise.question,
        answer=exercise.answer,
        verifier="choice" if exercise.choices else "math",
        choices=exercise.choices,
        tags={
            "parts": str(len(exercise.parts)),
            "operations": " ".join(part.kind for part in exercise.parts),
            "types": " ".join(str(type_of(part)) for part in exercise.parts),
            "surface": exercise.surface,
        },
    )
