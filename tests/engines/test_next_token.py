"""Next tokens where texts diverge: against the model's own logits, and at known distributions."""

import math

import pytest
import torch
from tiny_models import build_llama

from manyways.checkpoints import load_model, load_tokenizer
from manyways.engines.next_token import Fork, divergence, next_tokens
from manyways.errors import DataError
from manyways.recipe.engines import ModelConfig
from manyways.records import Message

ASKED = (Message(role="user", content="How many apples does she have now?"),)
SPLIT, ADDS = "First split 24 as 20 and 4", "First split 24 as 4 and 20"
FORK = Fork(messages=ASKED, texts=(SPLIT, ADDS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_llama(tmp_path_factory.mktemp("llama"))


def config(folder) -> ModelConfig:
    return ModelConfig(path=str(folder), dtype="float32", device="cpu")


def test_texts_part_at_the_first_token_that_differs(folder) -> None:
    tokenizer = load_tokenizer(str(folder))
    place = divergence(tokenizer, FORK, 512)
    assert tokenizer.decode(place.ids).endswith("<|assistant|>First split 24 as")
    assert {tokenizer.decode([token]) for token in place.follow} == {" 20", " 4"}
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": ASKED[0].content}], add_generation_prompt=True
    )
    ids = prompt["input_ids"] if hasattr(prompt, "keys") else prompt
    assert place.shared == len(place.ids) - len(ids) > 0


@pytest.mark.parametrize("texts", [(SPLIT,), (SPLIT, SPLIT), (SPLIT, SPLIT + " more")])
def test_texts_that_do_not_part_have_no_place(folder, texts) -> None:
    assert divergence(load_tokenizer(str(folder)), Fork(messages=ASKED, texts=texts), 512) is None


def test_it_reads_the_distribution_of_the_model(folder) -> None:
    (found, none) = next_tokens(
        str(folder), config(folder), [FORK, Fork(messages=ASKED, texts=(SPLIT, SPLIT))]
    )
    place = divergence(load_tokenizer(str(folder)), FORK, 512)
    model = load_model(str(folder), dtype="float32", device="cpu")
    with torch.inference_mode():
        p_V = torch.softmax(model(input_ids=torch.tensor([place.ids])).logits[0, -1], dim=-1)
    assert none is None
    assert found.entropy == pytest.approx(float(torch.special.entr(p_V).sum()), rel=1e-4)
    assert found.above == int((p_V > 0.05).sum())
    assert found.known == pytest.approx(float(p_V[list(place.follow)].sum()), rel=1e-4)


def test_a_model_that_knows_nothing_has_every_token_as_a_mode(tmp_path) -> None:
    folder = build_llama(tmp_path, spread=0.0, eos_bias=0.0)
    (found,) = next_tokens(str(folder), config(folder), [FORK])
    size = len(load_tokenizer(str(folder)))
    assert math.exp(found.entropy) == pytest.approx(size, rel=1e-5)
    assert (found.above, found.known) == (0, pytest.approx(2 / size))


def test_a_text_too_long_is_refused(tmp_path) -> None:
    folder = build_llama(tmp_path, context=16)
    with pytest.raises(DataError, match="context is 16"):
        list(next_tokens(str(folder), config(folder), [FORK]))
