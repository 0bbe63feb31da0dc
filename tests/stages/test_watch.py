"""Evaluation on the way: which step is the best, when training ends, what is kept and tested."""

from dataclasses import replace

import pytest
from lucky import LuckyVerifiers
from made_runs import attempt, context, seen_of
from tiny_models import build_llama

from manyways.arms import Line
from manyways.errors import DataError, RecipeError
from manyways.measures.step_scores import (
    best_step,
    checkpoint_at,
    evaluated_steps,
    has_stalled,
    work_name,
)
from manyways.measures.steps import STEPS
from manyways.records import Checkpoint
from manyways.stages import evaluate, reinforce, watch
from manyways.tables import append_attempts

LINE = Line(arm="vanilla", seed=0)
VALID = "made_runs:load/valid?count=3"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_llama(tmp_path_factory.mktemp("llama"))


def ready(root, folder, seeds=(0,), **rl):
    section = {"problems": "made_runs:load/rl?count=3", "steps": 4, "group_size": 4,
               "prompts_per_step": 2, "max_tokens": 8, "learning_rate": 1e-3,
               "evaluate_every": 1, "evaluate": [VALID], "evaluate_attempts": 2}  # fmt: skip
    ctx = context(
        root, arms=("vanilla",), seeds=seeds, rl=section | rl,
        model={"path": str(folder), "device": "cpu"},
        evaluate={"benchmarks": ["made_runs:load/test?count=2"], "attempts": 2, "max_tokens": 8},
    )  # fmt: skip
    ctx.__dict__["verifiers"] = LuckyVerifiers()
    return ctx


def put(ctx, step: int, right: int, line=LINE) -> None:
    """An evaluation of a step at which so many of two attempts at three problems are right."""
    begun = ctx.run.begun_path(f"rl/{line.name}")
    begun.parent.mkdir(exist_ok=True)
    begun.write_text("t")
    checkpoint = checkpoint_at(line, "rl", step)
    folder = ctx.run.eval_path(checkpoint.name, VALID)
    rows = [
        attempt(f"made/valid/{i % 3:03d}", sample=i // 3, text=f"<a> {i}",
                status="correct" if i < right else "wrong")
        for i in range(6)
    ]  # fmt: skip
    with ctx.run.work(work_name(checkpoint, VALID), identity={"training": "t"}, outputs=(folder,)):
        append_attempts(folder, rows)


def test_the_best_step_and_the_end(tmp_path, folder) -> None:
    ctx = ready(tmp_path, folder)
    for step, right in enumerate((1, 4, 4, 2, 3)):
        put(ctx, step, right)
    steps = evaluated_steps(ctx, LINE)
    assert [one.step for one in steps] == [0, 1, 2, 3, 4]
    assert [one.mean(1) for one in steps] == pytest.approx([1 / 6, 4 / 6, 4 / 6, 2 / 6, 3 / 6])
    assert steps[1].mean(2) == 1.0  # all three problems have a right one
    assert best_step(steps, 1) == 1
    assert [has_stalled(steps[: n + 1], k=1, patience=2) for n in range(5)] == [
        False, False, False, True, True
    ]  # fmt: skip
    assert [one.step for one in evaluated_steps(ctx, LINE, until=2)] == [0, 1, 2]
    # Evaluations of another training under the same name do not count.
    ctx.run.begun_path("rl/vanilla/seed-0").write_text("another")
    assert evaluated_steps(ctx, LINE) == []
    assert best_step([], 1) is None


def test_training_ends_where_nothing_is_gained_and_its_best_step_is_benchmark_scores(
    tmp_path, folder, monkeypatch
) -> None:
    """Scores are laid down beforehand; where they are, nothing is sampled again."""
    ctx = ready(tmp_path, folder, keep="best", stop={"on": "pass@1", "patience": 2}, steps=6)
    scores = {0: 0.1, 1: 0.5, 2: 0.4, 3: 0.3, 4: 0.2}
    monkeypatch.setattr(
        "manyways.measures.step_scores.StepScores.mean", lambda me, _: scores[me.step]
    )
    reinforce.run(ctx, LINE)
    assert reinforce.plan(ctx, LINE).done
    assert ctx.run.stamp("rl/vanilla/seed-0").counts["steps"] == 3
    assert [one.step for one in evaluated_steps(ctx, LINE)] == [0, 1, 2, 3]
    kept = tmp_path / "arms/vanilla/seed-0/5-rl/steps"
    assert [one.name for one in kept.iterdir()] == ["1"]
    best = watch.best(ctx, LINE)
    assert best == Checkpoint(arm="vanilla", seed=0, phase="rl", step=1)
    evaluate.run(ctx, LINE.rl)
    names = [work.name for work in evaluate.plan(ctx, LINE.rl) if work.done]
    assert names == [work_name(one, "made_runs:load/test?count=2") for one in (LINE.rl, best)]
    rows = seen_of(ctx).rows(STEPS)
    assert [(row.step, row.peak, row.last) for row in rows] == [
        (0, False, False), (1, True, False), (2, False, False), (3, False, True)
    ]  # fmt: skip
    assert [row.test_many is not None for row in rows] == [False, True, False, True]
    assert [row.entropy is None for row in rows] == [True, False, False, False]


