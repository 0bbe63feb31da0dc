"""A link says how many attempts are behind a number: just so many does its filter find on disk."""

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

import pytest
from made_runs import attempt, context, put_evaluation, put_pool, seen_of

from manyways.context import Context
from manyways.measures.catalogue import sections
from manyways.measures.explorer import (
    EXPLORER,
    ExplorerRow,
    ExplorerText,
    rows_that_fit,
    with_every_kept,
)
from manyways.measures.seen import Seen
from manyways.records import Attempt, Checkpoint
from manyways.reporting import Charts, Link, Table, Ways
from manyways.stages import selection
from manyways.tables import read_attempts, read_solutions

SETS = {
    "made_runs:load/test?count=12": "test",
    "made_runs:load/hard?count=10": "hard",
    "made_runs:load/choice?count=5&options=4": "choice",
}
CHECKPOINTS = (
    "base",
    *(f"{arm}/seed-{s}/rl" for arm in ("vanilla", "heuristics-2") for s in (0, 1)),
)


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Two seeds, right and wrong and unread attempts, with none, one or two heuristics in them."""
    made = context(
        tmp_path_factory.mktemp("run"),
        arms=("vanilla", "heuristics-2"),
        seeds=(0, 1),
        evaluate={"benchmarks": list(SETS)},
    )
    put_pool(made, [
        written(f"made/seed/{p:03d}", way, n) for p in range(4) for way in ("a", "b", "c", "plain")
        for n in range(4)
    ])  # fmt: skip
    selection.run(made)
    for number, checkpoint in enumerate(CHECKPOINTS):
        for benchmark, split in SETS.items():
            count = int(benchmark.partition("count=")[2].partition("&")[0])
            rows = [written(f"made/{split}/{p:03d}", "plain", n + number, n)
                    for p in range(count) for n in range(4)]  # fmt: skip
            put_evaluation(made, checkpoint, benchmark, rows)
    return made


@pytest.fixture(scope="module")
def seen(ctx: Context) -> Seen:
    return seen_of(ctx)


def written(problem: str, way: str, kind: int, sample: int | None = None) -> Attempt:
    """One of five kinds of attempts, of its problem's own words."""
    place = int(problem[-3:]) + kind
    text = (f"<{way}> one {problem} {kind}", f"<a> two {problem}\n<b> {kind}", f"no {kind}")
    status = ("correct", "wrong", "correct", "no_answer", "undecided")[place % 5]
    number = kind if sample is None else sample
    return attempt(problem, way, number, status=status, text=text[place % 3])


def links(seen: Seen) -> Iterator[str]:
    """Every link to the explorer that names a count."""
    for section in sections(seen):
        for block in section.every:
            found: list[object] = []
            if isinstance(block, Charts):
                traces = (trace for chart in block.charts for trace in chart.spec["data"])  # type: ignore[attr-defined]
                found = [link for trace in traces for link in trace.get("customdata", [])]
            elif isinstance(block, Table):
                found = [c.target for row in block.rows for c in row if isinstance(c, Link)]
            elif isinstance(block, Ways):
                found = [block.target]
            yield from (str(link) for link in found if "of=" in str(link))


def every_attempt(ctx: Context) -> Iterator[dict[str, object]]:
    """All attempts of the run, as the explorer's filters see them."""
    kept = {
        (s.problem_id, s.heuristic, s.sample)
        for s in read_solutions(ctx.run.path("2-solutions.parquet")) if s.kept
    }  # fmt: skip
    folders = [("pool", ctx.recipe.generate.problems, ctx.run.path("1-attempts"))]
    folders += [
        (Checkpoint.parse(name).pooled, benchmark, ctx.run.eval_path(name, benchmark))
        for name in CHECKPOINTS for benchmark in SETS
    ]  # fmt: skip
    for source, problems, folder in folders:
        for one in read_attempts(folder):
            shown = {step.heuristic for step in ctx.labeller.segments(one.text)} - {None}
            in_pool = (one.problem_id, one.heuristic, one.sample) in kept
            yield {
                "problem": one.problem_id, "asked": one.heuristic, "shown": shown,
                "status": one.verdict.status, "source": source, "set": problems,
                "kept": "yes" if source == "pool" and in_pool else "no",
                "composed": "yes" if len(shown) > 1 else "no",
            }  # fmt: skip


