"""Labelled solutions: which heuristics texts use, and one number per problem and seed of them.

Shapes: _S solutions, _P problems.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manyways.arms import parse_arm
from manyways.heuristics.labelling import Labeller, step_labels
from manyways.measures.benchmarks import ALL, SEED_DATA
from manyways.measures.material import Evaluation
from manyways.measures.score_curves import mean_score, over_seeds
from manyways.metrics.composition import DIRECT, Ways, total_counts, ways_of
from manyways.metrics.intervals import Resampling
from manyways.metrics.modes import Openings, openings
from manyways.records import BASE, Checkpoint, Score
from manyways.tables import read_attempts

if TYPE_CHECKING:
    from manyways.arms import Line
    from manyways.context import Context
    from manyways.pool.training_rows import TrainingRow

Array = NDArray[Any]
PER_PROBLEM = 16
"""Attempts labelled per problem: enough for every rate here, bounded for large runs."""
REMEMBERED = 500_000
GATE = "problems of RL"
"""The benchmark name of the gate's attempts."""


class Reader:
    """Reads texts through the run's labeller, each different text once."""

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller
        self._known: dict[str, Ways] = {}

    def ways(self, text: str) -> Ways:
        """What the labels of ``text`` say."""
        if text not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[text] = ways_of(step_labels(self._labeller.segments(text)))
        return self._known[text]


@dataclass(frozen=True, kw_only=True)
class Solutions:
    """Labelled solutions of one checkpoint on one benchmark. ``problem``: one name per solution."""

    checkpoint: Checkpoint
    benchmark: str
    problem: list[str]
    ways: list[Ways]
    correct: list[bool]
    merged: tuple["Solutions", ...] = ()
    """What it was merged from. Their counts are added, so that no text is counted twice."""

    @cached_property
    def numbered(self) -> tuple[list[str], Array]:
        """The problems in the order of their names, and the number of each solution's problem."""
        names = sorted(set(self.problem))
        place = {name: number for number, name in enumerate(names)}
        return names, np.fromiter(map(place.__getitem__, self.problem), np.int64, len(self.problem))

    @cached_property
    def steps(self) -> Mapping[str, int]:
        """Heuristic -> number of steps, most frequent first."""
        return total_counts(one.steps for one in self.merged or self.ways)

    @cached_property
    def pairs(self) -> Mapping[str, int]:
        """``first > second`` -> number of switches, most frequent first."""
        return total_counts(one.pairs for one in self.merged or self.ways)

    @cached_property
    def composed_S(self) -> Array:
        """1.0 for each solution with two or more different heuristics."""
        return np.array([way.composed for way in self.ways], dtype=float)

    @cached_property
    def correct_S(self) -> Array:
        """1.0 for each correct solution."""
        return np.array(self.correct, dtype=float)


def label_attempts(evaluation: Evaluation, reader: Reader) -> Solutions:
    """The first ``PER_PROBLEM`` attempts at each problem, labelled."""
    texts, rows = evaluation.texts(), evaluation.first_rows(PER_PROBLEM)
    return Solutions(
        checkpoint=evaluation.checkpoint,
        benchmark=evaluation.benchmark,
        problem=[evaluation.problem_of(row) for row in rows],
        ways=[reader.ways(texts[row]) for row in rows],
        correct=[bool(evaluation.correct_S[row]) for row in rows],
    )


def gate_solutions(ctx: "Context", reader: Reader) -> list[Solutions]:
    """The gate's attempts, labelled; of vanilla they are those of the base."""
    found = []
    for line in ctx.lines:
        folder = ctx.run.arm_path(line.arm, line.seed, "4-gate")
        if not folder.is_dir() and line.start == BASE:
            # Gated on the attempts by which the base model's rates were measured.
            folder = ctx.run.path("4-rates")
        size = ctx.of(line).recipe.rl.group_size
        attempts = [a for a in read_attempts(folder) if a.sample < size]
        if attempts:
            found.append(
                Solutions(
                    checkpoint=line.mid,
                    benchmark=GATE,
                    problem=[attempt.problem_id for attempt in attempts],
                    ways=[reader.ways(attempt.text) for attempt in attempts],
                    correct=[attempt.verdict.status == "correct" for attempt in attempts],
                )
            )
    return found


def label_training_data(
    data: "Mapping[Line, Sequence[TrainingRow]]", reader: Reader
) -> list[Solutions]:
    """The labelled training data of each arm, for its first seed."""
    first: dict[str, Solutions] = {}
    for line, rows in data.items():
        if line.arm not in first:
            first[line.arm] = Solutions(
                checkpoint=Checkpoint(arm=line.arm, phase="mid"),
                benchmark=SEED_DATA,
                problem=[row.problem_id for row in rows],
                ways=[reader.ways(row.text) for row in rows],
                correct=[not parse_arm(line.arm).kind.wrong] * len(rows),
            )
    return list(first.values())


