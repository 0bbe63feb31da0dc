"""Runs whose policies are known: the rows have to say what was put in."""

import json
from pathlib import Path

import pytest
from made_runs import attempt, context, put_evaluation

from manyways.measures import read_rows
from manyways.measures.predictions import Expectation, PredictionRow, decide
from manyways.measures.solutions import both_means, contrast
from manyways.metrics.intervals import Resampling
from manyways.records import Score
from manyways.stages import analyse
from manyways.tables import append_attempts, write_text

TEST = "made_runs:load/test?count=12"
PURE_A, PURE_B = "<a> x\n<a> y", "<b> x\n<b> y"
COMPOSED = "<a> x\n<b> y"


def score(low: float, high: float) -> Score:
    return Score(name="x", value=(low + high) / 2, low=low, high=high, n=9)


@pytest.mark.parametrize(
    ("side", "interval", "seeds", "outcome"),
    [
        ("above", (0.1, 0.3), None, "agrees"),
        ("above", (-0.3, -0.1), None, "disagrees"),
        ("above", (-0.1, 0.3), None, "cannot tell"),
        ("above", (0.1, 0.3), (-0.1, 0.4), "cannot tell"),
        ("above", (0.1, 0.3), (-0.4, -0.1), "cannot tell"),
        ("below", (-0.3, -0.1), (-0.4, -0.1), "agrees"),
        ("near", (-0.01, 0.04), None, "agrees"),
        ("near", (-0.01, 0.06), None, "cannot tell"),
        ("near", (0.06, 0.09), None, "disagrees"),
        ("unknown", (0.1, 0.3), None, "cannot tell"),
        (None, (0.1, 0.3), None, "no sign expected"),
    ],
)
def test_the_rule(side, interval, seeds, outcome) -> None:
    expected = Expectation(words="", side=side, margin=0.05 if side == "near" else 0.0)
    assert decide(expected, score(*interval), score(*seeds) if seeds else None) == outcome


def test_without_a_measurement_nothing_can_be_told() -> None:
    assert decide(Expectation(words="", side="above"), None) == "cannot tell"


def test_quoted_means_differ_by_the_difference_that_they_stand_beside() -> None:
    a = {0: {"p": 0.9, "q": 0.2, "r": 0.0}, 1: {"p": 0.7}, 2: {"p": 0.1, "r": 0.3}}
    b = {0: {"p": 0.4, "r": 0.1, "s": 0.6}, 1: {"p": 0.3, "q": 0.5}}
    measured, _ = contrast("x", a, b, Resampling(resamples=50))
    first, second = both_means(a, b)
    assert first == pytest.approx(((0.9 + 0.7) / 2 + 0.0) / 2)
    assert second == pytest.approx(((0.4 + 0.3) / 2 + 0.1) / 2)
    assert first - second == pytest.approx(measured.value)
    base = {None: {"p": 0.5, "q": 0.5}}
    measured, _ = contrast("x", a, base, Resampling(resamples=50))
    first, second = both_means(a, base)
    assert first - second == pytest.approx(measured.value)


def attempts(folder: str, texts: list[str], right: list[bool], *, count: int = 12) -> list:
    """The same attempts at every problem."""
    return [
        attempt(f"made/{folder}/{i:03d}", sample=n, text=text, status="correct" if ok else "wrong")
        for i in range(count)
        for n, (text, ok) in enumerate(zip(texts, right, strict=True))
    ]


def rows_of(ctx) -> dict[tuple[str, str], PredictionRow]:
    ctx.run.stamp_path("analyse").unlink(missing_ok=True)
    analyse.run(ctx)
    rows = read_rows(ctx.run.path("7-tables", "predictions.json"), PredictionRow)
    return {(row.quantity, row.of): row for row in rows}


def study(root: Path):
    """star knows way a; heuristics-2 both, composes when it is right, and does so more after RL."""
    ctx = context(
        root,
        arms=("vanilla", "star", "heuristics-2", "random"),
        rl={"problems": "made_runs:load/rl", "steps": 5, "group_size": 4},
    )
    one, two = [PURE_A] * 4, [PURE_A, PURE_B, COMPOSED, PURE_B]
    for seed in (0,):
        star, many, drawn = (f"{arm}/seed-{seed}" for arm in ("star", "heuristics-2", "random"))
        put_evaluation(ctx, f"{star}/mid", TEST, attempts("test", one, [True] + [False] * 3))
        put_evaluation(ctx, f"{many}/mid", TEST, attempts("test", two, [False, False, True, False]))
        after = [COMPOSED, COMPOSED, COMPOSED, PURE_B]
        put_evaluation(ctx, f"{many}/rl", TEST, attempts("test", after, [True, True, True, False]))
        put_evaluation(ctx, f"{drawn}/rl", TEST, attempts("test", after, [True] + [False] * 3))
        for arm, texts in (("star", one), ("heuristics-2", two)):
            folder = ctx.run.arm_path(arm, seed, "4-gate")
            append_attempts(folder, attempts("rl", texts, [False, False, True, False], count=4))
        lines = [
            {"step": s, "reward": s / 24, "entropy": 1 - (s / 24) ** 2, "composed": s / 48}
            for s in range(1, 25)
        ]
        write_text(
            ctx.run.arm_path("heuristics-2", seed, "5-rl", "metrics.jsonl"),
            "\n".join(map(json.dumps, lines)),
        )
    return ctx


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    ctx = study(tmp_path_factory.mktemp("study"))
    return rows_of(ctx)


MANY_STAR = "heuristics-2/mid − star/mid"


def test_before_rl(rows) -> None:
    modes = rows["Effective number of heuristics, per problem", MANY_STAR]
    assert (modes.outcome, modes.measured.n) == ("agrees", 12)
    assert modes.note.endswith("against 1")
    pooled = rows["Effective number of heuristics, all problems together", MANY_STAR]
    assert pooled.outcome == "agrees"
    switch = rows["Switch rate before RL", MANY_STAR]
    assert switch.measured.value == pytest.approx(0.25)
    assert rows["Mixed groups of 4 before RL", MANY_STAR].measured.value == 0.0
    clock = rows["GRPO clock c_G(p), mean over problems", "heuristics-2/mid"]
    assert clock.outcome == "no sign expected"


def test_through_rl(rows) -> None:
    name = "Cov(composed, correct) within problems, weighted by c_G"
    push = rows[name, "heuristics-2/mid → heuristics-2/rl, on RL problems"]
    assert push.measured.low > 0, "only the composed attempt is right"
    of = "heuristics-2/rl − heuristics-2/mid"
    change = rows["Change of the composition rate through RL", of]
    assert (change.outcome, change.measured.value) == ("agrees", 0.5)
    mass = rows["Mass moves towards heuristics that succeed", "heuristics-2/mid → heuristics-2/rl"]
    assert mass.measured.value == pytest.approx(0.75 * 0.25 - 0.25 * 0.25)
    bend = rows["Bend of entropy over reward during RL", "heuristics-2 during RL"]
    assert (bend.outcome, bend.note) == ("cannot tell", "1 seeds; an interval needs three")


def test_arms_that_should_be_alike_and_are_not_disagree(rows) -> None:
    row = rows["Difference in pass@1", "heuristics-2/rl − random/rl"]
    assert (row.outcome, row.measured.value) == ("disagrees", pytest.approx(0.5))


def test_a_run_without_the_data_has_no_rows(tmp_path: Path) -> None:
    ctx = context(tmp_path, arms=("vanilla",))
    put_evaluation(ctx, "base", TEST, attempts("test", [PURE_A], [True]))
    assert rows_of(ctx) == {}
