import pytest
from tiny_models import build_llama
from transformers import AutoModelForCausalLM, AutoTokenizer

from manyways.checkpoints import BASE_MODEL_TEMPLATE, load_tokenizer, stop_ids
from manyways.errors import ModelError
from manyways.records import Message
from manyways.rendering import check_same_template, end_of_turn, prompt_ids


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_llama(tmp_path_factory.mktemp("llama"))


def test_stop_ids_are_those_of_the_generation_config_and_eos(folder) -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), load_tokenizer(str(folder))
    eos = tokenizer.eos_token_id
    assert stop_ids(model, tokenizer) == (eos,)
    model.generation_config.eos_token_id = [7, 300]
    assert stop_ids(model, tokenizer) == tuple(sorted({7, 300, eos}))
    model.generation_config.eos_token_id = None
    assert stop_ids(model, tokenizer) == (eos,)


@pytest.mark.parametrize(
    ("ending", "found"),
    [("{{ eos_token }}", True), ("{{ eos_token }}\n", True), ("", False),
     ("{{ eos_token }}then more", False)],
)  # fmt: skip
def test_a_turn_has_to_end_with_a_stop_token(folder, ending: str, found: bool) -> None:
    tokenizer = load_tokenizer(str(folder))
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['content'] }}"
        "{% if m['role'] == 'assistant' %}" + ending + "{% endif %}{% endfor %}"
    )
    if found:
        assert end_of_turn(tokenizer, (tokenizer.eos_token_id,)) == tokenizer.eos_token_id
    else:
        with pytest.raises(ModelError, match=r"never stop.*eos_token_id of generation_config"):
            end_of_turn(tokenizer, (tokenizer.eos_token_id,))


def test_a_turn_may_end_with_another_stop_token_than_eos(folder) -> None:
    tokenizer = load_tokenizer(str(folder))
    other = tokenizer.convert_tokens_to_ids("<|system|>")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}<|system|>\n{% endfor %}"
    assert end_of_turn(tokenizer, (tokenizer.eos_token_id, other)) == other
    with pytest.raises(ModelError):
        end_of_turn(tokenizer, (tokenizer.eos_token_id,))


def test_the_template_given_to_base_models_ends_with_eos(folder) -> None:
    tokenizer = load_tokenizer(str(folder))
    tokenizer.chat_template = BASE_MODEL_TEMPLATE
    assert end_of_turn(tokenizer, (tokenizer.eos_token_id,)) == tokenizer.eos_token_id


def test_prompt_ids_are_what_trl_makes_of_the_same_messages(folder) -> None:
    tokenizer = load_tokenizer(str(folder))
    messages = (Message(role="user", content="Ann has 3 apples?"),)
    ids, text = prompt_ids(tokenizer, messages)
    turns = [{"role": "user", "content": "Ann has 3 apples?"}]
    # As GRPOTrainer._tokenize_prompts and SFTTrainer do.
    theirs = tokenizer.apply_chat_template(
        conversation=[turns], add_generation_prompt=True, tokenize=True, return_dict=True
    )["input_ids"][0]
    assert ids == theirs
    assert text == "<|bos|><|user|>Ann has 3 apples?<|assistant|>"


def test_another_chat_template_is_refused_and_both_are_named(folder, tmp_path) -> None:
    other = tmp_path / "other"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.save_pretrained(other)
    check_same_template(str(folder), str(other))
    tokenizer.chat_template += " "
    tokenizer.save_pretrained(other)
    with pytest.raises(ModelError) as caught:
        check_same_template(str(folder), str(other))
    assert str(folder) in str(caught.value)
    assert str(other) in str(caught.value)
