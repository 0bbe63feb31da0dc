"""Scores by k of every checkpoint, per problem, pooled over seeds and averaged over benchmarks.

Shapes: _P problems, _K values of k, _B benchmarks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manyways.measures.benchmarks import SEEDS_FOR_T, summarise
from manyways.measures.material import Evaluation
from manyways.metrics.intervals import (
    Floats,
    Resampling,
    clustered_share,
    mean_intervals,
    t_interval,
)
from manyways.metrics.pass_at_k import pass_matrix, powers_of_two
from manyways.records import Checkpoint, Score


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Scores by k, per problem, of one checkpoint on one benchmark (or on several, as strata).

    attempts: of all problems and seeds together.
    seeds:    the values per seed, for rows pooled over seeds.
    """

    checkpoint: Checkpoint
    benchmark: str
    problems: tuple[str, ...]
    strata_P: NDArray[np.int64]
    ks: tuple[int, ...]
    values_PK: Floats
    attempts: int
    seeds: Mapping[int, Floats]

    def on(self, problems: Sequence[str], ks: Sequence[int]) -> "Curve":
        """The part of the curve on some of its problems and values of k."""
        where = {name: i for i, name in enumerate(self.problems)}
        rows, columns = [where[p] for p in problems], [self.ks.index(k) for k in ks]
        return replace(
            self,
            problems=tuple(problems),
            strata_P=self.strata_P[rows],
            ks=tuple(ks),
            values_PK=self.values_PK[np.ix_(rows, columns)],
            seeds={seed: x[np.ix_(rows, columns)] for seed, x in self.seeds.items()},
        )

    def mean_K(self, values_PK: Floats) -> Floats:
        """The average over benchmarks of the mean over their problems."""
        groups = np.unique(self.strata_P)
        means: Floats = np.mean(
            [values_PK[self.strata_P == g].mean(axis=0) for g in groups], axis=0
        )
        return means


Curves = dict[tuple[str, str], Curve]
"""(checkpoint name, benchmark) -> curve; names are per seed and pooled."""


def curves(single: Sequence[Curve], members: Mapping[str, Sequence[str]]) -> Curves:
    """All curves: per seed, pooled over seeds, and the means over benchmarks."""
    named = ((curve.checkpoint, curve.benchmark, curve) for curve in single)
    return summarise(named, members, merge=_merge, mean=_mean)


def score(name: str, bounds: tuple[float, float, float], n: int) -> Score:
    """A Score from (value, low, high)."""
    value, low, high = (float(x) for x in bounds)
    return Score(name=name, value=value, low=low, high=high, n=n)


def mean_score(
    name: str, values_P: ArrayLike, settings: Resampling, strata_P: ArrayLike | None = None
) -> Score:
    """The mean of one number per problem, (P,), with its bootstrap interval over problems."""
    mean, low, high = (x[0] for x in mean_intervals(values_P, settings, strata_P))
    return score(name, (mean, low, high), len(np.asarray(values_P)))


def share_score(name: str, hits_P: ArrayLike, trials_P: ArrayLike) -> Score:
    """A share of attempts, those at one problem being alike; ``n`` counts problems with trials."""
    return score(name, clustered_share(hits_P, trials_P), int(np.count_nonzero(trials_P)))


def resampled_score(name: str, value_R: Floats, n: int) -> Score:
    """From a value and its resamples, (1 + R,): the percentile interval of the resamples."""
    low, high = np.quantile(value_R[1:], [0.025, 0.975])
    return score(name, (value_R[0], low, high), n)


def over_seeds(name: str, means: Sequence[float]) -> Score | None:
    """The interval over seeds, None for fewer than three."""
    if len(means) < SEEDS_FOR_T:
        return None
    return score(f"{name} over seeds", t_interval(means), len(means))


def pass_curve(evaluation: Evaluation) -> Curve:
    """pass@k for every power of two that all problems have attempts for."""
    n_P, c_P = evaluation.attempts_P, evaluation.correct_P
    ks = powers_of_two(int(n_P.min()))
    return curve_of(evaluation, ks, pass_matrix(n_P, c_P, ks))


def curve_of(evaluation: Evaluation, ks: Sequence[int], values_PK: Floats) -> Curve:
    """The curve of one checkpoint on one benchmark."""
    return Curve(
        checkpoint=evaluation.checkpoint,
        benchmark=evaluation.benchmark,
        problems=evaluation.problems,
        strata_P=np.zeros(len(values_PK), dtype=np.int64),
        ks=tuple(ks),
        values_PK=values_PK,
        attempts=int(evaluation.attempts_P.sum()),
        seeds={},
    )


def _merge(of_seeds: Sequence[Curve], name: str) -> Curve:
    """Per problem the average over seeds, on the problems and k that all seeds have."""
    first = of_seeds[0]
    problems, ks = common(of_seeds)
    same = [curve.on(problems, ks) for curve in of_seeds]
    checkpoint = replace(first.checkpoint, seed=None)
    values = {c.checkpoint.seed or 0: c.values_PK for c in same}
    return replace(
        same[0],
        checkpoint=checkpoint,
        values_PK=np.mean(list(values.values()), axis=0),
        attempts=sum(curve.attempts for curve in of_seeds),
        seeds=values,
    )


def _mean(several: Sequence[Curve], label: str) -> Curve:
    ks = [k for k in several[0].ks if all(k in one.ks for one in several)]
    cut = [one.on(one.problems, ks) for one in several]
    shared = set.intersection(*(set(one.seeds) for one in cut))
    return replace(
        cut[0],
        benchmark=label,
        problems=tuple(f"{one.benchmark} {name}" for one in cut for name in one.problems),
        strata_P=np.repeat(np.arange(len(cut)), [len(one.problems) for one in cut]),
        values_PK=np.concatenate([one.values_PK for one in cut]),
        attempts=sum(one.attempts for one in cut),
        seeds={s: np.concatenate([one.seeds[s] for one in cut]) for s in sorted(shared)},
    )


def common(of: Sequence[Curve]) -> tuple[list[str], list[int]]:
    """The problems and values of k that all curves have, in the first one's order."""
    names = reduce(lambda a, b: a & b, (set(curve.problems) for curve in of))
    ks = reduce(lambda a, b: a & b, (set(curve.ks) for curve in of))
    return [name for name in of[0].problems if name in names], sorted(ks)
