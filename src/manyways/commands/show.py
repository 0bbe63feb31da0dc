"""``manyways show``: the whole life of one problem, from question to scores."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pyarrow.compute as pc

from manyways import foreign
from manyways.commands.printing import open_table, print_panel, print_result, print_text
from manyways.context import Context
from manyways.errors import DataError, Untrusted
from manyways.recipe.file import load_recipe
from manyways.recipe.tree import Recipe
from manyways.records import Attempt, Problem, Solution
from manyways.run_dir import RunDir
from manyways.tables import parts, read_attempts, read_rl_attempts, read_solutions, read_table

ANSWERS_SHOWN = 4
TEXTS_SHOWN = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is printed beside the tables.

    attempts: a row for every attempt of the pool, not only for each heuristic.
    texts:    every attempt in full: of the pool, then of each checkpoint.
    wrong:    only those that are not correct; implies ``texts``.
    rl:       the attempts that RL kept, step by step, in full.
    """

    attempts: bool = False
    texts: bool = False
    wrong: bool = False
    rl: bool = False


def show(run: RunDir, problem_id: str, wanted: Wanted) -> None:
    """Print the problem, its attempts, what was kept and why, who trained on it, its scores.

    Raises DataError when the run has no such problem.
    """
    recipe = load_recipe(run.path("recipe.toml"))
    foreign.say_unused(recipe)
    context = Context(recipe=recipe, run=run, looking=True)
    problem = _find(context, problem_id)
    if problem is not None:
        answer = f"{problem.question}\n\nreference answer: {problem.answer}"
        print_panel(answer, title=problem.id)
    pool = [a for a in read_attempts(run.path("1-attempts")) if a.problem_id == problem_id]
    if pool:
        solutions = run.path("2-solutions.parquet")
        kept = read_solutions(solutions) if solutions.is_file() else []
        mine = [s for s in kept if s.problem_id == problem_id]
        _print_ways(pool, mine)
        if wanted.attempts:
            _print_attempts(pool, mine)
        _print_training(context, problem_id)
    evaluated = _print_evaluations(run, problem_id)
    trained = list(_of_rl(run, problem_id))
    if problem is None and not (pool or evaluated or trained):
        raise _unknown(context, problem_id)
    if wanted.texts or wanted.wrong:
        shown = [("pool", attempt) for attempt in pool] + list(_evaluated(run, problem_id))
        _print_texts(shown, wanted, "attempts of the pool and of checkpoints")
    if wanted.rl:
        _print_texts(trained, wanted, "attempts that RL kept")


def _print_texts(shown: list[tuple[str, Attempt]], wanted: Wanted, what: str) -> None:
    """Each text under its source, heuristic, number and verdict."""
    chosen = [one for one in shown if not wanted.wrong or one[1].verdict.status != "correct"]
    told = f", {len(chosen)} of them not correct" if wanted.wrong else ""
    print_text(f"\n{len(shown)} {what}{told}")
    for source, attempt in chosen:
        print_panel(
            attempt.text,
            title=f"{source}, {attempt.heuristic}, sample {attempt.sample}: {_marked(attempt)}",
        )


def _evaluated(run: RunDir, problem_id: str) -> Iterator[tuple[str, Attempt]]:
    root = run.path("6-eval")
    for folder in sorted({part.parent for part in root.rglob("part-*.parquet")}):
        for attempt in read_attempts(folder):
            if attempt.problem_id == problem_id:
                yield str(folder.relative_to(root)), attempt


def _of_rl(run: RunDir, problem_id: str) -> Iterator[tuple[str, Attempt]]:
    """(arm, seed and step, attempt), step by step."""
    for folder in sorted(run.path("arms").glob("*/seed-*/5-rl/attempts")):
        for kept in read_rl_attempts(folder, problem_id):
            source = f"{folder.parts[-4]} {folder.parts[-3]}, RL step {kept.step}"
            yield source, kept.attempt


def _sets(recipe: Recipe) -> dict[str, int | None]:
    """The names of the run's problem sets, with how many problems of each are taken."""
    named = {recipe.generate.problems: recipe.generate.limit, recipe.rl.problems: recipe.rl.limit}
    return named | dict.fromkeys(recipe.evaluate.benchmarks, recipe.evaluate.limit)


def _find(context: Context, problem_id: str) -> Problem | None:
    """The problem; None for one that no set has that can be read without foreign code."""
    for name, limit in _sets(context.recipe).items():
        with suppress(Untrusted):
            for problem in context.problems(name, limit):
                if problem.id == problem_id:
                    return problem
    return None


