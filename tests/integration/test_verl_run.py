"""The whole method with (a stand-in for) verl as its trainer, killed on the way, to the report."""

import json

import pytest
from command_line import ROOT, in_a_process
from made_verl import environment

from manyways.tables import read_rl_attempts


@pytest.mark.slow
def test_a_run_with_verl_goes_on_to_evaluation_and_report(tmp_path, monkeypatch) -> None:
    out = tmp_path / "run"
    words = [
        "run", ROOT / "recipes" / "smoke.toml", "--out", out, "--set", "arms=['vanilla']",
        "--set", "rl.backend=verl", "--set", "rl.save_every=1", "--set", "rl.evaluate_every=1",
        "--set", "rl.evaluate_limit=3", "--set", "rl.evaluate_attempts=2",
        "--set", "rl.keep=all",
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
    # The steps before the last were merged, and all of them evaluated when it was over.
    assert sorted(one.name for one in trained.glob("steps/*")) == ["1", "2"]
    steps = json.loads((out / "7-tables" / "steps.json").read_text())
    assert [row["step"] for row in steps] == [0, 1, 2, 3]
    assert {row["one"]["n"] for row in steps} == {3}
    assert len(list(read_rl_attempts(trained / "attempts"))) > 0
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert (out / "report.html").is_file()
