import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_hub import FakeHub
from fake_run import write_run
from huggingface_hub import ModelCard

from manyways.arms import Line
from manyways.checkpoints import package_path
from manyways.commands.export.model import export_model, facts_of, model_card
from manyways.commands.show import open_run
from manyways.context import Context
from manyways.errors import MissingWork, RecipeError
from manyways.measures import read_rows
from manyways.measures.pass_at_k import PassRow

MANY, VANILLA = Line(arm="heuristics-8", seed=1), Line(arm="vanilla", seed=0)
BASE = package_path("package:manyways.pocket/base")


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    root = write_run(tmp_path / "run", seeds=(0, 1))
    for inner in ("3-midtrain", "5-rl"):
        shutil.copytree(BASE, root / "arms" / MANY.arm / "seed-1" / inner / "checkpoint")
    return open_run(root)


def test_folder_is_the_checkpoint_with_a_card(ctx: Context, tmp_path: Path) -> None:
    folder = export_model(ctx, MANY, stage="mid", out=tmp_path / "out")
    for file in BASE.iterdir():
        assert (folder / file.name).read_bytes() == file.read_bytes()
    added = {path.name for path in folder.iterdir()} - {path.name for path in BASE.iterdir()}
    assert added == {"README.md", "recipe.toml", "manyways.json"}


def test_card_gives_scores_with_intervals_beside_the_base(ctx: Context, tmp_path: Path) -> None:
    card = ModelCard.load(export_model(ctx, MANY, out=tmp_path / "out") / "README.md")
    row = next(
        row
        for row in read_rows(ctx.run.path("7-tables", "pass_at_k.json"), PassRow)
        if (row.checkpoint, row.benchmark, row.k) == ("heuristics-8/seed-1/rl", "pocket/harder", 4)
    )
    score = row.score
    assert f"| {score.value:.3f} [{score.low:.3f}, {score.high:.3f}] |" in card.content
    found = {(r.dataset_name, r.metric_type): r.metric_value for r in card.data.eval_results}
    assert found["pocket/harder", "pass@4"] == round(score.value, 4)
    assert (card.data.license, card.data.language) == ("apache-2.0", ["en"])
    assert "https://arxiv.org/abs/2605.08472" in card.content
    assert "This is one seed of 2" in card.content
    assert "export model run --arm heuristics-8 --seed 1 --stage rl" in card.content


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        (
            "heuristics-8",
            "that the base model itself wrote and a rule-based verifier accepted.",
        ),
        ("distilled-8", "that another model wrote and a rule-based verifier accepted."),
        (
            "wrong-8",
            "that the base model itself wrote, with a wrong final answer on purpose.",
        ),
        ("vanilla", "A checkpoint after RL alone"),
    ],
)
def test_card_says_whose_texts_the_arm_trained_on(ctx: Context, arm: str, said: str) -> None:
    card = model_card(replace(facts_of(ctx, MANY, "rl"), arm=arm))
    assert said in card
    assert ("Mid-training was on" in card) == (arm != "vanilla")


def test_card_of_a_run_without_tables_says_so(ctx: Context, tmp_path: Path) -> None:
    shutil.rmtree(ctx.run.path("7-tables"))
    card = (export_model(ctx, MANY, out=tmp_path / "out") / "README.md").read_text()
    assert "Not evaluated" in card
    assert "model-index" not in card


def test_absent_checkpoints_are_answered_with_those_there_are(ctx: Context, tmp_path: Path) -> None:
    with pytest.raises(MissingWork, match="are: heuristics-8/seed-1/mid, heuristics-8/seed"):
        export_model(ctx, VANILLA, out=tmp_path / "out")
    with pytest.raises(RecipeError, match="no mid-training"):
        export_model(ctx, VANILLA, stage="mid", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_push_is_a_private_model_repository(ctx: Context, tmp_path: Path) -> None:
    hub = FakeHub()
    export_model(ctx, MANY, out=tmp_path / "out", repo="me/ways", api=hub)
    assert hub.created == [("me/ways", "model", True)]
    assert {"config.json", "model.safetensors", "README.md"} <= set(hub.uploaded[0][2])


@pytest.mark.slow
def test_transformers_loads_the_folder(ctx: Context, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = str(export_model(ctx, MANY, out=tmp_path / "out"))
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    tokens = AutoTokenizer.from_pretrained(folder)("What", return_tensors="pt")
    assert model(**tokens).logits.shape[-1] == model.config.vocab_size
