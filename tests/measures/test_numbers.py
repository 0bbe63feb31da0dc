"""Numbers and sentences that stand side by side agree."""

import dataclasses
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fake_run import recipe_tree, summary, write_run
from made_runs import attempt, context, put_evaluation, put_pool, seen_of

from manyways.arms import parse_arm
from manyways.commands.passk import passk
from manyways.measures.costs import COSTS, total
from manyways.measures.curves import CURVES, SMOOTHED, WINDOW, CurveRow, blocks
from manyways.measures.openings import OPENINGS
from manyways.measures.pass_at_k import PASS_AT_K
from manyways.measures.seen import Seen, load
from manyways.metrics.intervals import rising_bounds
from manyways.pool.solutions import yield_rows
from manyways.recipe import parse_recipe
from manyways.records import Score
from manyways.reporting import Heading, words
from manyways.stages import selection
from manyways.tables import write_text


def score(value: float, low: float, high: float) -> Score:
    return Score(name="s", value=value, low=low, high=high, n=9)


def test_a_problem_is_solved_whether_or_not_its_solution_was_kept(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    put_pool(ctx, [attempt(f"made/seed/{p:03d}", "a", n, text="<a> the same words everywhere")
                   for p in range(4) for n in range(2)])  # fmt: skip
    selection.run(ctx)
    row = next(row for row in yield_rows(ctx) if row.heuristic == "a")
    assert row.correct == 8
    assert row.problems == 4
    none_kept = context(tmp_path / "strict", select={"min_adherence": 1.0})
    put_pool(none_kept, [attempt("made/seed/000", "a", text="<b> x")])
    selection.run(none_kept)
    row = next(row for row in yield_rows(none_kept) if row.heuristic == "a")
    assert (row.kept, row.problems) == (0, 1)


def test_all_together_counts_the_tokens_of_rl(tmp_path: Path) -> None:
    ctx = context(tmp_path, arms=("vanilla",), rl={"group_size": 8, "prompts_per_step": 2})
    log = ctx.run.arm_path("vanilla", 0, "5-rl", "metrics.jsonl")
    write_text(log, '{"step": 1, "length": 50.0}\n{"step": 2, "length": 60.0}\n')
    with ctx.run.work("rl/vanilla/seed-0", identity={}, outputs=()):
        pass
    seen = seen_of(ctx)
    (row,) = seen.rows(COSTS)
    assert (row.attempts, row.tokens) == (32, 32 * 55)
    assert "1,760 sampled tokens" in total(seen)


def test_an_arm_has_up_to_so_many_ways() -> None:
    assert parse_arm("heuristics-8").words.startswith("up to 8 ways per problem")
    assert parse_arm("heuristics-1").words.startswith("one way per problem")


def curves_of(rows: list[CurveRow], seeds: tuple[int, ...]) -> tuple[str, list[dict]]:
    """The text above the curves of RL, and the traces of the first figure."""
    recipe = parse_recipe(recipe_tree(("star",), seeds), "test")
    heading, figures, *_ = blocks(Seen(name="made", recipe=recipe, tables={CURVES.name: rows}))
    assert isinstance(heading, Heading)
    return heading.text, figures.charts[0].spec["data"]


@pytest.mark.parametrize("steps", [SMOOTHED, SMOOTHED + 1])
def test_the_moving_average_is_where_the_text_says(steps: int) -> None:
    rows = [CurveRow(arm="star", seed=0, stage="rl", step=i, reward=i % 2) for i in range(steps)]
    text, (thin, thick) = curves_of(rows, (0,))
    assert f"{WINDOW} logged steps, of trainings that logged more than {SMOOTHED}" in text
    assert (thin["y"] == thick["y"]) == (steps <= SMOOTHED)


def test_several_seeds_are_a_mean_with_a_band_at_the_steps_that_all_logged() -> None:
    rows = [
        CurveRow(arm="star", seed=seed, stage="rl", step=step, reward=(seed + step) / 10)
        for seed in (0, 1, 5) for step in range(1, 4 + (seed == 1))
    ]  # fmt: skip
    text, (band, line) = curves_of(rows, (0, 1, 5))
    assert "means over seeds" in text
    assert line["x"] == [1, 2, 3]
    assert line["y"] == pytest.approx([0.3, 0.4, 0.5])
    assert band["y"] == pytest.approx([0.6, 0.7, 0.8, 0.3, 0.2, 0.1])


def test_an_arm_whose_seeds_logged_no_step_together_is_not_drawn() -> None:
    rows = [
        CurveRow(arm=arm, seed=seed, stage="rl", step=1 + seed * (arm == "random"), reward=0.5)
        for arm in ("star", "random") for seed in (0, 1)
    ]  # fmt: skip
    recipe = parse_recipe(recipe_tree(("star", "random"), (0, 1)), "test")
    _, figures, *_ = blocks(Seen(name="made", recipe=recipe, tables={CURVES.name: rows}))
    assert figures.charts[0].alt.count("mean of 2 seeds") == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (score(0.01, 0.002, 0.02), ("+0.010", "+0.002", "+0.020")),
        (score(0.1, 0.0, 0.2), ("+0.10", "0.00", "+0.20")),
        (score(-0.01, -0.02, -0.0004), ("-0.0100", "-0.0200", "-0.0004")),
        (score(0.1, -0.0, 0.2), ("+0.10", "0.00", "+0.20")),
        (score(-1e-17, -0.17, 0.21), ("0.00", "-0.17", "+0.21")),
        (score(0.1528, 0.0450456, 0.2605), ("+0.15", "+0.05", "+0.26")),
        (score(0.01649, 0.001, 0.034), ("+0.016", "+0.001", "+0.034")),
        (score(0.00001, -0.00002, 0.00003), ("0.00", "0.00", "0.00")),
        (score(-0.0012, -0.02, 0.01), ("0.00", "-0.02", "+0.01")),
        (score(-0.0012, -0.02, 0.001), ("-0.001", "-0.020", "+0.001")),
    ],
)
def test_a_difference_shows_the_sign_that_its_sentence_names(
    given: Score, said: tuple[str, str, str]
) -> None:
    assert str(words.difference(given)).replace("−", "-") == f"{said[0]} [{said[1]}, {said[2]}]"


