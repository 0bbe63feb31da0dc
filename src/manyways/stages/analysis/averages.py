"""avg@N: the share of correct attempts, with the luck of sampling apart from that of problems."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isnan, sqrt

from manyways.metrics.pass_at_k import sampling_variance
from manyways.results.tables import AverageRow, PassRow
from manyways.stages.analysis.evaluated import Evaluation
from manyways.stages.analysis.summaries import summarised


@dataclass(frozen=True, slots=True)
class _Luck:
    """Fewest and most attempts at a problem, and the variance of the mean across attempts."""

    least: int
    most: int
    variance: float


def average_rows(
    evaluations: Sequence[Evaluation], passes: Sequence[PassRow], benchmarks: Sequence[str]
) -> Iterator[AverageRow]:
    """One row per row of pass@1, which avg@N equals in value and interval."""
    single = ((e.checkpoint, e.benchmark, _luck(e)) for e in evaluations)
    luck = summarised(single, benchmarks, pool=_mean, mean=_mean)
    for row in passes:
        if row.k != 1:
            continue
        own = luck[row.checkpoint, row.benchmark]
        name = f"avg@{own.least}" if own.least == own.most else f"avg@{own.least}-{own.most}"
        yield AverageRow(
            checkpoint=row.checkpoint,
            arm=row.arm,
            seed=row.seed,
            phase=row.phase,
            benchmark=row.benchmark,
            least=own.least,
            most=own.most,
            score=replace(row.score, name=name),
            error=None if isnan(own.variance) else sqrt(own.variance),
            seeds=row.seeds and replace(row.seeds, name=f"{name} over seeds"),
        )


def _luck(evaluation: Evaluation) -> _Luck:
    n_P = evaluation.attempts_P
    variance_P = sampling_variance(n_P, evaluation.correct_P)
    return _Luck(int(n_P.min()), int(n_P.max()), float(variance_P.sum() / len(n_P) ** 2))


def _mean(parts: Sequence[_Luck], _: str) -> _Luck:
    """Of the plain average of independent means."""
    return _Luck(
        min(part.least for part in parts),
        max(part.most for part in parts),
        sum(part.variance for part in parts) / len(parts) ** 2,
    )
