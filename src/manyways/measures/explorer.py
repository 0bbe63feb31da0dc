"""A few problems with many texts side by side, their steps labelled: for reading, not counting."""

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from manyways.arms import Line
from manyways.measures import Measure
from manyways.measures.benchmarks import MEANS, benchmark_words
from manyways.measures.difficulty import of_pool
from manyways.records import BASE, Problem, RLAttempt, line_name
from manyways.reporting import Block, Explorer

if TYPE_CHECKING:
    from pathlib import Path

    from manyways.context import Context
    from manyways.measures.seen import Seen


KEPT = 10
STEPS = 3
"""Steps of RL from which attempts are shown: the first, the middle and the last that were kept."""
COLUMNS = ["problem_id", "heuristic", "sample", "text", "status", "answer"]
MAX_BYTES = 7_000_000
"""Size of the explorer's texts at most: the page stays below 15 MB with the chart library."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplorerText:
    """One text in the explorer.

    source: ``pool``, a checkpoint, or ``<arm>/seed-<n>/during-rl``.
    answer: as the verifier read it, None where it found none.
    kept:   by selection.
    note:   why it was kept or dropped.
    steps:  text of a step, and the heuristic that it shows or None.
    """

    source: str
    heuristic: str
    status: str
    answer: str | None
    kept: bool
    note: str
    steps: list[tuple[str, str | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplorerRow:
    """One problem with some of the texts on it.

    question: text of the problem.
    answer:   its reference.
    texts:    the pool's, under each heuristic, then those of checkpoints.
    problems: the problem set that it was taken from.
    attempts: all at this problem: of the pool, of every checkpoint, or those that RL kept.
    """

    problem_id: str
    question: str
    answer: str
    texts: list[ExplorerText]
    problems: str = ""
    attempts: int | None = None


def measured(seen: "Seen") -> Iterator[ExplorerRow]:
    """Half of the problems from the seed set with their pool, half from the benchmarks.

    A few more are those whose attempts RL kept. Problems are taken at even distances and of their
    texts the first, so that nobody picks what is shown (where a heuristic has no kept text among
    them, the first problem that has one is added): wrong ones under every
    heuristic, and of each checkpoint, before and after RL, a right and a wrong one.
    """
    import numpy as np

    ctx = seen.material.ctx
    wanted = ctx.recipe.analyse.explorer_problems
    yield from _seed_rows(ctx, (wanted + 1) // 2)
    benchmarks = ctx.recipe.benchmarks
    each = np.arange(wanted // 2) % max(len(benchmarks), 1)
    counts = np.bincount(each, minlength=len(benchmarks))[: len(benchmarks)]
    for benchmark, count in zip(benchmarks, counts, strict=True):
        yield from _benchmark_rows(seen, benchmark, int(count))
    yield from _rl_rows(ctx, str(seen.lead), max(1, wanted // 10))


def _seed_rows(ctx: "Context", count: int) -> Iterator[ExplorerRow]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from manyways.tables import read_attempts_table

    path = ctx.run.path("2-solutions.parquet")
    if not path.is_file():
        return
    generate = ctx.recipe.generate
    problems = of_pool(ctx).in_range().problems
    chosen = with_every_kept(_spread(problems, count), problems, path)
    ids = pa.array([problem.id for problem in chosen])
    solutions = pq.read_table(path, filters=pc.field("problem_id").isin(ids))
    table = read_attempts_table(ctx.run.path("1-attempts"), COLUMNS)
    table = table.filter(pc.is_in(table["problem_id"], value_set=ids))
    attempts = table.sort_by("sample").to_pylist()
    answers = {(r["problem_id"], r["heuristic"], r["sample"]): r["answer"] for r in attempts}
    decided, tried = _by_problem(solutions.to_pylist()), _by_problem(attempts)
    for problem in chosen:
        mine = decided[problem.id]
        shown = [row for row in mine if row["kept"]][:KEPT]
        dropped = [row for row in mine if not row["kept"] and row["status"] == "correct"]
        shown += _first_of_each(dropped)
        texts = [
            _text(ctx, "pool", row, answers.get((problem.id, row["heuristic"], row["sample"])))
            for row in shown
        ]
        wrong = [row for row in _first_of_each(tried[problem.id]) if row["status"] != "correct"]
        why = {(row["heuristic"], row["sample"]): row for row in mine}
        texts += [
            _text(ctx, "pool", why.get((row["heuristic"], row["sample"]), row), row["answer"])
            for row in wrong
        ]
        if texts:
            tried_here = len(tried[problem.id])
            yield _row(problem, texts, problems=generate.problems, attempts=tried_here)


def with_every_kept(
    chosen: "list[Problem]", problems: "Sequence[Problem]", solutions: "Path"
) -> "list[Problem]":
    """The chosen problems, and the first one with a kept text for each heuristic without one."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    columns = ["problem_id", "heuristic"]
    kept = pq.read_table(solutions, columns=columns, filters=pc.field("kept"))
    ids = {problem.id for problem in chosen}
    rows = [(row["heuristic"], row["problem_id"]) for row in kept.sort_by("problem_id").to_pylist()]
    shown = {heuristic for heuristic, problem in rows if problem in ids}
    ids |= set({h: problem for h, problem in reversed(rows) if h not in shown}.values())
    return [problem for problem in problems if problem.id in ids]


