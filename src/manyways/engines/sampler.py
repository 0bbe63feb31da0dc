"""A decoder with as many attempts at once as the memory takes."""

import gc
from collections import deque
from collections.abc import Iterator
from typing import Any, Literal

import torch

from manyways.engines import SamplingSettings
from manyways.engines.decoding import Decoder, Step, StopCheck
from manyways.engines.queueing import Waiting
from manyways.errors import ModelError
from manyways.progress import say

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


class Sampler:
    """Samples with ``decoder``, whose batches hold at most ``size`` tokens, or what fits."""

    def __init__(self, decoder: Decoder, size: int | Literal["auto"]) -> None:
        self.decoder, self._size = decoder, size

    @property
    def size(self) -> int:
        """Tokens of prompts and attempts in one batch, at most."""
        if self._size == "auto":
            self._size = batch_tokens(self.decoder.model)
        return self._size

    def steps(
        self, waiting: deque[Waiting], settings: SamplingSettings, stop: StopCheck | None = None
    ) -> Iterator[Step]:
        """All passes until nothing waits; where the memory does not suffice, with half of it.

        Raises ModelError when not even one attempt fits, or the model's output is broken.
        """
        while waiting:
            try:
                yield from self.decoder.steps(waiting, settings, stop, batch_tokens=self.size)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._halve(max(len(one.prompt) for one in waiting) + settings.max_tokens, error)

    def _halve(self, least: int, error: Exception) -> None:
        if self.size <= least:
            raise ModelError(
                f"one attempt of up to {least} tokens does not fit the memory: lower max_tokens, "
                "or take a smaller model or dtype."
            ) from error
        self._size = max(least, self.size // 2)
        say(
            "memory does not suffice for so many attempts at once: going on with batches of "
            f"{self._size} tokens."
        )
        free_memory()
