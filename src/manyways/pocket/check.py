"""Does the base have the properties that the pocket world promises?

Attempts are sampled at temperature 1. They give the success at problems of one part, by operation,
type and heuristic; how many different ways solve a seed problem; and how many groups of attempts at
problems of RL are mixed, because RL has no signal from other groups.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random

from manyways.pocket.corpus import DECOY, Prompts, composed_solution
from manyways.pocket.ways import EASY, OPERATIONS, PAIRS, TYPES, WAYS, Type, load, works
from manyways.pocket.world import Exercise, World, exercises, is_told, phrase, split_of
from manyways.records import PLAIN, Heuristic, Message

Sampler = Callable[[Sequence[tuple[Message, ...]]], list[str]]
"""Samples one text for each prompt."""

OTHERS = "others"
"""The heuristics that do not apply to an operation. They take turns in one column."""

WORKS, FAILS = 0.80, 0.20
"""The least success of a way where it works, and the highest one where it does not."""

DIRECT = (0.05, 0.30)
"""The bounds of direct success at hard parts."""

EASY_DIRECT = 0.80
HELPS = 0.25
"""A heuristic helps if it succeeds so much more often than the plain prompt."""

FOLLOWED = 0.95
PLAIN_DIRECT = 0.90
WAYS_EACH = 1.7
"""The least number of different correct ways of a solved seed problem, on average."""

MIXED = 0.05
"""The least share of mixed groups at problems of RL."""

SEED_PROBLEMS, SAMPLES = 180, 4
RL_PROBLEMS, GROUP = 40, 16

_BOX = re.compile(r"\\boxed\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixEntry:
    """Attempts at one operation and type of part under one heuristic (or plain, or ``OTHERS``).

    right:    correct attempts.
    followed: share that shows the named heuristic; for plain and ``OTHERS``, share that is direct.
    n:        attempts.
    told, told_right: attempts at told parts, whose answer base documents may give at once, and the
              correct ones of these.
    """

    operation: str
    type: Type
    heuristic: str
    right: int
    followed: float
    n: int
    told: int = 0
    told_right: int = 0

    @property
    def success(self) -> float:
        """The share of correct attempts."""
        return self.right / self.n

    @property
    def works(self) -> bool | None:
        """Whether the heuristic works on this type; None if it is no way of this operation."""
        pair = PAIRS.get(self.operation)
        if pair is None or self.heuristic not in pair:
            return None
        return self.type in ("both", "first" if self.heuristic == pair[0] else "second")


@dataclass(frozen=True, kw_only=True, slots=True)
class Variety:
    """How many different correct ways seed problems have, in a pool like that of a run.

    problems: seed problems with attempts.
    ways:     number of ways -> number of solved problems that have so many. A way is a heuristic
              that a correct attempt shows, but not the decoy.
    direct:   problems that a direct attempt solves. The decoy counts as direct.
    first:    of the solved hard parts where both ways work, the share at which the first way
              succeeds at least as often as the second.
    """

    problems: int
    ways: Counter[int]
    direct: int
    first: float

    @property
    def solved(self) -> int:
        """The number of problems that some heuristic solves."""
        return self.ways.total()

    @property
    def mean(self) -> float:
        """The mean number of ways of a solved problem; 0 if none is solved."""
        total = sum(number * count for number, count in self.ways.items())
        return total / self.solved if self.solved else 0.0


def rows(world: World) -> Iterator[tuple[str, Type]]:
    """The (operation, type) pairs of the matrix."""
    yield from ((kind, which) for kind in world.mix for which in TYPES)
    yield EASY, "easy"


def one_part_exercises(world: World, kind: str, which: Type, count: int) -> list[Exercise]:
    """``count`` exercises of one part, of all splits but ``base``; repeated if there are fewer."""
    rng = Random(f"{world.seed}/check/{kind}/{which}")
    every = [part for part in world.parts(kind)[which] if split_of((part,)) != "base"]
    drawn = islice(cycle(rng.sample(every, len(every))), count)
    return [phrase(rng, (part,), "words") for part in drawn]


def measure(
    sample: Sampler, pack: Sequence[Heuristic], prompts: Prompts, *, world: World, count: int
) -> list[MatrixEntry]:
    """The success matrix: ``count`` attempts for each entry."""
    labeller = load(pack)
    todo = [
        (kind, which, column, way, exercise)
        for kind, which in rows(world)
        for column, ways in _columns(pack, kind)
        for exercise, way in zip(
            one_part_exercises(world, kind, which, count), cycle(ways), strict=False
        )
    ]
    texts = sample([_prompt(prompts, way, exercise) for *_, way, exercise in todo])
    tally: dict[tuple[str, Type, str], list[tuple[bool, bool, bool]]] = {}
    for (kind, which, column, _, exercise), text in zip(todo, texts, strict=True):
        labels = {segment.heuristic for segment in labeller.segments(text)} - {None}
        followed = not labels if column in (PLAIN, OTHERS) else column in labels
        verdict = is_right(text, exercise.answer)
        told = is_told(exercise.parts[0])
        tally.setdefault((kind, which, column), []).append((verdict, followed, told))
    return [
        MatrixEntry(
            operation=kind,
            type=which,
            heuristic=column,
            right=sum(right for right, _, _ in found),
            followed=sum(followed for _, followed, _ in found) / len(found),
            n=len(found),
            told=sum(told for _, _, told in found),
            told_right=sum(right for right, _, told in found if told),
        )
        for (kind, which, column), found in tally.items()
    ]


def direct_recall(entries: Sequence[MatrixEntry]) -> tuple[tuple[int, int], tuple[int, int]]:
    """(correct, all) plain attempts at hard parts: at told parts, and at the others."""
    plain = [c for c in entries if c.heuristic == PLAIN and c.operation != EASY]
    right, told = sum(c.told_right for c in plain), sum(c.told for c in plain)
    every = sum(c.right for c in plain), sum(c.n for c in plain)
    return (right, told), (every[0] - right, every[1] - told)


def _columns(
    pack: Sequence[Heuristic], kind: str
) -> Iterator[tuple[str, Sequence[Heuristic | None]]]:
    """The entries of a row: plain, each heuristic that applies, and all others together."""
    yield PLAIN, [None]
    yield from ((h.id, [h]) for h in pack if kind in OPERATIONS[h.id])
    yield OTHERS, [h for h in pack if kind not in OPERATIONS[h.id]]


def _prompt(prompts: Prompts, way: Heuristic | None, exercise: Exercise) -> tuple[Message, ...]:
    if way is None:
        return prompts.plain(exercise.question)
    return prompts.under(way, exercise.question, shots=1)


def is_right(text: str, answer: str) -> bool:
    """Whether the last box of ``text`` holds exactly ``answer``."""
    boxes = _BOX.findall(text)
    return bool(boxes) and boxes[-1] == answer


def variety(
    sample: Sampler, pack: Sequence[Heuristic], prompts: Prompts, *, world: World
) -> Variety:
    """Attempt seed problems plainly and under each heuristic that applies."""
    labeller = load(pack)
    problems = list(islice(exercises(world, "seed"), SEED_PROBLEMS))
    todo = [
        (number, exercise, way)
        for number, exercise in enumerate(problems)
        for way in (None, *(h for h in pack if _is_for(h, exercise)))
        for _ in range(SAMPLES)
    ]
    texts = sample([_prompt(prompts, way, exercise) for _, exercise, way in todo])
    shown: dict[int, Counter[str]] = {}
    direct: set[int] = set()
    for (number, exercise, _), text in zip(todo, texts, strict=True):
        if is_right(text, exercise.answer):
            labels = {s.heuristic for s in labeller.segments(text) if s.heuristic} - {DECOY}
            if labels:
                shown.setdefault(number, Counter()).update(labels)
            else:
                direct.add(number)
    leads = [
        counts[first] >= counts[second]
        for number, counts in shown.items()
        for first, second in _open_pairs(problems[number])
        if counts[first] + counts[second]
    ]
    return Variety(
        problems=len(problems),
        ways=Counter(len(counts) for counts in shown.values()),
        direct=len(direct),
        first=sum(leads) / len(leads) if leads else 0.0,
    )


def _is_for(heuristic: Heuristic, exercise: Exercise) -> bool:
    return any(part.kind in OPERATIONS[heuristic.id] for part in exercise.parts)


def _open_pairs(exercise: Exercise) -> Iterator[tuple[str, str]]:
    """The two ways of each part on which both work."""
    for part in exercise.parts:
        pair = PAIRS.get(part.kind)
        if pair and all(works(heuristic, part) for heuristic in pair):
            yield pair


def mixed_groups(sample: Sampler, prompts: Prompts, *, world: World) -> float:
    """The share of mixed groups: ``GROUP`` plain attempts at each of some problems of RL.

    RL that starts from the base can learn from these groups only.
    """
    problems = list(islice(exercises(world, "rl"), RL_PROBLEMS))
    texts = sample([prompts.plain(e.question) for e in problems for _ in range(GROUP)])
    right = [
        sum(is_right(text, exercise.answer) for text in texts[start : start + GROUP])
        for start, exercise in zip(range(0, len(texts), GROUP), problems, strict=True)
    ]
    return sum(0 < count < GROUP for count in right) / len(right)


def label_error(pack: Sequence[Heuristic], *, world: World, count: int) -> tuple[float, int]:
    """The labeller's error on ``count`` constructed solutions, with a random way for each part.

    Returns (the share of steps with a wrong label, the number of steps).
    """
    labeller, rng = load(pack), Random(f"{world.seed}/labels")
    ids = [None, *(heuristic.id for heuristic in pack)]
    wrong = steps = 0
    for exercise in islice(exercises(world, "rl"), count):
        ways = [
            rng.choice([way for way in ids if way is None or part.kind in WAYS[way]])
            for part in exercise.parts
        ]
        found = [
            segment.heuristic for segment in labeller.segments(composed_solution(exercise, ways))
        ]
        wanted = [*ways, None]
        steps += len(wanted)
        wrong += (
            len(wanted)
            if len(found) != len(wanted)
            else sum(a != b for a, b in zip(found, wanted, strict=True))
        )
    return wrong / steps, steps


def violations(entries: Sequence[MatrixEntry], pool: Variety, mixed: float) -> list[str]:
    """A sentence for each promised property that the measurements do not have."""
    found = [*_of_ways(entries), *_of_direct(entries), *_of_form(entries)]
    if pool.mean < WAYS_EACH:
        found.append(
            f"a solved seed problem has {pool.mean:.2f} different correct ways on average, fewer "
            f"than {WAYS_EACH}"
        )
    if mixed < MIXED:
        found.append(
            f"{mixed:.2f} of the groups at problems of RL are mixed, less than {MIXED}: RL alone "
            "has no signal"
        )
    return found


def _of_ways(entries: Sequence[MatrixEntry]) -> Iterator[str]:
    for entry in entries:
        where = f"'{entry.heuristic}' succeeds in {entry.success:.2f} of {entry.operation}"
        if entry.works is True and entry.success < WORKS:
            yield f"{where}, type {entry.type}, where it works: at least {WORKS:.2f} is promised"
        if entry.works is False and entry.success > FAILS:
            yield f"{where}, type {entry.type}, where it fails: at most {FAILS:.2f} is promised"


def _of_direct(entries: Sequence[MatrixEntry]) -> Iterator[str]:
    low, high = DIRECT
    plain = {(c.operation, c.type): c.success for c in entries if c.heuristic == PLAIN}
    for (operation, which), success in plain.items():
        if which != "easy" and not low <= success <= high:
            yield (
                f"direct succeeds in {success:.2f} of {operation}, type {which}: {low:.2f} to "
                f"{high:.2f} is promised"
            )
    if plain[EASY, "easy"] < EASY_DIRECT:
        yield f"direct succeeds in {plain[EASY, 'easy']:.2f} of {EASY}, less than {EASY_DIRECT}"
    for entry in entries:
        if entry.heuristic == DECOY and entry.success > plain[entry.operation, entry.type] + HELPS:
            yield f"the decoy '{DECOY}' helps at {entry.operation}, type {entry.type}"


def _of_form(entries: Sequence[MatrixEntry]) -> Iterator[str]:
    for heuristic, share, _ in adherence_by_column(entries):
        if heuristic in OPERATIONS and share < FOLLOWED:
            yield f"'{heuristic}' is followed in {share:.2f}, less than {FOLLOWED}"
        if heuristic == PLAIN and share < PLAIN_DIRECT:
            yield f"plain attempts are direct in {share:.2f}, less than {PLAIN_DIRECT}"


def adherence_by_column(entries: Sequence[MatrixEntry]) -> list[tuple[str, float, int]]:
    """(column, share of attempts that follow it, attempts); plain and others: share direct."""
    found = []
    for heuristic in dict.fromkeys((PLAIN, *OPERATIONS, OTHERS)):
        chosen = [entry for entry in entries if entry.heuristic == heuristic]
        n = sum(entry.n for entry in chosen)
        if n:
            found.append((heuristic, sum(entry.followed * entry.n for entry in chosen) / n, n))
    return found


def attempts(pack: Sequence[Heuristic], *, world: World, count: int) -> int:
    """The number of attempts of all three measurements."""
    entries = sum(len(list(_columns(pack, kind))) for kind, _ in rows(world))
    seeds = islice(exercises(world, "seed"), SEED_PROBLEMS)
    under = sum(1 + sum(_is_for(h, exercise) for h in pack) for exercise in seeds)
    return entries * count + under * SAMPLES + RL_PROBLEMS * GROUP
