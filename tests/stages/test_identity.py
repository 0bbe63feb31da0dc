"""What makes finished work run again: any key that a stage reads, but for those named."""

from pathlib import Path

import pytest
from pydantic import create_model
from sampled_runs import context

from manyways.arms import Line
from manyways.context import Context, settings_of
from manyways.recipe.section import Section
from manyways.records import BASE
from manyways.run_dir import Work
from manyways.stages import (
    analyse,
    branch,
    distill,
    evaluate,
    gate,
    generate,
    midtrain,
    preflight,
    probe,
    reinforce,
    report,
    selection,
)
from manyways.tables import write_text

STAR, VANILLA = Line(arm="star", seed=0), Line(arm="vanilla", seed=0)
PLANS = {
    "preflight": lambda ctx: preflight.plan(ctx, preflight.check_names(ctx)),
    "generate": generate.plan,
    "generate/distilled": distill.plan,
    "select": selection.plan,
    "midtrain": lambda ctx: midtrain.plan(ctx, STAR),
    "gate": lambda ctx: gate.plan(ctx, VANILLA),
    "rl": lambda ctx: reinforce.plan(ctx, STAR),
    "evaluate": lambda ctx: evaluate.plan(ctx, BASE)[0],
    "probe": probe.plan,
    "branch": lambda ctx: branch.plan(ctx)[0],
    "analyse": analyse.plan,
    "report": report.plan,
}
READ = {
    "preflight": ("verify",),
    "generate": ("model", "prompt", "heuristics", "verify", "generate"),
    "generate/distilled": ("prompt", "verify", "distill"),
    "select": ("heuristics", "generate", "select"),
    "midtrain": ("model", "prompt", "midtrain"),
    "gate": ("model", "prompt", "verify", "gate", "rl"),
    "rl": ("model", "prompt", "verify", "rl"),
    "evaluate": ("model", "prompt", "verify", "evaluate"),
    "probe": ("model", "prompt", "heuristics", "verify", "generate", "probe"),
    "branch": ("model", "prompt", "branch"),
    "analyse": ("heuristics", "select", "rl", "evaluate", "analyse", "branch"),
    "report": ("heuristics", "evaluate", "analyse"),
}
"""Stage -> the sections that its records depend on."""


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    traces = root / "traces.jsonl"
    traces.write_text('{"problem": "made/seed/001", "text": "\\\\boxed{1}"}\n')
    made = context(root / "run", distill={"attempts": str(traces)})
    generate.run(made)
    selection.run(made)
    checkpoint = Path(made.path_of(STAR.start)) / "config.json"
    write_text(checkpoint, "{}")
    yield made
    made.close()


def with_key(ctx: Context, section: str) -> Context:
    """The same run by a release in which ``section`` has one key more, set in the recipe."""
    old = getattr(ctx.recipe, section)
    grown = create_model(f"More{section}", __base__=type(old), surprise=(int, 0))
    more = grown.model_construct(**dict(old), surprise=1)
    recipe = create_model("MoreRecipe", __base__=type(ctx.recipe), **{section: (grown, ...)})
    made = Context(
        recipe=recipe.model_construct(**{**dict(ctx.recipe), section: more}), run=ctx.run
    )
    held = ("pack", "base_path", "base_hash", "sets")
    made.__dict__.update({name: getattr(ctx, name) for name in held})
    return made


def finished(ctx: Context, stage: str) -> Work:
    work = PLANS[stage](ctx)
    for name in work.outputs:
        if not (path := work.run.root / name).exists():
            write_text(path, "[]")
    work.run.finish(work)
    return work


@pytest.mark.parametrize(
    ("stage", "section"), [(stage, name) for stage, names in READ.items() for name in names]
)
def test_a_key_that_nobody_listed_redoes_the_stage(ctx: Context, stage: str, section: str) -> None:
    work = finished(ctx, stage)
    assert work.why == "finished"
    assert PLANS[stage](with_key(ctx, section)).why.split(" changed: ")[0] in (
        "inputs or settings", "amount",
    )  # fmt: skip


@pytest.mark.parametrize("stage", PLANS)
def test_every_stage_has_a_number(ctx: Context, stage: str) -> None:
    work = PLANS[stage](ctx)
    assert isinstance(work.identity.get("format"), int) or "code" in work.request
    assert "manyways" not in work.identity


def test_keys_at_their_default_and_those_named_are_left_out() -> None:
    class Some(Section):
        rate: float = 1.0
        size: int = 2
        extra: dict[str, int] = {}  # noqa: RUF012  pydantic copies it

    assert settings_of(Some(rate=2.0, size=3), "size") == {"rate": 2.0}
    assert settings_of(Some()) == {}
    with pytest.raises(AssertionError, match="colour"):
        settings_of(Some(), "colour")