def test_steps_of_several_seeds_are_a_mean_with_an_interval_over_problems(tmp_path, folder) -> None:
    ctx = ready(tmp_path, folder, seeds=(0, 1))
    for seed, rights in enumerate(((1, 4, 6), (3, 2))):
        for step, right in enumerate(rights):
            put(ctx, step, right, replace(LINE, seed=seed))
    seen = seen_of(ctx)
    rows = [row for row in seen.rows(STEPS) if row.seed is None]
    assert [row.step for row in rows] == [0, 1], "the steps that both seeds have"
    assert [row.one.value for row in rows] == pytest.approx([4 / 12, 6 / 12])
    assert [row.many.value for row in rows] == pytest.approx([(1 + 3) / 6, (3 + 2) / 6])
    assert all(row.one.n == 3 and row.one.low < row.one.value < row.one.high for row in rows)
    heading, figures, *_ = STEPS.shown["training"](seen)
    assert "means over seeds" in heading.text
    band, line = figures.charts[0].spec["data"]
    assert line["y"] == pytest.approx([row.one.value for row in rows], abs=1e-4)
    assert band["y"] == [rows[0].one.high, rows[1].one.high, rows[1].one.low, rows[0].one.low]


def test_an_engine_that_reads_checkpoints_samples_saved_steps_afterwards(
    tmp_path, folder, monkeypatch
) -> None:
    """The same texts as from the model in training."""
    live, saved = (ready(tmp_path / name, folder, steps=3) for name in ("live", "saved"))
    reinforce.run(live, LINE)
    monkeypatch.setattr(watch, "_sampled_in_memory", lambda *_: False)
    reinforce.run(saved, LINE)
    texts = [
        [[row.text for row in _attempts(ctx, step)] for step in range(4)] for ctx in (live, saved)
    ]
    assert len(texts[0][0]) == 6
    assert texts[0] == texts[1]
    assert not list((tmp_path / "saved/arms/vanilla/seed-0/5-rl").glob("steps/*"))


def _attempts(ctx, step):
    from manyways.tables import read_attempts

    return list(read_attempts(ctx.run.eval_path(checkpoint_at(LINE, "rl", step).name, VALID)))


def test_what_is_trained_on_or_tested_is_no_validation(tmp_path, folder) -> None:
    """Questions that a training or a benchmark asks are left out of the validation set."""
    ctx = ready(tmp_path, folder, evaluate=["made_runs:load/rl?count=9"])
    assert [p.id for p in watch.problems(ctx)["made_runs:load/rl?count=9"]] == [
        f"made/rl/{i:03d}" for i in range(3, 9)
    ]
    same = ready(tmp_path, folder, evaluate=["made_runs:load/rl?count=3"])
    with pytest.raises(DataError, match="is trained on or a benchmark"):
        watch.problems(same)


def test_what_cannot_be_asked_for(tmp_path, folder) -> None:
    with pytest.raises(ValueError, match="need evaluate_every"):
        ready(tmp_path, folder, evaluate_every=None, keep="best")
    with pytest.raises(ValueError, match="needs evaluate_attempts >= 8"):
        ready(tmp_path, folder, stop={"on": "pass@8"})
    with pytest.raises(ValueError, match="is a benchmark of the recipe"):
        ready(tmp_path, folder, evaluate=["made_runs:load/test?count=2"])
    unnamed = ready(tmp_path, folder, evaluate=[], problems="pocket/rl")
    assert list(watch.problems(unnamed)) == ["pocket/validation"]
    with pytest.raises(DataError, match="Name a validation set in"):
        watch.problems(ready(tmp_path, folder, evaluate=[], problems="gsm8k/train"))


def test_no_end_by_evaluations_where_the_weights_are_spread(tmp_path, folder, monkeypatch) -> None:
    ctx = ready(tmp_path, folder, stop={"on": "pass@1", "patience": 2})
    assert watch.watch(ctx, LINE, "rl", steps=4) is not None
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(RecipeError, match=r"rl\.stop: .*rl\.keep = 'best'"):
        watch.watch(ctx, LINE, "rl", steps=4)
