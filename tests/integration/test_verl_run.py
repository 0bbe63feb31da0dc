"""The whole method with (a stand-in for) verl as its trainer, killed on the way, to the report."""

import json

import pytest
from command_line import ROOT, in_a_process
from made_verl import environment


@pytest.mark.slow
def test_a_run_with_verl_goes_on_to_evaluation_and_report(tmp_path, monkeypatch) -> None:
    out = tmp_path / "run"
    words = [
        "run", ROOT / "recipes" / "smoke.toml", "--out", out, "--set", "arms=['vanilla']",
        "--set", "rl.backend=verl", "--set", "rl.save_every=1",
        "--set", f"rl.verl.python='{environment(tmp_path / 'env')}'",
    ]  # fmt: skip
    monkeypatch.setenv("FAKE_VERL", json.dumps({"die_at": 2}))
    outcome = in_a_process(*words)
    assert outcome.code == 3, outcome.err
    assert "verl ended with exit code -9" in outcome.err
    assert "it resumes from step 2" in outcome.err
    outcome = in_a_process(*words)
    assert outcome.code == 0, outcome.err
    trained = out / "arms" / "vanilla" / "seed-0" / "5-rl"
    assert json.loads((trained / "checkpoint" / "config.json").read_text())["steps_taken"] == 3
    assert list((out / "6-eval" / "vanilla" / "seed-0" / "rl" / "pocket-test").glob("*.parquet"))
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert (out / "report.html").is_file()
