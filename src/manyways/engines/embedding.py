"""Texts as vectors through a local sentence-embedding model.

Shapes: _N texts, _D dimensions.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyways.errors import ModelError

BATCH = 32
LONGEST = 8192
"""Tokens beyond which a text is cut whatever the tokenizer allows."""

Embed = Callable[[Sequence[str]], NDArray[np.float64]]


def load_embedder(path: Path) -> tuple[Embed, str]:
    """The model in a folder as a function to unit rows (N, D), and what to call it.

    Mean of the last hidden states over the tokens of a text, as most sentence-embedding models are
    trained for (Reimers and Gurevych 2019, arXiv 1908.10084).

    Raises ModelError when there is no model in ``path``.
    """
    if not (path / "config.json").is_file():
        raise ModelError(
            f"--embedder {path}: no model there (no config.json). Give a folder that was saved "
            "with save_pretrained, or leave the option out."
        )
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    if not sys.stderr.isatty():
        disable_progress_bar()
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        model: Any = AutoModel.from_pretrained(path, trust_remote_code=False).eval()
    except (OSError, ValueError) as error:
        raise ModelError(f"--embedder {path}: {str(error).splitlines()[0]}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    limits = (tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", LONGEST))
    longest = int(min(LONGEST, *limits))

    def embed(texts: Sequence[str]) -> NDArray[np.float64]:
        rows = []
        for start in range(0, len(texts), BATCH):
            # An empty text has no tokens to average.
            batch = [text or " " for text in texts[start : start + BATCH]]
            inputs = tokenizer(
                batch, padding=True, truncation=True, max_length=longest, return_tensors="pt"
            )
            inputs.pop("token_type_ids", None)
            with torch.inference_mode():
                hidden = model(**inputs).last_hidden_state.float()
            mask = inputs["attention_mask"].unsqueeze(-1).float()
            mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
            rows.append(torch.nn.functional.normalize(mean, dim=1).double().numpy())
        width = int(model.config.hidden_size)
        return np.concatenate(rows) if rows else np.empty((0, width))

    return embed, f"mean of the last hidden states of {path.resolve().name}"
