"""Every shipped recipe loads; every mistake in one is answered with the key and the fix."""

import re
import tomllib
from pathlib import Path

import pytest
from command_line import in_this_process
from made_verl import environment

from manyways import pipeline
from manyways.context import Context
from manyways.errors import RecipeError
from manyways.problems import split_name
from manyways.recipe import dump_recipe, dump_tree, extending, load_recipe, parse_recipe
from manyways.run_dir import RunDir

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))
POCKET = Path(__file__).parents[1] / "recipes" / "pocket.toml"


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_shipped_recipe_loads_and_is_named_after_its_file(path: Path) -> None:
    assert load_recipe(path).name == path.stem


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_dump_and_load_is_the_same_recipe(path: Path, tmp_path: Path) -> None:
    recipe = load_recipe(path)
    copy = tmp_path / "recipe.toml"
    copy.write_text(dump_recipe(recipe))
    assert load_recipe(copy) == recipe


def test_dump_keeps_a_section_within_a_section(tmp_path: Path) -> None:
    overrides = ["select.scorer=judge", "select.judge.path=x/y", "select.judge.engine=http"]
    overrides.append("select.judge.http.url=http://there/v1")
    recipe = load_recipe(POCKET, overrides)
    copy = tmp_path / "recipe.toml"
    copy.write_text(dump_recipe(recipe))
    assert load_recipe(copy) == recipe
    ranked = load_recipe(POCKET, ["select.scorer=reward-model:x/y"])
    assert ranked.select.min_adherence is None
    copy.write_text(dump_recipe(ranked))
    assert load_recipe(copy) == ranked


