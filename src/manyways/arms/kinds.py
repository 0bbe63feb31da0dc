"""The kinds of arms: what each mid-trains on, how its rows come from a pool, and what it is for.

``KINDS`` is the only list of kinds. To add one, write its ``pick`` here and a ``Kind`` into the
tuple, in the order of README's table, which ``python -m manyways.arms`` prints. Names, checks of a
recipe, training rows, forecast, comparisons and the report all read this list.

A matched arm has one way per problem. The data of ``heuristics-N`` is a table of problems by ways,
with one example in each cell that has a solution. In ``matched-N`` every problem keeps one of its
cells, and repeats it as often as it had cells. The number of examples of each problem is then the
same as in ``heuristics-N``; the number of examples of each way is as near as possible. What differs
is whether *one* problem has several ways. A model that cannot tell problems apart cannot see this
difference (theory A4).
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from manyways.progress import say
from manyways.records import PLAIN


def one_way_each(ways: Mapping[str, Sequence[str]], rng: random.Random) -> dict[str, str]:
    """Choose one way for each problem: problem -> way, in the order of ``ways``.

    Problems with a single way get it. Of the others, those with the most ways come first, and each
    takes the way that lacks the most examples. Then single problems change their way as long as
    that makes the numbers of examples more equal.

    Args:
        ways: problem -> the ways that it has, at least one.
        rng: breaks ties.
    """
    lacking = Counter(way for options in ways.values() for way in options)
    luck = {problem: rng.random() for problem in ways}
    order = sorted(ways, key=lambda p: (len(ways[p]) > 1, -len(ways[p]), luck[p]))
    chosen: dict[str, str] = {}
    for problem in order:
        options = ways[problem]
        most = max(lacking[way] for way in options)
        chosen[problem] = rng.choice([way for way in options if lacking[way] == most])
        lacking[chosen[problem]] -= len(options)
    while _moved(ways, order, chosen, lacking):
        pass
    return {problem: chosen[problem] for problem in ways}


def mismatch(ways: Mapping[str, Sequence[str]], chosen: Mapping[str, str]) -> float:
    """Total variation distance of the two distributions over ways: the share of wrong examples."""
    lacking = Counter(way for options in ways.values() for way in options)
    total = lacking.total()
    for problem, way in chosen.items():
        lacking[way] -= len(ways[problem])
    return sum(abs(count) for count in lacking.values()) / (2 * total)


def _moved(
    ways: Mapping[str, Sequence[str]],
    order: Sequence[str],
    chosen: dict[str, str],
    lacking: Counter[str],
) -> bool:
    """Move problems to another way if that lowers the sum of squares of ``lacking``.

    Moving k examples from way a to way b changes the sum by 2k (k + lacking[a] - lacking[b]). The
    sum is a whole number and not negative, so repeated moves come to an end.
    """
    moved = False
    for problem in order:
        here, size = chosen[problem], len(ways[problem])
        there = max(ways[problem], key=lacking.__getitem__)
        if lacking[there] - lacking[here] > size:
            lacking[here] += size
            lacking[there] -= size
            chosen[problem] = there
            moved = True
    return moved


Text = tuple[int, str]
"""(sample number of an attempt in its cell, its text)."""
Kept = Mapping[str, Mapping[str, Text]]
"""Problem -> heuristic -> the solution, problems in the run's order, heuristics in the pack's."""
Drawn = Sequence[tuple[str, str, Text]]
"""Problem, heuristic and solution of each training row, ordered by problem and pack."""

MISMATCH = 0.02
"""A matched arm prints a warning when a larger share of its examples is under other ways."""


class Pool(Protocol):
    """What an arm's ``pick`` may select from."""

    @property
    def heuristics(self) -> Sequence[str]:
        """Ids of the run's heuristics, in the pack's order."""
        ...

    @property
    def budget(self) -> int | None:
        """``select.budget``."""
        ...

    @property
    def favourites(self) -> bool:
        """Whether ``select.budget_way`` is ``favourite``."""
        ...

    def kept(self, *, wrong: bool = False) -> Kept:
        """The kept solutions, at most one under each heuristic and one plain; or wrong ones."""
        ...

    def correct(self) -> Mapping[str, Mapping[str, int]]:
        """Problem -> heuristic -> number of correct attempts, as selection saw them."""
        ...

    def plain(self) -> Mapping[str, Sequence[Text]]:
        """Problem -> its correct and whole plain attempts, whether or not they were selected."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Chances:
    """What a forecast knows of a pool. Chances are in [0, 1].

    solved:     that a (problem, heuristic) has a solution.
    plain:      that a problem has a solution from plain prompts.
    wrong:      that a (problem, heuristic) has a wrong solution.
    heuristics: number of heuristics of the run.
    budget:     ``select.budget`` divided by the number of problems, None without it.
    """

    solved: float
    plain: float
    wrong: float
    heuristics: int
    budget: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of arm. N is the number in an arm's name.

    Example: ``KINDS[1]`` is ``star``, read against ``heuristics-N``.

    name:     name of the arm, or the part before ``-N``.
    numbered: whether a number follows the name.
    data:     what it mid-trains on, for README's table.
    words:    N -> the same, for the report.
    prompts:  which prompts its rows come from: the ``plain`` one, the ``first`` N heuristics,
              ``all`` of the run, or ``none``.
    pick:     (pool, N, seed) -> its rows; None if it has no mid-training.
    examples: (N, chances) -> expected number of rows per problem.
    asks:     the question that a comparison with ``against`` answers.
    against:  which arm of the method it is compared with: every ``heuristics-N`` (``every``), the
              one of the ``same`` N, the arm of ``fewest`` ways of its own kind, or None.
    contrast: the name of that comparison in a finding.
    wrong:    whether its rows have wrong answers.
    foreign:  whether another model wrote its rows.
    """

    name: str
    numbered: bool = False
    data: str
    words: Callable[[int], str]
    prompts: Literal["none", "plain", "first", "all"]
    pick: Callable[[Pool, int, int], Drawn] | None
    examples: Callable[[int, Chances], float]
    asks: str = ""
    against: Literal["every", "same", "fewest"] | None = None
    contrast: str = ""
    wrong: bool = False
    foreign: bool = False

    @property
    def shows_ways(self) -> bool:
        """Whether its rows were sampled under heuristics; such texts tend to be longer."""
        return self.prompts in ("first", "all")


