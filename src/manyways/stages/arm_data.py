"""What each arm mid-trains on: every arm's examples are drawn from the one pool of solutions."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.compute as pc

from manyways.arms import Arm, Line, parse_arm
from manyways.errors import MissingWork, NothingToTrainOn
from manyways.progress import say
from manyways.records import PLAIN, Problem
from manyways.stages.context import Context
from manyways.stages.matching import mismatch, one_way_each
from manyways.stages.pools import pool_of
from manyways.tables import parts, read_attempts_table, read_table


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRow:
    r"""One example of mid-training. ``heuristic`` and ``sample`` say which attempt it was.

    Example: ``TrainingRow(problem_id="gsm8k/train/00042", question="Ann has 3 ...",
    heuristic="induction", sample=3, text="First ... \boxed{12}")``.
    """

    problem_id: str
    question: str
    heuristic: str
    sample: int
    text: str


MISMATCH = 0.02
"""A matched arm says so where a larger share of its examples is amiss."""

Found = Mapping[str, Mapping[str, tuple[int, str]]]
"""Problem id -> heuristic -> (sample, text) of the kept solutions, both in the run's order."""


def training_rows(ctx: Context, line: Line) -> list[TrainingRow]:
    """The examples of one (arm, seed), ordered by problem and pack.

    | arm          | examples                                                                   |
    |--------------|----------------------------------------------------------------------------|
    | vanilla      | none                                                                       |
    | star         | the first correct plain attempt of each problem                            |
    | heuristics-N | every kept solution under the pack's first N heuristics                    |
    | random       | of each problem one kept solution, drawn with ``line.seed``                |
    | matched-N    | of each problem one of its solutions of heuristics-N, as often as it has   |
    |              | some, drawn so that each heuristic has as many examples (``matching``)     |
    | wrong-N      | as heuristics-N, from the pool of wrong answers                            |
    | budget-N     | M examples: problems in the order of how many ways they have (at most N    |
    |              | count), ties drawn with ``line.seed``, each with its first N ways          |
    | distilled-N  | of each problem the first N correct attempts of another model              |

    The pool is the run's own but for rounds and distilled arms (``pools``). M is
    ``select.budget`` or, without it, the number of solutions kept under the pack's first
    heuristic: the same for every N. Problems with many ways tend to be easy ones, so budget arms
    of large N train on easier problems: a property of the design, not of the ways alone.

    Raises:
        MissingWork: selection has not been run.
        NothingToTrainOn: the arm would be empty; the sentence says what to change.
    """
    arm = parse_arm(line.arm)
    if not arm.midtrains:
        return []
    generate = ctx.recipe.generate
    problems = ctx.problems(generate.problems, generate.limit)
    questions = {problem.id: problem.question for problem in problems}
    pool = pool_of(ctx, line)
    if arm.kind == "distilled":
        return _distilled(pool, arm, questions)
    found = kept_solutions(pool, problems, wrong=arm.kind == "wrong")
    picked = _pick(pool, arm, line.seed, found)
    if not picked:
        raise NothingToTrainOn(_nothing(pool, arm))
    return [
        TrainingRow(
            problem_id=problem,
            question=questions[problem],
            heuristic=way,
            sample=found[problem][way][0],
            text=found[problem][way][1],
        )
        for problem, way in picked
    ]


def _distilled(pool: Context, arm: Arm, questions: Mapping[str, str]) -> list[TrainingRow]:
    """Of each problem the first N different attempts that are correct and whole."""
    folder = pool.run.path("1-attempts")
    if not parts(folder):
        raise MissingWork(f"'{folder}' holds no attempts: run the stage generate first.")
    columns = ["problem_id", "sample", "text", "status", "finish"]
    table = read_attempts_table(folder, columns).sort_by("sample")
    chosen: dict[str, dict[str, int]] = {problem: {} for problem in questions}
    for row in table.to_pylist():
        texts = chosen.get(row["problem_id"], {})
        fit = row["status"] == "correct" and row["finish"] == "stop"
        if fit and len(texts) < arm.ways:
            texts.setdefault(row["text"], row["sample"])
    rows = [
        TrainingRow(
            problem_id=problem,
            question=questions[problem],
            heuristic=PLAIN,
            sample=sample,
            text=text,
        )
        for problem, texts in chosen.items()
        for text, sample in texts.items()
    ]
    if not rows:
        raise NothingToTrainOn(
            f"none of the {table.num_rows} attempts of the other model is correct and whole: "
            f"nothing to mid-train arm '{arm.name}' on; see [distill]."
        )
    return rows


