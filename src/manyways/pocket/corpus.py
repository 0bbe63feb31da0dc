"""The base corpus: pure solutions under named heuristics, plain direct ones, and drills.

A solution has a row of text for each part, then the boxed answer. This corpus decides what works on
a part: it shows a heuristic only on parts where each sub-step is a known one (``ways.Fact.known``).
It also decides how often direct answers are right: it answers a hard part directly only if the part
is a told one (``world.is_told``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from random import Random
from typing import Protocol

from manyways.pocket.ways import EASY, PAIRS, WAYS, Fact, Type, facts_of, step, works
from manyways.pocket.world import (
    WORLDS,
    Exercise,
    World,
    draw_kinds,
    draw_parts,
    draw_type,
    phrase,
    spelled_out,
)
from manyways.records import Heuristic, Message


def solution(exercise: Exercise, heuristic: str | None) -> str:
    """The pure solution: ``heuristic`` on each part to which it applies, else direct steps."""
    return composed_solution(exercise, [heuristic] * len(exercise.parts))


def composed_solution(exercise: Exercise, heuristics: Sequence[str | None]) -> str:
    """A solution with one heuristic (or None: direct) for each part. No document has one."""
    pairs = zip(exercise.parts, heuristics, strict=True)
    lines = [step(part, number, way) for number, (part, way) in enumerate(pairs, start=1)]
    return "\n".join([*lines, f"Answer: \\boxed{{{exercise.answer}}}"])


FIRST = frozenset(first for first, _ in PAIRS.values())
"""The first heuristic of each operation."""

DECOY = "figure"


class Prompts(Protocol):
    """Makes chat messages of a question. The prompt format of runs has these methods."""

    def plain(self, question: str) -> tuple[Message, ...]:
        """The prompt that names no heuristic."""
        ...

    def under(self, heuristic: Heuristic, question: str, *, shots: int) -> tuple[Message, ...]:
        """The prompt that asks for ``heuristic``, with ``shots`` exemplars."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusMix:
    """How often each kind of document occurs. Weights are relative.

    drills:         share of documents that have only sub-steps.
    products, plus: share of the drawn multiplications and divisions, and of the drawn sums, that a
                    drill keeps. It keeps all differences, because they take longest to learn.
    sums:           share of drawn sub-steps that are those of the easy operation.
    openings:       share of drills that only split, or only round, numbers of products, under the
                    heuristic's name, on parts of each type. Otherwise the model never sees a way
                    where it fails, and does not keep its form there.
    first:          number of documents at the start of which ``first_drills`` are drills.
    plain:          share of the other documents whose prompt names no heuristic.
    plain_pure:     share of plain documents that use a heuristic.
    plain_sizes:    weights of plain problems with 1, 2, 3 and 4 parts.
    prompted_sizes: weights of problems with 1, 2 and 3 parts under a heuristic.
    off_target:     share of prompted problems of one part to which the heuristic does not apply.
    shots:          weights of 0, 1 and 2 exemplars in a prompt.
    surfaces:       weights of words, equations, code and story.
    weights:        weights of operations; 1 for those not named. Operations whose answers are
                    learned last have more.
    first_ways, second_ways, decoy: weights of each first heuristic, each second one, the decoy.
    both:           share of a heuristic's parts that the other way of the operation also solves.
    """

    drills: float = 0.2
    products: float = 0.1
    plus: float = 0.4
    sums: float = 0.1
    openings: float = 0.08
    first: int = 16000
    first_drills: float = 0.7
    plain: float = 0.35
    plain_pure: float = 0.05
    plain_sizes: tuple[float, ...] = (3, 3, 2, 1)
    prompted_sizes: tuple[float, ...] = (6, 4, 1)
    off_target: float = 0.12
    shots: tuple[float, ...] = (8, 2, 0.1)
    surfaces: tuple[float, ...] = (70, 12, 10, 8)
    weights: Mapping[str, float] = field(
        default_factory=lambda: {"unknown": 2.0, "series": 1.5, EASY: 2.5}
    )
    first_ways: float = 1.0
    second_ways: float = 0.85
    decoy: float = 0.4
    both: float = 0.5
    world: World = field(default_factory=lambda: WORLDS["main"])

    def weight(self, heuristic: str) -> float:
        """The weight of ``heuristic`` among those that prompts name."""
        if heuristic == DECOY:
            return self.decoy
        return self.first_ways if heuristic in FIRST else self.second_ways


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
    """The endless sequence of base documents; the same for the same seed and mix."""
    rng = Random(f"corpus/{mix.world.seed}/{seed}")
    for number in count():
        if rng.random() < (mix.first_drills if number < mix.first else mix.drills):
            openings = rng.random() < mix.openings
            yield _openings(rng, mix, pack, prompts) if openings else _drill(rng, mix, prompts)
        elif rng.random() < mix.plain:
            yield _plain(rng, mix, pack, prompts)
        else:
            yield _prompted(rng, mix, pack, prompts)


