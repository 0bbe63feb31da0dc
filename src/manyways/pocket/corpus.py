"""The base corpus: pure solutions under named heuristics, plain direct ones, and drills."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from random import Random
from typing import Protocol

from manyways.pocket.solutions import solution
from manyways.pocket.ways import WAYS, applies, step
from manyways.pocket.wordings import spelled_out
from manyways.pocket.world import WORLDS, Exercise, World, draw_part, draw_parts, phrase
from manyways.records import Heuristic, Message

_FACT = re.compile(r"\d+ [-+*/] \d+ = \d+")


class Prompts(Protocol):
    """What makes chat messages of a question: the project's prompt format has this shape."""

    def plain(self, question: str) -> tuple[Message, ...]:
        """The prompt that names no heuristic."""
        ...

    def under(self, heuristic: Heuristic, question: str, *, shots: int) -> tuple[Message, ...]:
        """The prompt that asks for ``heuristic``, with ``shots`` exemplars."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusMix:
    """How often what occurs. Weights are relative; shares are of all documents.

    drills:         share of documents that are only sub-steps.
    first:          number of documents at the start among which ``first_drills`` are drills.
    plain:          share of the others that names no heuristic.
    plain_pure:     share of plain documents that use a heuristic all the same.
    plain_sizes:    weights of plain problems with 1, 2, 3 and 4 parts.
    prompted_sizes: weights of heuristic-prompted problems with 1, 2 and 3 parts.
    off_target:     share of prompted one-part problems to which the heuristic does not apply.
    shots:          weights of 0, 1 and 2 exemplars in a prompt.
    surfaces:       weights of words, equations, code and story.
    easy:           weight of the easy operation beside 1 for each hard one.
    """

    drills: float = 0.12
    first: int = 8000
    first_drills: float = 0.7
    plain: float = 0.38
    plain_pure: float = 0.05
    plain_sizes: tuple[float, ...] = (3, 3, 2, 1)
    prompted_sizes: tuple[float, ...] = (6, 3, 1)
    off_target: float = 0.15
    shots: tuple[float, ...] = (8, 2, 0.1)
    surfaces: tuple[float, ...] = (70, 12, 10, 8)
    easy: float = 4.0
    world: World = field(default_factory=lambda: WORLDS["main"])


SURFACES = ("words", "equations", "code", "story")


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One chat: the model learns ``solution`` given ``prompt``."""

    prompt: tuple[Message, ...]
    solution: str
    heuristic: str | None


def documents(
    pack: Sequence[Heuristic], prompts: Prompts, *, seed: int, mix: CorpusMix
) -> Iterator[Document]:
    """The endless, reproducible sequence of base documents."""
    rng = Random(f"corpus/{mix.world.seed}/{seed}")
    for number in count():
        if rng.random() < (mix.first_drills if number < mix.first else mix.drills):
            yield _drill(rng, mix, prompts)
        elif rng.random() < mix.plain:
            yield _plain(rng, mix, pack, prompts)
        else:
            yield _prompted(rng, mix, pack, prompts)


def _drill(rng: Random, mix: CorpusMix, prompts: Prompts) -> Document:
    facts: list[str] = []
    hard = [heuristic for heuristic in WAYS if heuristic != "figure"]
    while len(facts) < 8:
        kind = rng.choice(list(WAYS[rng.choice(hard)]))
        part = draw_part(rng, mix.world, kind)
        way = next(heuristic for heuristic in hard if kind in WAYS[heuristic])
        facts += _FACT.findall(step(part, 1, way))
    rng.shuffle(facts)
    return Document(
        prompt=prompts.plain("Some sums."), solution=", ".join(facts[:8]) + ".", heuristic=None
    )


def _plain(rng: Random, mix: CorpusMix, pack: Sequence[Heuristic], prompts: Prompts) -> Document:
    size = rng.choices((1, 2, 3, 4), weights=mix.plain_sizes)[0]
    exercise = _exercise(rng, mix, size, None)
    way = None
    if rng.random() < mix.plain_pure:
        usable = [h.id for h in pack if applies(h.id, exercise.parts)]
        way = rng.choice(usable) if usable else None
    return Document(
        prompt=prompts.plain(exercise.question), solution=solution(exercise, way), heuristic=way
    )


def _prompted(rng: Random, mix: CorpusMix, pack: Sequence[Heuristic], prompts: Prompts) -> Document:
    heuristic = rng.choice(list(pack))
    size = rng.choices((1, 2, 3), weights=mix.prompted_sizes)[0]
    off_target = size == 1 and rng.random() < mix.off_target
    wanted = None if off_target else rng.choice(list(WAYS[heuristic.id]))
    exercise = _exercise(rng, mix, size, wanted)
    shots = rng.choices((0, 1, 2), weights=mix.shots)[0]
    return Document(
        prompt=prompts.under(heuristic, exercise.question, shots=shots),
        solution=solution(exercise, heuristic.id),
        heuristic=heuristic.id,
    )


def _exercise(rng: Random, mix: CorpusMix, size: int, wanted: str | None) -> Exercise:
    """A base exercise of ``size`` parts, one of them of the operation ``wanted`` (None: any)."""
    world = World(
        name=mix.world.name,
        seed=mix.world.seed,
        ranges=mix.world.ranges,
        mix={kind: mix.easy if kind == "sum" else 1 for kind in mix.world.mix},
    )
    parts = draw_parts(rng, world, "base", size=size, kind=wanted)
    return phrase(rng, parts, rng.choices(SURFACES, weights=mix.surfaces)[0])


def every_text(pack: Sequence[Heuristic], prompts: Prompts, *, mix: CorpusMix) -> Iterator[str]:
    """Texts that between them hold every word of the world, for the vocabulary."""
    yield from spelled_out()
    for document in islice(documents(pack, prompts, seed=0, mix=mix), 2000):
        yield from (message.content for message in document.prompt)
        yield document.solution
