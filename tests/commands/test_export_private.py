"""No file of an export says where something lies on this machine or which servers it asked."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_run import write_run
from huggingface_hub import ModelCard, parse_eval_result_entries
from huggingface_hub.utils import yaml_dump
from made_runs import attempt, context, put_evaluation, put_pool
from test_export_samples import asking
from yaml import safe_load

from manyways.arms import Line
from manyways.checkpoints import package_path
from manyways.commands.export import model as exporting
from manyways.commands.export import public_recipe
from manyways.commands.export.dataset import export_dataset
from manyways.commands.export.model import eval_results, export_model, facts_of
from manyways.commands.export.samples import export_samples
from manyways.commands.show import open_run
from manyways.context import Context
from manyways.recipe import dump_recipe, load_recipe
from manyways.stages import selection

CACHE = "models--Qwen--Qwen2.5-0.5B-Instruct/snapshots/7ae557604adf67be50417f59c2c2f167def9a775"


@pytest.fixture
def hidden(tmp_path: Path) -> Path:
    """A folder whose name must be in no export, with the files of a recipe of one's own."""
    folder = tmp_path / "hush" / "two words" / "project-x"
    folder.mkdir(parents=True)
    for name in ("train.csv", "test.csv"):
        rows = "".join(f"What is {name} {i}?,{i}\n" for i in range(3))
        (folder / name).write_text("q,a\n" + rows)
    shutil.copy(package_path("package:manyways.pocket/heuristics.toml"), folder / "pack.toml")
    (folder / "other").mkdir()
    shutil.copy(folder / "test.csv", folder / "other" / "test.csv")
    return folder


def places(hidden: Path) -> dict[str, Any]:
    """Sections of a recipe that name every kind of place."""
    return {
        "model": {
            "path": f"{hidden}/my-3b",
            "engine": "http",
            "http": {
                "url": "http://10.11.12.13:8000/v1",
                "tokenizer": f"{hidden}/hub/{CACHE}",
                "extra": {"cache_salt": f"{hidden}/salt"},
            },
            "vllm": {"download_dir": f"{hidden}/with space/weights"},
        },
        "prompt": {"system": "/no_think Answer in words and/or numbers."},
        "heuristics": {"pack": f"{hidden}/pack.toml"},
        "generate": {"problems": f"file:{hidden}/train.csv?question=q&answer=a"},
        "distill": {"attempts": f"{hidden}/attempts.jsonl"},
        "select": {"judge": {"path": f"{hidden}/judges/my-3b"}},
        "launch": {"processes": 1, "accelerate_config": "~/hush/fsdp.yaml"},
        "rl": {
            "extra": {
                "vllm_server_host": "gpu-7",
                "vllm_server_base_url": "https://gpu-7.hush.example/v1",
                "hub_token": "hf_hush",
                "run_name": f"from {hidden}/my-3b on 10.11.12.13",
            },
        },
        "evaluate": {
            "benchmarks": [
                f"file:{hidden}/test.csv?question=q&answer=a",
                f"file:{hidden}/other/test.csv?question=q&answer=a&name=other",
            ],
        },
    }


