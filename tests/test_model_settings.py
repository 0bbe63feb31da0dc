"""``model.chat_template_kwargs`` and ``model.load``: the same for every stage and engine."""

import shutil
import sys
from pathlib import Path

import fake_vllm
import pytest
from fake_server import Habits, fake_server

from manyways import trust
from manyways.checkpoints import load_model, load_tokenizer, package_path
from manyways.context import Context
from manyways.engines import SampleRequest, SamplingSettings
from manyways.engines.http import HttpEngine
from manyways.engines.transformers import TransformersEngine
from manyways.engines.vllm import VllmEngine
from manyways.errors import ModelError, RecipeError, Untrusted
from manyways.recipe import load_recipe
from manyways.recipe.engines import ModelConfig
from manyways.records import Message
from manyways.rendering import prompt_ids
from manyways.run_dir import RunDir
from manyways.stages import branch, gate, generate, midtrain, preflight
from manyways.third_party import names
from manyways.train.trainee import Trainee, load, ordinary

SMOKE = Path(__file__).parents[1] / "recipes" / "smoke.toml"
BASE = package_path("package:manyways.pocket/base")
OFF = {"enable_thinking": False}
ASKED = (Message(role="user", content="1 + 1"),)
SETTINGS = SamplingSettings(max_tokens=4, temperature=1.0)


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model with a template that reads a switch, as Qwen3's does."""
    folder = tmp_path_factory.mktemp("thinker")
    shutil.copytree(BASE, folder, dirs_exist_ok=True)
    file = folder / "chat_template.jinja"
    switch = (
        "{% if add_generation_prompt and not enable_thinking | default(true) %}0 0 0{% endif %}"
    )
    file.write_text(file.read_text() + switch)
    return folder


def sampled(engine) -> int:
    """Tokens of the prompt."""
    try:
        ((completion,),) = engine.sample([SampleRequest(messages=ASKED, seeds=(1,))], SETTINGS)
        return int(completion.prompt_tokens)
    finally:
        engine.close()


def test_every_local_engine_and_training_renders_with_the_switch(thinker, monkeypatch) -> None:
    plain = len(prompt_ids(load_tokenizer(str(thinker)), ASKED)[0])
    trainee = load(str(thinker), dtype="float32", device="cpu", template=OFF)
    off, text = prompt_ids(trainee.tokenizer, ASKED)
    assert text.endswith("0 0 0") and len(off) > plain
    monkeypatch.setitem(sys.modules, "vllm", fake_vllm)
    fake_vllm.CALLS.clear()
    for template, tokens in (({}, plain), (OFF, len(off))):
        config = ModelConfig(path=str(thinker), device="cpu", chat_template_kwargs=template)
        assert sampled(TransformersEngine(str(thinker), config)) == tokens
        assert sampled(VllmEngine(str(thinker), config)) == tokens


@pytest.mark.parametrize("endpoint", ["chat", "completions"])
def test_a_server_gets_the_switch_or_the_rendered_prompt(thinker, endpoint) -> None:
    habits = Habits()
    with fake_server(habits) as url:
        http = {"url": url, "endpoint": endpoint, "tokenizer": str(thinker)}
        config = ModelConfig(path="fake", engine="http", http=http, chat_template_kwargs=OFF)
        sampled(HttpEngine("fake", config))
    body = habits.bodies[-1]
    if endpoint == "chat":
        assert body["chat_template_kwargs"] == OFF
    else:
        assert body["prompt"].endswith("0 0 0") and "chat_template_kwargs" not in body
    without = {**http, "tokenizer": "", "endpoint": "completions"}
    with pytest.raises(ValueError, match=r"name the tokenizer .* model\.http\.tokenizer"):
        ModelConfig(path="fake", engine="http", http=without, chat_template_kwargs=OFF)


def identities(tmp_path: Path, *overrides: str) -> dict[str, object]:
    """Of each stage that can be planned from the base alone."""
    recipe = load_recipe(SMOKE, overrides)
    context = Context(recipe=recipe, run=RunDir(root=tmp_path), looking=True)
    line = context.lines[0]
    assert line.start.name == "base"
    works = {"generate": generate.plan(context), "gate": gate.plan(context, line)}
    found = {name: work.identity for name, work in works.items()}
    settings = {"midtrain": midtrain, "branch": branch}
    for name, module in settings.items():
        found[name] = module.weights_identity(context, "engine")
    return found


