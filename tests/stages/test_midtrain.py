import json
import re
import warnings

import pytest
import torch
from made_runs import attempt, context, put_pool
from safetensors.torch import load_file
from tiny_models import build_llama
from transformers import AutoModelForCausalLM

from manyways.arms import Line
from manyways.checkpoints import load_tokenizer
from manyways.context import Context
from manyways.errors import DataError, ModelError, NothingToTrainOn, RecipeError
from manyways.heuristics import PromptFormat
from manyways.pool.training_rows import TrainingRow
from manyways.recipe.training import TrackingConfig
from manyways.stages import midtrain, selection
from manyways.stages.midtrain import IGNORE, examples, fitting

LINE = Line(arm="heuristics-2", seed=0)
ROW = TrainingRow(
    problem_id="p/0", question="What is 3 + 4?", heuristic="split", sample=0, text="It is 7."
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_llama(tmp_path_factory.mktemp("llama"))


def ready(root, folder, **midtraining):
    """A run with a selected pool: two ways for each of four problems."""
    section = {"steps": 3, "batch_size": 4, "max_length": 200, "learning_rate": 1e-2}
    ctx = context(
        root, model={"path": str(folder), "device": "cpu"}, midtrain=section | midtraining
    )
    ways = [(f"made/seed/{i:03d}", way) for i in range(4) for way in ("a", "b")]
    put_pool(ctx, [attempt(p, way, text=f"<{way}> {p} it is {way}!") for p, way in ways])
    selection.run(ctx)
    return ctx


def asked_plainly(row):
    return PromptFormat(instruction="").plain(row.question)


def test_loss_is_on_the_solution_only_and_the_last_label_stops(folder) -> None:
    tokenizer = load_tokenizer(str(folder))
    (made,) = examples([ROW], tokenizer, asked_plainly, 1)
    trained = [token for token in made.labels if token != IGNORE]
    assert tokenizer.decode(trained[:-1]) == "It is 7."
    assert trained[-1] == made.input_ids[-1] == 1
    asked = made.input_ids[: -len(trained)]
    assert tokenizer.decode(asked) == "<|bos|><|user|>What is 3 + 4?<|assistant|>"
    assert made.labels[: len(asked)] == [IGNORE] * len(asked)


def test_tokens_are_not_merged_across_the_end_of_the_prompt(folder) -> None:
    tokenizer = load_tokenizer(str(folder))
    tokenizer.chat_template = "{{ messages[0]['content'] }}app"
    row = TrainingRow(problem_id="p", question="3 ", heuristic="a", sample=0, text="les")
    # Otherwise this test would show nothing.
    assert tokenizer("3 apples")["input_ids"] != tokenizer("3 app")["input_ids"] + [
        *tokenizer("les")["input_ids"]
    ]
    (made,) = examples([row], tokenizer, asked_plainly, 1)
    assert made.input_ids == [*tokenizer("3 app")["input_ids"], *tokenizer("les")["input_ids"], 1]


def test_what_trl_collates_trains_the_stop_token(tmp_path, folder, monkeypatch) -> None:
    ctx = ready(tmp_path, folder)
    trainers = []
    make = midtrain._trainer
    monkeypatch.setattr(
        midtrain, "_trainer", lambda *parts: trainers.append(make(*parts)) or trainers[-1]
    )
    midtrain.run(ctx, LINE)
    eos = load_tokenizer(str(folder)).eos_token_id
    batches = list(trainers[0].get_train_dataloader())
    assert len(batches) == 3
    for labels in (row for batch in batches for row in batch["labels"]):
        trained = labels[labels != IGNORE]
        assert trained[-1] == eos
        assert (trained == eos).sum() == 1


def test_rows_that_are_too_long_are_left_out_and_counted(folder, capsys) -> None:
    tokenizer = load_tokenizer(str(folder))
    long = TrainingRow(problem_id="p", question="?", heuristic="a", sample=0, text="7 " * 120)
    made = examples([ROW, long], tokenizer, asked_plainly, 1)
    assert fitting(made, 100, LINE) == made[:1]
    told = " ".join(capsys.readouterr().err.split())
    assert "1 of 2 examples are longer than midtrain.max_length = 100" in told
    with pytest.raises(DataError, match=r"midtrain\.max_length = 10: all 2 examples"):
        fitting(made, 10, LINE)


def test_a_run_trains_saves_and_tells_where_each_row_came_from(tmp_path, folder, capsys) -> None:
    ctx = ready(tmp_path, folder)
    midtrain.run(ctx, LINE)
    out = ctx.run.arm_path(LINE.arm, LINE.seed, "3-midtrain")
    assert sorted(p.name for p in out.iterdir()) == ["checkpoint", "data.jsonl", "metrics.jsonl"]
    rows = [json.loads(line) for line in (out / "data.jsonl").read_text().splitlines()]
    assert len(rows) == 8
    assert rows[0]["problem_id"] == "made/seed/000"
    assert rows[0]["model"] == ctx.base_hash
    assert {row["heuristic"] for row in rows} == {"a", "b"}
    curve = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in curve] == [1, 2, 3]
    assert curve[-1]["loss"] < curve[0]["loss"]
    assert curve[0].items() >= {"arm": LINE.arm, "seed": 0, "stage": "midtrain"}.items()
    assert ctx.run.stamp(f"midtrain/{LINE.name}").counts == {
        "steps": 3, "examples": 8, "problems": 4,
    }  # fmt: skip
    told = capsys.readouterr()
    assert told.out == ""
    assert re.search(r"3 steps in \d+\.\d s; at the last: loss \d", " ".join(told.err.split()))