def _drill(rng: Random, mix: CorpusMix, prompts: Prompts) -> Document:
    facts: list[Fact] = []
    while len(facts) < 8:
        if rng.random() < mix.sums:
            a, b = rng.choice(mix.world.parts(EASY)["easy"]).numbers
            facts.append(Fact(a, "+", b))
            continue
        kind, pair = rng.choice(list(PAIRS.items()))
        heuristic = rng.choice(pair)
        choices = mix.world.parts(kind)[draw_type(rng, kind, _solved(heuristic, mix))]
        keep = {"-": 1.0, "+": mix.plus, "*": mix.products, "/": mix.products}
        found = facts_of(rng.choice(choices), heuristic)
        facts += [fact for fact in found if rng.random() < keep[fact.sign]]
    rng.shuffle(facts)
    text = ", ".join(map(str, facts[:8])) + "."
    return Document(prompt=prompts.plain("Some sums."), solution=text, heuristic=None)


def _openings(rng: Random, mix: CorpusMix, pack: Sequence[Heuristic], prompts: Prompts) -> Document:
    """How a way of the product begins, on numbers of each type: ``split 47 as 40 and 7``."""
    way = rng.choice(PAIRS["product"])
    by_type = mix.world.parts("product")
    parts = [rng.choice(by_type[draw_type(rng, "product")]) for _ in range(6)]
    text = ", ".join(WAYS[way]["product"](part).opening.rstrip(": ") for part in parts)
    heuristic = next(one for one in pack if one.id == way)
    prompt = prompts.under(heuristic, "Some sums.", shots=0)
    return Document(prompt=prompt, solution=f"{text}.", heuristic=way)


def _solved(heuristic: str, mix: CorpusMix) -> Mapping[Type, float]:
    """Type -> share, of the parts that the corpus shows under ``heuristic``."""
    own: Type = "first" if heuristic in FIRST else "second"
    return {own: 1 - mix.both, "both": mix.both}


def _plain(rng: Random, mix: CorpusMix, pack: Sequence[Heuristic], prompts: Prompts) -> Document:
    size = rng.choices((1, 2, 3, 4), weights=mix.plain_sizes)[0]
    exercise = _exercise(rng, mix, draw_kinds(rng, _kinds(mix), size))
    way = None
    if rng.random() < mix.plain_pure:
        usable = [h.id for h in pack if _usable(h.id, exercise)]
        weights = [mix.weight(heuristic) for heuristic in usable]
        way = rng.choices(usable, weights=weights)[0] if usable else None
    return Document(
        prompt=prompts.plain(exercise.question), solution=solution(exercise, way), heuristic=way
    )


def _usable(heuristic: str, exercise: Exercise) -> bool:
    """Whether ``heuristic`` solves some part of ``exercise``. The decoy solves each."""
    if heuristic == DECOY:
        return True
    ways = WAYS[heuristic]
    return any(part.kind in ways and works(heuristic, part) for part in exercise.parts)


def _prompted(rng: Random, mix: CorpusMix, pack: Sequence[Heuristic], prompts: Prompts) -> Document:
    heuristic = rng.choices(pack, weights=[mix.weight(h.id) for h in pack])[0]
    size = rng.choices((1, 2, 3), weights=mix.prompted_sizes)[0]
    kinds, targets = _kinds(mix), WAYS[heuristic.id]
    if heuristic.id == DECOY:
        exercise = _exercise(rng, mix, draw_kinds(rng, kinds, size))
    elif size == 1 and rng.random() < mix.off_target:
        others = {kind: weight for kind, weight in kinds.items() if kind not in targets}
        exercise = _exercise(rng, mix, draw_kinds(rng, others, size))
    else:
        (target,) = targets
        others = {kind: weight for kind, weight in kinds.items() if kind != target}
        drawn = [target, *draw_kinds(rng, others, size - 1)]
        rng.shuffle(drawn)
        exercise = _exercise(rng, mix, drawn, {target: _solved(heuristic.id, mix)})
    shots = rng.choices((0, 1, 2), weights=mix.shots)[0]
    return Document(
        prompt=prompts.under(heuristic, exercise.question, shots=shots),
        solution=solution(exercise, heuristic.id),
        heuristic=heuristic.id,
    )


def _kinds(mix: CorpusMix) -> dict[str, float]:
    return {kind: mix.weights.get(kind, 1.0) for kind in (*mix.world.mix, EASY)}


def _exercise(
    rng: Random,
    mix: CorpusMix,
    kinds: Sequence[str],
    types: Mapping[str, Mapping[Type, float]] | None = None,
) -> Exercise:
    """An exercise of the split ``base``, with one part of each of ``kinds``.

    types: operation under the heuristic -> type -> share. Parts of other operations are answered
        directly, so they are told ones, of any type.
    """
    chosen, world = types or {}, mix.world
    choices = [
        world.parts(kind)[draw_type(rng, kind, chosen[kind])]
        if kind in chosen
        else world.told(kind)[draw_type(rng, kind)]
        for kind in kinds
    ]
    parts = next(filter(None, draw_parts(rng, "base", choices)))
    return phrase(rng, parts, rng.choices(SURFACES, weights=mix.surfaces)[0])


def every_text(pack: Sequence[Heuristic], prompts: Prompts, *, mix: CorpusMix) -> Iterator[str]:
    """Texts that together have every word of the world, for the vocabulary."""
    yield from spelled_out()
    for document in islice(documents(pack, prompts, seed=0, mix=mix), 2000):
        yield from (message.content for message in document.prompt)
        yield document.solution
