from dataclasses import replace
from itertools import groupby

import pytest
from fake_engines import GuessingEngine, Recording
from sampled_runs import context

from manyways.records import PLAIN, Exemplar
from manyways.stages import generate
from manyways.tables import read_attempts


@pytest.fixture(autouse=True)
def fresh_engine():
    GuessingEngine.reset()


def run(root, **changes):
    ctx = context(root, **changes)
    try:
        generate.run(ctx)
    finally:
        ctx.close()
    return ctx


def found(ctx):
    return list(read_attempts(ctx.run.path("1-attempts")))


def test_the_pool_is_problems_times_plain_and_every_heuristic(tmp_path):
    ctx = run(tmp_path, generate={"samples": 3, "plain_samples": 2})
    attempts = found(ctx)
    assert [a.heuristic for a in attempts] == [PLAIN] * 8 + ["a"] * 12 + ["b"] * 12 + ["c"] * 12
    assert [a.sample for a in attempts[8:14]] == [0, 1, 2, 0, 1, 2]
    stamp = ctx.run.stamp("generate")
    assert stamp.counts["attempts"] == 44
    assert stamp.counts["correct"] > 0
    assert stamp.counts["problems"] == 4


def test_prompts_name_the_heuristic_and_show_its_exemplars(tmp_path):
    ctx = context(tmp_path)
    (problem, *_) = ctx.problems("made_runs:load/seed", None)
    made = generate.cells(ctx, [problem])
    assert [cell.heuristic for cell in made] == [PLAIN, "a", "b", "c"]
    assert made[0].messages == ctx.prompts.plain(problem.question)
    named = made[1].messages
    assert [m.role for m in named] == ["user", "assistant", "user"]
    assert "A: Do it." in named[0].content
    assert problem.question in named[-1].content


def test_an_exemplar_that_is_the_problem_itself_is_left_out(tmp_path):
    ctx = context(tmp_path)
    (problem, other, *_) = ctx.problems("made_runs:load/seed", None)
    heuristic = replace(
        ctx.pack[0],
        exemplars=(
            Exemplar(question="what is  0 + 0?", solution="SECRET", answer="0"),
            Exemplar(question="2 + 2?", solution="four", answer="4"),
        ),
    )
    own = generate.heuristic_prompt(ctx, heuristic, problem)
    assert "SECRET" not in "".join(m.content for m in own)
    assert "four" in own[1].content
    assert "SECRET" in generate.heuristic_prompt(ctx, heuristic, other)[1].content


def test_a_finished_pool_is_not_touched(tmp_path, capsys):
    run(tmp_path)
    run(tmp_path)
    assert GuessingEngine.opened == 1
    assert "generate: finished earlier." in capsys.readouterr().err


def test_widening_samples_only_what_is_new(tmp_path):
    run(tmp_path, pack=("a", "b"), generate={"samples": 2, "plain_samples": 1, "limit": 2})
    first = len(GuessingEngine.seeds)
    assert first == 2 * (1 + 2 * 2)
    ctx = run(tmp_path, generate={"samples": 3, "plain_samples": 2, "limit": 4})
    assert len(GuessingEngine.seeds) == len(set(GuessingEngine.seeds)) == 4 * (2 + 3 * 3)
    assert len(found(ctx)) == 4 * (2 + 3 * 3)
    assert not ctx.run.path("stale").exists()


@pytest.mark.parametrize("change", [{"temperature": 0.5}, {"max_tokens": 8}, {"stop": ("x",)}])
def test_other_changes_set_the_pool_aside(tmp_path, change):
    run(tmp_path)
    ctx = run(tmp_path, generate=change)
    assert len(list(ctx.run.path("stale").glob("1-attempts-*"))) == 1
    assert len(GuessingEngine.seeds) == 2 * len(found(ctx))


def test_the_training_seed_does_not_matter(tmp_path):
    run(tmp_path)
    ctx = context(tmp_path, seeds=(4, 5))
    assert generate.plan(ctx).done


def test_no_correct_attempt_is_no_error_here(tmp_path):
    ctx = run(tmp_path, engine="NeverRight")
    assert ctx.run.stamp("generate").counts["correct"] == 0


def test_an_engine_is_asked_heuristic_by_heuristic_so_neighbours_share_their_exemplars(tmp_path):
    Recording.heads.clear()
    sizes = {"samples": 2, "plain_samples": 1, "part_size": 5}
    run(tmp_path, engine="Recording", generate=sizes)
    heads = [head for head, _ in groupby(Recording.heads)]
    assert len(heads) == len(set(heads)) == 4, (
        "plain, then each heuristic once, not problem by problem"
    )
    assert heads[0] == ()
    assert [head[0][:10] for head in heads[1:]] == ["A: Do it.\n", "B: Do it.\n", "C: Do it.\n"]
    assert len(Recording.heads) == 4 * 4
    Recording.heads.clear()
    run(tmp_path, engine="Recording", generate=sizes | {"samples": 3})
    again = [head for head, _ in groupby(Recording.heads)]
    assert again == heads[1:], "what is added later comes in the same order"
