"""Worked solutions of exercises: one line a part, then the boxed answer."""

from collections.abc import Sequence

from manyways.pocket.ways import step
from manyways.pocket.world import Exercise


def solution(exercise: Exercise, heuristic: str | None) -> str:
    """The pure solution: ``heuristic`` on every part where it applies, direct steps elsewhere."""
    return composed(exercise, [heuristic] * len(exercise.parts))


def composed(exercise: Exercise, heuristics: Sequence[str | None]) -> str:
    """A solution with one heuristic (or None: direct) per part. Never shown in training."""
    pairs = zip(exercise.parts, heuristics, strict=True)
    lines = [step(part, number, way) for number, (part, way) in enumerate(pairs, start=1)]
    return "\n".join([*lines, f"Answer: \\boxed{{{exercise.answer}}}"])
