"""The pocket world as a problem set: ``pocket/<split>[?count=N&parts=1&world=held-out]``."""

from collections.abc import Mapping
from itertools import islice
from typing import Protocol

from manyways.errors import DataError
from manyways.plugins import nearest
from manyways.pocket.ways import type_of
from manyways.pocket.world import PARTS, SHARED_SPLITS, SIZES, WORLDS, Exercise, World, exercises
from manyways.records import Problem

COUNTS = {"seed": 400, "rl": 2000, "validation": 200}
"""split -> how many problems it has when no count is given; 100 for the others."""

OPTIONS: dict[str, str] = {
    "count": "number of problems",
    "parts": "numbers of parts that its problems have, for example 1 or 2,3",
    "world": "one of " + ", ".join(WORLDS),
}


class Source(Protocol):
    """The part of a problem source that the pocket world reads: the set's options."""

    @property
    def options(self) -> Mapping[str, str]:
        """The ``?key=value`` part of the set's name."""
        ...


def load(split: str, source: Source) -> list[Problem]:
    """The first problems of ``split``, in a stable order: a larger count only appends.

    Options: ``count`` (how many), ``parts`` (only problems of so many parts: ``1`` or ``2,3``),
    ``world`` (``main`` or ``held-out``). Problems of other numbers of parts than the split's own
    have ids of their own, ``pocket/rl-parts-1/00000``.

    Raises DataError on an unknown split, option or world, a count that is no positive number or
    more than there are problems, or numbers of parts that no problem has.
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
    """The wanted numbers of parts, in rising order: ``3,2`` and ``2,3`` are one set."""
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
