"""The same code on a checkpoint and data of real format: tiny random Llama, GSM8K."""

import os
from pathlib import Path

import pytest
from command_line import ROOT, Outcome, in_this_process
from tiny_models import build_llama

DATA = Path(os.environ.get("MANYWAYS_DATA", ROOT.parent / "shared" / "data"))

RECIPE = """
name = "tiny"
arms = ["vanilla", "star", "heuristics-2"]
data_dir = "{data}"
[model]
path = "{model}"
[heuristics]
pack = "polya"
count = 2
shots = 1
labeller = "exemplars"
[generate]
problems = "gsm8k/train"
limit = 8
samples = 2
plain_samples = 2
max_tokens = 12
[midtrain]
steps = 2
batch_size = 4
learning_rate = 1e-3
max_length = 1024
[gate]
problems = 2
enforce = false
[rl]
problems = "gsm8k/train"
limit = 8
steps = 2
group_size = 4
prompts_per_step = 2
learning_rate = 1e-4
max_tokens = 8
[evaluate]
benchmarks = ["gsm8k/test"]
limit = 4
attempts = 4
max_tokens = 8
[select]
min_adherence = 0.0
near_duplicate = 1.0
[analyse]
bootstrap = 100
explorer_problems = 4
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (DATA / "gsm8k_test.jsonl").is_file():
        pytest.skip(f"no normalised problem sets in {DATA}: set MANYWAYS_DATA")
    folder = tmp_path_factory.mktemp("tiny")
    model = build_llama(folder / "model", context=2048)
    path = folder / "tiny.toml"
    path.write_text(RECIPE.format(data=DATA, model=model))
    return path


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
