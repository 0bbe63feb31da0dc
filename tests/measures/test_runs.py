"""Runs side by side: only problems that are the same count, differences have the right sign."""

import numpy as np
import pytest
from made_runs import attempt, context, put_evaluation
from scipy import stats

from manyways.commands.compare import compare, run_differences, scores_at
from manyways.metrics.differences import welch_interval
from manyways.metrics.intervals import Resampling

TEST = "made_runs:load/test?count=12"
HARD = "made_runs:load/hard?count=10"
SETTINGS = Resampling(resamples=200)


def evaluated(ctx, checkpoint: str, right: list[int], benchmark: str = TEST) -> None:
    """``right``: number of correct attempts (of 4) at each problem."""
    split = benchmark.split("/")[1].split("?", maxsplit=1)[0]
    rows = [
        attempt(f"made/{split}/{i:03d}", sample=n, status="correct" if n < count else "wrong")
        for i, count in enumerate(right)
        for n in range(4)
    ]
    put_evaluation(ctx, checkpoint, benchmark, rows)


def test_the_later_run_minus_the_first_on_the_same_problems(tmp_path) -> None:
    first = context(tmp_path / "a", arms=("vanilla",), seeds=(0, 1, 2))
    second = context(tmp_path / "b", arms=("vanilla", "star"), seeds=(0, 1, 2))
    for seed in range(3):
        evaluated(first, f"vanilla/seed-{seed}/rl", [1] * 11 + [min(seed, 2)])
        evaluated(second, f"vanilla/seed-{seed}/rl", [3] * 11 + [2 + min(seed, 2)])
        evaluated(second, f"star/seed-{seed}/rl", [4] * 12)
    compared = compare({"a": first, "b": second})
    assert compared.benchmarks == (TEST,)
    assert compared.matched == {TEST: 12}
    rows = list(run_differences(compared, SETTINGS))
    assert {(row.checkpoint, row.k) for row in rows} == {("vanilla/rl", 1), ("vanilla/rl", 4)}
    row = next(row for row in rows if row.k == 1)
    assert row.difference.value == pytest.approx(0.5)
    assert row.difference.n == 12
    assert row.p < 0.01
    assert row.seeds is not None
    assert row.seeds.n == 6
    assert row.seeds.low < 0.5 < row.seeds.high
    shown = {(c.checkpoint.name, c.ks) for c in scores_at(compared)["b"]}
    assert shown == {("vanilla/rl", (1, 4)), ("star/rl", (1, 4))}


def test_problems_with_another_text_do_not_match(tmp_path) -> None:
    first, second = context(tmp_path / "a"), context(tmp_path / "b")
    changed = second.problems(TEST, None)
    changed[0] = changed[0].__class__(id=changed[0].id, question="What is 7 + 9?", answer="16")
    second.__dict__["sets"] = type("Changed", (), {"take": lambda *_: changed})()
    evaluated(first, "base", [2] * 12)
    evaluated(second, "base", [2] * 12)
    assert compare({"a": first, "b": second}).matched == {TEST: 11}


def test_nothing_in_common_is_an_empty_comparison(tmp_path) -> None:
    first, second = context(tmp_path / "a"), context(tmp_path / "b")
    evaluated(first, "base", [1] * 12)
    evaluated(second, "base", [1] * 10, HARD)
    compared = compare({"a": first, "b": second})
    assert compared.benchmarks == ()
    assert list(run_differences(compared, SETTINGS)) == []


def test_welch_agrees_with_scipy() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(1, 1, 5), rng.normal(0, 3, 9)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    mean, low, high = welch_interval(a, b)
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert mean == pytest.approx(a.mean() - b.mean())
