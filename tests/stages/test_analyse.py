import json
from collections import Counter
from pathlib import Path

import pytest
from made_runs import attempt, context, put_evaluation, put_pool

from manyways.measures import read_rows
from manyways.measures.catalogue import TABLES
from manyways.measures.composition import CompositionRow
from manyways.measures.explorer import ExplorerRow
from manyways.measures.four_cells import FourCells
from manyways.measures.paired import PairedRow
from manyways.measures.pass_at_k import PassRow
from manyways.measures.rates import RateRow
from manyways.records import RLAttempt
from manyways.stages import analyse, selection
from manyways.tables import append_rl_attempts

TEST, HARD = "made_runs:load/test?count=12", "made_runs:load/hard?count=10"


def evaluate(ctx, checkpoint: str, right: dict[str, list[int]], text: str = "<a> x\n<a> y") -> None:
    """``right``: benchmark -> number of correct attempts (of 4) at each problem."""
    for benchmark, counts in right.items():
        split = benchmark.split("/")[1].split("?")[0]
        rows = [
            attempt(
                f"made/{split}/{i:03d}", sample=n, text=f"{text}\nAnswer: \\boxed{{{n}}}",
                status="correct" if n < count else "wrong",
            )
            for i, count in enumerate(counts)
            for n in range(4)
        ]  # fmt: skip
        put_evaluation(ctx, checkpoint, benchmark, rows)


def table(ctx, name: str, kind: type) -> list:
    return read_rows(ctx.run.path("7-tables", f"{name}.json"), kind)


