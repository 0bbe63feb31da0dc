"""The same checkpoint in several runs: scores on the problems that match, and their differences.

Two problems match when id, question and reference answer are the same.

Shapes: _P problems, _K values of k.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.fingerprint import content_hash
from manyways.measures.benchmarks import means
from manyways.measures.material import choice_sets, evaluations
from manyways.measures.score_curves import (
    Curve,
    Curves,
    Difference,
    curves,
    differences,
    pass_curve,
    score,
)
from manyways.metrics.intervals import Resampling, welch_interval
from manyways.records import Checkpoint, Score

if TYPE_CHECKING:
    from manyways.context import Context


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDifference:
    """Difference ``b - a`` in pass@k of one checkpoint between two runs, on the same problems.

    difference: with its bootstrap interval over problems.
    p:          sign-flip permutation test over problems.
    seeds:      Welch's interval on the difference of the seeds' means, None with fewer than two
                seeds in a run. ``n`` counts the seeds of both.
    """

    checkpoint: str
    a: str
    b: str
    benchmark: str
    k: int
    difference: Score
    p: float
    seeds: Score | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """Runs on common ground. ``matched``: benchmark -> problems that all runs have alike."""

    labels: tuple[str, ...]
    benchmarks: tuple[str, ...]
    matched: dict[str, int]
    curves: dict[str, Curves]
    """label of the run -> its curves, on the matched problems alone."""


def compare(contexts: "dict[str, Context]") -> Compared:
    """Cut the runs to the benchmarks and problems that all of them evaluated.

    Benchmarks without a problem in common are left out; there may be none at all.
    """
    single = {label: [pass_curve(e) for e in evaluations(ctx)] for label, ctx in contexts.items()}
    shared = [
        name
        for name in next(iter(contexts.values())).recipe.benchmarks
        if all(any(c.benchmark == name for c in of_run) for of_run in single.values())
    ]
    same = {name: _alike(name, contexts, single) for name in shared}
    benchmarks = tuple(name for name in shared if same[name])
    choices = choice_sets(next(iter(contexts.values())))
    return Compared(
        labels=tuple(contexts),
        benchmarks=benchmarks,
        matched={name: len(same[name]) for name in benchmarks},
        curves={
            label: curves(
                [
                    c.on([p for p in c.problems if p in same[c.benchmark]], c.ks)
                    for c in of_run
                    if c.benchmark in benchmarks
                ],
                means(benchmarks, choices),
            )
            for label, of_run in single.items()
        },
    )


def run_differences(compared: Compared, settings: Resampling) -> Iterator[RunDifference]:
    """Every later run minus the first, for each checkpoint (pooled over seeds) of both."""
    first, *others = compared.labels
    names = [key for key in compared.curves[first] if Checkpoint.parse(key[0]).seed is None]
    for label in others:
        for name, benchmark in names:
            mine = compared.curves[label].get((name, benchmark))
            if mine is not None:
                reference = compared.curves[first][name, benchmark]
                yield from _rows(reference, mine, (first, label), settings)


def _alike(
    benchmark: str, contexts: "dict[str, Context]", single: dict[str, list[Curve]]
) -> set[str]:
    contents = []
    for label, ctx in contexts.items():
        seen = {p for c in single[label] if c.benchmark == benchmark for p in c.problems}
        asked = ctx.problems(benchmark, ctx.recipe.evaluate.limit)
        contents.append(
            {(p.id, content_hash([p.question, p.answer])) for p in asked if p.id in seen}
        )
    return {name for name, _ in set.intersection(*contents)}


def _rows(
    a: Curve, b: Curve, labels: tuple[str, str], settings: Resampling
) -> Iterator[RunDifference]:
    for found in differences(b, a, settings):
        yield RunDifference(
            checkpoint=a.checkpoint.name,
            a=labels[0],
            b=labels[1],
            benchmark=a.benchmark,
            k=found.k,
            difference=found.score,
            p=found.p,
            seeds=_over_seeds(found),
        )


def _over_seeds(found: Difference) -> Score | None:
    """Seeds of different runs are independent, whatever their numbers."""
    means = [[float(c.mean_K(x)[0]) for x in c.seeds.values()] for c in (found.a, found.b)]
    if min(len(m) for m in means) < 2:
        return None
    label = f"{found.score.name} over seeds"
    return score(label, welch_interval(*means), sum(len(m) for m in means))


def scores_at(compared: Compared) -> dict[str, Sequence[Curve]]:
    """Label -> curves pooled over seeds, at k = 1 and the largest k that all runs have."""
    largest = {}
    for benchmark in {b for of_run in compared.curves.values() for _, b in of_run}:
        ks = [
            max(curve.ks)
            for of_run in compared.curves.values()
            for (_, b), curve in of_run.items()
            if b == benchmark
        ]
        largest[benchmark] = min(ks)
    return {
        label: [
            curve.on(curve.problems, sorted({1, largest[benchmark]}))
            for (name, benchmark), curve in of_run.items()
            if Checkpoint.parse(name).seed is None
        ]
        for label, of_run in compared.curves.items()
    }
