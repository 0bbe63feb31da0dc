"""How attempts ended: correct, wrong, without an answer, undecided, cut off."""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow.compute as pc

from manyways.results.tables import RateRow
from manyways.stages.analysis.evaluated import Evaluation
from manyways.stages.analysis.summaries import summarised

SHARES = ("correct", "wrong", "no_answer", "undecided", "truncated", "mean_tokens")


def rate_rows(evaluations: Sequence[Evaluation], benchmarks: Sequence[str]) -> list[RateRow]:
    """One row per checkpoint and benchmark, then pooled over seeds, then means over benchmarks."""
    single = ((e.checkpoint, e.benchmark, _row(e)) for e in evaluations)
    return list(summarised(single, benchmarks, pool=_pool, mean=_mean).values())


def _row(evaluation: Evaluation) -> RateRow:
    table = evaluation.summary
    shares = {
        status: float(pc.mean(pc.equal(table["status"], status)).as_py())
        for status in ("correct", "wrong", "no_answer", "undecided")
    }
    return RateRow(
        checkpoint=evaluation.checkpoint.name,
        benchmark=evaluation.benchmark,
        attempts=table.num_rows,
        **shares,
        truncated=float(pc.mean(pc.equal(table["finish"], "length")).as_py()),
        mean_tokens=float(pc.mean(table["tokens"]).as_py()),
    )


def _pool(rows: Sequence[RateRow], checkpoint: str) -> RateRow:
    total = sum(row.attempts for row in rows)
    shares = {s: sum(getattr(r, s) * r.attempts for r in rows) / total for s in SHARES}
    return replace(rows[0], checkpoint=checkpoint, attempts=total, **shares)


def _mean(rows: Sequence[RateRow], label: str) -> RateRow:
    total = sum(row.attempts for row in rows)
    shares = {s: sum(getattr(r, s) for r in rows) / len(rows) for s in SHARES}
    return replace(rows[0], benchmark=label, attempts=total, **shares)
