"""First heuristics over RL steps: what is logged, what is expected, what agrees."""

import json
from pathlib import Path

import pytest
from made_runs import attempt, context, seen_of

from manyways.measures.curves import CURVES, CurveRow
from manyways.measures.openings import opening_rows
from manyways.measures.theory.training import replicator_rows
from manyways.metrics.intervals import Resampling
from manyways.records import Attempt
from manyways.tables import append_attempts, write_text

ARM = "heuristics-2"
FEW = Resampling(resamples=200)


def logged(seed: int, steps: int = 20, *, rising: bool = True) -> list[CurveRow]:
    """Way a goes from 4 of 16 attempts to 14, or the other way round."""
    rows = []
    for step in range(1, steps + 1):
        a = 4 + round(10 * (step - 1) / (steps - 1))
        a = a if rising else 18 - a
        rows.append(
            CurveRow(
                arm=ARM, seed=seed, stage="rl", step=step,
                openings={"a": (a, a // 2), "direct": (16 - a, 0)},
            )
        )  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """Just before RL, attempts that open with a are right and others wrong, at every problem."""
    ctx = context(tmp_path_factory.mktemp("run"), arms=(ARM,), rl={"group_size": 8})
    folder = ctx.run.arm_path(ARM, 0, "4-gate")
    append_attempts(folder, [one for i in range(8) for one in group(f"made/rl/{i:03d}")])
    return seen_of(ctx).material.gate[f"{ARM}/mid"]


def group(problem: str) -> list[Attempt]:
    right = ["correct", "correct", "wrong"]
    opened = [
        attempt(problem, sample=i, text="<a> x", status=status) for i, status in enumerate(right)
    ]
    return opened + [attempt(problem, sample=i, text="x", status="wrong") for i in range(3, 8)]


def rows_of(curves, gate):
    return {row.heuristic: row for row in opening_rows(ARM, curves, gate, group=8, settings=FEW)}


def test_shares_changes_and_signs(gate) -> None:
    rows = rows_of([row for seed in (0, 1, 2) for row in logged(seed)], gate)
    assert list(rows) == ["a", "direct"]
    a, direct = rows["a"], rows["direct"]
    assert [point.step for point in a.course] == [4, 8, 11, 14, 17, 20]
    assert a.course[0].share.value == pytest.approx(20 / 64)
    assert a.course[0].share.n == 3 * 4 * 16
    assert a.course[0].share.low < 20 / 64 < a.course[0].share.high
    first, last = (4 + 5 + 5 + 6) / 64, (12 + 13 + 13 + 14) / 64
    assert a.change.value == pytest.approx(last - first, abs=0.02)
    assert a.change.low < a.change.value < a.change.high
    assert direct.change.value == pytest.approx(-a.change.value)
    assert a.push.low > 0 > direct.push.high
    assert (a.expected[:5], a.outcome) == ("rises", "agrees")
    assert (direct.expected[:5], direct.outcome) == ("falls", "agrees")


def test_a_share_that_falls_although_it_pays_disagrees(gate) -> None:
    rows = rows_of(logged(0, rising=False), gate)
    assert rows["a"].outcome == rows["direct"].outcome == "disagrees"


def test_without_attempts_at_the_gate_no_sign_is_expected() -> None:
    row = rows_of(logged(0), None)["a"]
    assert (row.push, row.outcome) == (None, "cannot tell")
    assert "was not measured" in row.expected


@pytest.mark.parametrize(("rising", "outcome"), [(True, "agrees"), (False, "disagrees")])
def test_the_replicator_gives_one_number_a_seed(gate, rising: bool, outcome: str) -> None:
    # Steps differ between seeds, or the interval over seeds has no width.
    curves = [row for seed in (0, 1, 2) for row in logged(seed, 18 + 2 * seed, rising=rising)]
    (row,) = replicator_rows(ARM, curves, opening_rows(ARM, curves, gate, group=8, settings=FEW))
    assert (row.outcome, row.measured.n) == (outcome, 3)


def test_two_seeds_have_no_interval_and_none_logged_no_number(gate) -> None:
    curves = [*logged(0), *logged(1)]
    (row,) = replicator_rows(ARM, curves, opening_rows(ARM, curves, gate, group=8, settings=FEW))
    assert row.measured is None
    assert "over 2 seeds; an interval needs three" in row.note
    (row,) = replicator_rows(ARM, [], [])
    assert row.note == "cannot be measured here because RL logged no opening heuristics"


def test_one_step_is_no_course(gate) -> None:
    assert rows_of(logged(0)[:1], gate) == {}


def test_the_step_log_is_read_as_it_is_written(tmp_path: Path) -> None:
    ctx = context(tmp_path, arms=(ARM,))
    line = {"step": 1, "reward": 0.5, "openings": {"a": [3, 1], "direct": [5, 0]}}
    write_text(ctx.run.arm_path(ARM, 0, "5-rl", "metrics.jsonl"), json.dumps(line) + "\n")
    (row,) = seen_of(ctx).rows(CURVES)
    assert {name: tuple(counts) for name, counts in row.openings.items()} == {
        "a": (3, 1),
        "direct": (5, 0),
    }
