"""Does the base still have the properties that the pocket world promises?

Success is measured on one-part validation problems of each operation, under plain prompts and
under each heuristic, by sampling at temperature 1.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random

from manyways.pocket.corpus import Prompts
from manyways.pocket.kinds import KINDS
from manyways.pocket.labeller import OPERATIONS, load
from manyways.pocket.solutions import composed
from manyways.pocket.ways import WAYS
from manyways.pocket.world import Exercise, World, draw_parts, exercises, phrase
from manyways.records import PLAIN, Heuristic, Message

Sampler = Callable[[Sequence[tuple[Message, ...]]], list[str]]
"""Samples one text for each prompt."""

_BOX = re.compile(r"\\boxed\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """Attempts at one operation under one heuristic (or plain).

    followed: share that shows the named heuristic; for plain, share that is direct.
    """

    operation: str
    heuristic: str
    right: int
    followed: float
    n: int

    @property
    def success(self) -> float:
        """Share of right answers."""
        return self.right / self.n


def singles(world: World, kind: str, count: int) -> list[Exercise]:
    """``count`` one-part validation exercises of ``kind``; contents may repeat when it is small."""
    rng = Random(f"{world.seed}/check/{kind}")
    found: list[Exercise] = []
    while len(found) < count:
        parts = draw_parts(rng, world, "validation", size=1, kind=kind)
        found.append(phrase(rng, parts, "words"))
    return found


def measure(
    sample: Sampler, pack: Sequence[Heuristic], prompts: Prompts, *, world: World, count: int
) -> list[Cell]:
    """The success matrix: ``count`` attempts per operation and heuristic (plain included)."""
    labeller = load(pack)
    ways: list[Heuristic | None] = [None, *pack]
    todo = [
        (kind, way, e) for kind in world.mix for e in singles(world, kind, count) for way in ways
    ]
    texts = sample(
        [
            prompts.under(way, e.question, shots=1) if way else prompts.plain(e.question)
            for _, way, e in todo
        ]
    )
    tally: dict[tuple[str, str], list[tuple[bool, bool]]] = {}
    for (kind, way, exercise), text in zip(todo, texts, strict=True):
        labels = {segment.heuristic for segment in labeller.segments(text)} - {None}
        followed = way.id in labels if way else not labels
        key = (kind, way.id if way else PLAIN)
        tally.setdefault(key, []).append((is_right(text, exercise.answer), followed))
    return [
        Cell(
            operation=kind,
            heuristic=way,
            right=sum(right for right, _ in rows),
            followed=sum(followed for _, followed in rows) / len(rows),
            n=len(rows),
        )
        for (kind, way), rows in tally.items()
    ]


def is_right(text: str, answer: str) -> bool:
    """Whether the last box of ``text`` holds exactly ``answer``."""
    boxes = _BOX.findall(text)
    return bool(boxes) and boxes[-1] == answer


def label_error(pack: Sequence[Heuristic], *, world: World, count: int) -> tuple[float, int]:
    """The labeller's error on ``count`` solutions made with a random way for each part.

    Returns the share of steps with a wrong label, and the number of steps.
    """
    labeller, rng = load(pack), Random(f"{world.seed}/labels")
    ids = [None, *(heuristic.id for heuristic in pack)]
    wrong = steps = 0
    for exercise in islice(exercises(world, "rl"), count):
        drawn = [rng.choice(ids) for _ in exercise.parts]
        ways = [
            way if way and part.kind in WAYS[way] else None
            for part, way in zip(exercise.parts, drawn, strict=True)
        ]
        found = [segment.heuristic for segment in labeller.segments(composed(exercise, ways))]
        wanted = [*ways, None]
        steps += len(wanted)
        wrong += (
            len(wanted)
            if len(found) != len(wanted)
            else sum(a != b for a, b in zip(found, wanted, strict=True))
        )
    return wrong / steps, steps


def violations(cells: Sequence[Cell]) -> list[str]:
    """The promised properties that the matrix does not have, each as a sentence."""
    table = {(cell.operation, cell.heuristic): cell for cell in cells}
    matching = {
        kind: heuristic
        for heuristic, kinds in OPERATIONS.items()
        for kind in kinds
        if len(kinds) < len(KINDS)
    }
    clear = [
        kind
        for kind, heuristic in matching.items()
        if 0.05 <= table[kind, PLAIN].success <= 0.6
        and table[kind, heuristic].success >= max(0.5, table[kind, PLAIN].success + 0.25)
    ]
    found = []
    if len(clear) < 4:
        found.append(
            f"only {len(clear)} operations ({', '.join(clear) or 'none'}) are done clearly better "
            "by their heuristic than directly (at least 0.25 more, at least 0.5, direct 0.05-0.6); "
            "4 are promised"
        )
    if not any(table[kind, PLAIN].success >= 0.8 for kind in KINDS if kind not in matching):
        found.append("no operation is done best directly (0.8 or more under plain prompts)")
    decoys = [h for h, kinds in OPERATIONS.items() if len(kinds) == len(KINDS)]
    for decoy in decoys:
        helped = [k for k in KINDS if table[k, decoy].success > table[k, PLAIN].success + 0.25]
        if helped:
            found.append(f"the decoy '{decoy}' helps at {', '.join(helped)}")
    followed = [table[kind, heuristic].followed for kind, heuristic in matching.items()]
    if sum(followed) / len(followed) < 0.9:
        found.append("heuristics are followed in fewer than 0.9 of the attempts they apply to")
    return found