def test_what_prompts_depend_on_is_in_every_identity_and_a_kernel_in_none(tmp_path) -> None:
    plain = identities(tmp_path)
    switched = identities(tmp_path, "model.chat_template_kwargs={ enable_thinking = false }")
    assert all(switched[name] != plain[name] for name in plain)
    assert identities(tmp_path, "model.load.attn_implementation='eager'") == plain
    quantized = identities(tmp_path, "model.load.quantization='4bit'")
    assert all(quantized[name] != plain[name] for name in plain)


@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
def test_an_attention_kernel_is_used_in_sampling_and_in_training(kernel: str) -> None:
    how = {"attn_implementation": kernel}
    config = ModelConfig(path=str(BASE), device="cpu", load=how)
    engine = TransformersEngine(str(BASE), config)
    assert engine._open_sampler().decoder.model.config._attn_implementation == kernel
    engine.close()
    trainee = load(str(BASE), dtype="auto", device="cpu", how=how)
    assert trainee.model.config._attn_implementation == kernel


def test_what_the_loader_refuses_is_one_sentence() -> None:
    with pytest.raises(ModelError, match=r"with model\.load = .*nonsense"):
        load_model(str(BASE), dtype="auto", device="cpu", how={"attn_implementation": "nonsense"})
    with pytest.raises(ModelError, match=r"with model\.load = .*unexpected keyword"):
        load_model(str(BASE), dtype="auto", device="cpu", how={"atn_implementation": "eager"})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "model.load.quantization='3bit'",
            r"load\.quantization = '3bit': '4bit', '8bit' or a table",
        ),
        ("model.load.device_map='auto'", "model.device says where"),
        ("model.load.dtype='float16'", r"that is model\.dtype"),
        ("model.load.quantization_config={ load_in_4bit = true }", "that is quantization"),
    ],
)
def test_what_other_keys_decide_is_refused(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(SMOKE, [override])


def test_quantisation_says_what_is_missing(tmp_path: Path) -> None:
    for how in ({"quantization": "4bit"}, {"quantization": {"load_in_8bit": True}}):
        with pytest.raises(ModelError, match="pip install bitsandbytes"):
            load_model(str(BASE), dtype="auto", device="cpu", how=how)
    recipe = load_recipe(SMOKE, ["model.load.quantization='4bit'"])
    context = Context(recipe=recipe, run=RunDir(root=tmp_path), looking=True)
    with pytest.raises(ModelError, match=r"model\.load\.quantization needs the package bits"):
        preflight.check_names(context)
    with pytest.raises(RecipeError, match=r"adapters on them are: add the section \[midtrain"):
        preflight.check_reach(context, ("generate", "midtrain"))
    preflight.check_reach(context, ("generate", "select"))


def test_a_kernel_from_the_hub_is_code_and_needs_trust(monkeypatch) -> None:
    monkeypatch.delenv(trust.VARIABLE, raising=False)
    trust._granted.clear()
    named = "kernels-community/flash-attn"
    recipe = load_recipe(SMOKE, [f"model.load.attn_implementation='{named}'"])
    assert names(recipe) == [("model.load.attn_implementation", named)]
    with pytest.raises(Untrusted, match=r"model\.load\.attn_implementation"):
        load_model(str(BASE), dtype="auto", device="cpu", how=recipe.model.load)
    with pytest.raises(RecipeError, match="never run"):
        load_model(str(BASE), dtype="auto", device="cpu", how={"trust_remote_code": True})


# Of peft, which reads an old name of transformers.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_adapters_learnt_on_other_weights_are_added_to_whole_ones() -> None:
    """What is saved of a quantised training, on weights that are rounded here by hand."""
    import torch
    from peft import LoraConfig, get_peft_model

    plain = load(str(BASE), dtype="float32", device="cpu")
    rounded = load(str(BASE), dtype="float32", device="cpu").model
    with torch.no_grad():
        for weight in rounded.parameters():
            weight.copy_(weight.round(decimals=1))
    trained = get_peft_model(rounded, LoraConfig(r=2, target_modules="all-linear"))
    with torch.no_grad():
        for name, weight in trained.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.5)
    trainee = Trainee(
        path=str(BASE), dtype="float32", model=trained, tokenizer=plain.tokenizer,
        stops=(), end=0, saved=None, quantized=True,
    )  # fmt: skip
    saved = ordinary(trainee, trained)
    name = next(n for n, _ in plain.model.named_parameters() if n.endswith("q_proj.weight"))
    layer = trained.base_model.model.get_submodule(name.removesuffix(".weight"))
    delta = layer.get_delta_weight("default")
    assert torch.equal(saved.get_parameter(name), plain.model.get_parameter(name) + delta)
    assert delta.abs().max() > 0
