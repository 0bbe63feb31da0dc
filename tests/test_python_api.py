"""A run from Python: tables, data sets and single functions, as docs/python.md says."""

import asyncio
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import datasets
import duckdb
import pandas as pd
import polars
import pytest
from fake_run import write_run
from made_runs import attempt, context, heuristic, put_pool
from needs import needs

import manyways
from manyways.errors import MissingWork, RunDirError, UserError
from manyways.measures.pass_at_k import PassRow
from manyways.pool.attempt_files import engine_facts, write_engine_facts
from manyways.recipe import dump_recipe
from manyways.run_dir import RunDir
from manyways.stages import selection
from manyways.tables import append_attempts, beside, write_text

P = [f"made/seed/{i:03d}" for i in range(4)]
PAGE = Path(__file__).parents[1] / "docs" / "python.md"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A pool with three kept solutions, and one benchmark's attempts."""
    ctx = context(tmp_path)
    kept = [attempt(P[0], "a"), attempt(P[0], "b"), attempt(P[1], "b")]
    pool = [*kept, attempt(P[2], "a", status="wrong")]
    write_text(ctx.run.path("recipe.toml"), dump_recipe(ctx.recipe))
    put_pool(ctx, pool)
    selection.run(ctx)
    append_attempts(ctx.run.eval_path("base", "made/test"), pool[:2])
    return ctx.run.root


def test_the_tables_of_a_run_are_flat(root: Path) -> None:
    run = manyways.open(root)
    assert run.attempts.num_rows == 4
    assert run.attempts["status"].to_pylist().count("correct") == 3
    assert sum(run.solutions["kept"].to_pylist()) == 3
    assert run.evaluated.num_rows == 2
    assert set(run.evaluated["checkpoint"].to_pylist()) == {"base"}
    assert set(run.evaluated["benchmark"].to_pylist()) == {"made-test"}


