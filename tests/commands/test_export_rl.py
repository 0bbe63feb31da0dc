"""RL's own attempts as a dataset."""

import json
from pathlib import Path

import pytest
from command_line import in_this_process
from huggingface_hub import DatasetCard
from made_runs import attempt, context
from test_export_dataset import loaded

from manyways.arms import Line
from manyways.commands.export.dataset import RL_SCHEMA, export_rl
from manyways.context import Context
from manyways.errors import MissingWork
from manyways.recipe import dump_recipe
from manyways.records import RLAttempt
from manyways.tables import append_rl_attempts, write_text

P = "made/rl/000"


def run(root: Path, second: str = "a") -> Context:
    """One group of two in two steps of the first arm; in the second asked under a heuristic."""
    ctx = context(root)
    line = Line(arm=ctx.recipe.arms[0], seed=0)
    rows = [
        RLAttempt(
            attempt=attempt(P, way, sample=place, status=status),
            step=step, group=0, reward=reward, advantage=None if step == 2 else 1.0,
        )
        for step, way in ((1, "plain"), (2, second))
        for place, (status, reward) in enumerate((("correct", 1.0), ("undecided", None)))
    ]  # fmt: skip
    append_rl_attempts(ctx.run.path(line.rl.folder, "attempts"), rows)
    write_text(ctx.run.path("recipe.toml"), dump_recipe(ctx.recipe))
    return ctx


def test_every_attempt_has_its_step_and_what_it_earned(tmp_path: Path) -> None:
    ctx = run(tmp_path / "run")
    folder = export_rl(ctx, ctx.lines, out=tmp_path / "out")
    rows = loaded(folder, tmp_path)
    assert rows.column_names == RL_SCHEMA.names
    told = [(r["step"], r["sample"], r["status"], r["reward"], r["advantage"]) for r in rows]
    assert told == [
        (1, 0, "correct", 1.0, 1.0), (1, 1, "undecided", None, 1.0),
        (2, 0, "correct", 1.0, None), (2, 1, "undecided", None, None),
    ]  # fmt: skip
    plain, named = rows[0], rows[2]
    assert plain["prompt"] == [
        {"role": m.role, "content": m.content}
        for m in ctx.prompts_for(ctx.problems(ctx.recipe.rl.problems, None)[0]).plain(
            plain["question"]
        )
    ]
    assert named["heuristic"] == "a" and named["prompt"] != plain["prompt"]
    assert plain["completion"][0]["role"] == "assistant"
    facts = json.loads((folder / "manyways.json").read_text())
    assert (facts["steps"], facts["problems"], sum(facts["lines"].values())) == (2, 1, 4)
    card = DatasetCard.load(folder / "README.md")
    assert "rollouts" in card.data.tags and "Wrong answers are among them" in card.text


def test_the_verb_exports_one_arm_and_says_where_nothing_was_kept(tmp_path: Path, capsys) -> None:
    ctx = run(tmp_path / "run", second="plain")
    first, other, *_ = ctx.recipe.arms
    root, out = ctx.run.root, tmp_path / "out"
    done = in_this_process(
        capsys, "export", "dataset", root, "--rl", "--arm", first, "--out", out, "--trust"
    )
    assert done.code == 0, done.err
    assert "4 attempts of RL in" in done.err + done.out
    with pytest.raises(MissingWork, match=r"rl\.attempts = 'sample'"):
        export_rl(ctx, [line for line in ctx.lines if line.arm == other], out=tmp_path / "none")
    assert not (tmp_path / "none").exists()