def assert_keeps_silent(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        held = path.read_bytes() + str(path.relative_to(folder)).encode()
        for secret in (b"hush", b"project-x", b"10.11.12.13", b"gpu-7"):
            assert secret not in held, f"{secret!r} in {path}"


def test_a_dataset_and_samples_hold_no_place(hidden: Path, tmp_path: Path) -> None:
    ctx = context(tmp_path / "run", **places(hidden))
    ctx = Context(recipe=ctx.recipe.model_copy(update={"data_dir": str(hidden)}), run=ctx.run)
    ctx.__dict__["pack"] = context(tmp_path / "run").pack
    put_pool(ctx, [attempt(f"file/train/0000{i}", way) for i in range(2) for way in ("a", "plain")])
    selection.run(ctx)
    folder = export_dataset(ctx, Line(arm="star", seed=0), out=tmp_path / "out")
    assert_keeps_silent(folder)
    recipe = load_recipe(folder / "recipe.toml")
    assert recipe.model.path == "my-3b"
    assert recipe.model.http and recipe.model.http.url == "http://server.invalid/v1"
    assert recipe.model.http.tokenizer == "Qwen/Qwen2.5-0.5B-Instruct"
    assert recipe.prompt == ctx.recipe.prompt
    assert recipe.select.judge and recipe.select.judge.path == "2-my-3b"
    assert recipe.generate.problems == "file:train.csv?question=q&answer=a"
    assert [name.partition("?")[0] for name in recipe.evaluate.benchmarks] == [
        "file:test.csv", "file:2-test.csv",
    ]  # fmt: skip
    for benchmark, problem in zip(ctx.recipe.evaluate.benchmarks, ("test", "other"), strict=True):
        put_evaluation(ctx, "base", benchmark, [attempt(f"file/{problem}/00001")])
    export_samples(ctx, "base", out=tmp_path / "samples", style=asking())
    assert_keeps_silent(tmp_path / "samples")


def test_a_model_holds_no_place(hidden: Path, tmp_path: Path) -> None:
    root = write_run(tmp_path / "run")
    line = Line(arm="heuristics-8", seed=0)
    checkpoint = root / "arms" / line.name / "5-rl" / "checkpoint"
    shutil.copytree(package_path("package:manyways.pocket/base"), checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(
        json.dumps(config | {"_name_or_path": f"{hidden}/my-3b"})
    )
    (checkpoint / "training_args.bin").write_bytes(b"output_dir=" + bytes(hidden))
    made = load_recipe(root / "recipe.toml")
    tree = made.model_dump(mode="json", exclude_none=True, exclude={"data_dir"})
    for name, change in places(hidden).items():
        tree[name] = {**tree.get(name, {}), **change}
    recipe = type(made).model_validate(tree)
    (root / "recipe.toml").write_text(dump_recipe(recipe))
    path = root / "7-tables" / "pass_at_k.json"
    path.write_text(path.read_text().replace("pocket/harder", recipe.evaluate.benchmarks[0]))
    folder = export_model(open_run(root), line, out=tmp_path / "out")
    assert_keeps_silent(folder)
    assert json.loads((folder / "config.json").read_text())["_name_or_path"] == "my-3b"
    assert "| file:test.csv?question=q&answer=a | 4 |" in (folder / "README.md").read_text()


def test_what_is_public_stays(tmp_path: Path) -> None:
    model = {"path": "Qwen/Qwen2.5-0.5B-Instruct"}
    problems = {"problems": "hub:me/mine?split=train&question=q", "max_tokens": 9}
    recipe = context(tmp_path, model=model, generate=problems).recipe
    assert public_recipe(recipe).recipe == recipe
    assert public_recipe(recipe).shown == {}


def test_the_hubs_leaderboards_get_whole_benchmarks_alone(tmp_path: Path, monkeypatch: Any) -> None:
    root = write_run(tmp_path / "run")
    path = root / "7-tables" / "pass_at_k.json"
    path.write_text(path.read_text().replace("pocket/harder", "gsm8k/test"))
    ctx = open_run(root)
    line = Line(arm="heuristics-8", seed=0)
    assert eval_results(facts_of(ctx, line, "rl")) == {}
    monkeypatch.setattr(exporting, "LEADERBOARDS", {"gsm8k/test": "gsm8k"})
    facts = facts_of(ctx, line, "rl")
    row = next(row for row in facts.scores if (row.benchmark, row.k) == ("gsm8k/test", 1))
    source = facts.benchmarks[0]
    known = {"name": "gsm8k/test", "hub_id": "openai/gsm8k", "problems": row.score.n}
    facts = replace(facts, benchmarks=[replace(source, **known)])
    (name, text), *rest = eval_results(facts).items()
    assert name == ".eval_results/gsm8k.yaml" and not rest
    (entry,) = parse_eval_result_entries(safe_load(text))
    assert (entry.dataset_id, entry.task_id) == ("openai/gsm8k", "gsm8k")
    assert entry.value == round(100 * row.score.value, 2)
    half = replace(source, **{**known, "problems": 2 * row.score.n})
    assert eval_results(replace(facts, benchmarks=[half])) == {}
    header = yaml_dump(ModelCard(exporting.model_card(facts)).data.to_dict())
    assert "openai/gsm8k" in header and "language" in header
