"""Prompts as tokens, and where a text ends. Trainings and all engines use these functions.

Stop strings are searched in decoded text, because a token may hold more than the string.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from manyways.checkpoints import load_tokenizer
from manyways.errors import DataError, ModelError
from manyways.fingerprint import content_hash
from manyways.records import Message

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

IGNORE = -100
"""The label of a token that has no loss."""


def split_begun(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], str]:
    """(the turns to render, the beginning of the answer that the last message gives, or '')."""
    if messages and messages[-1].role == "assistant":
        return messages[:-1], messages[-1].content
    return messages, ""


def render(
    tokenizer: "PreTrainedTokenizerBase",
    messages: tuple[Message, ...],
    *,
    max_tokens: int,
    context: int | None,
) -> tuple[int, ...]:
    """The prompt's token ids, by the tokenizer's own chat template.

    If the last message is the assistant's, it is the beginning of the answer, and its tokens follow
    the generation prompt. The last of these may differ from a text that was sampled in one go.

    context: the most tokens of prompt and completion together; None: no limit.

    Raises DataError when prompt and completion do not fit, or the prompt is empty.
    """
    asked, begun = split_begun(messages)
    turns = [asdict(message) for message in asked]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True) + begun
    ids = encode(tokenizer, text)
    wanted = len(ids) + max_tokens
    if context is not None and wanted > context:
        raise DataError(
            f"a prompt of {len(ids)} tokens and max_tokens = {max_tokens} need "
            f"{wanted} tokens, but the model's context is {context}: lower max_tokens or "
            f"heuristics.shots, or leave out the problem that begins "
            f"'{' '.join(messages[-1].content.split())[:60]}...'."
        )
    if not ids:
        raise DataError("a prompt is empty: the chat template renders nothing for it.")
    return tuple(ids)


MARGIN = 4
"""Tokens added to the tail, because some decode to nothing or to part of a character."""


class StopStrings:
    """Finds stop strings in the tokens of attempts."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", stop: Sequence[str]) -> None:
        self._tokenizer, self._stop = tokenizer, tuple(stop)
        # A token holds at least one byte, so this many tokens hold the longest stop string.
        self.tail = max(len(text.encode()) for text in self._stop) + MARGIN

    def hits(self, tails: list[list[int]]) -> list[bool]:
        """Whether each attempt's newest tokens hold a stop string."""
        texts = self._tokenizer.batch_decode(tails, skip_special_tokens=True)
        return [any(stop in text for stop in self._stop) for text in texts]

    def trim(self, text: str) -> tuple[str, bool]:
        """``trim`` with these stop strings."""
        return trim(text, self._stop)


def trim(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """(``text`` up to the first stop string in it, whether there is one)."""
    found = [place for string in stop if (place := text.find(string)) >= 0]
    return (text[: min(found)], True) if found else (text, False)


def end_of_turn(tokenizer: "PreTrainedTokenizerBase", stops: tuple[int, ...]) -> int:
    """The stop token with which the chat template ends an assistant turn.

    Only white space may follow it, as in ChatML.

    Raises ModelError when there is none: a model trained on such turns would never learn to stop.
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
    """(a prompt's tokens, the text that the template rendered), the same as in every engine."""
    turns = [{"role": message.role, "content": message.content} for message in messages]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return encode(tokenizer, text), str(text)


def encode(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """Tokens of a rendered text. No BOS is added: the template writes it if the model needs it."""
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def check_same_template(first: str, second: str) -> None:
    """Raise ModelError when two checkpoints have different chat templates."""
    if first == second:
        return
    templates = [str(load_tokenizer(path).chat_template) for path in (first, second)]
    hashes = [content_hash([template]) for template in templates]
    if hashes[0] != hashes[1]:
        raise ModelError(
            f"the chat template of '{first}' ({hashes[0]}) is not that of '{second}' "
            f"({hashes[1]}): prompts would look different from one stage to the next. Give both "
            "checkpoints the same chat_template.jinja."
        )


def attention_bias(seen: "torch.Tensor", dtype: "torch.dtype") -> "torch.Tensor":
    """A mask to add to attention scores: 0 where ``seen``, else the dtype's lowest number."""
    import torch

    bias = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return bias.masked_fill_(~seen, torch.finfo(dtype).min)
