"""RL's problems of the right difficulty: measured once, kept, shared by the gate, told."""

from collections import Counter

import pytest
from fake_engines import GuessingEngine
from sampled_runs import context

from manyways.arms import Line
from manyways.errors import DataError, GateRefused, MissingWork
from manyways.measures import read_rows
from manyways.measures.difficulty import left_out_sentence, of_pool
from manyways.measures.gate import GateRow
from manyways.measures.seen import Seen
from manyways.measures.step_scores import checkpoint_at, evaluated_steps
from manyways.measures.yields import YIELD, blocks
from manyways.pipeline import dry_run, steps
from manyways.pool.training_rows import training_rows
from manyways.records import BASE, PLAIN, Verdict
from manyways.reporting import Heading
from manyways.stages import evaluate, gate, generate, rates, selection, validation, watch
from manyways.tables import read_attempts, read_table

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
    assert "gate/base" not in {step.name for step in steps(ctx)}
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
    assert names.index("gate/base") < names.index("gate/vanilla/seed-0")


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


POOL = {"problems": "made_runs:load/seed?count=12", "samples": 2, "plain_samples": 4}


def named(folder) -> set[tuple[str, str, int, int]]:
    return {(a.problem_id, a.heuristic, a.sample, a.seed) for a in read_attempts(folder)}


@pytest.mark.parametrize("how", ["fixed", "adaptive"])
def test_the_pool_is_sampled_under_heuristics_where_the_base_solves_problems_so_often(
    tmp_path, how
) -> None:
    whole = context(tmp_path / "whole", generate=POOL)
    ctx = context(tmp_path / "rated", generate=POOL | {"pass_rate": [0.3, 0.7], "sampling": how})
    for one in (whole, ctx):
        generate.run(one)
        selection.run(one)
    plain = [a for a in read_attempts(tmp_path / "rated/1-attempts") if a.heuristic == PLAIN]
    assert len(plain) == 12 * 4
    right = Counter(a.problem_id for a in plain if a.verdict.status == "correct")
    inside = {a.problem_id for a in plain if 0.3 <= right[a.problem_id] / 4 <= 0.7}
    assert 0 < len(inside) < 12
    # What is sampled is what a whole pool has there, with the same seeds.
    every = named(tmp_path / "whole/1-attempts")
    wanted = {key for key in every if key[0] in inside or key[1] == PLAIN}
    found = named(tmp_path / "rated/1-attempts")
    assert found == wanted if how == "fixed" else found < wanted
    # Other problems are in no arm's data, although they have attempts that are right.
    rows = read_table(ctx.solutions, ["problem_id", "kept"]).to_pylist()
    assert {row["problem_id"] for row in rows} == inside
    assert {row.problem_id for row in training_rows(ctx, Line(arm="star", seed=0))} <= inside
    counts = ctx.run.stamp("generate").counts
    assert counts["attempts"] == len(found)
    assert counts["problems"] == len(inside)
    assert counts["too_hard"] == sum(right[p.id] / 4 < 0.3 for p in of_pool(ctx).problems)
    assert counts["too_hard"] + counts["too_easy"] == 12 - len(inside)
    whole.close()
    ctx.close()


def test_a_wider_range_samples_only_what_is_new(tmp_path) -> None:
    ctx = context(tmp_path, generate=POOL | {"pass_rate": [0.4, 0.6]})
    generate.run(ctx)
    selection.run(ctx)
    before = ctx.run.stamp("generate").counts["problems"]
    assert len(GuessingEngine.seeds) == 12 * 4 + before * 2 * 3
    wider = context(tmp_path, generate=POOL | {"pass_rate": [0.4, 0.8]})
    assert not generate.plan(wider).done
    generate.run(wider)
    assert generate.plan(wider).done
    assert not selection.plan(wider).done
    after = wider.run.stamp("generate").counts["problems"]
    assert before < after < 12
    assert len(GuessingEngine.seeds) == 12 * 4 + after * 2 * 3
    # Narrowed again, nothing is sampled and less is selected.
    generate.run(ctx)
    selection.run(ctx)
    assert len(GuessingEngine.seeds) == 12 * 4 + after * 2 * 3
    names = set(read_table(ctx.solutions, ["problem_id"])["problem_id"].to_pylist())
    assert len(names) == before
    ctx.close()
    wider.close()


