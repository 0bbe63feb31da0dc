"""One number per problem and seed, and how policies differ in it on the same problems."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from manyways.metrics.composition import DIRECT
from manyways.metrics.intervals import mean_intervals
from manyways.metrics.modes import Openings, openings
from manyways.metrics.resampling import Resampling
from manyways.records import Score
from manyways.stages.analysis.passes import over_seeds, score
from manyways.stages.analysis.ways import Solutions

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
    found: dict[str, dict[Seed, Solutions]] = {}
    for one in solutions:
        seeds = found.setdefault(one.checkpoint.pooled, {})
        old = seeds.get(one.checkpoint.seed)
        seeds[one.checkpoint.seed] = one if old is None else _joined(old, one)
    return {name: Policy(name=name, seeds=seeds) for name, seeds in found.items()}


def on_problems(solutions: Solutions, wanted: Container[str]) -> Solutions:
    """The attempts at some of the problems."""
    rows = [i for i, problem in enumerate(solutions.problem) if problem in wanted]
    return replace(
        solutions,
        problem=[solutions.problem[i] for i in rows],
        ways=[solutions.ways[i] for i in rows],
        correct=[solutions.correct[i] for i in rows],
        parts=(),
    )


def numbered(solutions: Solutions, labels: Sequence[str]) -> tuple[list[str], Openings]:
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
    mean, low, high = (float(x[0]) for x in mean_intervals(value_P, settings))
    means = [float(np.mean(list(row.values()))) for row in rows if row]
    return score(name, (mean, low, high), len(problems)), over_seeds(name, means)


def mean_of(values: Values) -> float:
    """The mean over problems of the mean over seeds, to be quoted beside a difference."""
    rows = [row for row in values.values() if row]
    return float(np.mean([np.mean(list(row.values())) for row in rows])) if rows else float("nan")


def _shared(a: Values, b: Values | None) -> list[Seed]:
    if b is None or None in b:
        return list(a)
    return list(b) if None in a else [seed for seed in a if seed in b]


def _difference(a: Values, b: Values | None, seed: Seed) -> ByProblem:
    left = a.get(seed, a.get(None, {}))
    if b is None:
        return left
    right = b.get(seed, b.get(None, {}))
    return {problem: left[problem] - right[problem] for problem in left if problem in right}


def _joined(a: Solutions, b: Solutions) -> Solutions:
    return replace(
        a,
        problem=[*a.problem, *b.problem],
        ways=[*a.ways, *b.ways],
        correct=[*a.correct, *b.correct],
        parts=(),
    )
