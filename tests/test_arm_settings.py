"""Settings of one arm: its lines have a recipe of their own, all other lines are as without it."""

from pathlib import Path

import pytest
from command_line import in_this_process
from sampled_runs import context

from manyways import pipeline
from manyways.arms import Line
from manyways.commands.forecast import planned_work
from manyways.errors import MissingWork, RecipeError
from manyways.pipeline import steps
from manyways.recipe import dump_recipe, load_recipe
from manyways.stages import gate, midtrain, reinforce, selection
from manyways.third_party import names

POCKET = Path(__file__).parents[1] / "recipes" / "pocket.toml"
LONG = {
    "star+long": {"midtrain": {"steps": 9}, "rl": {"extra": {"entropy_coef": 0.01}}},
    "star+all": {"select": {"min_adherence": 0.0}},
}
STAR, OWN = Line(arm="star", seed=0), Line(arm="star+long", seed=0)


def recipe(*overrides: str):
    return load_recipe(POCKET, overrides)


def test_a_table_changes_its_arm_alone() -> None:
    made = recipe(
        'arms=["vanilla", "vanilla+x"]',
        'rl.extra={ top_entropy_quantile = 0.5 }',
        'arm."vanilla+x".base="vanilla"',
        'arm."vanilla+x".rl.extra.entropy_coef=0.01',
        'arm."vanilla+x".midtrain.epochs=2.0',
    )  # fmt: skip
    own = made.of("vanilla+x")
    assert own.rl.extra == {"top_entropy_quantile": 0.5, "entropy_coef": 0.01}
    assert (own.midtrain.steps, own.midtrain.epochs) == (None, 2.0)
    assert own.evaluate == made.evaluate and own.rl.steps == made.rl.steps
    assert made.of("vanilla") is made
    assert made.differs("vanilla+x") == "rl.extra.entropy_coef = 0.01, midtrain.epochs = 2.0"
    assert made.differs("vanilla") == ""


def test_a_dumped_table_is_read_again(tmp_path: Path) -> None:
    made = recipe(
        'arms=["star@0.5epochs+x"]',
        'arm."star@0.5epochs+x".rl.steps=3',
        "arm.'star@0.5epochs+x'.rl.lora.rank=4",
    )
    copy = tmp_path / "recipe.toml"
    copy.write_text(dump_recipe(made))
    assert load_recipe(copy) == made
    assert load_recipe(copy).of("star@0.5epochs+x").rl.lora.rank == 4


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (['arm."star+x".rl.stepz=3'], ['arm."star+x".rl.stepz: unknown key', "'steps'"]),
        (['arm."star+x".rl.stop.patience=0'], ['arm."star+x".rl.stop.patience']),
        (['arm."star+x".generate.samples=3'], ["one pool and one evaluation serve all arms"]),
        (['arm."star+x".bse="star"'], ['arm."star+x".bse: unknown key', "'base'"]),
        (['arm."star+x".base="random"', 'arm."star+x".rl.steps=3'], ["'random+x'"]),
        (['arm."sta+x".rl.steps=3'], ["unknown arm 'sta'", "did you mean 'star'"]),
        (["arm.star.rl.steps=3"], ["'star+WORD'"]),
        (['arm."star+x".base="star"'], ["nothing is set"]),
        (['arms=["star+x"]'], ['[arm."star+x"]', "'star'"]),
        (["arms={ star = 1 }"], ['[arm."NAME"]']),
        (
            ['arm."star+x".rl.evaluate_every=3', 'arm."star+x".rl.evaluate=["pocket/test"]'],
            ['arm."star+x"', "Name a validation set"],
        ),
        (
            ["rl.pass_rate=[0.1, 0.9]", 'arm."star+x".rl.group_size=3'],
            ['arm."star+x".rl.group_size', "rl.pass_rate_of = 'start'"],
        ),
        (
            ["rl.evaluate_pass_rate=[0.1, 0.9]", 'arm."star+x".rl.evaluate_limit=3'],
            [
                'arm."star+x".rl.evaluate_limit',
                "the rates of validation problems are measured once",
            ],
        ),
        (['arm."distilled-2+x".select.budget=3'], ["selected once, for all arms"]),
    ],
)
def test_what_is_no_setting_of_an_arm_is_refused(overrides: list[str], words: list[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe(*overrides)
    for part in words:
        assert part in str(caught.value)


def test_the_list_and_a_table_of_the_same_name_are_told_apart(tmp_path: Path, capsys) -> None:
    wrong = tmp_path / "r.toml"
    wrong.write_text('arms = ["star"]\n[arms."star+x"]\nrl.steps = 3\n')
    said = in_this_process(capsys, "run", wrong, "--dry-run")
    assert said.code == 2
    assert 'settings of one arm stand in [arm."NAME"]' in said.err


def test_code_in_a_table_needs_trust_like_any_other() -> None:
    made = recipe('arm."star+x".rl.backend="my.module:train"')
    assert ('arm."star+x".rl.backend', "my.module:train") in names(made)


def test_a_line_has_the_recipe_of_its_arm_and_others_their_old_identity(tmp_path: Path) -> None:
    before = context(tmp_path / "run", arms=["star"])
    after = context(tmp_path / "run", arms=["star", *LONG], arm=LONG)
    found = {step.name: step for step in steps(after)}
    assert found["midtrain/star/seed-0"].context is after
    own = found["midtrain/star+long/seed-0"].context
    assert own is after.of(OWN) and own.recipe.midtrain.steps == 9
    assert own.of(STAR) is after and after.midtraining(OWN).steps == 9
    assert own.verifiers is after.verifiers and own.sets is after.sets
    for stage in (gate, selection):
        about = () if stage is selection else (Line(arm="vanilla", seed=0),)
        assert stage.plan(before, *about).identity == stage.plan(after, *about).identity
    after.close()


def test_an_arm_with_a_selection_of_its_own_selects_once_and_alone(tmp_path: Path) -> None:
    made = context(tmp_path / "run", arms=["star", *LONG], arm=LONG, seeds=[0, 1])
    found = {step.name: step for step in steps(made)}
    own = found["select/star+all"]
    assert own.line is None and own.context.solutions != made.solutions
    assert found["select"].context.solutions == made.solutions
    assert pipeline.feeds(own, found["midtrain/star+all/seed-1"])
    assert not pipeline.feeds(own, found["midtrain/star/seed-0"])
    assert own.plan()[0].name == "select/star+all"


def test_the_forecast_counts_what_each_arm_takes(tmp_path: Path) -> None:
    made = context(tmp_path / "run", arms=["star", *LONG], arm=LONG)
    taken = {work.work: work.steps for work in planned_work(made)}
    assert taken["midtrain/star+long/seed-0"] == 9
    assert taken["midtrain/star/seed-0"] == made.recipe.midtrain.steps != 9


def test_trainings_wait_for_the_selection_of_their_arm(tmp_path: Path) -> None:
    made = context(tmp_path / "run", arms=["star+all"], arm={"star+all": LONG["star+all"]})
    line = Line(arm="star+all", seed=0)
    with pytest.raises(MissingWork, match="generate and select first"):
        midtrain.plan(made.of(line), line)
    with pytest.raises(MissingWork):
        reinforce.plan(made.of(line), line)
