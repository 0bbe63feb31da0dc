"""What llama.cpp's own server does with a request, as docs/engines.md says it."""

import pytest
from llama_server import llama_server
from needs import needs_llama_cpp
from safetensors.numpy import load_file, save_file
from tiny_models import build_llama

from manyways.engines import SampleRequest, SamplingSettings
from manyways.engines.http import ONE_BY_ONE, HttpEngine
from manyways.engines.transformers import TransformersEngine
from manyways.recipe.engines import ModelConfig
from manyways.records import Message

pytestmark = needs_llama_cpp


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of the server, and the checkpoint that it serves: one that reads its prompt."""
    folder = build_llama(tmp_path_factory.mktemp("llama.cpp"))
    file = folder / "model.safetensors"
    scaled = {
        name: tensor * (25 if "self_attn" in name else 1)
        for name, tensor in load_file(file).items()
    }
    save_file(scaled, file, {"format": "pt"})
    with llama_server(folder) as url:
        yield url, str(folder)


def sample(engine, settings, *seeds):
    questions = [f"Ann has {count} apples. How many?" for count in range(8)]
    requests = [
        SampleRequest(messages=(Message(role="user", content=text),), seeds=seeds)
        for text in questions
    ]
    try:
        return list(engine.sample(requests, settings)), engine.facts()
    finally:
        engine.close()


def over_http(url, **table):
    http = {"url": url, "concurrency": 4, **table}
    return HttpEngine("any", ModelConfig(path="any", engine="http", http=http))


def test_greedy_texts_are_those_of_transformers(served):
    """Template, special tokens, counts and ends agree with a plain forward of the checkpoint."""
    url, folder = served
    greedy = SamplingSettings(max_tokens=24, temperature=1e-4)
    there, _ = sample(over_http(url), greedy, 1)
    plain = TransformersEngine(folder, ModelConfig(path=folder, dtype="float32"))
    here, _ = sample(plain, greedy, 1)
    assert there == here
    assert len({found[0].text for found in here}) > 4  # they follow from their prompts


def test_several_choices_a_request_are_asked_for_one_by_one_since_it_counts_one_alone(served):
    url, _ = served
    found, facts = sample(over_http(url, choices=2), SamplingSettings(max_tokens=24), 1, 2, 3, 4)
    assert facts["choices"] == ONE_BY_ONE
    assert all(0 < one.tokens <= 24 for completions in found for one in completions)
    assert len({one.text for one in found[0]}) == 4