def _unknown(context: Context, problem_id: str) -> DataError:
    example = ""
    with suppress(Untrusted):
        name = context.recipe.generate.problems
        example = f"; an id looks like '{context.problems(name, 1)[0].id}'"
    listed = ", ".join(_sets(context.recipe))
    return DataError(f"this run has no problem '{problem_id}'. Its sets: {listed}{example}.")


def _print_ways(pool: list[Attempt], solutions: list[Solution]) -> None:
    """One row a heuristic, and the texts that were kept."""
    print_text(f"\n{len(pool)} attempts in the pool (generate), what was kept (select)")
    table = open_table("heuristic", "correct", "answers (* correct)", "selection")
    for heuristic in sorted({attempt.heuristic for attempt in pool}):
        attempts = [a for a in pool if a.heuristic == heuristic]
        right = sum(a.verdict.status == "correct" for a in attempts)
        answers = ", ".join(_marked(a) for a in attempts[:ANSWERS_SHOWN])
        more = len(attempts) - ANSWERS_SHOWN
        table.add_row(
            heuristic,
            f"{right}/{len(attempts)}",
            answers + (f" and {more} more" if more > 0 else ""),
            _fate([s for s in solutions if s.heuristic == heuristic]),
        )
    print_result(table)
    for solution in [s for s in solutions if s.kept][:TEXTS_SHOWN]:
        score = "" if solution.adherence is None else f", adherence {solution.adherence:.2f}"
        print_panel(solution.text, title=solution.heuristic + score)


def _marked(attempt: Attempt) -> str:
    status = attempt.verdict.status
    if status in ("no_answer", "undecided"):
        return status.replace("_", " ")
    return ("*" if status == "correct" else "") + (attempt.verdict.answer or "-")


def _fate(solutions: list[Solution]) -> str:
    kept = [f"KEPT sample {s.sample}: {s.reason}" for s in solutions if s.kept]
    reasons = Counter(s.reason for s in solutions if not s.kept)
    dropped = [f"{reason} ({count})" for reason, count in reasons.most_common(2)]
    return "; ".join(kept or dropped) or "-"


def _print_attempts(pool: list[Attempt], solutions: list[Solution]) -> None:
    """One row an attempt, in order."""
    fate = {(s.heuristic, s.sample): s for s in solutions}
    table = open_table("heuristic", "sample", "verdict", "answer", "rule", "tokens", "selection")
    for attempt in sorted(pool, key=lambda a: (a.heuristic, a.sample)):
        solution = fate.get((attempt.heuristic, attempt.sample))
        chosen = "-" if solution is None else ("KEPT " if solution.kept else "") + solution.reason
        table.add_row(
            attempt.heuristic, str(attempt.sample), attempt.verdict.status,
            attempt.verdict.answer or "-", attempt.verdict.rule, str(attempt.tokens), chosen,
        )  # fmt: skip
    print_result(table)


def _print_training(context: Context, problem_id: str) -> None:
    print_text("Arms that mid-trained on it (midtrain)")
    found = False
    for data in sorted(context.run.path("arms").glob("*/seed-*/3-midtrain/data.jsonl")):
        rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
        ways = [row["heuristic"] for row in rows if row["problem_id"] == problem_id]
        if ways:
            found = True
            print_text(f"  {data.parts[-4]} {data.parts[-3]}: {', '.join(ways)}")
    if not found:
        print_text("  none")


def _print_evaluations(run: RunDir, problem_id: str) -> bool:
    """Print them; whether there are any."""
    table = open_table("checkpoint", "benchmark", "attempts", "correct", "no answer", "undecided")
    for name, statuses in _evaluations(run, problem_id):
        checkpoint, _, benchmark = name.rpartition("/")
        counts = [statuses.count(s) for s in ("correct", "no_answer", "undecided")]
        table.add_row(checkpoint, benchmark, str(len(statuses)), *map(str, counts))
    if table.row_count:
        print_text("Attempts of each checkpoint (evaluate)")
        print_result(table)
    return bool(table.row_count)


def _evaluations(run: RunDir, problem_id: str) -> Iterator[tuple[str, list[str]]]:
    root = run.path("6-eval")
    for folder in sorted({part.parent for part in root.rglob("part-*.parquet")}):
        statuses: list[str] = []
        for part in parts(folder):
            table = read_table(part, ["problem_id", "status"])
            statuses += table.filter(pc.equal(table["problem_id"], problem_id))[
                "status"
            ].to_pylist()
        if statuses:
            yield str(folder.relative_to(root)), statuses