def any_of(chance: float, tries: int) -> float:
    """Chance that at least one of so many independent tries succeeds."""
    return float(1 - (1 - chance) ** tries)


def _star(pool: Pool, ways: int, seed: int) -> Drawn:
    """The first correct plain attempt of each problem."""
    return [(p, PLAIN, found[PLAIN]) for p, found in pool.kept().items() if PLAIN in found]


def _heuristics(pool: Pool, ways: int, seed: int) -> Drawn:
    """Every kept solution under the pack's first N heuristics."""
    return _first(pool, ways, pool.kept())


def _wrong(pool: Pool, ways: int, seed: int) -> Drawn:
    """Every wrong solution under the pack's first N heuristics."""
    return _first(pool, ways, pool.kept(wrong=True))


def _random(pool: Pool, ways: int, seed: int) -> Drawn:
    """One kept solution of each problem, drawn with the seed."""
    kept = pool.kept()
    drawn = {
        problem: random.Random(f"random {seed} {problem}").choice(ways)
        for problem, ways in _shown(kept).items()
    }
    return [(problem, way, kept[problem][way]) for problem, way in drawn.items()]


def _favourite(pool: Pool, ways: int, seed: int) -> Drawn:
    """The kept solution of each problem under the heuristic with the most correct attempts.

    Ties go by the pack's order. Ordinary rejection sampling keeps the same: the way in which the
    model solves the problem most often.
    """
    kept = pool.kept()
    first = {problem: found[0] for problem, found in _by_success(pool, _shown(kept)).items()}
    return [(problem, way, kept[problem][way]) for problem, way in first.items()]