def test_dump_survives_awkward_text(tmp_path: Path) -> None:
    odd = 'say "\\boxed{}"\n\tthen \x01stop\x7f\r'
    recipe = load_recipe(POCKET)
    recipe = recipe.model_copy(update={"prompt": recipe.prompt.model_copy(update={"system": odd})})
    copy = tmp_path / "recipe.toml"
    copy.write_bytes(dump_recipe(recipe).encode())
    assert load_recipe(copy).prompt.system == odd


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("generate.sampels=3", ["generate.sampels", "unknown key", "samples"]),
        ("rll.steps=3", ["rll", "unknown key", "rl"]),
        ("rl.steps='many'", ["rl.steps: write a whole number (got 'many')"]),
        ("rl.steps=0", ["rl.steps", "greater than or equal to 1"]),
        ("generate.top_p=1.5", ["generate.top_p", "less than or equal to 1"]),
        ("rl.loss_type='dpo'", ["rl.loss_type", "'dapo'"]),
        ("arms=['starr']", ["arms", "starr", "heuristics-N"]),
        ("arms=['heuristics-99']", ["heuristics.count", "99"]),
        ("arms=[]", ["arms: name at least one (got [])"]),
        ("arms='star'", ["arms: write a list, as"]),
        ("arms=[1]", ["arms.0: write a text in quotes (got 1)"]),
        ("midtrain.epochs=2", ["midtrain", "exactly one of steps and epochs"]),
        ("seeds=[1, 1]", ["seeds", "distinct"]),
        ("generate.max_tokens=true", ["generate.max_tokens: write a whole number"]),
        ("model=3", ["model: write a table of keys (got 3)"]),
        ("nonsense", ["nonsense", "section.key=value"]),
        ("seeds=[4294967296]", ["seeds", "below 2**32"]),
        ("name=''", ["name", "the run's folder is named after it"]),
        ("name='../../x'", ["name", "--out"]),
        ("name='a/b'", ["name", "--out"]),
        ('model.path="a\\u0000"', ["model.path", "NUL"]),
        ("evaluate.benchmarks=['math500/test', 'math500/test']", ["benchmark", "listed twice"]),
        ("generate.temperature=inf", ["generate.temperature"]),
        ("rl.beta=nan", ["rl.beta", "finite"]),
        ("midtrain.extra={x = nan}", ["midtrain.extra.x", "finite"]),
        ("verify.timeout=1e300", ["verify.timeout", "at most"]),
        ("generate.samples=10000000000000000000000", ["generate.samples", "at most"]),
        ("name.x=1", ["name", "is a value, not a section"]),
    ],
)
def test_mistakes_name_the_key_and_the_fix(override: str, parts: list[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(POCKET, [override])
    for part in parts:
        assert part in str(caught.value)
    assert str(caught.value).count("\n  ") <= 2, "the mistake, and where keys are listed"


def test_all_mistakes_are_listed_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(POCKET, ["rl.stepz=1", "generate.limit=0"])
    assert "rl.stepz" in str(caught.value)
    assert "generate.limit" in str(caught.value)


def test_missing_key_is_named() -> None:
    with pytest.raises(RecipeError, match=r"generate: required"):
        parse_recipe({"name": "x"}, "here")
    tree = tomllib.loads(POCKET.read_text())
    del tree["rl"]["steps"]
    with pytest.raises(RecipeError, match=r"rl.steps: required"):
        parse_recipe(tree, "here")


@pytest.mark.parametrize(
    ("gone", "added", "words"),
    [
        (("midtrain",), [], r"\[midtrain\] is missing: 'favourite' is mid-trained"),
        (("rl",), ["midtrain.evaluate_every=5"], "the sets are those of"),
        (("rl", "evaluate"), ["arms=['vanilla+a']", 'arm."vanilla+a".rl.beta=1.0'], "no .rl. to"),
    ],
)
def test_tables_that_cannot_be_left_out(gone, added, words, tmp_path: Path) -> None:
    tree = {k: v for k, v in tomllib.loads(POCKET.read_text()).items() if k not in gone}
    (tmp_path / "recipe.toml").write_text(dump_tree(tree))
    with pytest.raises(RecipeError, match=words):
        load_recipe(tmp_path / "recipe.toml", added)


def test_broken_toml_and_missing_file(tmp_path: Path) -> None:
    broken = tmp_path / "r.toml"
    broken.write_text("name = [")
    with pytest.raises(RecipeError, match="not valid TOML"):
        load_recipe(broken)
    with pytest.raises(RecipeError, match="no recipe at"):
        load_recipe(tmp_path / "absent.toml")


def test_override_takes_words_and_values() -> None:
    recipe = load_recipe(POCKET, ["name=other", "generate.limit=7", "seeds=[3,4]"])
    assert (recipe.name, recipe.generate.limit, recipe.seeds) == ("other", 7, (3, 4))


def test_the_recipe_on_the_page_for_ones_own_model_loads(tmp_path: Path) -> None:
    page = (POCKET.parents[1] / "docs" / "your-own.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```toml my\.toml\n(.*?)^```", page, re.M | re.S)
    recipe = tmp_path / "my.toml"
    recipe.write_text(text)
    loaded = load_recipe(recipe)
    assert (loaded.model.engine, loaded.rl.group_size) == ("vllm", 16)
    _, _, options = split_name(loaded.generate.problems)
    assert options["verifier"] == "my_verifier:verify"


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_shipped_recipe_dry_runs(path: Path, tmp_path: Path) -> None:
    """With the embedded model and its problems in place of what only a connection brings."""
    here = [
        "model.path='package:manyways.pocket/base'", "model.engine='transformers'",
        "generate.problems='pocket/seed'", "generate.limit=4",
    ]  # fmt: skip
    given = load_recipe(path)
    if given.phases:
        here += ["rl.problems='pocket/rl'", "rl.limit=4", "evaluate.limit=4"]
        here.append("evaluate.benchmarks=['pocket/test']")
    if given.rl.verl is not None:
        here.append(f"rl.verl.python='{environment(tmp_path / 'env')}'")
    recipe = load_recipe(path, here)
    context = Context(recipe=recipe, run=RunDir(root=tmp_path))
    rows = dict(pipeline.dry_run(context))
    assert rows["generate"].startswith("would run")
    lines = {f"rl/{arm}/seed-{seed}" for arm in recipe.arms for seed in recipe.seeds}
    assert lines <= set(rows) or rows["rl"] == "left out: the recipe has no [rl]"


def test_a_recipe_is_laid_over_the_one_it_extends(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(POCKET.read_text())
    (tmp_path / "more.toml").write_text('extends = "base.toml"\nname = "more"\nrl.steps = 7\n')
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "more.toml"\narms = ["vanilla"]\n[rl]\nbeta = 0.5\n')
    base, recipe = load_recipe(POCKET), load_recipe(mine)
    assert (recipe.name, recipe.arms, recipe.rl.steps, recipe.rl.beta) == (
        "more", ("vanilla",), 7, 0.5,
    )  # fmt: skip
    assert recipe.rl == base.rl.model_copy(update={"steps": 7, "beta": 0.5})
    assert recipe.evaluate == base.evaluate
    assert "extends" not in dump_recipe(recipe)


@pytest.mark.parametrize(
    ("line", "why"),
    [('extends = "mine.toml"', "extends this file itself"), ('extends = "none.toml"', "no recipe"),
     ("extends = 3", "path of one recipe"), ('extends = "run/recipe.toml"', "in a run folder")],
)  # fmt: skip
def test_what_cannot_be_extended_is_refused(line: str, why: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.toml").write_text(POCKET.read_text())
    (run / "manifest.json").write_text("{}")
    mine = tmp_path / "mine.toml"
    mine.write_text(line)
    with pytest.raises(RecipeError, match=f"extends: .*{why}"):
        load_recipe(mine)


def test_a_key_of_the_extended_recipe_is_unset(tmp_path: Path) -> None:
    base = POCKET.read_text() + "\n[launch]\nprocesses = 2\n"
    (tmp_path / "base.toml").write_text(base)
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "base.toml"\nunset = ["launch", "rl.steps"]\n[rl]\nsteps = 9\n')
    recipe = load_recipe(mine)
    assert load_recipe(tmp_path / "base.toml").launch is not None
    assert recipe.launch is None and recipe.rl.steps == 9
    whole = dump_recipe(recipe)
    assert "unset" not in whole and "extends" not in whole
    given = extending(mine, ["rl.beta=0.5"])
    assert given is not None and "bootstrap" not in given and "launch" not in given
    (tmp_path / "same.toml").write_text(given)
    assert load_recipe(tmp_path / "same.toml") == load_recipe(mine, ["rl.beta=0.5"])
    assert extending(POCKET) is None
    for keys, why in (
        ('["rl.stepps"]', "'rl.steps'"),
        ('"rl.steps"', "a list"),
        ('[""]', "not gi"),
    ):
        mine.write_text(f'extends = "base.toml"\nunset = {keys}\n')
        with pytest.raises(RecipeError, match=f"unset: .*{why}"):
            load_recipe(mine)
    mine.write_text(base.replace("name =", 'unset = ["rl.beta"]\nname =', 1))
    with pytest.raises(RecipeError, match="unset: only a recipe's file that extends"):
        load_recipe(mine)


def test_a_dry_run_shows_what_an_extending_recipe_comes_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.toml"
    (tmp_path / "base.toml").write_text(POCKET.with_name("smoke.toml").read_text())
    mine.write_text('extends = "base.toml"\nname = "mine"\n[rl]\nbeta = 0.25\n')
    done = in_this_process(capsys, "run", mine, "--dry-run", "--out", tmp_path / "run")
    assert done.code == 0
    shown = done.out
    assert "beta = 0.25" in shown and "group_size" in shown and "epsilon_high" not in shown
    whole = in_this_process(capsys, "recipes", "show", mine).out
    assert tomllib.loads(whole)["rl"]["epsilon_high"] == 0.28


def test_all_n_of_the_paper_and_its_distillation_are_one_line(tmp_path: Path) -> None:
    paper = POCKET.with_name("gsm8k-llama-3.2-3b.toml")
    usual, other = (m.group() for m in re.finditer(r"^(# )?arms = .*$", paper.read_text(), re.M))
    switched = tmp_path / "all.toml"
    switched.write_text(paper.read_text().replace(usual, other.removeprefix("# ")))
    recipe = load_recipe(switched)
    ways = [2**n for n in range(7)]
    wanted = ("vanilla", "star", *(f"heuristics-{n}" for n in ways), "distilled-16")
    assert recipe.arms == wanted and recipe.heuristics.count == 64
    for name in ("gsm8k-llama-3.2-3b", "paper-trl-colocate", "paper-trl-server", "paper-verl"):
        recipe = load_recipe(POCKET.with_name(f"{name}.toml"))
        assert recipe.heuristics.count == 16
        code_and_stories = {"humaneval/test", "musr/murder", "musr/object", "musr/team"}
        assert code_and_stories < set(recipe.evaluate.benchmarks)


def test_as_many_heuristics_are_taken_as_an_arm_needs() -> None:
    text = POCKET.read_text().replace("count = 10\n", "")
    assert parse_recipe(tomllib.loads(text), "x").heuristics.count == 10
    text = text.replace('"heuristics-10"', '"heuristics-2"')
    assert parse_recipe(tomllib.loads(text), "x").heuristics.count == 8


def test_what_a_recipe_extends_is_not_set_from_outside() -> None:
    with pytest.raises(RecipeError, match=r"extends: .*top of the file"):
        load_recipe(POCKET, ["extends=smoke.toml"])


@pytest.mark.parametrize("mode", ["colocate", "server"])
def test_settings_of_vllm_reach_trl(mode: str, tmp_path: Path) -> None:
    from manyways.train import RLSettings
    from manyways.train.trl import OWN_SAMPLING, grpo_config

    recipe = load_recipe(POCKET.with_name(f"paper-trl-{mode}.toml"))
    given = RLSettings(config=recipe.rl, messages=lambda p: (), arm="star", seed=0, device="cpu")
    config = grpo_config(given, tmp_path)
    assert (config.use_vllm, config.vllm_mode) == (True, mode)
    assert OWN_SAMPLING & set(recipe.rl.extra)
    assert recipe.launch is not None
    rows = recipe.rl.prompts_per_step * recipe.rl.group_size
    assert recipe.launch.processes is not None
    assert rows % (recipe.launch.processes * (recipe.rl.micro_batch or 1)) == 0
