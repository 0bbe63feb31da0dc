"""avg@N and majority@k beside the rates that qualify them."""

from manyways.reporting import words
from manyways.reporting.blocks import Cell, Table
from manyways.reporting.source import Source, prefer_pooled
from manyways.results.tables import RateRow

NOTE = (
    "avg@N: share of correct attempts over all N at each problem, which pass@1 equals; ± is its "
    "standard error across attempts (the same problems, attempted anew), the brackets are over "
    "problems. maj@k: the score of the most frequent answer among k attempts, ties split, "
    "attempts without an answer not voting; programs have none."
)
SHARES = ("truncated", "no_answer", "undecided")


def table(source: Source) -> Table:
    """One row per checkpoint and benchmark."""
    ks = sorted({row.k for row in source.majority})
    scores = {(r.checkpoint, r.benchmark, r.k): r.score for r in source.majority}
    rates = {(row.checkpoint, row.benchmark): row for row in source.rates}
    rows: list[tuple[Cell, ...]] = []
    for benchmark in source.benchmarks:
        found = [row for row in source.averages if row.benchmark == benchmark]
        for row in prefer_pooled(found, key=lambda row: (row.arm, row.phase)):
            where = (row.checkpoint, benchmark)
            rows.append(
                (
                    benchmark,
                    words.checkpoint_label(row.checkpoint),
                    row.score.name,
                    words.rate(row.score),
                    words.NONE if row.error is None else f"{row.error:.3f}",
                    *(words.rate(scores.get((*where, k))) for k in ks),
                    words.count(row.score.n),
                    *shares(rates.get(where)),
                )
            )
    head = ("benchmark", "checkpoint", "N", "avg@N", "± attempts", *(f"maj@{k}" for k in ks))
    return Table(
        caption="avg@N and majority@k of every checkpoint on every benchmark",
        head=(*head, "problems", *(name.replace("_", " ") for name in SHARES)),
        rows=tuple(rows),
        note=NOTE,
        folded=True,
    )


def shares(row: RateRow | None) -> tuple[str, ...]:
    """How many attempts behind a score were cut off, had no answer, were undecided."""
    return tuple(words.percent(getattr(row, name) if row else None) for name in SHARES)
