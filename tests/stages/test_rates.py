"""RL's problems of the right difficulty: measured once, kept, shared by the gate, told."""

import pytest
from fake_engines import GuessingEngine
from sampled_runs import context

from manyways.arms import Line
from manyways.errors import GateRefused, MissingWork
from manyways.measures.gate import GateRow
from manyways.measures.measure import read_rows
from manyways.pipeline import steps
from manyways.records import Verdict
from manyways.stages import gate, rates
from manyways.tables import read_attempts

LINE = Line(arm="vanilla", seed=2)
RL = {"problems": "made_runs:load/rl?count=12", "group_size": 4, "pass_rate": [0.3, 0.7]}


@pytest.fixture(autouse=True)
def fresh_engine():
    GuessingEngine.reset()


def expected(folder) -> dict[str, float]:
    right: dict[str, list[bool]] = {}
    for one in read_attempts(folder):
        right.setdefault(one.problem_id, []).append(one.verdict.status == "correct")
    assert all(len(group) == 4 for group in right.values())
    return {name: sum(group) / 4 for name, group in right.items()}


def test_the_base_attempts_every_problem_once_and_the_gate_looks_at_these(tmp_path) -> None:
    ctx = context(tmp_path, rl=RL, gate={"problems": 3})
    with pytest.raises(MissingWork, match="run gate"):
        rates.chosen(ctx, LINE)
    rates.run(ctx)
    sampled = len(GuessingEngine.seeds)
    assert sampled == 12 * 4
    found = expected(tmp_path / "4-rates")
    inside = [name for name, rate in found.items() if 0.3 <= rate <= 0.7]
    chosen = rates.chosen(ctx, LINE)
    assert [problem.id for problem in chosen.problems] == inside
    assert 0 < len(inside) < 12
    assert chosen.harder == sum(rate < 0.3 for rate in found.values())
    assert chosen.easier == sum(rate > 0.7 for rate in found.values())
    gate.run(ctx, LINE)
    assert len(GuessingEngine.seeds) == sampled
    [row] = read_rows(tmp_path / "arms/vanilla/seed-2/4-gate.json", GateRow)
    assert row.attempts == 3 * 4
    assert f"{len(inside)} of 12 problems are trained on" in row.sentence
    counts = ctx.run.stamp("gate/vanilla/seed-2").counts
    assert counts == {"too_hard": chosen.harder, "too_easy": chosen.easier}
    assert rates.plan(ctx).done
    assert gate.plan(ctx, LINE).done
    ctx.close()


def test_each_start_can_be_asked_instead(tmp_path) -> None:
    ctx = context(tmp_path, rl=RL | {"pass_rate_of": "start"}, gate={"problems": 3})
    assert rates.left_out(ctx)
    assert "gate" not in {step.name for step in steps(ctx)}
    gate.run(ctx, LINE)
    assert len(GuessingEngine.seeds) == 12 * 4
    found = expected(tmp_path / "arms/vanilla/seed-2/4-gate")
    inside = [name for name, rate in found.items() if 0.3 <= rate <= 0.7]
    assert [problem.id for problem in rates.chosen(ctx, LINE).problems] == inside
    ctx.close()


def test_nothing_is_asked_where_no_rate_is_wanted(tmp_path) -> None:
    plain = context(tmp_path, rl={"problems": RL["problems"]})
    assert rates.left_out(plain) == "the recipe has no rl.pass_rate"
    assert len(rates.chosen(plain, LINE).problems) == 12
    wanted = context(tmp_path, rl=RL)
    names = [step.name for step in steps(wanted)]
    assert names.index("gate") < names.index("gate/vanilla/seed-0")


def test_no_problem_of_that_difficulty_is_said(tmp_path) -> None:
    ctx = context(tmp_path, engine="NeverRight", rl=RL)
    rates.run(ctx)
    with pytest.raises(GateRefused, match=r"of 12 problems none .*12 less often, 0 more often"):
        gate.run(ctx, LINE)
    ctx.close()


def test_groups_that_earn_all_the_same_are_found_and_judged_once() -> None:
    from manyways.records import Problem
    from manyways.train.reward import StepReward

    asked = []

    def judge(pairs) -> list[Verdict]:
        asked.append(len(pairs))
        return [Verdict(status="correct" if text == "+" else "wrong") for _, text in pairs]

    reward = StepReward(verify=judge, group_size=2)
    problems = [Problem(id=str(i // 2), question="?", answer="") for i in range(6)]
    assert reward.alike(problems, list("+--+--")) == [4, 5]
    assert reward.alike(problems, list("+-++--")) == [2, 3, 4, 5]
    # Every text of the batch that is kept was judged in the first draw, and is not judged again.
    assert reward.score(problems, list("+-++--")) == [1, 0, 1, 1, 0, 0]
    assert asked == [6]
    assert reward.score(problems, list("------")) == [0] * 6
    assert asked == [6, 6]
