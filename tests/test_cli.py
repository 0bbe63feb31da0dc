"""What a newcomer gets wrong is answered with exit code 2, the mistake and the fix."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from command_line import ROOT, in_a_process, in_this_process

from manyways.cli import app as cli
from manyways.run_dir import open_for_writing

SMOKE = ROOT / "recipes" / "smoke.toml"


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        (("run", "absent.toml"), ["no recipe at 'absent.toml'"]),
        (("run", SMOKE, "--set", "rl.stepz=3"), ["rl.stepz", "Did you mean 'steps'"]),
        (("run", SMOKE, "--until", "reinforce"), ["no such stage"]),
        (("run", SMOKE, "--set", "model.path=./nowhere"), ["there is no folder 'nowhere'"]),
        (("run", SMOKE, "--set", "model.engine=vlm"), ["unknown engine 'vlm'"]),
        (("run", SMOKE, "--set", "heuristics.pack=pockets"), ["no heuristic pack", "'pocket'"]),
        (("run", SMOKE, "--set", "heuristics.labeller=x:y"), ["no module 'x'"]),
        (("run", SMOKE, "--set", "generate.problems=pocket/sed"), ["sed"]),
        (("run", SMOKE, "--set", "generate.problems=pockt/seed"), ["Did you mean 'pocket'"]),
        (("run", SMOKE, "--set", "generate.problems=seed"), ["needs a split"]),
        (("run", SMOKE, "--set", "verify.verifier=nope"), ["unknown verifier 'nope'"]),
        (("run", "recipes"), ["not a run folder"]),
        (("status", "."), ["not a run folder"]),
        (("generate", "."), ["not a run folder"]),
        (("rune",), ["No such command"]),
    ],
)
def test_mistakes_are_answered_with_the_fix(
    args: tuple[str | Path, ...],
    parts: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = ("--out", tmp_path / "run") if args[0] == "run" else ()
    monkeypatch.chdir(ROOT)
    outcome = in_this_process(capsys, *args, *out)
    assert outcome.code == 2, outcome.err
    for part in parts:
        assert part in outcome.err
    assert "Traceback" not in outcome.err


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with open_for_writing(tmp_path):
        outcome = in_a_process("run", SMOKE, "--out", tmp_path)
    assert outcome.code == 2
    assert "is being written to by process" in outcome.err


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = in_this_process(capsys, "run", SMOKE, "--out", tmp_path / "run", "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "would run: never finished" in outcome.out
    assert "would run after" in outcome.out
    assert not (tmp_path / "run").exists()


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    outcome = in_this_process(capsys, "--version")
    assert (outcome.code, outcome.out.strip()) == (0, declared["version"])


def test_every_verb_says_what_it_does_in_a_line_of_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = in_this_process(capsys, "--help").out.splitlines()
    verbs = lines[lines.index("Commands:") + 1 :]
    assert len(verbs) > 25
    assert [line for line in verbs if line.endswith("...") or len(line) > 80] == []


@pytest.mark.parametrize("group", ["", "problems", "heuristics", "pocket", "recipes", "export"])
def test_no_summary_of_a_verb_is_cut_at_80_columns(
    group: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, listed = in_this_process(capsys, *group.split(), "--help").out.split("Commands:")
    assert listed.strip() and "..." not in listed


def test_every_option_is_explained_in_a_sentence() -> None:
    def of(command: Any, name: str) -> Iterator[tuple[str, str]]:
        for one in command.params:
            if name not in ("manyways line", "manyways line-stage"):  # hidden
                yield f"{name} {one.name}", one.help or ""
        for word, inner in getattr(command, "commands", {}).items():
            yield from of(inner, f"{name} {word}")

    said = [*of(typer.main.get_command(cli.app), "manyways")]
    assert len(said) > 100
    for where, text in said:
        assert text[:1].isupper() or text.startswith("`"), where
        assert text.endswith(".") and len(text.split()) > 2, where