def _matched(pool: Pool, ways: int, seed: int) -> Drawn:
    """One solution of each problem of heuristics-N, repeated as often as the problem has solutions.

    They are chosen so that each heuristic has as many examples as in heuristics-N.
    """
    kept = pool.kept()
    first = set(pool.heuristics[:ways])
    few = {p: [way for way in shown if way in first] for p, shown in _shown(kept).items()}
    few = {problem: shown for problem, shown in few.items() if shown}
    chosen = one_way_each(few, random.Random(f"matched {seed}"))
    if few and (amiss := mismatch(few, chosen)) > MISMATCH:
        say(
            f"arm matched-{ways}: {amiss:.1%} of its examples are under another heuristic than in "
            f"heuristics-{ways}: too few problems have several ways to match it better."
        )
    return [(p, way, kept[p][way]) for p, way in chosen.items() for _ in few[p]]


def _budget(pool: Pool, ways: int, seed: int) -> Drawn:
    """M examples: problems with the most ways come first, each with its first N ways.

    At most N ways of a problem count, and ties are drawn with the seed. Ways are ordered as in the
    pack, or, with ``select.budget_way = "favourite"``, by how often they solve the problem. M is
    ``select.budget``, or without it the number of solutions under the pack's first heuristic. It is
    the same for every N. Problems with many ways tend to be easy, so arms of larger N train on
    easier problems: this comes with the design and has nothing to do with ways.
    """
    kept = pool.kept()
    shown = _by_success(pool, _shown(kept)) if pool.favourites else _shown(kept)
    first = pool.heuristics[0]
    wanted = pool.budget or sum(first in ways for ways in kept.values())

    def rank(problem: str) -> tuple[int, float]:
        luck = random.Random(f"budget {seed} {problem}").random()
        return -min(ways, len(shown[problem])), luck

    ranked = sorted(shown, key=rank)
    examples = [(problem, way) for problem in ranked for way in shown[problem][:ways]][:wanted]
    if len(examples) < wanted:
        say(
            f"arm budget-{ways}: {len(examples)} examples exist of the {wanted} that select.budget "
            "asks for; arms of different N are no longer equal in size."
        )
    chosen = set(examples)
    return [(p, w, text) for p, found in kept.items() for w, text in found.items()
            if (p, w) in chosen]  # fmt: skip


def _distilled(pool: Pool, ways: int, seed: int) -> Drawn:
    """The first N different attempts of each problem that are correct and not truncated."""
    rows: list[tuple[str, str, Text]] = []
    for problem, attempts in pool.plain().items():
        different: dict[str, int] = {}
        for sample, text in attempts:
            if len(different) < ways:
                different.setdefault(text, sample)
        rows += [(problem, PLAIN, (sample, text)) for text, sample in different.items()]
    return rows


def _shown(kept: Kept) -> dict[str, list[str]]:
    """Problem -> the heuristics under which it has solutions; problems without any are left out."""
    named = {p: [way for way in found if way != PLAIN] for p, found in kept.items()}
    return {problem: ways for problem, ways in named.items() if ways}