def test_the_checkpoint_is_an_ordinary_one_that_differs_from_the_base(tmp_path, folder) -> None:
    ctx = ready(tmp_path, folder)
    midtrain.run(ctx, LINE)
    path = ctx.path_of(LINE.start)
    assert load_tokenizer(path).chat_template == load_tokenizer(str(folder)).chat_template
    model = AutoModelForCausalLM.from_pretrained(path, dtype="auto")
    assert model.dtype == torch.float32
    before, after = (load_file(f"{p}/model.safetensors") for p in (folder, path))
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[key], after[key]) for key in before)


def test_a_finished_line_is_not_trained_again_but_another_seed_is(tmp_path, folder) -> None:
    ctx = ready(tmp_path, folder)
    midtrain.run(ctx, LINE)
    assert midtrain.plan(ctx, LINE).done
    assert not midtrain.plan(ctx, Line(arm=LINE.arm, seed=1)).done
    changed = ready(tmp_path / "changed", folder, learning_rate=1e-3)
    first, second = (midtrain.plan(c, LINE).identity for c in (ctx, changed))
    assert {k for k in first if first[k] != second[k]} == {"midtrain"}


def test_epochs_become_steps(tmp_path, folder) -> None:
    ctx = ready(tmp_path, folder, steps=None, epochs=2.0)
    assert ctx.recipe.midtrain.steps_for(8) == 4
    assert ctx.recipe.midtrain.steps_for(1) == 1


def test_a_template_that_never_stops_is_refused_before_training(tmp_path, folder) -> None:
    ctx = ready(tmp_path / "run", build_llama(tmp_path / "llama"))
    (tmp_path / "llama" / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    )
    with pytest.raises(ModelError, match="never stop"):
        midtrain.run(ctx, LINE)


def test_an_arm_without_rows_says_so(tmp_path, folder) -> None:
    ctx = ready(tmp_path, folder)
    with pytest.raises(NothingToTrainOn):
        midtrain.run(ctx, Line(arm="star", seed=0))


def test_unknown_extra_keys_are_refused(tmp_path, folder) -> None:
    ctx = ready(tmp_path, folder, extra={"lr_schedule_type": "cosine"})
    with pytest.raises(RecipeError, match=r"midtrain\.extra\.lr_schedule_type.*lr_scheduler_type"):
        midtrain.run(ctx, LINE)


@pytest.mark.slow
def test_tensorboard_gets_the_losses_that_metrics_jsonl_has(tmp_path, folder, monkeypatch) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    ctx = ready(tmp_path, folder)
    tracked = TrackingConfig(report_to=("tensorboard",))
    pack = ctx.pack
    ctx = Context(recipe=ctx.recipe.model_copy(update={"tracking": tracked}), run=ctx.run)
    ctx.__dict__["pack"] = pack
    midtrain.run(ctx, LINE)
    out = ctx.run.arm_path(LINE.arm, LINE.seed)
    events = EventAccumulator(str(out / "tensorboard" / "midtrain"))
    events.Reload()
    curve = (out / "3-midtrain" / "metrics.jsonl").read_text().splitlines()
    assert [e.step for e in events.Scalars("train/loss")] == [1, 2, 3]
    for event, row in zip(events.Scalars("train/loss"), map(json.loads, curve), strict=True):
        assert event.value == pytest.approx(row["loss"], abs=1e-5)
