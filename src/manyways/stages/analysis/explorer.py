"""A few problems with many texts side by side, their steps labelled: for reading, not counting."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from manyways.records import Problem
from manyways.results.tables import ExplorerRow, ExplorerText
from manyways.stages.analysis.evaluated import BASE
from manyways.stages.context import Context
from manyways.tables import parts, read_attempts_table

KEPT = 10
DROPPED = 3
PER_CHECKPOINT = 2
COLUMNS = ["problem_id", "heuristic", "sample", "text", "status", "answer"]


def explorer_rows(ctx: Context) -> Iterator[ExplorerRow]:
    """Half of the problems from the seed set with their pool, half from the benchmarks.

    Problems are taken at even distances, so that what is shown is not chosen for its looks.
    """
    wanted = ctx.recipe.analyse.explorer_problems
    yield from _seed_rows(ctx, (wanted + 1) // 2)
    benchmarks = ctx.recipe.evaluate.benchmarks
    counts = np.bincount(np.arange(wanted // 2) % len(benchmarks), minlength=len(benchmarks))
    for benchmark, count in zip(benchmarks, counts, strict=True):
        yield from _benchmark_rows(ctx, benchmark, int(count))


def _seed_rows(ctx: Context, count: int) -> Iterator[ExplorerRow]:
    path = ctx.run.path("2-solutions.parquet")
    if not path.is_file():
        return
    generate = ctx.recipe.generate
    chosen = _spread(ctx.problems(generate.problems, generate.limit), count)
    ids = pa.array([problem.id for problem in chosen])
    solutions = pq.read_table(path, filters=pc.field("problem_id").isin(ids))
    attempts = read_attempts_table(ctx.run.path("1-attempts"), [*COLUMNS[:3], "answer"])
    attempts = attempts.filter(pc.is_in(attempts["problem_id"], value_set=ids))
    answers = {(r["problem_id"], r["heuristic"], r["sample"]): r["answer"]
               for r in attempts.to_pylist()}  # fmt: skip
    rows = solutions.to_pylist()
    for problem in chosen:
        mine = [row for row in rows if row["problem_id"] == problem.id]
        shown = [row for row in mine if row["kept"]][:KEPT]
        shown += [row for row in mine if not row["kept"]][:DROPPED]
        texts = [
            _text(ctx, "pool", row, answers.get((problem.id, row["heuristic"], row["sample"])))
            for row in shown
        ]
        if texts:
            yield _row(problem, texts)


def _benchmark_rows(ctx: Context, benchmark: str, count: int) -> Iterator[ExplorerRow]:
    """A few attempts of the base and of each arm's last checkpoint, of the first seed."""
    seed = ctx.recipe.seeds[0]
    names = [BASE, *(f"{arm}/seed-{seed}/rl" for arm in ctx.recipe.arms)]
    folders = {name: ctx.run.eval_path(name, benchmark) for name in names}
    folders = {name: folder for name, folder in folders.items() if parts(folder)}
    if not folders or not count:
        return
    chosen = _spread(ctx.problems(benchmark, ctx.recipe.evaluate.limit), count)
    ids = pa.array([problem.id for problem in chosen])
    texts: dict[str, list[ExplorerText]] = {problem.id: [] for problem in chosen}
    for name, folder in folders.items():
        table = read_attempts_table(folder, COLUMNS)
        few = pc.and_(
            pc.is_in(table["problem_id"], value_set=ids), pc.less(table["sample"], PER_CHECKPOINT)
        )
        for row in table.filter(few).sort_by("sample").to_pylist():
            texts[row["problem_id"]].append(_text(ctx, name, row, row["answer"]))
    for problem in chosen:
        if texts[problem.id]:
            yield _row(problem, texts[problem.id])


def _spread(problems: Sequence[Problem], count: int) -> list[Problem]:
    places = np.linspace(0, len(problems) - 1, min(count, len(problems)))
    return [problems[i] for i in dict.fromkeys(places.round().astype(int).tolist())]


def _row(problem: Problem, texts: list[ExplorerText]) -> ExplorerRow:
    return ExplorerRow(
        problem_id=problem.id, question=problem.question, answer=problem.answer, texts=texts
    )


def _text(ctx: Context, source: str, row: dict[str, object], answer: str | None) -> ExplorerText:
    segments = ctx.labeller.segments(str(row["text"]))
    return ExplorerText(
        source=source,
        heuristic=str(row["heuristic"]),
        status=str(row["status"]),
        answer=answer,
        kept=bool(row.get("kept", False)),
        note=str(row.get("reason", "")),
        steps=[(segment.text, segment.heuristic) for segment in segments],
    )