def _by_problem(rows: "Sequence[dict[str, Any]]") -> "defaultdict[str, list[dict[str, Any]]]":
    of: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        of[row["problem_id"]].append(row)
    return of


def _first_of_each(rows: "Sequence[dict[str, Any]]") -> "list[dict[str, Any]]":
    """Under each heuristic the first right and the first wrong row, heuristics by name."""
    found: dict[tuple[str, bool], dict[str, Any]] = {}
    for row in rows:
        found.setdefault((row["heuristic"], row["status"] != "correct"), row)
    return [found[key] for key in sorted(found)]


def _rl_rows(ctx: "Context", arm: str, count: int) -> Iterator[ExplorerRow]:
    """Attempts that RL kept at a few problems, of the main arm and the first seed, by step."""
    from manyways.tables import read_rl_attempts

    seed = ctx.recipe.seeds[0]
    kept: dict[str, list[RLAttempt]] = {}
    for one in read_rl_attempts(ctx.run.arm_path(arm, seed, "5-rl/attempts")):
        kept.setdefault(one.attempt.problem_id, []).append(one)
    if not kept:
        return
    rl = ctx.recipe.of(arm).rl
    problems = ctx.problems(rl.problems, rl.limit)
    often = sorted(kept, key=lambda p: -len({one.step for one in kept[p]}))[:count]
    for problem in [problem for problem in problems if problem.id in often]:
        steps = sorted({one.step for one in kept[problem.id]})
        shown = {steps[i * (len(steps) - 1) // (STEPS - 1)] for i in range(STEPS)}
        texts = [
            text
            for step in sorted(shown)
            for text in _of_step(ctx, f"{line_name(arm, seed)}/during-rl", step, kept[problem.id])
        ]
        all_kept = len(kept[problem.id])
        yield _row(problem, texts, problems=ctx.recipe.rl.problems, attempts=all_kept)


def _of_step(
    ctx: "Context", source: str, step: int, kept: "Sequence[RLAttempt]"
) -> Iterator[ExplorerText]:
    rows = [
        {
            "heuristic": one.attempt.heuristic,
            "status": one.attempt.verdict.status,
            "text": one.attempt.text,
            "answer": one.attempt.verdict.answer,
            "reason": f"step {step} of RL",
        }
        for one in kept
        if one.step == step
    ]
    for row in _first_of_each(rows):
        yield _text(ctx, source, row, row["answer"])


def _benchmark_rows(seen: "Seen", benchmark: str, count: int) -> Iterator[ExplorerRow]:
    """A right and a wrong attempt of the base and of each arm's checkpoints, of the first seed."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from manyways.tables import parts, read_attempts_table

    ctx = seen.material.ctx
    seed = ctx.recipe.seeds[0]
    lines = [Line(arm=arm, seed=seed) for arm in ctx.recipe.arms]
    names = [BASE.name, *(c.name for line in lines for c in line.checkpoints)]
    folders = {name: ctx.run.eval_path(name, benchmark) for name in names}
    folders = {name: folder for name, folder in folders.items() if parts(folder)}
    if not folders or not count:
        return
    chosen = _spread(ctx.problems(benchmark, ctx.recipe.evaluate.limit), count)
    ids = pa.array([problem.id for problem in chosen])
    texts: dict[str, list[ExplorerText]] = {problem.id: [] for problem in chosen}
    for name, folder in folders.items():
        table = read_attempts_table(folder, COLUMNS)
        table = table.filter(pc.is_in(table["problem_id"], value_set=ids))
        for asked, mine in _by_problem(table.sort_by("sample").to_pylist()).items():
            texts[asked] += [_text(ctx, name, row, row["answer"]) for row in _first_of_each(mine)]
    tried: Counter[str] = Counter()
    for one in seen.material.evaluations:
        if one.benchmark == benchmark:
            tried.update(dict(zip(one.problems, one.attempts_P.tolist(), strict=True)))
    for problem in chosen:
        if texts[problem.id]:
            attempts = tried[problem.id]
            yield _row(problem, texts[problem.id], problems=benchmark, attempts=attempts)


def _spread(problems: Sequence[Problem], count: int) -> list[Problem]:
    import numpy as np

    places = np.linspace(0, len(problems) - 1, min(count, len(problems)))
    return [problems[i] for i in dict.fromkeys(places.round().astype(int).tolist())]


def _row(
    problem: Problem, texts: list[ExplorerText], *, problems: str, attempts: int
) -> ExplorerRow:
    return ExplorerRow(
        problem_id=problem.id,
        question=problem.question,
        answer=problem.answer,
        texts=texts,
        problems=problems,
        attempts=attempts,
    )


def _text(ctx: "Context", source: str, row: dict[str, object], answer: str | None) -> ExplorerText:
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


def example() -> list[ExplorerRow]:
    """A problem with two kept ways."""
    return [
        ExplorerRow(
            problem_id="pocket/seed/00000", question="What is 2 + 3?", answer="5",
            problems="pocket/seed", attempts=44,
            texts=[
                ExplorerText(
                    source="pool", heuristic=heuristic, status="correct", answer="5", kept=True,
                    note="", steps=[("Draw the 2 and the 3.", heuristic), ("It is 5.", None)],
                )
                for heuristic in ("figure", "working-backwards")
            ],
        )
    ]  # fmt: skip


def blocks(seen: "Seen") -> list[Block]:
    """The explorer, and what it is a sample of."""
    rows = seen.rows(EXPLORER)
    shown = rows_that_fit(rows, MAX_BYTES)
    texts = sum(len(row.texts) for row in shown)
    left = "" if len(shown) == len(rows) else f", {len(rows) - len(shown)} left out for size"
    note = (
        f"A sample: {texts:,} texts on {len(shown)} problems{left}. Every attempt at a problem: "
        f"`manyways show {shlex.quote(seen.name)} PROBLEM --texts` (wrong ones alone: `--wrong`; "
        "those of RL: `--rl`)."
    )
    return [Explorer(note=note if shown else "", data=_payload(seen, shown))]


def rows_that_fit(rows: list[ExplorerRow], limit: int) -> list[ExplorerRow]:
    """The rows that fit in ``limit`` bytes, an equal share of each problem set.

    The first rows of each set are taken, and the order stays.
    """
    of: defaultdict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        of[row.problems].append(place)
    share = {place: i / len(places) for places in of.values() for i, place in enumerate(places)}
    used, chosen = 0, []
    for place in sorted(share, key=lambda place: (share[place], place)):
        used += len(json.dumps(_problem(rows[place])))
        if used > limit:
            break
        chosen.append(place)
    return [rows[place] for place in sorted(chosen)]


def _payload(seen: "Seen", shown: Sequence[ExplorerRow]) -> dict[str, object]:
    """What the page's script reads: problems, names and colours of heuristics."""
    return {
        "problems": [_problem(row) for row in shown],
        "means": {
            benchmark_words(name): seen.members(name) for name in seen.benchmarks if name in MEANS
        },
        "heuristics": {
            heuristic: {
                "name": seen.heuristic_name(heuristic),
                "colour": seen.heuristic_colour(heuristic),
            }
            for heuristic in [*seen.heuristics, "direct", "plain"]
        },
    }


def _problem(row: ExplorerRow) -> dict[str, object]:
    return {
        "id": row.problem_id,
        "set": row.problems,
        "attempts": row.attempts,
        "question": row.question,
        "answer": row.answer,
        "texts": [asdict(text) for text in row.texts],
    }


EXPLORER = Measure(
    name="explorer",
    row=ExplorerRow,
    measured=measured,
    example=example,
    shown={"explorer": blocks},
)
