"""What a recipe hands on to TRL, vLLM, a server and verl: one goes through, one is refused well.

docs/rl.md shows these recipes; its tables are read from there.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from manyways.engines import SamplingSettings
from manyways.engines.http_client import Dialect, request_body
from manyways.errors import RecipeError
from manyways.recipe import dump_recipe, load_recipe, owners
from manyways.recipe.engines import HttpConfig
from manyways.recipe.owners import check_extras
from manyways.train.verl.overrides import check_extra

SMOKE = Path(__file__).parents[1] / "recipes" / "smoke.toml"
VERL = Path(__file__).parents[1] / "recipes" / "paper-verl.toml"


def with_keys(*overrides: str, base: Path = SMOKE):
    arms = ["arms=['vanilla', 'vanilla+x']"] if "vanilla+x" in overrides[0] else []
    recipe = load_recipe(base, [*arms, *overrides])
    check_extras(recipe)
    return recipe


@pytest.mark.parametrize(
    "override",
    [
        "midtrain.extra.lr_scheduler_kwargs={ num_cycles = 1, min_lr_rate = 0.1 }",
        "midtrain.extra.optim_target_modules=['attn', 'mlp']",
        "rl.extra.generation_kwargs={ penalties = { last = [0.1, 0.2] } }",
        "rl.extra.entropy_coef=1",
        "rl.extra.optim='adafactor'",
        "rl.extra.reward_weights=[1, 0.5]",
    ],
)
def test_what_the_owner_takes_goes_through(override: str, tmp_path: Path) -> None:
    recipe = with_keys(override)
    copy = tmp_path / "recipe.toml"
    copy.write_text(dump_recipe(recipe))
    assert load_recipe(copy) == recipe


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rl.extra.entropy_coeff=0.1", r"rl\.extra\.entropy_coeff: .*'entropy_coef'"),
        ("rl.extra.entropy_coef='0.1'", r"rl\.extra\.entropy_coef = '0.1': .*float.*mean 0\.1,"),
        ("rl.extra.top_k=1.5", r"rl\.extra\.top_k = 1\.5: GRPOConfig takes int\."),
        ("rl.extra.log_completions='true'", "Did you mean true, without quotes"),
        ("rl.extra.reward_weights={ a = 1 }", r"GRPOConfig takes list\[float\] \| None"),
        ("midtrain.extra.optim='adamw'", r"midtrain\.extra\.optim = 'adamw': .*'adamw_"),
        ("midtrain.extra.lr_scheduler_type='cosin'", "mean 'cosine'"),
        ("midtrain.extra.entropy_coef=0.1", "SFTConfig has no such key"),
        (
            'arm."vanilla+x".rl.extra.entropy_coef="1"',
            r"arm\.\"vanilla\+x\"\.rl\.extra\.entropy_coef = '1'",
        ),
        ("rl.extra.beta=0.1", "decided by the recipe's own keys"),
        ("rl.extra.eval_strategy='steps'", "rl.evaluate_every"),
        ("midtrain.extra.model_init_kwargs={ attn_implementation = 'x' }", r"model\.load"),
        ("rl.extra.chat_template_kwargs={ a = 1 }", r"model\.chat_template_kwargs"),
        ("rl.extra.generation_kwargs={ when = [2020-01-01] }", "generation_kwargs.when: text, num"),
        ("rl.extra.generation_kwargs={ x = { y = nan } }", r"generation_kwargs\.x\.y: a finite"),
    ],
)
def test_what_the_owner_does_not_take_is_refused_with_the_nearest(override, message) -> None:
    with pytest.raises(RecipeError, match=message):
        with_keys(override)


def test_the_check_loads_neither_torch_nor_trl() -> None:
    """It is made by the verbs that answer at once."""
    script = (
        "import sys\n"
        "from manyways.recipe import load_recipe\n"
        "from manyways.recipe.owners import check_extras, fields_of, GRPO\n"
        "from pathlib import Path\n"
        f"check_extras(load_recipe(Path({str(SMOKE)!r}), ['rl.extra.top_k=5']))\n"
        "assert len(fields_of(GRPO[1])) > 100\n"
        "print(sorted({'torch', 'trl', 'transformers'} & set(sys.modules)))\n"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


def test_the_types_read_from_source_are_those_of_the_class() -> None:
    from dataclasses import fields

    from trl import GRPOConfig, SFTConfig

    for cls, (_, sources) in ((GRPOConfig, owners.GRPO), (SFTConfig, owners.SFT)):
        known = owners.fields_of(sources)
        assert known is not None
        assert {field.name for field in fields(cls) if field.init} == set(known)


@pytest.fixture
def vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose engine arguments are written as vLLM writes its own."""
    (tmp_path / "vllm" / "engine").mkdir(parents=True)
    (tmp_path / "vllm" / "engine" / "arg_utils.py").write_text(
        "class EngineArgs:\n"
        "    model: str = ModelConfig.model\n"
        "    max_model_len: int | None = ModelConfig.max_model_len\n"
        "    quantization: QuantizationMethods | None = ModelConfig.quantization\n"
        "    kv_cache_dtype: Literal['auto', 'fp8'] = 'auto'\n"
        "    speculative_config: dict[str, Any] | None = None\n"
    )
    monkeypatch.delitem(sys.modules, "vllm", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    owners._source.cache_clear()
    owners.fields_of.cache_clear()
    yield
    owners._source.cache_clear()
    owners.fields_of.cache_clear()


@pytest.mark.usefixtures("vllm")
def test_engine_arguments_of_vllm_are_checked_where_it_is_installed() -> None:
    given = "model.vllm={ max_model_len = 512, speculative_config = { num_tokens = [1, 2] } }"
    assert with_keys(given).model.vllm["speculative_config"] == {"num_tokens": [1, 2]}
    with pytest.raises(RecipeError, match=r"model\.vllm\.max_model_length: .*'max_model_len'"):
        with_keys("model.vllm.max_model_length=512")
    with pytest.raises(RecipeError, match=r"model\.vllm\.max_model_len = '512': .*mean 512"):
        with_keys("model.vllm.max_model_len='512'")
    with pytest.raises(RecipeError, match="mean 'fp8'"):
        with_keys("model.vllm.kv_cache_dtype='fp88'")
    with pytest.raises(RecipeError, match=r"distill\.model\.vllm\.lenn"):
        with_keys("distill={ model = { path = 'a/b', vllm = { lenn = 1 } } }")


def test_a_servers_request_carries_tables_and_the_recipes_fields_stay_its_own() -> None:
    config = HttpConfig(url="http://localhost:1/v1", model="m", extra={"provider": {"only": ["a"]}})
    settings = SamplingSettings(temperature=1.0, top_p=1.0, max_tokens=4)
    body = request_body("p", (1,), settings, config=config, dialect=Dialect())
    assert json.loads(json.dumps(body))["provider"] == {"only": ["a"]}
    with pytest.raises(RecipeError, match=r"http: extra: stream: decided by"):
        with_keys("model.http={ url = 'http://x/v1', extra = { stream = true } }")


def test_verl_takes_tables_as_paths() -> None:
    nested = {
        "trainer": {"balance_batch": False, "device_names": ["a"]},
        "data": {"custom_cls": {}},
    }
    recipe = with_keys(f"rl.verl.extra={toml(nested)}", base=VERL)
    check_extra(recipe.rl)
    assert recipe.rl.verl is not None
    assert recipe.rl.verl.overrides == {
        "trainer.balance_batch": False, "trainer.device_names": ["a"], "data.custom_cls": {},
    }  # fmt: skip
    for wrong in ({"trainer": {"total_training_steps": 9}}, {"trainer": {}}, {"data": 1}):
        with pytest.raises(RecipeError, match="decided by the recipe's own keys"):
            check_extra(with_keys(f"rl.verl.extra={toml(wrong)}", base=VERL).rl)


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ("attn_implementation = 'sdpa'", r"model.load.attn_implementation: verl .*would not know"),
        ("quantization = '4bit'", "model.load.quantization: verl loads .*rl.backend = 'trl'"),
    ],
)
def test_how_the_model_is_loaded_is_not_kept_from_verl(load: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as told:
        with_keys(f"model.load={{ {load} }}", base=VERL)
    fix = re.search(r"by (rl\.verl\.extra\..*), or leave", str(told.value))
    if fix:
        with_keys(f"model.load={{ {load} }}", fix[1].replace(" = ", "="), base=VERL)


OF_ARM = ("arm.'vanilla+x'.rl.backend='verl'", "arm.'vanilla+x'.rl.verl={ python = 'python' }")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["model.load.attn_implementation='sdpa'"], r"model\.load\.attn_impl.*verl .*not know"),
        (["model.load.quantization='4bit'"], r"model\.load\.quantization: verl loads"),
        (["rl.lora.rank=4"], r"\.rl: lora: not with verl"),
        (["rl.extra.top_k=5"], r"\.rl: extra goes to TRL"),
        (["rl.redraw=2"], r"\.rl: redraw: verl samples by itself"),
        (["rl.evaluate_every=1", "rl.stop.patience=2"], r"rl\.stop: a training can end"),
    ],
)
def test_an_arm_that_goes_to_verl_is_held_to_what_verl_knows(changes, message) -> None:
    arms = "arms=['vanilla', 'vanilla+x']"
    assert load_recipe(SMOKE, [arms, *OF_ARM]).of("vanilla+x").rl.backend == "verl"
    load_recipe(SMOKE, changes)
    with pytest.raises(RecipeError, match=r'arm\."vanilla\+x".*' + message):
        load_recipe(SMOKE, [arms, *OF_ARM, *changes])