def test_what_an_arm_trains_on_is_a_dataset(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tuple(heuristic(name) for name in "abc")
    monkeypatch.setattr("manyways.context.load_pack", lambda *_: made)
    run = manyways.open(root)
    arm = next(name for name in run.arms if name.startswith("heuristics"))
    rows = run.dataset(arm)
    assert isinstance(rows, datasets.Dataset)
    assert {row["problem_id"] for row in rows} <= {P[0], P[1]}
    assert len(run.dataset()) == 3
    with pytest.raises(UserError, match="no arm"):
        run.dataset("heuristic")


def test_the_figures_of_a_run_are_tables(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    run = manyways.open(tmp_path / "run")
    frame = run.scores.to_pandas()
    assert {"checkpoint", "benchmark", "k", "score_value", "score_low", "score_high"} <= {*frame}
    assert set(PassRow.__dataclass_fields__) - {"score", "seeds"} <= {*frame}
    assert all(run.table(name).num_rows >= 0 for name in run.tables)
    with pytest.raises(UserError, match="pass_at_k"):
        run.table("pass_at_")


def test_what_is_missing_is_said_with_its_command(root: Path, tmp_path: Path) -> None:
    run = manyways.open(root)
    with pytest.raises(MissingWork, match="manyways analyse"):
        run.scores  # noqa: B018 - the property raises
    with pytest.raises(UserError, match="not trained"):
        run.checkpoint("base")
    with pytest.raises(RunDirError, match="not a run folder"):
        manyways.open(tmp_path / "nothing")


def test_other_libraries_read_the_folders_as_they_are(root: Path) -> None:
    folder = RunDir(root=root).path("1-attempts")
    write_engine_facts(folder, [{"engine": "none"}])
    assert len(pd.read_parquet(folder)) == len(polars.read_parquet(folder)) == 4
    assert len(duckdb.sql(f"SELECT * FROM '{folder}/*.parquet'").fetchall()) == 4
    cache = str(root / "cache")
    assert datasets.load_dataset(str(folder), cache_dir=cache)["train"].num_rows == 4
    assert engine_facts(folder) == [{"engine": "none"}]


def test_what_an_earlier_version_wrote_into_a_folder_stays_there(root: Path) -> None:
    folder = RunDir(root=root).path("1-attempts")
    (folder / ".engine.json").write_text('[{"engine": "old"}]', encoding="utf-8")
    write_engine_facts(folder, [*engine_facts(folder), {"engine": "new"}])
    assert [fact["engine"] for fact in engine_facts(folder)] == ["old", "new"]
    assert not list(root.glob(".1-attempts.*"))


def test_what_lies_beside_a_folder_is_set_aside_with_it(root: Path) -> None:
    run = RunDir(root=root)
    write_text(beside(run.path("1-attempts"), "ended.jsonl"), "a journal")
    run.set_aside(("1-attempts",), "old")
    assert not beside(run.path("1-attempts"), "ended.jsonl").exists()
    (kept,) = (root / "stale").glob(".1-attempts-old-*.ended.jsonl")
    assert kept.read_text() == "a journal"
    assert len(list((root / "stale").glob("1-attempts-old-*/part-*.parquet"))) > 0


def test_rewards_are_those_of_the_judge() -> None:
    talk = [{"role": "assistant", "content": "it is \\boxed{1/2}"}]
    assert manyways.reward([talk, "\\boxed{3}"], answer=["0.5", "4"], prompts=[""]) == [1.0, 0.0]
    assert list(manyways.pass_at_k([8, 8], [1, 0], 4)) == [0.5, 0.0]
    assert len(manyways.heuristic_pack("polya")) >= 16


def test_importing_the_package_loads_nothing() -> None:
    """Of this package itself alone, and of the standard library a handful: no time is lost."""
    code = (
        "import sys; before = set(sys.modules); import manyways; dir(manyways);"
        " print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    tops = {name.partition(".")[0] for name in loaded}
    assert [name for name in loaded if name.startswith("manyways")] == ["manyways"]
    assert tops - {"manyways"} <= set(sys.stdlib_module_names), tops
    assert len(loaded) < 40, loaded


def test_the_page_names_what_there_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in set(re.findall(r"`?manyways\.(\w+)\(", page)):
        assert name in manyways.__all__, name
    for name in set(re.findall(r"^run\.(\w+)", page, re.MULTILINE)):
        assert hasattr(manyways.Run, name), name


@needs("verifiers", there=find_spec("verifiers.v1") is not None, how="pip install 'manyways[dev]'")
def test_the_reward_is_one_call_in_a_task_of_verifiers() -> None:
    """The example of the page, scored as verifiers scores a finished rollout."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [one for one in blocks if "verifiers.v1" in one]
    made: dict[str, Any] = {}
    exec(compile(block, "docs/python.md", "exec"), made)
    for text, reward in ((r"so \boxed{1/2}", 1.0), ("2", 0.0)):
        task = made["Solve"](made["Question"](prompt="A half?", answer="0.5"))
        trace = made["vf"].Trace.model_construct(root_reply=text, rewards={}, metrics={})
        asyncio.run(task.score(trace))
        assert trace.reward == reward


WRONG = {
    "open a number": (lambda: manyways.open(3), "a run folder is a path"),
    "open nothing": (lambda: manyways.open(None), "not NoneType None"),
    "open bytes": (lambda: manyways.open(b"runs"), "a run folder is a path"),
    "open a list": (lambda: manyways.open(["runs"]), "a run folder is a path"),
    "open an empty name": (lambda: manyways.open(""), "`manyways run RECIPE` makes one"),
    "open no folder": (lambda: manyways.open("no/such"), "`manyways run RECIPE` makes one"),
    "open a file": (lambda: manyways.open(__file__), "`manyways run RECIPE` makes one"),
    "open a folder": (lambda: manyways.open(Path(__file__).parent), "is not a run folder"),
    "open NUL": (lambda: manyways.open("a\0b"), "is not a run folder"),
    "pack a number": (lambda: manyways.heuristic_pack(3), "its name, such as 'polya'"),
    "pack nothing": (lambda: manyways.heuristic_pack(None), "its name, such as 'polya'"),
    "pack unknown": (lambda: manyways.heuristic_pack("poly"), "Did you mean 'polya'"),
    "pack a folder": (lambda: manyways.heuristic_pack(str(Path(__file__).parent)), "Or give a"),
    "reward a text": (lambda: manyways.reward("5", answer=["5"]), "give it as a list"),
    "reward nothing": (lambda: manyways.reward(None, answer=["5"]), "give it as a list"),
    "reward one answer": (lambda: manyways.reward(["5"], answer="5"), "answer is a list of texts"),
    "reward two": (
        lambda: manyways.reward(["5", "6"], answer=["5"]),
        "2 completions and 1 answers",
    ),
    "reward numbers": (lambda: manyways.reward([5], answer=["5"]), "a completion is a text"),
    "reward to numbers": (lambda: manyways.reward(["5"], answer=[5]), "gold is 5, no text"),
    "reward no talk": (lambda: manyways.reward([[]], answer=["5"]), "messages with 'role'"),
    "reward odd talk": (
        lambda: manyways.reward([[{"a": 1}]], answer=["5"]),
        "messages with 'role'",
    ),
    "verify a number": (lambda: manyways.verify(4, "4"), "gold is 4, no text"),
    "verify nothing": (lambda: manyways.verify("4", None), "prediction is None, no text"),
    "verify by none": (lambda: manyways.verify("4", "4", verifier="nope"), "Known: choice"),
    "verify by a number": (lambda: manyways.verify("4", "4", verifier=3), "verifier is 3, no text"),
    "verify a choice": (lambda: manyways.verify("A", "A", choices="AB"), "a list of texts"),
    "verify numbers": (lambda: manyways.verify("A", "A", choices=[1]), "a choice is 1, no text"),
    "k of 0": (lambda: manyways.pass_at_k([8], [1], 0), "k must be at least 1"),
    "k a half": (lambda: manyways.pass_at_k([8], [1], 1.5), "float 1.5 is no whole number"),
    "k a text": (lambda: manyways.pass_at_k([8], [1], "1"), "pass_at_k takes the numbers"),
    "more right": (lambda: manyways.pass_at_k([8], [9], 1), "between 0 and the attempts"),
    "half a problem": (lambda: manyways.pass_at_k([8, 8], [1], 1), "as many of either"),
    "texts": (lambda: manyways.pass_at_k(["x"], [1], 1), "pass_at_k takes the numbers"),
    "half an attempt": (lambda: manyways.pass_at_k([8.5], [1], 1), "no whole number"),
    "no attempts": (lambda: manyways.pass_at_k(None, [1], 1), "pass_at_k takes the numbers"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_answered_in_one_sentence(name: str) -> None:
    call, said = WRONG[name]
    with pytest.raises(UserError, match=re.escape(said)) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_wrong_argument_to_a_run_is_answered_too(root: Path) -> None:
    run = manyways.open(str(root))
    write_text(root / "7-tables" / "pass_at_k.json", "[]")
    for call, said in (
        (lambda: run.table(3), "one of run.tables"),
        (lambda: run.table(None), "the name of a table is a text"),
        (lambda: run.checkpoint(3), "seed-0/rl"),
        (lambda: run.dataset(3), "one of run.arms"),
        (lambda: run.dataset("star", seed="x"), "no seed 'x': give one of 0"),
        (lambda: run.dataset("star", seed=7), "no seed 7: give one of 0"),
    ):
        with pytest.raises(UserError, match=re.escape(said)):
            call()


def test_a_message_without_a_text_earns_nothing() -> None:
    calls = [{"role": "assistant", "content": None, "tool_calls": []}]
    assert manyways.reward([calls], answer=["4"]) == [0.0]
