"""``manyways status`` prints what is finished in a run, ``manyways show`` all about one problem."""

import fcntl
import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow.compute as pc

from manyways import pipeline, third_party
from manyways.commands.forecast import FILE, print_comparison, read_forecast
from manyways.context import Context
from manyways.errors import DataError, Untrusted
from manyways.progress import open_table, print_panel, print_result, print_text
from manyways.recipe import load_recipe
from manyways.recipe.tree import Recipe
from manyways.records import Attempt, Problem, Solution, line_name
from manyways.reporting.words import plural
from manyways.run_dir import RunDir, not_judged, open_for_reading
from manyways.tables import read_attempts, read_attempts_table, read_rl_attempts, read_solutions

ANSWERS_SHOWN = 4
TEXTS_SHOWN = 3


def open_run(root: Path, data_dir: Path | None = None) -> Context:
    """Open a run folder for reading. ``data_dir`` replaces that of its recipe.

    Raises RunDirError when ``root`` is no run folder.
    """
    run = open_for_reading(root)
    overrides = [f'data_dir="{data_dir}"'] if data_dir else []
    recipe = load_recipe(run.path("recipe.toml"), overrides)
    third_party.say_unused(recipe)
    return Context(recipe=recipe, run=run, looking=True)


def print_status(root: Path) -> None:
    """Print one row for each finished piece of work, and whether a process writes to the run now.

    Raises RunDirError when ``root`` is no run folder.
    """
    run = open_for_reading(root)
    recipe = third_party.recipe_looked_at(run)
    table = open_table("work", "ended", "seconds", "what")
    for stamp in run.stamps():
        ended = datetime.fromtimestamp(stamp.ended).strftime("%m-%d %H:%M")
        table.add_row(stamp.work, ended, f"{stamp.seconds:.1f}", _in_words(stamp.counts))
    print_result(table)
    kept = read_forecast(run.path(FILE))
    if kept:
        print_comparison(kept, run)
    unfinished = sorted(
        begun.stem.replace("__", "/")
        for begun in run.path("stamps").glob("*.begun")
        if not begun.with_suffix(".json").exists()
    )
    if unfinished:
        print_text(f"begun and not finished: {', '.join(unfinished)}")
    outcomes = _outcomes(run)
    for name, outcome in outcomes.items():
        print_text(f"{name}: {outcome}")
    if recipe is not None:
        print_text(f"state: {_state(Context(recipe=recipe, run=run, looking=True), outcomes)}")
    for sentence in not_judged(run):
        print_text(sentence)
    print_text(f"being written to now: {'yes' if _locked(run) else 'no'}")
    report = run.path("report.html")
    if report.is_file():
        print_text(f"report: {report}")


def _outcomes(run: RunDir) -> dict[str, str]:
    """``star/seed-0`` -> ``complete``, or why the line was stopped."""
    files = sorted(run.path("arms").glob("*/seed-*/outcome.json"))
    rows = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return {line_name(row["arm"], row["seed"]): row["outcome"] for row in rows}


def _state(context: Context, outcomes: Mapping[str, str]) -> str:
    """Whether the run is complete, ended with stopped lines, or which step comes next."""
    works = [stamp.work for stamp in context.run.stamps()]
    missing = [
        step
        for step in pipeline.steps(context)
        if not step.stage.optional and step.stage.per != "foreign pool"
        if not (step.stage.per == "pool" and step.line)  # stamped in a folder of its own
        if not any(work == step.name or work.startswith(f"{step.name}/") for work in works)
    ]
    stopped = {name for name, outcome in outcomes.items() if outcome != "complete"}
    waiting = [one for one in missing if one.line is None or one.line.name not in stopped]
    if waiting:
        run = shlex.quote(str(context.run.root))
        return f"not finished, next is {waiting[0].name} (run `manyways run {run}`)"
    if missing:
        gate = sum(outcomes[name].startswith("gate ") for name in stopped)
        which = ", ".join(sorted(stopped))
        return f"ended; {plural(len(stopped), 'line')} stopped early, {gate} at the gate ({which})"
    return "complete"