def fits(one: Mapping[str, object], wanted: Mapping[str, str], seen: Seen) -> bool:
    """As ``matches`` of explorer.js has it."""
    heuristic, how = wanted.get("heuristic"), wanted.get("how", "")
    asked = how != "shown" and one["asked"] == heuristic
    shown = how != "asked" and heuristic in one["shown"]  # type: ignore[operator]
    means = {"the mean of all benchmarks without multiple choice": seen.answered_on}
    on = wanted.get("on")
    return (
        (heuristic is None or asked or shown)
        and (on is None or one["set"] in means.get(on, [on]))
        and all(one[name] == wanted[name]
                for name in ("problem", "status", "source", "kept", "composed") if name in wanted)
    )  # fmt: skip


def test_so_many_attempts_are_behind_a_number_as_its_link_says(ctx: Context, seen: Seen) -> None:
    run = list(every_attempt(ctx))
    found = {link: dict(parse_qsl(link.partition("?")[2])) for link in links(seen)}
    fields = {name for wanted in found.values() for name in wanted}
    assert fields >= {"heuristic", "how", "kept", "status", "source", "on", "composed", "problem"}
    for link, wanted in found.items():
        assert sum(fits(one, wanted, seen) for one in run) == int(wanted["of"]), link


def test_a_problem_says_how_many_attempts_there_are_at_it(ctx: Context, seen: Seen) -> None:
    run = list(every_attempt(ctx))
    rows = seen.rows(EXPLORER)
    assert {row.problems for row in rows} > {ctx.recipe.generate.problems}
    for row in rows:
        assert row.attempts == sum(one["problem"] == row.problem_id for one in run)
        assert row.attempts > len(row.texts)


def test_what_does_not_fit_is_left_out_of_every_problem_set_alike() -> None:
    text = ExplorerText(
        source="pool", heuristic="a", status="correct", answer="1", kept=True, note="",
        steps=[("x" * 1000, None)],
    )  # fmt: skip
    rows = [
        ExplorerRow(problem_id=f"{of}/{i:02d}", question="?", answer="1", texts=[text], problems=of)
        for of, count in (("seed", 20), ("test", 10), ("hard", 10), ("rl", 4)) for i in range(count)
    ]  # fmt: skip
    kept = rows_that_fit(rows, 1250 * 22)
    assert kept == [row for row in rows if row in kept], "in their order"
    counts = {of: sum(row.problems == of for row in kept) for of in ("seed", "test", "hard", "rl")}
    assert counts == {"seed": 10, "test": 5, "hard": 5, "rl": 2}
    assert rows_that_fit(rows, 10**9) == rows


def test_every_heuristic_that_gave_a_solution_has_one_on_the_page(ctx: Context, seen: Seen) -> None:
    """A link to the kept texts under a heuristic that shows none of them would be a dead end."""
    solutions = ctx.run.path("2-solutions.parquet")
    kept = {s.heuristic: s.problem_id for s in read_solutions(solutions) if s.kept}
    problems = ctx.problems(ctx.recipe.generate.problems, ctx.recipe.generate.limit)
    assert len(kept) > 1
    without = [p for p in problems if p.id not in {
        s.problem_id for s in read_solutions(solutions) if s.kept
    }][:1]  # fmt: skip
    ids = {p.id for p in with_every_kept(without, problems, solutions)}
    shown = {s.heuristic for s in read_solutions(solutions) if s.kept and s.problem_id in ids}
    assert shown == set(kept)
    assert with_every_kept(problems, problems, solutions) == list(problems)
