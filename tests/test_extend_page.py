"""The examples of docs/extend.md work: together they make a run, through the command line."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_line import ROOT, in_this_process

PAGE = ROOT / "docs" / "extend.md"
SMOKE = ROOT / "recipes" / "smoke.toml"


def examples() -> dict[str, str]:
    """File name -> content of each example."""
    blocks = re.findall(r"^```\w+ (my_\w+\.\w+)\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    return dict(blocks)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, content in examples().items():
        (tmp_path / name).write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    # Verifiers run in worker processes, which look on the path that they inherit.
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield tmp_path
    for name in examples():
        sys.modules.pop(Path(name).stem, None)


def test_every_row_of_the_table_has_an_example() -> None:
    named = set(re.findall(r'"(my_\w+)', PAGE.read_text()))
    assert named == {Path(name).stem for name in examples()}
    assert len(named) == 6


@pytest.mark.parametrize("name", sorted(n for n in examples() if n.endswith(".py")))
def test_examples_fit_on_a_screen(name: str) -> None:
    assert len(examples()[name].strip().splitlines()) <= 26


def test_the_examples_make_a_run(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half of the engine's answers are right, by seed; the verifier and the labeller see which."""
    settings = {
        "heuristics.pack": f'"{written}/my_pack.toml"',
        "heuristics.count": "1",
        "heuristics.labeller": '"my_labeller:load"',
        "generate.problems": '"my_sets:load/train?size=8"',
        "rl.problems": '"my_sets:load/train?size=8"',
        "rl.backend": '"my_rl:train"',
        "evaluate.benchmarks": '["my_sets:load/test"]',
        "verify.verifier": '"my_verifier:verify"',
        "model.engine": '"my_engine:Echo"',
        "arms": '["vanilla"]',
    }
    overrides = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    outcome = in_this_process(capsys, "run", SMOKE, "--out", written / "run", *overrides)
    assert outcome.code == 0, outcome.err
    parts = [pq.read_table(p).to_pylist() for p in (written / "run/1-attempts").glob("*.parquet")]
    statuses = [row["status"] for part in parts for row in part]
    assert set(statuses) == {"correct", "wrong"}
    solutions = pq.read_table(written / "run/2-solutions.parquet").to_pylist()
    assert any(row["kept"] and row["heuristic"] == "count-back" for row in solutions)
    assert (written / "run/arms/vanilla/seed-0/5-rl/checkpoint/config.json").is_file()
    assert (written / "run/report.html").is_file()
