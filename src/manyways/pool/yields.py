"""What the pool gave under each heuristic: counts for the yield table."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.table import Table

from manyways.context import Context
from manyways.measures.yields import Outcomes, YieldRow
from manyways.pool.adherence import is_rank
from manyways.pool.solutions import read_asked
from manyways.progress import open_table
from manyways.records import PLAIN
from manyways.tables import parts, read_attempts_table, read_table

KEY = ["problem_id", "heuristic", "sample"]
KINDS = (
    (re.compile(r"^adherence "), "low adherence"),
    (re.compile(r"^near-duplicate "), "near-duplicate"),
    (re.compile(r"^not the "), "not the best"),
)

FAIR = "shares are of first attempts alone; all attempts together lean towards hard cells"


def yield_rows(ctx: Context) -> list[YieldRow]:
    """One row per heuristic of the pack, then one for plain prompts; empty before selection."""
    path = ctx.solutions
    if not path.is_file() or not parts(ctx.run.path("1-attempts")):
        return []
    columns = [*KEY, "status", "adherence", "kept", "reason"]
    solutions = read_table(path, columns).drop_columns(["status"])
    attempts = read_attempts_table(ctx.run.path("1-attempts"), [*KEY, "status", "finish", "tokens"])
    table = attempts.join(solutions, keys=KEY, join_type="inner")
    names = {heuristic.id: heuristic.name for heuristic in ctx.pack} | {PLAIN: "plain prompt"}
    adaptive = read_asked(ctx.recipe, ctx.run.path("1-attempts")) is not None
    rows = []
    for way, name in names.items():
        mine = table.filter(pc.equal(table["heuristic"], way))
        fair = None if not adaptive else _outcomes(mine.filter(pc.equal(mine["sample"], 0)))
        rows.append(_row(way, name, mine, fair))
    return [_without_adherence(row) for row in rows] if is_rank(ctx) else rows


def yield_table(rows: Sequence[YieldRow]) -> Table:
    """The yield of the pool for the console."""
    note = f"adaptive sampling: {FAIR}" if any(row.fair for row in rows) else None
    table = open_table(
        "heuristic", "attempts", "correct", "no answer", "undecided", "truncated", "kept",
        title="what the pool gave",
    )  # fmt: skip
    table.caption = note
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        rates = row.rates
        share = f" ({rates.correct / rates.attempts:.0%})" if rates.attempts else ""
        counts = (row.no_answer, row.undecided, row.truncated, row.kept)
        table.add_row(row.heuristic, str(row.attempts), f"{row.correct}{share}", *map(str, counts))
    return table


def kind_of(reason: str) -> str:
    """A reason without its numbers, for counting."""
    return next((kind for pattern, kind in KINDS if pattern.match(reason)), reason)


def _row(way: str, name: str, table: pa.Table, fair: Outcomes | None) -> YieldRow:
    status = np.asarray(table["status"].to_pylist(), dtype=object)
    kept = np.asarray(table["kept"], dtype=bool)
    reasons = np.asarray(table["reason"].to_pylist(), dtype=object)
    dropped = Counter(kind_of(reason) for reason in reasons[(status == "correct") & ~kept])
    problems = np.asarray(table["problem_id"].to_pylist(), dtype=object)
    return YieldRow(
        heuristic=way,
        name=name,
        kept=int(kept.sum()),
        problems=len(set(problems[status == "correct"])),
        dropped=dict(dropped.most_common()),
        fair=fair,
        **asdict(_outcomes(table)),
    )


def _outcomes(table: pa.Table) -> Outcomes:
    status = Counter(table["status"].to_pylist())
    return Outcomes(
        attempts=table.num_rows,
        correct=status["correct"],
        no_answer=status["no_answer"],
        undecided=status["undecided"],
        truncated=int(pc.sum(pc.equal(table["finish"], "length")).as_py() or 0),
        tokens=int(pc.sum(table["tokens"]).as_py() or 0),
        adherence=pc.mean(table["adherence"]).as_py(),
    )


def _without_adherence(row: YieldRow) -> YieldRow:
    fair = row.fair and replace(row.fair, adherence=None)
    return replace(row, adherence=None, fair=fair)