def test_nothing_of_a_pool_is_solved_so_often(tmp_path) -> None:
    ctx = context(tmp_path, engine="NeverRight", generate=POOL | {"pass_rate": [0.3, 0.7]})
    with pytest.raises(
        DataError, match=r"of 12 .* generate\.pass_rate .*12 less often, 0 more often"
    ):
        generate.run(ctx)
    assert GuessingEngine.opened == GuessingEngine.closed
    ctx.close()


VALID = "made_runs:load/valid?count=12"
WAY = {
    "problems": "made_runs:load/rl", "evaluate_every": 5, "evaluate": [VALID],
    "evaluate_attempts": 4, "evaluate_pass_rate": [0.3, 0.7],
}  # fmt: skip


def test_evaluations_on_the_way_ask_problems_of_the_right_difficulty(tmp_path) -> None:
    ctx = context(tmp_path, rl=WAY)
    names = [step.name for step in steps(ctx)]
    assert names.index("generate/base") < names.index("midtrain/star/seed-0")
    ways = dict(dry_run(ctx))
    assert ways["generate/base"].startswith("would run")
    with pytest.raises(MissingWork, match="run generate"):
        watch.chosen(ctx)
    [most] = {a.attempts for a in watch.amount(ctx, LINE, "rl", steps=5)}
    assert most == 12 * 4
    validation.run(ctx)
    assert len(GuessingEngine.seeds) == 12 * 4
    [work] = validation.plan(ctx)
    assert work.done
    asked = tmp_path / "1-rates/made-runs-load-valid-count-12"
    found = expected(asked)
    inside = [name for name, rate in found.items() if 0.3 <= rate <= 0.7]
    assert 0 < len(inside) < 12
    assert [p.id for p in watch.chosen(ctx)[VALID]] == inside
    [exact] = {a.attempts for a in watch.amount(ctx, LINE, "rl", steps=5)}
    assert exact == len(inside) * 4
    # Of the benchmarks every problem is asked, whatever the base can do there.
    evaluate.run(ctx, BASE)
    test = tmp_path / "6-eval/base/made-runs-load-test-count-12"
    assert len({a.problem_id for a in read_attempts(test)}) == 12
    # The attempts by which problems are chosen are not those of any evaluation.
    watch._sample(ctx, checkpoint_at(LINE, "rl", 0), GuessingEngine("", None))
    start = tmp_path / "6-eval/vanilla/seed-2/rl@0/made-runs-load-valid-count-12"
    first = list(read_attempts(start))
    assert {a.problem_id for a in first} == set(inside)
    assert len(first) == len(inside) * 4
    assert not {a.seed for a in first} & {a.seed for a in read_attempts(asked)}
    # A wider range would find attempts missing at the start, and never counts fewer than all.
    [start] = evaluated_steps(ctx, LINE)
    assert len(start.counts[0][0]) == len(inside)
    ctx.close()


def test_no_range_of_validation_asks_nothing(tmp_path) -> None:
    plain = context(tmp_path, rl=WAY | {"evaluate_pass_rate": None})
    assert validation.left_out(plain) == "the recipe has no rl.evaluate_pass_rate"
    assert len(watch.chosen(plain)[VALID]) == 12
    never = context(tmp_path, rl=WAY | {"evaluate_every": None})
    assert validation.left_out(never) == "nothing is evaluated during training"
    assert "generate/base" not in {step.name for step in steps(never)}


def test_no_validation_problem_of_that_difficulty_is_said_before_any_training(tmp_path) -> None:
    ctx = context(tmp_path, engine="AlwaysRight", rl=WAY)
    with pytest.raises(DataError, match=r"rl\.evaluate_pass_rate .*0 less often, 12 more often"):
        validation.run(ctx)
    ctx.close()


def test_what_was_left_out_stands_in_the_report(tmp_path) -> None:
    ctx = context(tmp_path, generate=POOL | {"pass_rate": [0.3, 0.7]})
    generate.run(ctx)
    counts = ctx.run.stamp("generate").counts
    assert left_out_sentence("generate.pass_rate", ctx.run.stamps()) == (
        f"{counts['too_hard']:.0f} problems that the base model solves less often than "
        f"generate.pass_rate says are left out, and {counts['too_easy']:.0f} that it solves more "
        "often."
    )
    seen = Seen(
        name="made", recipe=ctx.recipe, stamps=ctx.run.stamps(), tables={"yield": YIELD.example()}
    )
    [heading] = [b for b in blocks(seen) if isinstance(b, Heading)]
    assert left_out_sentence("generate.pass_rate", ctx.run.stamps()) in heading.text
    ctx.close()
