"""Shipped recipes are found by name, listed and copied, in any folder."""

from pathlib import Path

import pytest
from command_line import ROOT, in_this_process, start

from manyways.recipe import purpose_of, shipped_names


@pytest.mark.parametrize("name", ["smoke", "smoke.toml", "recipes/smoke.toml"])
def test_a_shipped_recipe_is_run_by_its_name_from_an_empty_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = in_this_process(capsys, "run", name, "--dry-run")
    assert done.code == 0, done.err
    assert "would run: never finished" in done.out
    assert not list(tmp_path.iterdir())


def test_a_file_of_ones_own_comes_before_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("smoke.toml").write_text('name = "mine"\n', encoding="utf-8")
    done = in_this_process(capsys, "run", "smoke.toml", "--dry-run")
    assert done.code == 2
    assert "required, but not given" in done.err


def test_an_unknown_name_names_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = in_this_process(capsys, "run", "pockett")
    assert done.code == 2
    assert "Did you mean 'pocket'?" in done.err
    assert "manyways recipes" in done.err


def test_every_recipe_of_the_repository_is_listed_with_its_purpose(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = in_this_process(capsys, "recipes")
    found = sorted(path.stem for path in (ROOT / "recipes").glob("*.toml"))
    assert shipped_names() == found
    for name in found:
        assert name in done.out
        assert len(purpose_of(name).split()) > 3, f"{name}: its first sentence says too little"


def test_a_copy_runs_and_never_replaces_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = in_this_process(capsys, "recipes", "copy", "smoke", tmp_path)
    assert done.code == 0, done.err
    copied = tmp_path / "smoke.toml"
    assert copied.read_bytes() == (ROOT / "recipes" / "smoke.toml").read_bytes()
    copied.write_text("# changed\n", encoding="utf-8")
    assert in_this_process(capsys, "recipes", "copy", "smoke", tmp_path).code == 2
    assert copied.read_text(encoding="utf-8") == "# changed\n"


def test_the_module_is_the_command(tmp_path: Path) -> None:
    process = start("-h", cwd=tmp_path)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert "recipes" in out and "demo" in out
