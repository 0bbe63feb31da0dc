"""A model of real size answers every layout of a prompt by its own chat template."""

import pytest
from needs import REAL_MODEL, needs_real_model

from manyways.engines import SampleRequest, SamplingSettings
from manyways.engines.transformers import TransformersEngine
from manyways.heuristics import Layout, PromptFormat, load_pack
from manyways.recipe.engines import ModelConfig

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), needs_real_model]


def test_layouts_are_answered_and_seeds_hold():
    config = ModelConfig(path=str(REAL_MODEL), dtype="float32", device="cpu")
    pack = load_pack("polya", 1)
    asked = [
        PromptFormat(layout=layout).under(pack[0], "What is 3 times 4?", shots=1)
        for layout in (Layout(), Layout(place="after"), Layout(place="both", exemplars="message"))
    ]
    requests = [SampleRequest(messages=messages, seeds=(1,)) for messages in asked]
    engine = TransformersEngine(str(REAL_MODEL), config)
    try:
        first = list(engine.sample(requests, SamplingSettings(max_tokens=8)))
        again = list(engine.sample(requests, SamplingSettings(max_tokens=8)))
    finally:
        engine.close()
    assert first == again
    assert all(group[0].text and 0 < group[0].tokens <= 8 for group in first)
    assert len({group[0].prompt_tokens for group in first}) == 3
