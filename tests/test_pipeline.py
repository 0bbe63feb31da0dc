"""The table of stages: what every entry has, the order of steps, what waits for what."""

import inspect
from pathlib import Path

import pytest
from made_runs import context

from manyways import pipeline
from manyways.cli.app import stages as verbs
from manyways.pipeline import Step, feeds, steps
from manyways.stages import STAGES, WORDS, Stage, up_to

GIVEN = {"pool": 1, "foreign pool": 1, "base": 1, "line": 2, "checkpoint": 2, "run": 1}


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Step]:
    arms = ("vanilla", "star", "star@round2", "distilled-2")
    probe = {"enabled": True, "heuristics": 2}
    ctx = context(tmp_path, arms=arms, distill={"model": {"path": "x"}}, probe=probe)
    return {step.name: step for step in steps(ctx)}


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_entry_has_its_functions(stage: Stage) -> None:
    for name in ("plan", "run"):
        assert len(inspect.signature(getattr(stage.module, name)).parameters) == GIVEN[stage.per]
    assert callable(stage.module.amount)
    assert not stage.optional or callable(stage.module.left_out)
    assert not stage.makes or all(
        hasattr(stage.module, n) for n in ("run_here", "train", "commands")
    )
    known = [earlier.name for earlier in STAGES[: STAGES.index(stage)]]
    assert set(stage.after) <= set(known)
    assert set(stage.before) <= {one.name for one in STAGES if one.makes}


def test_every_stage_has_a_verb() -> None:
    assert {command.name for command in verbs.registered_commands} >= set(WORDS)
    assert up_to("midtrain") == ("generate", "select", "midtrain")


def test_steps_come_after_what_they_use(found: dict[str, Step]) -> None:
    names = list(found)
    assert names[:4] == ["generate", "generate/distilled", "select", "evaluate/base"]
    assert names[-4:] == ["probe", "branch", "analyse", "report"]
    for place, name in enumerate(names):
        later = [other for other in names[place:] if feeds(found[other], found[name])]
        assert later == [], name


@pytest.mark.parametrize(
    ("name", "uses"),
    [
        ("evaluate/base", ""),
        ("gate/vanilla/seed-0", "generate"),
        ("midtrain/star/seed-0", "select"),
        ("generate/star@round2/seed-0", "midtrain/star/seed-0"),
        ("midtrain/distilled-2/seed-0", "generate/distilled select"),
        ("evaluate/star/seed-0/mid", "midtrain/star/seed-0"),
        ("evaluate/star/seed-0/rl", "rl/star/seed-0"),
        ("rl/star/seed-0", "generate midtrain/star/seed-0 gate/star/seed-0"),
        ("report", "analyse"),
    ],
)
def test_what_a_step_uses(found: dict[str, Step], name: str, uses: str) -> None:
    used = {other for other, step in found.items() if feeds(step, found[name])}
    assert used == set(uses.split())


def test_tables_come_from_everything(found: dict[str, Step]) -> None:
    late = {"analyse", "report"}
    assert {n for n, step in found.items() if feeds(step, found["analyse"])} == set(found) - late


def test_a_stage_alone_leaves_the_outcome_of_lines_alone(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    outcome = ctx.run.arm_path("star", 0, "outcome.json")
    outcome.parent.mkdir(parents=True)
    outcome.write_text("{}")
    pipeline.run_lines(ctx, ctx.lines, ("report",))
    assert outcome.read_text() == "{}"
