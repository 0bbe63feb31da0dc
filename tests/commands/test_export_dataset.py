import json
from pathlib import Path
from typing import Any

import pytest
from fake_hub import FakeHub
from huggingface_hub import DatasetCard
from made_runs import attempt, context, put_pool

from manyways.arms import Line
from manyways.commands.export import dataset as exporting
from manyways.commands.export import folder_of, line_of, source_facts
from manyways.commands.export.dataset import export_dataset
from manyways.context import Context
from manyways.errors import DataError, MissingWork, NothingToTrainOn, RecipeError
from manyways.recipe import load_recipe
from manyways.stages import selection

P = [f"made/seed/{i:03d}" for i in range(4)]


def run(root: Path, **changes: Any) -> Context:
    """Two ways to P[0], one to P[1], a plain one to each, wrong ones to P[2]."""
    ctx = context(root, **changes)
    put_pool(
        ctx,
        [
            attempt(P[0], "a"),
            attempt(P[0], "b", tokens=11, seed=5),
            attempt(P[1], "b"),
            attempt(P[0], "plain"),
            attempt(P[1], "plain", prompt_tokens=3),
            attempt(P[2], "a", status="wrong"),
            attempt(P[3], "a", status="no_answer"),
        ],
    )
    selection.run(ctx)
    return ctx


def loaded(folder: Path, cache: Path) -> Any:
    from datasets import load_dataset

    return load_dataset(str(folder), split="train", cache_dir=str(cache))


def test_a_pool_under_another_pack_is_said_with_the_fix(tmp_path: Path) -> None:
    ctx = run(tmp_path / "run")
    ctx.__dict__["pack"] = tuple(h for h in ctx.pack if h.id != "b")
    with pytest.raises(
        MissingWork, match=r"heuristics that are not .*: b\. Run `manyways generate"
    ):
        export_dataset(ctx, None, out=tmp_path / "out")


def test_problems_that_the_recipe_no_longer_names_are_said_with_the_fix(tmp_path: Path) -> None:
    root = run(tmp_path / "run").run.root
    ctx = context(root, generate={"problems": "made_runs:load/seed?count=1"})
    told = rf"longer in 'made_runs:load/seed\?count=1', for example '{P[1]}': .*`manyways run"
    with pytest.raises(DataError, match=told):
        export_dataset(ctx, None, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pool_round_trip_loses_nothing(tmp_path: Path) -> None:
    ctx = run(tmp_path / "run", prompt={"instruction": "Box it."})
    rows = loaded(export_dataset(ctx, None, out=tmp_path / "out"), tmp_path)
    assert rows.column_names == exporting.schema("prompt-completion").names
    keys = [(row["problem_id"], row["heuristic"]) for row in rows]
    assert sorted(keys) == sorted(
        [(P[0], "a"), (P[0], "b"), (P[1], "b"), (P[0], "plain"), (P[1], "plain")]
    )
    row = rows[keys.index((P[0], "b"))]
    assert row == {
        "prompt": [{"role": "user", "content": "What is 0 + 0?\n\nBox it."}],
        "completion": [{"role": "assistant", "content": "<b> made/seed/000 try 0 by b all alone"}],
        "problem_id": P[0],
        "question": "What is 0 + 0?",
        "reference": "0",
        "heuristic": "b",
        "heuristic_name": "B",
        "sample": 0,
        "status": "correct",
        "answer": "1",
        "rule": "r",
        "verifier": "math",
        "adherence": 1.0,
        "generation_prompt_tokens": 5,
        "completion_tokens": 11,
        "model_hash": "m",
        "seed": 5,
    }


def test_arm_has_its_training_rows_in_order(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(exporting, "SHARD", 2)
    ctx = run(tmp_path / "run")
    folder = export_dataset(ctx, Line(arm="heuristics-2", seed=0), out=tmp_path / "out")
    names = [path.name for path in sorted((folder / "data").iterdir())]
    assert names == ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]
    rows = loaded(folder, tmp_path)
    assert [(row["problem_id"], row["heuristic"]) for row in rows] == [
        (P[0], "a"), (P[0], "b"), (P[1], "b"),
    ]  # fmt: skip


def test_wrong_arm_says_so_everywhere(tmp_path: Path, capsys: Any) -> None:
    ctx = run(tmp_path / "run")
    folder = export_dataset(ctx, Line(arm="wrong-2", seed=0), out=tmp_path / "out")
    assert loaded(folder, tmp_path)["status"][:] == ["wrong"]
    card = DatasetCard.load(folder / "README.md")
    assert "wrong-answers" in card.data.tags
    assert "WRONG final answer" in card.content
    assert "WRONG" in capsys.readouterr().err


def test_messages_form_is_one_column(tmp_path: Path) -> None:
    ctx = run(tmp_path / "run", prompt={"system": "Think."})
    folder = export_dataset(ctx, None, out=tmp_path / "out", form="messages")
    row = loaded(folder, tmp_path)[0]
    assert [turn["role"] for turn in row["messages"]] == ["system", "user", "assistant"]
    assert "prompt" not in row


def test_card_and_recipe_rebuild_without_this_machines_paths(tmp_path: Path) -> None:
    made = run(tmp_path / "run")
    recipe = made.recipe.model_copy(update={"data_dir": "/a/private/place"})
    ctx = Context(recipe=recipe, run=made.run)
    ctx.__dict__["pack"] = made.pack
    folder = export_dataset(ctx, Line(arm="star", seed=0), out=tmp_path / "out")
    card = DatasetCard.load(folder / "README.md")
    assert card.data.license == "other"
    assert "https://arxiv.org/abs/2605.08472" in card.content
    assert card.data.configs[0]["data_files"] == [
        {"split": "train", "path": "data/train-*.parquet"}
    ]
    assert "| plain | 2 | 2 (100.0%) | 0 | 2 | 2 | 1.00 |" in card.content
    assert "export dataset run --arm star --seed 0 --format prompt-completion" in card.content
    assert load_recipe(folder / "recipe.toml").name == ctx.recipe.name
    for path in (folder / "README.md", folder / "recipe.toml", folder / "manyways.json"):
        assert "/a/private/place" not in path.read_text()
    assert json.loads((folder / "manyways.json").read_text())["counts"]["solutions"] == 2


def test_licence_of_a_published_set_reaches_the_card(tmp_path: Path, monkeypatch: Any) -> None:
    ctx = run(tmp_path / "run")
    made = ctx.sets.load(ctx.recipe.generate.problems)
    monkeypatch.setitem(ctx.sets._loaded, "gsm8k/train", made)
    facts = source_facts(ctx, "gsm8k/train")
    assert (facts.licence, facts.hub_licence, facts.hub_id) == ("MIT", "mit", "openai/gsm8k")
    assert facts.language == "en"
    monkeypatch.setitem(ctx.sets._loaded, "math/train", made)
    assert source_facts(ctx, "math/train").hub_licence == "other"


def test_only_our_own_exports_are_replaced(tmp_path: Path) -> None:
    ctx = run(tmp_path / "run")
    out = export_dataset(ctx, None, out=tmp_path / "out")
    export_dataset(ctx, None, out=out)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="no earlier export"):
        export_dataset(ctx, None, out=foreign)
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]