def _by_success(pool: Pool, shown: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The heuristics of each problem, sorted by correct attempts; ties keep their order."""
    counts = pool.correct()
    return {p: sorted(found, key=lambda way: -counts[p][way]) for p, found in shown.items()}


def _first(pool: Pool, ways: int, kept: Kept) -> Drawn:
    first = set(pool.heuristics[:ways])
    return [(p, w, kept[p][w]) for p, found in _shown(kept).items() for w in found if w in first]


def _many(ways: int) -> str:
    return "one way" if ways == 1 else f"up to {ways} ways"


KINDS: tuple[Kind, ...] = (
    Kind(
        name="vanilla",
        data="none: RL starts from the base model",
        words=lambda _: "no mid-training: RL only",
        prompts="none",
        pick=None,
        examples=lambda _, chances: 0.0,
    ),
    Kind(
        name="star",
        data="one correct plain attempt per problem (STaR)",
        words=lambda _: "one plain correct solution per problem (STaR)",
        prompts="plain",
        pick=_star,
        examples=lambda _, chances: chances.plain,
        asks="mid-training at all, on one's own correct answers?",
        against="every",
        contrast="Many ways against one self-chosen solution per problem",
    ),
    Kind(
        name="heuristics",
        numbered=True,
        data="one correct attempt per (problem, heuristic), first N heuristics",
        words=lambda n: f"{_many(n)} per problem, one correct solution per heuristic",
        prompts="first",
        pick=_heuristics,
        examples=lambda n, chances: n * chances.solved,
    ),
    Kind(
        name="favourite",
        data="one correct attempt per problem, under the heuristic that solves it most often",
        words=lambda _: (
            "one correct solution per problem, under the heuristic that solves it most often"
        ),
        prompts="all",
        pick=_favourite,
        examples=lambda _, chances: any_of(chances.solved, chances.heuristics),
        asks="that a problem is shown in other ways than the model's favourite one?",
        against="every",
        contrast="Many ways against the favourite way of each problem",
    ),
    Kind(
        name="random",
        data="one correct attempt per problem under one random heuristic",
        words=lambda _: "one correct solution per problem, under a heuristic drawn at random",
        prompts="all",
        pick=_random,
        examples=lambda _, chances: any_of(chances.solved, chances.heuristics),
        asks="that heuristics were named, however few per problem?",
        against="every",
        contrast="Many ways against one random way per problem",
    ),
    Kind(
        name="matched",
        numbered=True,
        data="one way per problem, repeated so that problems and heuristics have as many examples "
        "as in `heuristics-N`",
        words=lambda n: (
            "one correct solution per problem, repeated: problems and heuristics as "
            f"often as in heuristics-{n}"
        ),
        prompts="first",
        pick=_matched,
        examples=lambda n, chances: n * chances.solved,
        asks="that one problem has many ways, and not that all together show many?",
        against="same",
        contrast="Many ways of a problem against one, all problems alike",
    ),
    Kind(
        name="wrong",
        numbered=True,
        data="as `heuristics-N`, with wrong final answers",
        words=lambda n: f"{_many(n)} per problem, all with a wrong answer",
        prompts="first",
        pick=_wrong,
        examples=lambda n, chances: n * chances.wrong,
        asks="that the ways are right?",
        against="same",
        contrast="Correct against wrong solutions in as many ways",
        wrong=True,
    ),
    Kind(
        name="budget",
        numbered=True,
        data="N ways x few problems against 1 way x many, same number of examples",
        words=lambda n: f"{_many(n)} per problem on fewer problems, examples held equal",
        prompts="first",
        pick=_budget,
        examples=lambda _, chances: chances.budget or chances.solved,
        asks="many ways rather than many problems?",
        against="fewest",
        contrast="Many ways on few problems against few ways on many",
    ),
    Kind(
        name="distilled",
        numbered=True,
        data="N correct attempts per problem of another model: not self-generated",
        words=lambda n: (
            f"{n} correct solution{'' if n == 1 else 's'} per problem by another "
            "model: not self-generated"
        ),
        prompts="plain",
        pick=_distilled,
        examples=lambda n, _: float(n),
        asks="that the solutions are one's own?",
        against="every",
        contrast="Many ways of one's own against another model's solutions",
        foreign=True,
    ),
)

BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}
"""Name -> kind."""


def table() -> str:
    """README's table of arms."""
    rows = [(kind.name + ("-N" if kind.numbered else ""), kind.data) for kind in KINDS]
    lines = [f"| `{name}` | {data} |" for name, data in rows]
    return "\n".join(["| arm | mid-training data |", "|---|---|", *lines])