def _in_words(counts: Mapping[str, float]) -> str:
    """The counts of a stamp, of sampling only the main ones."""
    if "attempts" not in counts:
        return ", ".join(f"{value:,g} {key}" for key, value in counts.items())
    attempts = counts["attempts"]
    words = [f"{attempts:,.0f} attempts"]
    for key in ("correct", "no_answer", "undecided", "truncated"):
        if counts.get(key):
            words.append(f"{counts[key] / max(attempts, 1):.0%} {key.replace('_', ' ')}")
    if "tokens" in counts:
        words.append(f"{counts['tokens']:,.0f} tokens")
    return ", ".join(words)


def _locked(run: RunDir) -> bool:
    lock = run.path(".lock")
    if not lock.exists():
        return False
    with lock.open("r") as stream:
        try:
            # A shared lock is refused only while a writer holds the exclusive lock.
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowOptions:
    """What ``show`` prints besides its tables.

    attempts: a row for every attempt of the pool, not only for each heuristic.
    texts:    every attempt in full, of the pool and then of each checkpoint.
    wrong:    only attempts that are not correct. It implies ``texts``.
    rl:       the attempts that RL kept, in full, step by step.
    """

    attempts: bool = False
    texts: bool = False
    wrong: bool = False
    rl: bool = False


def show(root: Path, problem_id: str, wanted: ShowOptions) -> None:
    """Print a problem, its attempts, what was kept and why, who trained on it, and its scores.

    Raises RunDirError when ``root`` is no run folder, DataError when it has no such problem.
    """
    context = open_run(root)
    run = context.run
    problem = _find(context, problem_id)
    if problem is not None:
        answer = f"{problem.question}\n\nreference answer: {problem.answer}"
        print_panel(answer, title=problem.id)
    pool = list(read_attempts(run.path("1-attempts"), problem_id))
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


def _print_texts(shown: list[tuple[str, Attempt]], wanted: ShowOptions, what: str) -> None:
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
    for name, folder in _eval_folders(run):
        for attempt in read_attempts(folder, problem_id):
            yield name, attempt


def _of_rl(run: RunDir, problem_id: str) -> Iterator[tuple[str, Attempt]]:
    """(arm, seed and step; attempt), step by step."""
    for folder in sorted(run.path("arms").glob("*/seed-*/5-rl/attempts")):
        for kept in read_rl_attempts(folder, problem_id):
            source = f"{folder.parts[-4]} {folder.parts[-3]}, RL step {kept.step}"
            yield source, kept.attempt


def _sets(recipe: Recipe) -> dict[str, int | None]:
    """Problem set -> how many of its problems the run takes, None for all."""
    named = {recipe.generate.problems: recipe.generate.limit}
    named |= recipe.rl_problems
    return named | dict.fromkeys(recipe.benchmarks, recipe.evaluate.limit)


def _find(context: Context, problem_id: str) -> Problem | None:
    """The problem, or None. Sets that need code that nobody trusts are not searched."""
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
    said = f"this run has no problem '{problem_id}'" if problem_id else "name one of its problems"
    return DataError(f"{said}. Its sets: {listed}{example}.")


def _print_ways(pool: list[Attempt], solutions: list[Solution]) -> None:
    """Print one row for each heuristic, and the first kept texts."""
    print_text(f"\n{len(pool)} attempts in the pool (generate), and what selection kept (select)")
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
    """Print one row for each attempt."""
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
    """Print the attempts of each checkpoint at the problem. Returns whether there are any."""
    table = open_table("checkpoint", "benchmark", "attempts", "correct", "no answer", "undecided")
    for name, folder in _eval_folders(run):
        # Only two columns, because the texts of a large evaluation take minutes to read.
        attempts = read_attempts_table(folder, ["problem_id", "status"])
        mine = attempts.filter(pc.equal(attempts["problem_id"], problem_id))
        if mine.num_rows:
            statuses = mine["status"].to_pylist()
            checkpoint, _, benchmark = name.rpartition("/")
            counts = [statuses.count(s) for s in ("correct", "no_answer", "undecided")]
            table.add_row(checkpoint, benchmark, str(len(statuses)), *map(str, counts))
    if table.row_count:
        print_text("Attempts of each checkpoint (evaluate)")
        print_result(table)
    return bool(table.row_count)


def _eval_folders(run: RunDir) -> Iterator[tuple[str, Path]]:
    """``checkpoint/benchmark``, and the folder of its attempts."""
    root = run.path("6-eval")
    for folder in sorted({part.parent for part in root.rglob("part-*.parquet")}):
        yield str(folder.relative_to(root)), folder
