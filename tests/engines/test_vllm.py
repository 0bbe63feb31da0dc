"""The vllm engine on a stand-in for the package, and its calls against the real one's source.

The source is only read, so a vllm that cannot be imported here (no GPU) serves as well.
"""

import ast
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import fake_vllm
import pytest
from needs import reason

from manyways.engines import SampleRequest, SamplingSettings
from manyways.engines import vllm as engine_module
from manyways.engines.vllm import VllmEngine
from manyways.errors import DataError, EngineError
from manyways.recipe.engines import ModelConfig
from manyways.records import Message

SETTINGS = SamplingSettings(max_tokens=20, temperature=0.7, top_p=0.9, stop=("box",))


class Letters:
    """A tokenizer with one token per character."""

    def apply_chat_template(self, turns, **kwargs):
        return "".join(f"<{turn['role']}>{turn['content']}" for turn in turns) + "<assistant>"

    def __call__(self, text, **kwargs):
        return {"input_ids": [ord(letter) for letter in text]}


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", fake_vllm)
    monkeypatch.setattr(engine_module, "load_tokenizer", lambda path, template: Letters())
    fake_vllm.CALLS.clear()


def open_engine(**table):
    return VllmEngine("some/model", ModelConfig(path="some/model", engine="vllm", vllm=table))


def ask(text, *seeds):
    return SampleRequest(messages=(Message(role="user", content=text),), seeds=seeds)


def test_settings_go_through_and_prefixes_are_cached(fake):
    open_engine(tensor_parallel_size=4, gpu_memory_utilization=0.8)
    open_engine(enable_prefix_caching=False)
    first, second = (kwargs for _, kwargs in fake_vllm.CALLS["LLM"])
    assert first == {
        "model": "some/model", "dtype": "auto", "enable_prefix_caching": True,
        "tensor_parallel_size": 4, "gpu_memory_utilization": 0.8,
    }  # fmt: skip
    assert second["enable_prefix_caching"] is False


def test_prompts_keep_their_order_and_every_attempt_has_its_seed(fake):
    engine = open_engine()
    found = list(engine.sample([ask("a", 1, 2), ask("b"), ask("c", 3)], SETTINGS))
    assert [len(completions) for completions in found] == [2, 0, 1]
    (((prompts, params), kwargs),) = fake_vllm.CALLS["LLM.generate"]
    assert kwargs == {"use_tqdm": False}
    assert [p.seed for p in params] == [1, 2, 3]
    assert prompts[0] == prompts[1] != prompts[2]
    assert found[0][0].prompt_tokens == len(prompts[0]["prompt_token_ids"])
    assert (params[0].max_tokens, params[0].top_p, params[0].stop) == (20, 0.9, ["box"])


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            {"data_parallel_size": 2},
            "not supported for single-process usage .*model.engine = 'ray'",
        ),
        ({"tensor_paralel_size": 2}, "unexpected keyword"),
    ],
)
def test_what_vllm_refuses_is_one_sentence(fake, table, sentence):
    with pytest.raises(EngineError, match=sentence):
        open_engine(**table)


def test_a_prompt_that_does_not_fit_is_refused(fake):
    with pytest.raises(DataError, match="the model's context is 512"):
        list(open_engine().sample([ask("long " * 600, 1)], SETTINGS))


def test_without_the_package_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(EngineError, match=r"pip install .*\[vllm\]'"):
        open_engine()


def test_path_and_dtype_are_not_given_twice():
    with pytest.raises(ValueError, match=r"dtype follow from model.path and model.dtype"):
        ModelConfig(path="x", engine="vllm", vllm={"dtype": "float16"})


def source(name: str) -> dict[str, ast.ClassDef]:
    """The classes in a module of the real package."""
    spec = PathFinder.find_spec("vllm")  # the stand-in hides it from importlib
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(reason("vllm", "its signatures are looked at: pip install 'manyways[vllm]'"))
    path = Path(spec.submodule_search_locations[0]) / name
    return {n.name: n for n in ast.parse(path.read_text()).body if isinstance(n, ast.ClassDef)}


def fields(node: ast.ClassDef) -> set[str]:
    found = (n.target for n in node.body if isinstance(n, ast.AnnAssign))
    return {target.id for target in found if isinstance(target, ast.Name)}


def method(node: ast.ClassDef, name: str) -> ast.arguments:
    named = [n.args for n in node.body if isinstance(n, ast.FunctionDef) and n.name == name]
    return named[-1]


def test_our_calls_bind_to_the_signatures_of_the_real_package(fake):
    engine = open_engine(tensor_parallel_size=2, max_model_len=4096, data_parallel_size=1)
    list(engine.sample([ask("a", 1)], SETTINGS))
    llm = source("entrypoints/llm.py")["LLM"]
    init, generate = method(llm, "__init__"), method(llm, "generate")
    accepted = {a.arg for a in (*init.args, *init.kwonlyargs)}
    accepted |= fields(source("engine/arg_utils.py")["EngineArgs"])
    assert init.kwarg is not None
    assert set(fake_vllm.CALLS["LLM"][0][1]) <= accepted
    (args, kwargs) = fake_vllm.CALLS["LLM.generate"][0]
    assert [a.arg for a in generate.args][1 : 1 + len(args)] == ["prompts", "sampling_params"]
    assert set(kwargs) <= {a.arg for a in (*generate.args, *generate.kwonlyargs)}
    params = fields(source("sampling_params.py")["SamplingParams"])
    assert set(fake_vllm.CALLS["SamplingParams"][0][1]) <= params
    outputs = source("outputs.py")
    assert {"text", "token_ids", "finish_reason"} <= fields(outputs["CompletionOutput"])
    given = {a.arg for a in method(outputs["RequestOutput"], "__init__").args}
    assert {"prompt_token_ids", "outputs"} <= given
    assert "prompt_token_ids" in fields(source("inputs/llm.py")["TokensPrompt"])
