"""What the pool gave under each heuristic: counts for the yield table."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.table import Table

from manyways.records import PLAIN
from manyways.results import YieldRow
from manyways.stages.adherence import is_rank
from manyways.stages.context import Context
from manyways.tables import parts, read_attempts_table

KEY = ["problem_id", "heuristic", "sample"]
KINDS = (
    (re.compile(r"^adherence "), "low adherence"),
    (re.compile(r"^near-duplicate "), "near-duplicate"),
    (re.compile(r"^not the "), "not the best"),
)


def yield_rows(ctx: Context) -> list[YieldRow]:
    """One row per heuristic of the pack, then one for plain prompts; empty before selection."""
    path = ctx.run.path("2-solutions.parquet")
    if not path.is_file() or not parts(ctx.run.path("1-attempts")):
        return []
    columns = [*KEY, "status", "adherence", "kept", "reason"]
    solutions = pq.read_table(path, columns=columns).drop_columns(["status"])
    attempts = read_attempts_table(ctx.run.path("1-attempts"), [*KEY, "status", "finish", "tokens"])
    table = attempts.join(solutions, keys=KEY, join_type="inner")
    names = {heuristic.id: heuristic.name for heuristic in ctx.pack} | {PLAIN: "plain prompt"}
    rows = [
        _row(way, name, table.filter(pc.equal(table["heuristic"], way)))
        for way, name in names.items()
    ]
    return [replace(row, adherence=None) for row in rows] if is_rank(ctx) else rows


def yield_table(rows: Sequence[YieldRow]) -> Table:
    """The yield of the pool for the console."""
    table = Table(title="what the pool gave", title_justify="left")
    for name in ("heuristic", "attempts", "correct", "no answer", "undecided", "truncated", "kept"):
        first = name == "heuristic"
        table.add_column(name, justify="left" if first else "right", no_wrap=first)
    for row in rows:
        share = f" ({row.correct / row.attempts:.0%})" if row.attempts else ""
        counts = (row.no_answer, row.undecided, row.truncated, row.kept)
        table.add_row(row.heuristic, str(row.attempts), f"{row.correct}{share}", *map(str, counts))
    return table


def kind_of(reason: str) -> str:
    """A reason without its numbers, for counting."""
    return next((kind for pattern, kind in KINDS if pattern.match(reason)), reason)


def _row(way: str, name: str, table: pa.Table) -> YieldRow:
    status = np.asarray(table["status"].to_pylist(), dtype=object)
    kept = np.asarray(table["kept"], dtype=bool)
    reasons = np.asarray(table["reason"].to_pylist(), dtype=object)
    dropped = Counter(kind_of(reason) for reason in reasons[(status == "correct") & ~kept])
    problems = np.asarray(table["problem_id"].to_pylist(), dtype=object)
    return YieldRow(
        heuristic=way,
        name=name,
        attempts=table.num_rows,
        correct=int((status == "correct").sum()),
        no_answer=int((status == "no_answer").sum()),
        undecided=int((status == "undecided").sum()),
        truncated=int(pc.sum(pc.equal(table["finish"], "length")).as_py() or 0),
        kept=int(kept.sum()),
        problems=len(set(problems[kept])),
        tokens=int(pc.sum(table["tokens"]).as_py() or 0),
        dropped=dict(dropped.most_common()),
        adherence=pc.mean(table["adherence"]).as_py(),
    )
