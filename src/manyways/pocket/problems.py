"""The pocket world as a problem set: ``pocket/<split>[?count=N&world=held-out]``."""

from collections.abc import Mapping
from itertools import islice
from typing import Protocol

from manyways.errors import DataError
from manyways.plugins import nearest
from manyways.pocket.world import SHARED_SPLITS, WORLDS, Exercise, World, exercises
from manyways.records import Problem

COUNTS = {"seed": 400, "rl": 2000, "validation": 200}
"""split -> how many problems it has when no count is given; 100 for the others."""

OPTIONS: dict[str, str] = {
    "count": "number of problems",
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

    Options: ``count`` (how many), ``world`` (``main`` or ``held-out``).

    Raises DataError on an unknown split, option, world or a count that is no positive number.
    """
    if split not in SHARED_SPLITS:
        raise DataError(
            f"the pocket world has no split '{split}'. Known: {', '.join(SHARED_SPLITS)}."
        )
    for key in source.options:
        if key not in OPTIONS:
            raise DataError(f"pocket problems have no option '{key}'.{nearest(key, OPTIONS)}")
    world, count = _world(source), _count(source, split)
    prefix = "pocket" if world.name == "main" else f"pocket-{world.name}"
    drawn = islice(exercises(world, split), count)
    return [_record(f"{prefix}/{split}/{i:05d}", exercise) for i, exercise in enumerate(drawn)]


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
            "surface": exercise.surface,
        },
    )