def test_an_empty_run_gives_empty_tables(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    analyse.run(ctx)
    for name, kind in TABLES.items():
        rows = table(ctx, name, kind)
        assert name in {"findings", "costs", "arms"} or rows == [], name


def test_pass_at_k_per_benchmark_and_mean(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    evaluate(ctx, "base", {TEST: [1] * 12, HARD: [0] * 5 + [4] * 5})
    analyse.run(ctx)
    rows = {(r.benchmark, r.k): r for r in table(ctx, "pass_at_k", PassRow)}
    assert sorted(k for b, k in rows if b == TEST) == [1, 2, 4]
    assert rows[TEST, 1].score.value == pytest.approx(0.25)
    assert rows[TEST, 2].score.value == pytest.approx(0.5)
    assert rows[HARD, 4].score.value == pytest.approx(0.5)
    assert rows["mean", 1].score.value == pytest.approx((0.25 + 0.5) / 2)
    assert rows["mean", 1].score.n == 22
    assert rows[TEST, 1].score.low < 0.25 < rows[TEST, 1].score.high, "never of width zero"


def test_seeds_are_pooled_per_problem_and_three_give_a_seed_interval(tmp_path: Path) -> None:
    ctx = context(tmp_path, seeds=[0, 1, 2])
    for seed, count in enumerate((1, 2, 3)):
        evaluate(ctx, f"vanilla/seed-{seed}/rl", {TEST: [count] * 12})
    analyse.run(ctx)
    rows = {(r.checkpoint, r.k): r for r in table(ctx, "pass_at_k", PassRow)}
    pooled = rows["vanilla/rl", 1]
    assert pooled.score.value == pytest.approx(0.5)
    assert (pooled.seed, pooled.score.n) == (None, 12)
    assert rows["vanilla/seed-2/rl", 1].score.value == pytest.approx(0.75)
    assert rows["vanilla/seed-2/rl", 1].seeds is None
    assert pooled.seeds.n == 3
    assert pooled.seeds.high - 0.5 == pytest.approx(4.302653 * 0.25 / 3**0.5, rel=1e-6)


def test_four_cells_and_paired_differences(tmp_path: Path) -> None:
    ctx = context(tmp_path, arms=("vanilla", "star", "heuristics-2"))
    evaluate(ctx, "base", {TEST: [1] * 12, HARD: [1] * 10})
    evaluate(ctx, "vanilla/seed-0/rl", {TEST: [2] * 12, HARD: [1] * 10})
    evaluate(ctx, "heuristics-2/seed-0/mid", {TEST: [1] * 12, HARD: [1] * 10})
    evaluate(ctx, "heuristics-2/seed-0/rl", {TEST: [4] * 6 + [2] * 6, HARD: [1] * 10})
    analyse.run(ctx)
    cells = {(c.arm, c.benchmark, c.k): c for c in table(ctx, "four_cells", FourCells)}
    cell = cells["heuristics-2", TEST, 1]
    values = [s.value for s in (cell.base, cell.mid, cell.rl_only, cell.mid_rl)]
    assert values == pytest.approx([0.25, 0.25, 0.5, 0.75])
    assert cells["star", TEST, 1].mid_rl is None
    pairs = {(p.a, p.b, p.benchmark, p.k): p for p in table(ctx, "paired", PairedRow)}
    row = pairs["heuristics-2/rl", "vanilla/rl", TEST, 1]
    assert row.difference.value == pytest.approx(0.25)
    assert 0 < row.difference.low < 0.25 < row.difference.high
    assert row.p == pytest.approx(2 / 2**6), "six problems differ, all one way: exact"
    assert pairs["heuristics-2/rl", "vanilla/rl", HARD, 1].p == 1.0
    assert pairs["heuristics-2/rl", "vanilla/rl", "mean", 1].difference.value == pytest.approx(
        0.125
    )
    assert ("star/rl", "vanilla/rl", TEST, 1) not in pairs


def test_pairs_use_only_problems_that_both_have(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    evaluate(ctx, "base", {TEST: [0, 4, 4]})
    evaluate(ctx, "vanilla/seed-0/rl", {TEST: [0, 4]})
    analyse.run(ctx)
    row = table(ctx, "paired", PairedRow)[0]
    assert (row.a, row.difference.n, row.difference.value) == ("vanilla/rl", 2, 0.0)


def test_rates_keep_undecided_apart(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    statuses = ["correct", "wrong", "undecided", "no_answer"]
    rows = [attempt("made/test/000", sample=n, status=s) for n, s in enumerate(statuses)]
    put_evaluation(ctx, "base", TEST, rows)
    analyse.run(ctx)
    row = table(ctx, "rates", RateRow)[0]
    assert (row.correct, row.wrong, row.undecided, row.no_answer) == (0.25, 0.25, 0.25, 0.25)


def test_composition_of_attempts(tmp_path: Path) -> None:
    ctx = context(tmp_path, arms=("vanilla",))
    evaluate(ctx, "base", {TEST: [4] * 12, HARD: [4] * 10})
    evaluate(ctx, "vanilla/seed-0/rl", {TEST: [2] * 12}, text="<a> x\nadd\n<b> y")
    analyse.run(ctx)
    rows = {(r.checkpoint, r.benchmark): r for r in table(ctx, "composition", CompositionRow)}
    base, rl = rows["base", TEST], rows["vanilla/rl", TEST]
    assert (base.composed.value, base.composed.n, base.switch.value) == (0.0, 12, 0.0)
    assert base.composed.high > 0.1
    assert base.shares == {"a": 1.0}, "a line that states the answer is no step"
    assert (rl.composed.value, rl.switch.value, rl.pairs) == (1.0, 1.0, {"a > b": 48})
    assert rl.shares == pytest.approx({"a": 1 / 3, "b": 1 / 3, "direct": 1 / 3})
    assert rl.effective == pytest.approx(3.0)
    assert rl.drift.value == 0.0
    assert rows["base", "all"].solutions == 88


def test_the_explorer_shows_right_and_wrong_of_every_heuristic_and_phase(tmp_path: Path) -> None:
    ctx = context(tmp_path, analyse={"explorer_problems": 4, "bootstrap": 200})
    tried = [
        attempt(f"made/seed/{i:03d}", way, n, status="correct" if n == 1 else "wrong")
        for i in range(4) for way in ("a", "b") for n in range(4)
    ]  # fmt: skip
    put_pool(ctx, tried)
    selection.run(ctx)
    for checkpoint in ("base", "heuristics-2/seed-0/mid", "heuristics-2/seed-0/rl"):
        evaluate(ctx, checkpoint, {TEST: [2] * 12})
    during = [
        RLAttempt(
            attempt=attempt("made/rl/003", sample=n, status="correct" if n else "wrong"),
            step=step, group=0, reward=float(n), advantage=None,
        )
        for step in range(1, 6) for n in (0, 1)
    ]  # fmt: skip
    append_rl_attempts(ctx.run.arm_path("heuristics-2", 0, "5-rl", "attempts"), during)
    analyse.run(ctx)
    rows = {row.problem_id: row.texts for row in table(ctx, "explorer", ExplorerRow)}
    pool = Counter((text.heuristic, text.status) for text in rows["made/seed/000"])
    assert pool == {(way, status): 1 for way in ("a", "b") for status in ("correct", "wrong")}
    tested = Counter((text.source, text.status) for text in rows["made/test/000"])
    assert len(tested) == 6
    assert set(tested.values()) == {1}
    steps = [(text.note, text.status) for text in rows["made/rl/003"]]
    told = [f"step {step} of RL" for step in (1, 3, 5)]
    assert steps == [(note, status) for note in told for status in ("correct", "wrong")]


def test_analysis_is_deterministic_and_redone_only_when_something_changed(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    evaluate(ctx, "base", {TEST: [1, 2, 3] * 4})
    put_pool(ctx, [attempt("made/seed/000", "a")])
    selection.run(ctx)
    analyse.run(ctx)
    first = {p.name: p.read_text() for p in ctx.run.path("7-tables").iterdir()}
    assert analyse.plan(ctx).done
    ctx.run.stamp_path("analyse").unlink()
    analyse.run(ctx)
    assert first == {p.name: p.read_text() for p in ctx.run.path("7-tables").iterdir()}
    evaluate(ctx, "vanilla/seed-0/rl", {TEST: [1]})
    assert not analyse.plan(ctx).done
    assert json.loads(first["yield.json"])[0]["kept"] == 1
