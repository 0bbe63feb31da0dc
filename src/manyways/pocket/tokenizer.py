"""The pocket tokenizer: whole words and single digits, each with or without a leading space."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PATTERN = r" ?\\boxed\{| ?\d| ?[A-Za-z]+| ?[^\sA-Za-z\d]|\n"
"""What one token is. A digit with a leading space begins a number."""

SPECIAL = {
    "unk_token": "<|unk|>",
    "pad_token": "<|pad|>",
    "bos_token": "<|bos|>",
    "eos_token": "<|eos|>",
}
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

EXTRA = "Put your final answer within \\boxed{}."
"""In the vocabulary though never trained on: the usual request for the answer's form."""

MAX_LENGTH = 1024


def build_tokenizer(texts: Iterable[str]) -> "PreTrainedTokenizerFast":
    """A fast tokenizer whose vocabulary is every token of ``texts``, sorted: lossless on them."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    splitter = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    words = {token for text in (*texts, EXTRA) for token, _ in splitter.pre_tokenize_str(text)}
    words |= {space + digit for digit in "0123456789" for space in ("", " ")}
    vocabulary = [*SPECIAL.values(), *ROLES, *sorted(words)]
    backend = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(vocabulary)}, SPECIAL["unk_token"])
    )
    backend.pre_tokenizer = splitter
    backend.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **SPECIAL,
        additional_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=MAX_LENGTH,
        padding_side="left",
    )
