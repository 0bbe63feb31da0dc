"""Control arms trained for real, on the smoke recipe: each to its report, a later round killed."""

import json
import signal
from collections import Counter
from pathlib import Path

import pytest
from command_line import ROOT, dying, in_a_process, in_this_process

from manyways.tables import parts, read_attempts

SMOKE = ROOT / "recipes" / "smoke.toml"
LATE = "heuristics-2@round2"
ARMS = ("vanilla", "star", "heuristics-2", "matched-2", "heuristics-2@2", "star@1.5epochs", LATE,
        "distilled-2")  # fmt: skip
FEWER = ("evaluate.benchmarks=['pocket/test']", "evaluate.attempts=2", "rl.steps=1")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def command(out: Path, arms: tuple[str, ...], *more: str) -> list[str | Path]:
    settings = [f"arms={list(arms)}", *FEWER, *more]
    return ["run", SMOKE, "--out", out, *(word for s in settings for word in ("--set", s))]


def finish(*words: str | Path) -> None:
    outcome = in_a_process(*words)
    assert outcome.code == 0, outcome.err


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("controls") / "run"
    other = "distill={model={path='package:manyways.pocket/base', dtype='float32'}, samples=4}"
    finish(*command(out, ARMS, other))
    return out


def lineage(root: Path, arm: str) -> list[dict[str, object]]:
    data = root / "arms" / arm / "seed-0" / "3-midtrain" / "data.jsonl"
    return [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]


def trained(root: Path, arm: str) -> bytes:
    path = root / "arms" / arm / "seed-0" / "3-midtrain" / "checkpoint" / "model.safetensors"
    return path.read_bytes()


def test_every_arm_is_trained_from_what_its_name_says(finished: Path) -> None:
    rows = json.loads((finished / "7-tables" / "arms.json").read_text())
    found = {row["arm"]: row for row in rows}
    assert list(found) == list(ARMS)
    assert {row["outcome"] for row in rows} == {"complete"}
    assert found["heuristics-2"]["midtrain_steps"] == 4
    assert found["heuristics-2@2"]["midtrain_steps"] == 2
    star = found["star@1.5epochs"]
    assert star["midtrain_steps"] == max(1, round(1.5 * star["examples"] / 8))
    assert found["matched-2"]["examples"] == found["heuristics-2"]["examples"]
    many, one = (Counter(r["problem_id"] for r in lineage(finished, a)) for a in ARMS[2:4])
    assert many == one
    # Where every problem has one way, one way of each is all of them.
    weights = {arm: trained(finished, arm) for arm in ARMS[1:]}
    same = weights.pop("matched-2") == weights["heuristics-2"]
    assert same == (set(many.values()) == {1})
    assert len(set(weights.values())) == len(weights)


def test_lineage_says_who_wrote_what(finished: Path) -> None:
    writers = {arm: {row["written_by"] for row in lineage(finished, arm)} for arm in ARMS[1:]}
    assert writers["heuristics-2"] == writers["matched-2"] == {"base"}
    assert writers[LATE] == {"heuristics-2/seed-0/mid"}
    assert writers["distilled-2"] == {"another model: package:manyways.pocket/base"}
    report = (finished / "report.md").read_text(encoding="utf-8")
    for words in ("Not self-generated: distilled-2", f"each seed of {LATE} is trained on"):
        assert words in report


def test_pools_are_finished_work_like_the_first(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("generate", f"generate/{LATE}/seed-0", f"select/{LATE}/seed-0", "generate/distilled")
    costs = json.loads((finished / "7-tables" / "costs.json").read_text())
    assert set(names) <= {row["work"] for row in costs if row["seconds"] > 0}
    assert f"generate/{LATE}/seed-0" in in_this_process(capsys, "status", finished).out
    plan = in_this_process(capsys, "run", finished, "--dry-run").out
    assert "would run" not in plan.replace("what would", "")
    exported = in_this_process(
        capsys, "export", "dataset", finished, "--arm", LATE, "--out", finished / "export"
    )
    assert exported.code == 0, exported.err


def test_a_round_killed_while_it_writes_its_pool_ends_with_the_same_records(
    finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = [*command(out, ("heuristics-2", LATE)), "--until", "midtrain"]
    pool = Path("pools") / LATE / "seed-0" / "1-attempts"
    outcome = dying(*words, at=str(out / pool / "part-00001.parquet"))
    assert outcome.code == -signal.SIGKILL, outcome.err
    assert 0 < len(parts(out / pool)) < 3
    finish(*words)
    assert list(read_attempts(out / pool)) == list(read_attempts(finished / pool))
    assert trained(out, LATE) == trained(finished, LATE)
