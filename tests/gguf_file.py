"""A checkpoint of the Llama family as a GGUF file, the form that llama.cpp reads."""

import json
import re
from pathlib import Path
from typing import Any

NAMES = (
    ("model.embed_tokens", "token_embd"),
    ("model.norm", "output_norm"),
    ("lm_head", "output"),
    ("model.layers.", "blk."),
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.", "attn_"),
    ("mlp.", "ffn_"),
    ("_proj", ""),
)
"""Parts of the names of tensors, there and here, in the order in which they are replaced."""


def to_gguf(folder: Path, file: Path) -> Path:
    """Write the checkpoint in ``folder`` to ``file``; its tokenizer has to be byte-level BPE.

    The package ``gguf`` writes the form; its converter of checkpoints is not part of it.
    """
    from gguf import GGUFWriter
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    heads = {"q": config["num_attention_heads"], "k": config["num_key_value_heads"]}
    writer = GGUFWriter(file, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads["q"])
    writer.add_head_count_kv(heads["k"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    _add_tokenizer(writer, folder, config)
    for name, tensor in load_file(folder / "model.safetensors").items():
        kind = re.search("([qk])_proj", name)
        writer.add_tensor(_renamed(name), _turned(tensor, heads[kind[1]]) if kind else tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _renamed(name: str) -> str:
    for there, here in NAMES:
        name = name.replace(there, here)
    return name


def _turned(weights: Any, heads: int) -> Any:
    """llama.cpp turns neighbouring numbers of a head by one angle, transformers its two halves."""
    outer, inner = weights.shape
    return (
        weights.reshape(heads, 2, outer // heads // 2, inner).swapaxes(1, 2).reshape(outer, inner)
    )


def _add_tokenizer(writer: Any, folder: Path, config: dict[str, Any]) -> None:
    from gguf import TokenType

    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    special = {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    words = {place: word for word, place in tokenizer["model"]["vocab"].items()} | special
    kinds = [TokenType.CONTROL if i in special else TokenType.NORMAL for i in range(len(words))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([words[place] for place in range(len(words))])
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template((folder / "chat_template.jinja").read_text())
