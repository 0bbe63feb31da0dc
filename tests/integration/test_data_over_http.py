"""Generate and select against a server alone: no checkpoint, no torch, no key left behind."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_line import ROOT, environment, in_this_process
from fake_server import Faults, Habits, Said, fake_server, fault_proxy

from manyways.engines import http_client

SMOKE = ROOT / "recipes" / "smoke.toml"
KEY = "s3cret-of-the-test"
RUN = """
import sys
from manyways.cli import app as cli
try:
    cli.main()
finally:
    print("loaded:", sorted({"torch", "transformers", "trl"} & set(sys.modules)))
"""


def solve(prompt: str, seed: int | None, body: dict) -> Said:
    """Every other attempt right, after the problem set itself."""
    from manyways.problems import load_problems

    if not ANSWERS:
        ANSWERS.update({p.question: p.answer for p in load_problems("pocket/seed")})
    answer = ANSWERS[body["messages"][-1]["content"].split("\n\n")[-1]]
    right = (seed or 0) % 2
    return Said(f"Seed {seed}. Answer: \\boxed{{{answer if right else -1}}}", "stop", 9)


ANSWERS: dict[str, str] = {}


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "FIRST_WAIT", 0.01)


def options(url: str, out: Path, **more: str) -> list[str]:
    settings = {"model.path": "fake", "model.engine": "http", "model.http.url": url, **more}
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    return [str(SMOKE), "--out", str(out), "--until", "select", *sets]


def attempts(out: Path) -> list[dict[str, object]]:
    parts = sorted((out / "1-attempts").glob("part-*.parquet"))
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


@pytest.mark.slow
def test_data_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    habits = Habits(key=KEY, writer=solve)
    with fake_server(habits) as url:
        key = {"model.http.api_key_env": "FAKE_KEY"}
        done = subprocess.run(
            [sys.executable, "-c", RUN, "run", *options(url, tmp_path / "run", **key)],
            env=environment({"FAKE_KEY": KEY}),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "loaded: []" in done.stdout
    found = attempts(tmp_path / "run")
    assert len(found) == 12 * (2 * 2 + 2)
    assert {row["status"] for row in found} == {"correct", "wrong"}
    assert (tmp_path / "run" / "2-solutions.parquet").is_file()
    facts = json.loads((tmp_path / "run" / ".1-attempts.engine.json").read_text())
    assert facts[0]["seeds"].startswith("honoured")
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(written) > 8
    # A parquet file is compressed: its decoded rows are looked at as well.
    assert not any(KEY.encode() in path.read_bytes() for path in written)
    assert KEY not in str(found) + done.stdout + done.stderr
    assert "FAKE_KEY" in (tmp_path / "run" / "recipe.toml").read_text()

    with fake_server(Habits(writer=solve)) as url, fault_proxy(url, Faults(stalled=0)) as broken:
        outcome = in_this_process(capsys, "run", *options(broken, tmp_path / "rough"))
    assert outcome.code == 0, outcome.err
    assert attempts(tmp_path / "rough") == found


URL = "http://127.0.0.1:9/v1"


@pytest.mark.slow
def test_no_server_no_key_end_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more, sentence in (
        ({}, "is it running, and is model.http.url right?"),
        ({"model.http.api_key_env": "NOT_SET_HERE"}, "NOT_SET_HERE, which is not set"),
    ):
        outcome = in_this_process(capsys, "run", *options(URL, tmp_path / "run", **more))
        assert outcome.code == 2
        assert sentence in outcome.err
        assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"model.http.api_key_env": "'sk-abc'"}, "the NAME of an environment variable"),
        ({"model.http.url": "http://me:pass@here/v1"}, "no user, password or query"),
        ({"model.http.url": "localhost:8000"}, "give an address like http://"),
        ({"model.http.urll": "x"}, "model.http.urll: unknown key. Did you mean 'url'?"),
    ],
)
def test_mistakes_in_the_recipe_end_in_one_sentence(
    more: dict[str, str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = in_this_process(capsys, "run", *options(URL, tmp_path / "run", **more))
    assert outcome.code == 2
    assert sentence in outcome.err
    for secret in ("sk-abc", "pass@"):
        assert secret not in outcome.err


def test_http_needs_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for engine in ("model.engine=http", "generate.engine=http"):
        outcome = in_this_process(capsys, "run", SMOKE, "--out", tmp_path / "run", "--set", engine)
        assert outcome.code == 2
        assert "set model.http.url" in outcome.err


def test_training_a_served_model_is_refused_before_anything_is_sampled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = options("http://127.0.0.1:9/v1", tmp_path / "run")
    arguments[arguments.index("select")] = "report"
    outcome = in_this_process(capsys, "run", *arguments)
    assert outcome.code == 2
    assert "--until select" in outcome.err


@pytest.mark.slow
def test_the_pool_alone_may_come_from_a_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with fake_server(Habits(writer=solve)) as url:
        arguments = ["run", SMOKE, "--out", tmp_path / "run"]
        sets = ("generate.engine=http", f"model.http.url={url}", "model.http.model=fake")
        arguments += [part for one in sets for part in ("--set", one)]
        assert in_this_process(capsys, *arguments, "--until", "select").code == 0
        plan = in_this_process(capsys, *arguments, "--dry-run")
    assert len(attempts(tmp_path / "run")) == 72
    rows = {line.split("│")[0].strip(): line for line in plan.out.splitlines() if "│" in line}
    assert "finished" in rows["generate"]
    assert "would run" in rows["midtrain/star/seed-0"]