def test_a_zero_has_no_sign() -> None:
    assert words.number(-0.004) == words.plus(-0.004) == words.plus(0.004) == "0.00"
    assert (words.plus(0.004, 3), words.plus(-0.004, 3)) == ("+0.004", "−0.004")
    assert str(words.quantity(score(-0.004, -0.3, 0.2))) == "0.00 [−0.30, 0.20]"


def test_the_change_of_a_share_is_that_between_the_shares_beside_it(tmp_path: Path) -> None:
    ctx = context(tmp_path, arms=("heuristics-2",))
    lines = [
        f'{{"step": {i}, "openings": {{"a": [{i}, 0], "direct": [{40 - i}, 0]}}}}\n'
        for i in range(1, 31)
    ]
    write_text(ctx.run.arm_path("heuristics-2", 0, "5-rl", "metrics.jsonl"), "".join(lines))
    rows = seen_of(ctx).rows(OPENINGS)
    assert rows
    for row in rows:
        assert row.last.value - row.first.value == pytest.approx(row.change.value)


def test_openings_of_an_older_run_are_shown(tmp_path: Path) -> None:
    run = load(write_run(tmp_path))
    rows = run.rows(OPENINGS)
    assert all(row.first is None for row in rows)
    rows[:] = [dataclasses.replace(row, first=row.course[-1].share) for row in rows]
    assert "First heuristics of RL" in summary(run)


def test_bounds_of_pass_at_k_rise_with_k(tmp_path: Path) -> None:
    low, high = rising_bounds(np.array([0.2, 0.1, 0.3]), np.array([0.5, 0.4, 0.6]))
    assert (low.tolist(), high.tolist()) == ([0.1, 0.1, 0.3], [0.5, 0.5, 0.6])
    ctx = context(tmp_path, arms=("vanilla",))
    rows = [
        attempt(f"made/test/{p:03d}", sample=n, status="correct" if p < 2 and n < 5 else "wrong")
        for p in range(12) for n in range(8)
    ]  # fmt: skip
    put_evaluation(ctx, "base", "made_runs:load/test?count=12", rows)
    found = sorted(seen_of(ctx).rows(PASS_AT_K), key=lambda row: row.k)
    assert len(found) > 2
    for one, more in pairwise(found):
        assert one.score.low <= more.score.low
        assert one.score.high <= more.score.high


def test_passk_and_the_report_give_the_same_intervals(tmp_path: Path) -> None:
    right = [(7 * p) % 9 if p > 4 else 0 for p in range(12)]
    ctx = context(
        tmp_path / "run", arms=("vanilla",), analyse={"bootstrap": 2000}, evaluate={"attempts": 8}
    )
    rows = [
        attempt(f"made/test/{p:03d}", sample=n, status="correct" if n < right[p] else "wrong")
        for p in range(12) for n in range(8)
    ]  # fmt: skip
    put_evaluation(ctx, "base", "made_runs:load/test?count=12", rows)
    ours = {row.k: row.score for row in seen_of(ctx).rows(PASS_AT_K)}
    lines = (
        json.dumps({"problem": row.problem_id, "correct": row.verdict.status == "correct"})
        for row in rows
    )
    write_text(tmp_path / "attempts.jsonl", "".join(f"{line}\n" for line in lines))
    (found,) = passk(tmp_path / "attempts.jsonl", k=None, out=None, workers=1)
    for theirs in found.passes:
        score = ours[int(theirs.score.name.removeprefix("pass@"))]
        assert (theirs.score.low, theirs.score.high) == pytest.approx(
            (score.low, score.high), abs=1e-6
        )


def test_checkpoints_in_sentences_are_called_as_in_tables() -> None:
    assert words.with_labels("base − star/rl") == "base − star · after RL"
    assert (
        words.with_labels("heuristics-8@25/seed-1/mid → x")
        == "heuristics-8@25 · mid-trained · seed 1 → x"
    )
    assert words.with_labels("problems of pocket/rl and math/rl?count=3") == (
        "problems of pocket/rl and math/rl?count=3"
    )
