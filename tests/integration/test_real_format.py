"""The same code on a checkpoint and data of real format: tiny random Llama, GSM8K."""

from pathlib import Path

import pytest
from command_line import Outcome, in_this_process
from real_format import tiny_recipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_recipe(tmp_path_factory.mktemp("tiny"))


def run(capsys: pytest.CaptureFixture[str], *args: str | Path) -> Outcome:
    return in_this_process(capsys, "run", *args)


def test_nothing_correct_ends_in_a_clear_sentence(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = run(capsys, recipe, "--out", tmp_path / "run", "--set", "gate.enforce=true")
    assert outcome.code == 3, outcome.err
    assert "0 of 16 plain attempts correct: nothing to mid-train arm 'star' on" in outcome.err
    assert "0 of 32 attempts correct: nothing to mid-train arm 'heuristics-2' on" in outcome.err
    assert "Traceback" not in outcome.err
    assert "vanilla/seed-0: " in outcome.err
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "nothing to mid-train" in report


def test_a_verifier_that_accepts_at_random_runs_through_to_a_report(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verifier = "verify.verifier=fake_verifiers:accept_at_random"
    outcome = run(capsys, recipe, "--out", tmp_path / "run", "--set", verifier)
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "run" / "report.html").stat().st_size > 100_000
    for name in ("heuristics-2/seed-0/3-midtrain", "heuristics-2/seed-0/5-rl", "star/seed-0/5-rl"):
        checkpoint = tmp_path / "run" / "arms" / name / "checkpoint"
        assert (checkpoint / "config.json").is_file()
        assert (checkpoint / "tokenizer_config.json").is_file()