def kept_solutions(ctx: Context, problems: list[Problem], *, wrong: bool) -> Found:
    """The kept solutions (or those of the wrong pool), problems and ways in the run's order.

    Raises MissingWork when selection has not been run.
    """
    path = ctx.run.path("2-solutions.parquet")
    if not path.is_file():
        raise MissingWork(f"'{path}' does not exist: run the stages generate and select first.")
    columns = ["problem_id", "heuristic", "sample", "text"]
    table = read_table(path, columns, where="wrong_pool" if wrong else "kept")
    found: dict[str, dict[str, tuple[int, str]]] = {problem.id: {} for problem in problems}
    for problem, way, sample, text in zip(*(table[c].to_pylist() for c in columns), strict=True):
        if problem in found:
            found[problem][way] = (sample, text)
    order = {h.id: i for i, h in enumerate(ctx.pack)} | {PLAIN: len(ctx.pack)}
    return {
        problem: dict(sorted(ways.items(), key=lambda item: order[item[0]]))
        for problem, ways in found.items()
        if ways
    }


def budget(ctx: Context, found: Found) -> int:
    """Number of examples of every budget arm."""
    first = ctx.pack[0].id
    return ctx.recipe.select.budget or sum(first in ways for ways in found.values())


def _pick(ctx: Context, arm: Arm, seed: int, found: Found) -> list[tuple[str, str]]:
    """(problem, heuristic) of each example of ``arm``."""
    if arm.kind == "star":
        return [(problem, PLAIN) for problem, ways in found.items() if PLAIN in ways]
    shown = {p: [w for w in ways if w != PLAIN] for p, ways in found.items()}
    shown = {problem: ways for problem, ways in shown.items() if ways}
    if arm.kind == "random":
        return [(p, random.Random(f"random {seed} {p}").choice(w)) for p, w in shown.items()]
    if arm.kind == "budget":
        return _budget(arm, seed, shown, budget(ctx, found))
    first = {heuristic.id for heuristic in ctx.pack[: arm.ways]}
    few = {problem: [way for way in ways if way in first] for problem, ways in shown.items()}
    if arm.kind == "matched":
        return _matched(arm, seed, {problem: ways for problem, ways in few.items() if ways})
    return [(problem, way) for problem, ways in few.items() for way in ways]


def _matched(arm: Arm, seed: int, ways: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    chosen = one_way_each(ways, random.Random(f"matched {seed}"))
    if ways and (amiss := mismatch(ways, chosen)) > MISMATCH:
        say(
            f"arm {arm.name}: {amiss:.1%} of its examples are under another heuristic than in "
            f"heuristics-{arm.ways}: too few problems have several ways to match it better."
        )
    return [(problem, way) for problem, way in chosen.items() for _ in ways[problem]]


def _budget(
    arm: Arm, seed: int, shown: Mapping[str, list[str]], wanted: int
) -> list[tuple[str, str]]:
    def rank(problem: str) -> tuple[int, float]:
        return -min(arm.ways, len(shown[problem])), random.Random(
            f"budget {seed} {problem}"
        ).random()

    ranked = sorted(shown, key=rank)
    examples = [(problem, way) for problem in ranked for way in shown[problem][: arm.ways]][:wanted]
    if len(examples) < wanted:
        say(
            f"arm {arm.name}: {len(examples)} examples exist of the {wanted} that select.budget "
            "asks for; arms of different N are no longer equal in size."
        )
    chosen = set(examples)
    return [(p, way) for p, ways in shown.items() for way in ways if (p, way) in chosen]


def _nothing(ctx: Context, arm: Arm) -> str:
    columns = ["heuristic", "status", "reason"]
    table = read_table(ctx.run.path("2-solutions.parquet"), columns)
    plain = arm.kind == "star"
    is_plain = pc.equal(table["heuristic"], PLAIN)
    table = table.filter(is_plain if plain else pc.invert(is_plain))
    wanted = "wrong" if arm.kind == "wrong" else "correct"
    hits = table.filter(pc.equal(table["status"], wanted))
    head = f"{hits.num_rows} of {table.num_rows} {'plain ' if plain else ''}attempts {wanted}"
    end = f"nothing to mid-train arm '{arm.name}' on"
    if not hits.num_rows:
        more = "plain_samples" if plain else "samples"
        advice = "" if wanted == "wrong" else ", choose easier problems"
        return (
            f"{head}: {end}; raise generate.{more}{advice} or check the verifier with "
            "`manyways verify`."
        )
    counts = hits["reason"].value_counts().to_pylist()
    reasons = sorted(counts, key=lambda row: (-row["counts"], row["values"]))[:3]
    listed = "; ".join(f"{row['counts']} x {row['values']}" for row in reasons)
    return f"{head} but none kept ({listed}): {end}; lower select.min_adherence or look at them."