def test_push_happens_only_when_asked(tmp_path: Path) -> None:
    ctx, hub = run(tmp_path / "run"), FakeHub()
    out = export_dataset(ctx, None, out=tmp_path / "out", api=hub)
    assert hub.created == []
    export_dataset(ctx, None, out=out, repo="me/ways", api=hub)
    assert hub.created == [("me/ways", "dataset", True)]
    assert "data/train-00000-of-00001.parquet" in hub.uploaded[0][2]
    with pytest.raises(DataError, match="owner/name"):
        export_dataset(ctx, None, out=out, repo="ways", api=hub)
    with pytest.raises(DataError, match="log in with"):
        export_dataset(ctx, None, out=out, repo="me/ways", api=FakeHub(OSError("no route")))


def test_what_cannot_be_exported_says_why(tmp_path: Path) -> None:
    with pytest.raises(MissingWork, match="select"):
        export_dataset(context(tmp_path / "empty"), None, out=tmp_path / "x")
    ctx = run(tmp_path / "run")
    with pytest.raises(RecipeError, match="vanilla"):
        export_dataset(ctx, Line(arm="vanilla", seed=0), out=tmp_path / "x")
    with pytest.raises(RecipeError, match="unknown arm 'stars'"):
        line_of(ctx, "stars", None)
    with pytest.raises(RecipeError, match="3 heuristics"):
        line_of(ctx, "heuristics-4", None)
    with pytest.raises(RecipeError, match="--seed 7"):
        line_of(ctx, "star", 7)
    put_pool(ctx, [])
    for part in (tmp_path / "run" / "1-attempts").iterdir():
        part.unlink()
    with pytest.raises(DataError, match="0 of their attempts"):
        export_dataset(ctx, None, out=tmp_path / "x")
    assert not (tmp_path / "x").exists()
    few = context(tmp_path / "few")
    put_pool(few, [attempt(P[0], "a", status="wrong")])
    selection.run(few)
    with pytest.raises(NothingToTrainOn):
        export_dataset(few, Line(arm="star", seed=0), out=tmp_path / "x")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # TRL's own default
@pytest.mark.parametrize("form", ["prompt-completion", "messages"])
def test_trl_trains_on_it_as_it_is(tmp_path: Path, form: Any) -> None:
    from tiny_models import build_llama
    from trl import SFTConfig, SFTTrainer

    rows = loaded(
        export_dataset(run(tmp_path / "run"), None, out=tmp_path / "o", form=form), tmp_path
    )
    config = SFTConfig(
        output_dir=str(tmp_path / "t"), max_steps=1, use_cpu=True, report_to="none", bf16=False,
        disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    model = str(build_llama(tmp_path / "model"))
    trainer = SFTTrainer(model=model, args=config, train_dataset=rows)
    trainer.train()
    assert trainer.state.global_step == 1
    made = trainer.train_dataset[0]
    text = trainer.processing_class.decode(made["input_ids"])
    assert "What is" in text and "all alone" in text


def test_each_run_exports_to_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    roots = [
        tmp_path / "runs" / "pocket",
        tmp_path / "first" / "pocket",
        tmp_path.parent / "pocket",
    ]
    found = [folder_of(context(root), "pool") for root in roots]
    assert [str(one) for one in found[:2]] == ["exports/pocket-pool", "exports/first-pocket-pool"]
    assert len(set(found)) == 3
