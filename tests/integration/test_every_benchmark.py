"""Evaluation of checkpoints that can do nothing on every published set, and of the pocket one."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from command_line import ROOT
from needs import needs_sandbox
from real_format import tiny_recipe

from manyways.context import Context
from manyways.measures import read_rows
from manyways.measures.averages import AverageRow, MajorityRow
from manyways.measures.pass_at_k import PassRow
from manyways.measures.rates import RateRow
from manyways.problems.datasets import ALL
from manyways.recipe import load_recipe
from manyways.records import BASE
from manyways.run_dir import RunDir, open_for_writing
from manyways.stages import analyse, evaluate, report
from manyways.tables import write_text

SETS = (
    "gsm8k/test", "math/train", "math500/test", "dapo-math-17k/train", "aime24/test",
    "aime25/test", "amc23/test", "minerva/test", "olympiadbench/test", "humaneval/test",
    "mbpp/test", "musr/murder", "musr/object", "musr/team",
)  # fmt: skip
PROBLEMS, ATTEMPTS = 3, 4


def evaluated(recipe: Path, root: Path, overrides: list[str]) -> RunDir:
    """The base checkpoint of ``recipe`` on its benchmarks, analysed and reported."""
    settings = load_recipe(recipe, overrides)
    with open_for_writing(root) as run:
        write_text(run.path("recipe.toml"), recipe.read_text())
        ctx = Context(recipe=settings, run=run)
        try:
            evaluate.run(ctx, BASE)
            analyse.run(ctx)
            report.run(ctx)
        finally:
            ctx.close()
    return run


def rates(run: RunDir) -> Mapping[str, RateRow]:
    rows = read_rows(run.path("7-tables", "rates.json"), RateRow)
    return {row.benchmark: row for row in rows}


def show(run: RunDir) -> None:
    """One line per benchmark: scores, how the attempts ended, seconds."""
    passes = read_rows(run.path("7-tables", "pass_at_k.json"), PassRow)
    votes = read_rows(run.path("7-tables", "majority.json"), MajorityRow)
    seconds = {s.work.split("/")[-1]: s.seconds for s in run.stamps()}
    head = "pass@1  pass@N  maj@N  no answer  undecided  truncated  tokens  seconds"
    print(f"\n{'benchmark':22} {head}")
    for name, row in rates(run).items():
        scores = [r.score.value for r in passes if r.benchmark == name]
        vote = [f"{r.score.value:.3f}" for r in votes if r.benchmark == name] or ["-"]
        spent = seconds.get(name.replace("/", "-"), 0.0)
        print(
            f"{name:22} {scores[0]:6.3f}  {scores[-1]:6.3f}  {vote[-1]:>5}  {row.no_answer:9.2f}  "
            f"{row.undecided:9.2f}  {row.truncated:9.2f}  {row.mean_tokens:6.1f}  {spent:7.1f}"
        )


@pytest.mark.slow
@needs_sandbox
@pytest.mark.parametrize("policy", ["strict", "lenient"])
def test_a_random_llama_on_every_published_set(tmp_path: Path, policy: str) -> None:
    """Strict, as in any run: it never writes a box. Lenient: noise that verifiers must survive."""
    assert {name.split("/")[0] for name in SETS} == {spec.name for spec in ALL}
    recipe = tiny_recipe(tmp_path, context=16384)
    run = evaluated(
        recipe,
        tmp_path / "run",
        [
            f"evaluate.benchmarks={list(SETS)}", f"evaluate.limit={PROBLEMS}",
            f"evaluate.attempts={ATTEMPTS}", "evaluate.max_tokens=24",
            f'verify.policy="{policy}"', 'generate.problems="pocket/seed"',
            'rl.problems="pocket/rl"',
        ],
    )  # fmt: skip
    show(run)
    found = rates(run)
    assert set(found) == {*SETS, "mean", "mean without choices", "mean of six math sets"}
    for name in SETS:
        row = found[name]
        assert row.attempts == PROBLEMS * ATTEMPTS
        ends = row.correct + row.wrong + row.no_answer + row.undecided
        assert ends == pytest.approx(1.0)
        assert row.correct <= (0.0 if policy == "strict" else 0.25), name
        assert row.undecided == 0.0, name
        assert 0 < row.truncated < 1, name
    assert found["mean"].correct < 0.05
    assert (found["mean"].wrong > 0.3) is (policy == "lenient")
    averages = read_rows(run.path("7-tables", "averages.json"), AverageRow)
    assert {row.benchmark for row in averages} == set(found)
    assert all(row.score.high < 0.75 for row in averages if row.benchmark in SETS)
    voting = {
        row.benchmark for row in read_rows(run.path("7-tables", "majority.json"), MajorityRow)
    }
    assert voting == {*SETS, "mean of six math sets"} - {"humaneval/test", "mbpp/test"}
    summary = run.path("report.md").read_text(encoding="utf-8")
    assert all(name in summary for name in SETS)
    stamps = [stamp for stamp in run.stamps() if stamp.work.startswith("evaluate/")]
    assert len({stamp.facts["chat_template"] for stamp in stamps}) == 1


@pytest.mark.slow
def test_the_pocket_checkpoint_on_its_benchmarks(tmp_path: Path) -> None:
    run = evaluated(ROOT / "recipes" / "pocket.toml", tmp_path / "run", ["evaluate.limit=10"])
    show(run)
    found = rates(run)
    names = load_recipe(ROOT / "recipes" / "pocket.toml").evaluate.benchmarks
    assert set(found) == {*names, "mean", "mean without choices"}
    assert 0 < found["mean"].correct < 0.5
    assert max(row.undecided for row in found.values()) == 0
