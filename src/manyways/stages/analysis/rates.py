"""How attempts ended: correct, wrong, without an answer, undecided, cut off."""

from collections.abc import Iterator, Sequence

import pyarrow.compute as pc

from manyways.results import RateRow
from manyways.stages.analysis.evaluated import Evaluation
from manyways.stages.analysis.passes import means

SHARES = ("correct", "wrong", "no_answer", "undecided", "truncated", "mean_tokens")


def rate_rows(evaluations: Sequence[Evaluation], benchmarks: Sequence[str]) -> list[RateRow]:
    """One row per checkpoint and benchmark, then pooled over seeds, then means over benchmarks."""
    single = [_row(evaluation) for evaluation in evaluations]
    pooled: dict[tuple[str, str], list[RateRow]] = {}
    for evaluation, row in zip(evaluations, single, strict=True):
        if evaluation.checkpoint.seed is not None:
            pooled.setdefault((evaluation.checkpoint.pooled, row.benchmark), []).append(row)
    rows = [*single, *(_pool(name, of_seeds) for (name, _), of_seeds in pooled.items())]
    return [*rows, *_means(rows, benchmarks)]


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


def _pool(checkpoint: str, rows: Sequence[RateRow]) -> RateRow:
    total = sum(row.attempts for row in rows)
    shares = {s: sum(getattr(r, s) * r.attempts for r in rows) / total for s in SHARES}
    return RateRow(
        checkpoint=checkpoint, benchmark=rows[0].benchmark, attempts=total, **shares
    )  # fmt: skip


def _means(rows: Sequence[RateRow], benchmarks: Sequence[str]) -> Iterator[RateRow]:
    found = {(row.checkpoint, row.benchmark): row for row in rows}
    for label, members in means(benchmarks).items():
        for name in dict.fromkeys(row.checkpoint for row in rows):
            parts = [found[name, b] for b in members if (name, b) in found]
            if len(parts) == len(members):
                shares = {s: sum(getattr(p, s) for p in parts) / len(parts) for s in SHARES}
                attempts = sum(part.attempts for part in parts)
                yield RateRow(checkpoint=name, benchmark=label, attempts=attempts, **shares)