def with_pooled(solutions: Sequence[Solutions]) -> list[Solutions]:
    """These, those of all benchmarks together, and both pooled over seeds."""
    by_checkpoint = _merge(solutions, lambda s: replace(s, benchmark=ALL))
    benchmarks = {s.benchmark for s in solutions}
    wide = [*solutions, *(by_checkpoint if len(benchmarks) > 1 else [])]
    seeded = [s for s in wide if s.checkpoint.seed is not None]
    return [
        *wide,
        *_merge(seeded, lambda s: replace(s, checkpoint=replace(s.checkpoint, seed=None))),
    ]


def _merge(
    solutions: Sequence[Solutions], rename: Callable[[Solutions], Solutions]
) -> list[Solutions]:
    groups: dict[tuple[str, str], list[Solutions]] = {}
    for one in map(rename, solutions):
        groups.setdefault((one.checkpoint.name, one.benchmark), []).append(one)
    return [_merged(members) for members in groups.values()]


def _merged(members: Sequence[Solutions]) -> Solutions:
    """All their solutions, under the names of the first one."""
    return replace(
        members[0],
        problem=[name for one in members for name in one.problem],
        ways=[way for one in members for way in one.ways],
        correct=[right for one in members for right in one.correct],
        merged=tuple(members),
    )


Seed = int | None


ByProblem = Mapping[str, float]


Values = Mapping[Seed, ByProblem]
"""Seed -> problem -> number; the base has the one seed None, which stands for every other."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The labelled attempts of one checkpoint, by seed. ``name``: ``heuristics-8/mid``."""

    name: str
    seeds: Mapping[Seed, Solutions]

    def values(self, measure: Callable[[Solutions], ByProblem]) -> Values:
        """``measure`` of every seed."""
        return {seed: measure(solutions) for seed, solutions in self.seeds.items()}


def policies(solutions: Sequence[Solutions]) -> dict[str, Policy]:
    """Attempts on all benchmarks together, by pooled checkpoint name and seed."""
    found: dict[str, dict[Seed, list[Solutions]]] = {}
    for one in solutions:
        seeds = found.setdefault(one.checkpoint.pooled, {})
        seeds.setdefault(one.checkpoint.seed, []).append(one)
    return {
        name: Policy(name=name, seeds={seed: _merged(ones) for seed, ones in seeds.items()})
        for name, seeds in found.items()
    }


def restrict_to(solutions: Solutions, wanted: Container[str]) -> Solutions:
    """The attempts at some of the problems."""
    rows = [i for i, problem in enumerate(solutions.problem) if problem in wanted]
    return replace(
        solutions,
        problem=[solutions.problem[i] for i in rows],
        ways=[solutions.ways[i] for i in rows],
        correct=[solutions.correct[i] for i in rows],
        merged=(),
    )


def count_openings(solutions: Solutions, labels: Sequence[str]) -> tuple[list[str], Openings]:
    """Problems in order, and their attempts by opening label (those of ``labels``)."""
    names, problem_S = solutions.numbered
    place = {label: i for i, label in enumerate(labels)}
    label_S = [place[way.opening] for way in solutions.ways]
    return names, openings(problem_S, label_S, solutions.correct_S, labels=len(labels))


def labels_of(solutions: Sequence[Solutions]) -> list[str]:
    """Every opening label that occurs, ``direct`` first."""
    seen = {way.opening for one in solutions for way in one.ways}
    return [DIRECT, *sorted(seen - {DIRECT})]


def contrast(
    name: str, a: Values, b: Values | None, settings: Resampling
) -> tuple[Score | None, Score | None]:
    """Mean of ``a`` (minus ``b``) with its intervals over problems and over seeds.

    Per problem the mean over seeds, on problems that both have; (None, None) when there are none.
    """
    rows = [_difference(a, b, seed) for seed in _shared(a, b)]
    problems = list(dict.fromkeys(problem for row in rows for problem in row))
    if not problems:
        return None, None
    value_P = [np.mean([row[p] for row in rows if p in row]) for p in problems]
    means = [float(np.mean(list(row.values()))) for row in rows if row]
    return mean_score(name, value_P, settings), over_seeds(name, means)


def both_means(a: Values, b: Values) -> tuple[float, float]:
    """The means that ``contrast`` takes the difference of, to be quoted beside it."""
    pairs = [_sides(a, b, seed) for seed in _shared(a, b)]
    problems = list(dict.fromkeys(problem for left, _ in pairs for problem in left))
    if not problems:
        return float("nan"), float("nan")
    first, second = (
        float(np.mean([np.mean([pair[side][p] for pair in pairs if p in pair[side]])
                       for p in problems]))
        for side in (0, 1)
    )  # fmt: skip
    return first, second


def _shared(a: Values, b: Values | None) -> list[Seed]:
    if b is None or None in b:
        return list(a)
    return list(b) if None in a else [seed for seed in a if seed in b]


def _difference(a: Values, b: Values | None, seed: Seed) -> ByProblem:
    if b is None:
        return a.get(seed, a.get(None, {}))
    left, right = _sides(a, b, seed)
    return {problem: left[problem] - right[problem] for problem in left}


def _sides(a: Values, b: Values, seed: Seed) -> tuple[ByProblem, ByProblem]:
    """Both of one seed, on the problems that both have."""
    left, right = (of.get(seed, of.get(None, {})) for of in (a, b))
    both = [problem for problem in left if problem in right]
    return {p: left[p] for p in both}, {p: right[p] for p in both}
