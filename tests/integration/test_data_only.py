"""A recipe without tables for training and evaluation makes the data alone, and asks for no key."""

import csv
from pathlib import Path

import pytest
from command_line import ROOT, in_this_process

from manyways.commands.run import run_recipe
from manyways.recipe import load_recipe
from manyways.run_dir import RunDir

CHANGES = ("--set", "model.path=package:manyways.pocket/base")
TEN = ROOT / "recipes" / "data-only.toml"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped recipe on six rows of a CSV, with an engine that is always right."""
    folder = tmp_path_factory.mktemp("data-only")
    with (folder / "problems.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["question", "answer"])
        rows.writerows([f"What is {n} + 0?", n] for n in range(6))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        changes = ["model.engine=fake_engines:AlwaysRight"]
        changes.append("model.path=package:manyways.pocket/base")
        run_recipe(TEN, None, overrides=changes, until="report", jobs=1, data_dir=None)
    return folder / "runs" / "data-only"


def test_the_shipped_recipe_is_ten_lines() -> None:
    lines = TEN.read_text().splitlines()
    assert len([line for line in lines if line and not line.startswith("#")]) == 10
    recipe = load_recipe(TEN)
    assert (recipe.phases, recipe.benchmarks) == ((), ())


def test_it_ends_with_a_report_and_trains_nothing(finished: Path) -> None:
    work = [stamp.work for stamp in RunDir(root=finished).stamps()]
    assert work == ["preflight", "generate", "select", "analyse", "report"]
    told = (finished / "report.md").read_text()
    assert "export dataset" in told
    assert "not reached" not in told
    assert "Stopped" not in told


@pytest.fixture(autouse=True)
def where_the_problems_lie(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished.parents[1])


def test_a_stage_without_its_table_says_which_keys_it_needs(finished: Path, capsys) -> None:
    done = in_this_process(capsys, "midtrain", finished)
    assert (done.code, done.out) == (2, "")
    assert "the recipe has no section [midtrain]" in done.err
    assert "midtrain.learning_rate, midtrain.max_length" in done.err


def test_what_only_looks_knows_what_is_left_out(finished: Path, capsys) -> None:
    done = in_this_process(capsys, "run", finished, "--dry-run")
    assert done.code == 0, done.err
    assert "left out: the recipe has no [evaluate]" in done.out
    assert "would run" not in done.out
    assert in_this_process(capsys, "forecast", TEN, "--no-measure", *CHANGES).code == 0
    assert in_this_process(capsys, "show", finished, "file/problems/00001").code == 0
    out = finished.parent / "exported"
    done = in_this_process(capsys, "export", "dataset", finished, "--out", out)
    assert done.code == 0, done.err
    assert list(out.rglob("*.parquet"))
