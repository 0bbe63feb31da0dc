"""The comparison table within the report, with the published figures apart from ours."""

from manyways.reporting import words
from manyways.reporting.arms_table import build
from manyways.reporting.blocks import Table
from manyways.reporting.source import Source


def tables(source: Source) -> list[Table]:
    """Ours, then the paper's where the benchmarks are the paper's."""
    table = build(source)
    ours = Table(
        caption="Arms by benchmarks",
        head=("", "seeds", *(f"{c.benchmark} {c.measure}" for c in table.columns)),
        rows=tuple(
            (
                row.label,
                words.NONE if row.seeds is None else str(row.seeds),
                *(words.rate(score) for score in row.scores),
            )
            for row in table.rows
        ),
        note="Also in 7-tables/comparison.md, .csv and .tex (manyways table RUN).",
        folded=True,
    )
    if table.published is None:
        return [ours]
    quoted = Table(
        caption="Published, not measured here",
        head=("", *(f"{benchmark} {measure}" for benchmark, measure in table.published.columns)),
        rows=tuple(
            (label, *(words.number(value) for value in values))
            for label, values in table.published.rows
        ),
        note=table.published.source,
    )
    return [ours, quoted]
