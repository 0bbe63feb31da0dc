"""How many tokens fit in one batch: from the memory that is there, and what is no memory error."""

import gc
from typing import Any

import torch

SHARE = 0.5
"""Of the free memory that a batch may take; the rest is for the work on it and for others."""
ROWS = {"cpu": 128, "other": 512}
"""Attempts of about a thousand tokens in a batch, at most: more make no processor faster."""
LEAST, MOST = 1024, 1 << 20


def batch_tokens(model: Any) -> int:  # noqa: ANN401
    """Tokens of prompts and attempts to hold in one batch of ``model`` where it is now."""
    device = model.device
    rows = ROWS["cpu" if device.type == "cpu" else "other"]
    fit = int(SHARE * free_bytes(device) / max(1, bytes_a_token(model)))
    return max(LEAST, min(fit, rows * 1024, MOST))


def bytes_a_token(model: Any) -> int:  # noqa: ANN401
    """Keys and values of one token in all layers, twice: a growing cache is copied."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * 2 * config.num_hidden_layers * heads * width * model.dtype.itemsize)


def free_bytes(device: torch.device) -> int:
    """Memory that nobody uses, of the device or, for processors, of the machine."""
    if device.type == "cpu":
        import psutil

        return int(psutil.virtual_memory().available)
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    free, _ = getattr(torch, device.type).mem_get_info(device)
    return int(free)


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory does not suffice; a CPU has no class of its own for it."""
    text = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and ("not enough memory" in text or "can't allocate memory" in text)
    )


def free_memory() -> None:
    """Give back what an accelerator keeps in reserve."""
    gc.collect()
    if torch.accelerator.is_available():
        torch.accelerator.memory.empty_cache()
