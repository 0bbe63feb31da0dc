"""Tiny random checkpoints on disk, made in well under two seconds each."""

from pathlib import Path
from typing import Any

TEXTS = (
    "Ann has 3 apples and buys 4 more. How many apples does she have now?",
    "Put your final answer within \\boxed{}.",
    "First add 3 and 4, which gives 7. The answer is \\boxed{7}.",
    "Working backwards: start from the end and undo every step, one at a time.",
    "Split 24 as 20 and 4, multiply each by 3, then add 60 and 12.",
)
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ROLES = ["<|system|>", "<|user|>", "<|assistant|>"]


def build_tokenizer(vocab_size: int = 400) -> Any:
    """A byte-level BPE tokenizer with BOS, EOS, PAD, role tokens and a chat template."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    backend = ByteLevelBPETokenizer()
    backend.train_from_iterator(
        TEXTS,
        vocab_size=vocab_size,
        min_frequency=1,
        special_tokens=["<|bos|>", "<|eos|>", "<|pad|>", *ROLES],
        show_progress=False,
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer,
        bos_token="<|bos|>",
        eos_token="<|eos|>",
        pad_token="<|pad|>",
        additional_special_tokens=ROLES,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def build_llama(
    folder: Path,
    *,
    seed: int = 0,
    hidden: int = 32,
    layers: int = 2,
    context: int = 512,
    vocab_size: int = 400,
    eos_bias: float = 1.0,
    spread: float = 0.5,
) -> Path:
    """Save a random Llama with grouped-query attention and its tokenizer to ``folder``.

    eos_bias: added to the logit of EOS, by way of a constant direction in the hidden state, so that
        texts end at different lengths: about 30 tokens on average at 1.0, 100 at 0.7.
    spread: standard deviation of the output weights: larger is less uniform.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = build_tokenizer(vocab_size)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        **_special(tokenizer),
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        # Every token's embedding shares its first coordinate, and EOS alone reads it out.
        model.model.embed_tokens.weight.normal_(0, 1.0)
        model.model.embed_tokens.weight[:, 0] = 6.0
        model.lm_head.weight.normal_(0, spread)
        model.lm_head.weight[:, 0] = 0.0
        model.lm_head.weight[tokenizer.eos_token_id] = 0.0
        model.lm_head.weight[tokenizer.eos_token_id, 0] = eos_bias
    return _save(model, tokenizer, folder)


def build_reward_model(folder: Path, *, pad: bool = True, labels: int = 1) -> Path:
    """Save a random Llama with a classifier's head; without ``pad`` it names no padding token."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    tokenizer = build_tokenizer()
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.3,
        num_labels=labels,
        **(_special(tokenizer) | ({} if pad else {"pad_token_id": None})),
    )
    return _save(LlamaForSequenceClassification(config), tokenizer, folder)


def build_mistral(folder: Path) -> Path:
    """Save a random Mistral whose attention window is shorter than its texts."""
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    tokenizer = build_tokenizer()
    torch.manual_seed(1)
    config = MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=16,
        max_position_embeddings=512,
        initializer_range=0.2,
        **_special(tokenizer),
    )
    return _save(_many_ends(MistralForCausalLM(config)), tokenizer, folder)


def build_gpt2(folder: Path) -> Path:
    """Save a random GPT-2: absolute positions, so that a wrong position id shows."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = build_tokenizer()
    torch.manual_seed(2)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=512,
        initializer_range=0.2,
        **_special(tokenizer),
    )
    return _save(_many_ends(GPT2LMHeadModel(config)), tokenizer, folder)


def _special(tokenizer: Any) -> dict[str, int]:
    return {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id")} | {
        "pad_token_id": tokenizer.pad_token_id
    }


def _many_ends(model: Any) -> Any:
    """End texts by any of a dozen tokens, so that they end at different lengths."""
    model.generation_config.eos_token_id = [model.config.eos_token_id, *range(20, 32)]
    return model


def _save(model: Any, tokenizer: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
