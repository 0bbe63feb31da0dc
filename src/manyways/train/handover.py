"""What mid-training, RL and sampling must agree on: the chat template and the tokens that stop."""

from typing import TYPE_CHECKING

from manyways.checkpoints import load_tokenizer
from manyways.errors import ModelError
from manyways.fingerprint import content_hash
from manyways.records import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORE = -100
"""The label of a token without loss."""


def end_of_turn(tokenizer: "PreTrainedTokenizerBase", stops: tuple[int, ...]) -> int:
    """The stop token with which the chat template ends an assistant turn.

    Only white space may follow it, as in ChatML.

    Raises ModelError when there is none: whoever trained on such turns would never learn to stop.
    """
    turns = [{"role": "user", "content": "1"}, {"role": "assistant", "content": "1"}]
    ids = encode(tokenizer, tokenizer.apply_chat_template(turns, tokenize=False))
    for place in range(len(ids) - 1, -1, -1):
        if ids[place] in stops:
            return int(ids[place])
        if tokenizer.decode(ids[place]).strip():
            break
    names = ", ".join(repr(tokenizer.decode(i)) for i in stops)
    raise ModelError(
        f"the chat template of '{tokenizer.name_or_path}' does not end the assistant's turn with a "
        f"token on which generation stops ({names}): a model trained with it would never stop. End "
        "the turn with {{ eos_token }} in chat_template.jinja, or name the token that ends it in "
        "eos_token_id of generation_config.json."
    )


def prompt_ids(
    tokenizer: "PreTrainedTokenizerBase", messages: tuple[Message, ...]
) -> tuple[list[int], str]:
    """A prompt's tokens, as every engine makes them, and the text that the template rendered."""
    turns = [{"role": message.role, "content": message.content} for message in messages]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return encode(tokenizer, text), str(text)


def encode(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """Tokens of a rendered text; the template writes BOS itself where the model wants one."""
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def template_hash(tokenizer: "PreTrainedTokenizerBase") -> str:
    """16 hex digits over the chat template."""
    return content_hash([str(tokenizer.chat_template)])


def check_same_template(first: str, second: str) -> None:
    """Both checkpoints must render prompts alike.

    Raises ModelError naming both when they do not.
    """
    if first == second:
        return
    hashes = [template_hash(load_tokenizer(path)) for path in (first, second)]
    if hashes[0] != hashes[1]:
        raise ModelError(
            f"the chat template of '{first}' ({hashes[0]}) is not that of '{second}' "
            f"({hashes[1]}): prompts would look different from one stage to the next. Give both "
            "checkpoints the same chat_template.jinja."
        )