def toml(value: object) -> str:
    from manyways.recipe import toml_value

    return toml_value(value)


PAGE = (Path(__file__).parents[1] / "docs" / "rl.md").read_text().partition("## Doors")[2]
REFUSED = re.findall(r"^\| `([\w.]+ = [^`]+)` \| ([^|]+) \|$", PAGE, flags=re.M)


@pytest.mark.parametrize(("line", "answer"), REFUSED)
def test_the_page_says_what_is_refused(line: str, answer: str) -> None:
    key, _, value = line.partition(" = ")
    base = ["model.http.url='http://x/v1'"] if key.startswith("model.http") else []
    with pytest.raises(RecipeError, match=re.escape(answer)):
        with_keys(*base, f"{key}={value}")


def test_the_page_says_what_goes_through() -> None:
    found = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.S)
    assert found and len(REFUSED) > 5
    for block in found:
        tables = tomllib.loads(block)
        given = [f"{key}={toml(value)}" for key, value in flat(tables)]
        with_keys(*given)


def flat(tables: dict, path: str = "") -> list[tuple[str, object]]:
    """Keys of the recipe, at its tables' own level."""
    found: list[tuple[str, object]] = []
    for name, value in tables.items():
        found += (
            flat(value, f"{path}{name}.") if isinstance(value, dict) else [(path + name, value)]
        )
    return found
