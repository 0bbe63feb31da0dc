"""Randomness that belongs to an attempt, not to the batch in which it happens to be sampled.

B rows of a batch, T tokens, V vocabulary.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from manyways.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor


def uniforms(seeds: Sequence[int], count: int) -> np.ndarray:
    """One number in [0, 1) for each (seed, token index): shape ``(len(seeds), count)``, float64.

    A counter-based generator (Philox 4x64-10; Salmon et al. 2011, "Parallel random numbers: as
    easy as 1, 2, 3") keyed by the seed: row ``i`` depends on ``seeds[i]`` alone, and a larger
    ``count`` only appends.
    """
    rows = [np.random.Generator(np.random.Philox(key=seed)).random(count) for seed in seeds]
    return np.stack(rows) if rows else np.empty((0, count))


def distribution(logits_BV: "Tensor", *, temperature: float, top_p: float) -> "Tensor":
    """What is sampled from, float32, shape ``(B, V)``; with ``top_p`` < 1 rows sum to less than 1.

    top_p: keeps the smallest set of most probable tokens that holds at least this much
        probability (nucleus sampling; Holtzman et al. 2020); the caller normalises.
    """
    # Shifted before the division, so that a tiny temperature cannot make inf - inf.
    logits_BV = logits_BV.float()
    shifted_BV = (logits_BV - logits_BV.amax(dim=-1, keepdim=True)) / temperature
    probability_BV = shifted_BV.softmax(dim=-1)
    if top_p >= 1.0:
        return probability_BV
    sorted_BV, order_BV = probability_BV.sort(dim=-1, descending=True, stable=True)
    before_BV = sorted_BV.cumsum(dim=-1) - sorted_BV
    # The first token always stays: its "before" is 0.
    kept_BV = sorted_BV.where(before_BV < top_p, 0.0)
    return kept_BV.new_zeros(kept_BV.shape).scatter(-1, order_BV, kept_BV)


def not_a_number() -> ModelError:
    """The error to raise for a distribution that is not finite."""
    return ModelError(
        "the model's output is not a number (NaN or infinity): its weights are broken, "
        "or its training diverged. Train it again with a lower learning rate."
    )


CHUNK = 512
"""Tokens of a large vocabulary that are summed before it is known where to look."""


def choose(probability_RV: "Tensor", row_B: "Tensor", uniform_B: "Tensor") -> "Tensor":
    """Tokens, shape ``(B,)``, by inverting the cumulative distribution of a row at ``uniform_B``.

    Tokens stay in vocabulary order: were they sorted by probability, a rounding difference between
    two batches could swap near-equal tokens and change the choice everywhere, not only at the
    boundary between two tokens. Sums are in float64, so that 10^5 terms lose nothing; those of
    chunks first, so that most tokens of a large vocabulary are added up once and not one by one.

    row_B: the row of each choice.  A row that is not finite gives the token -1.
    """
    import torch

    rows, vocabulary = probability_RV.shape
    size = min(CHUNK, vocabulary)
    spare = -vocabulary % size
    if spare:
        probability_RV = torch.nn.functional.pad(probability_RV, (0, spare))
    parts_RCK = probability_RV.view(rows, -1, size)
    chunks_RC = parts_RCK.sum(dim=-1, dtype=torch.float64).cumsum(dim=-1)
    total_B = chunks_RC[:, -1][row_B]
    # Strictly below the total, or a token of probability 0 at the end could be chosen.
    below_B = torch.nextafter(total_B, torch.zeros_like(total_B))
    target_B = torch.minimum(uniform_B * total_B, below_B)
    chunk_B = torch.searchsorted(chunks_RC[row_B], target_B[:, None], right=True)[:, 0]
    chunk_B = chunk_B.clamp(max=chunks_RC.shape[1] - 1)
    before_B = chunks_RC[row_B, (chunk_B - 1).clamp(min=0)].where(chunk_B > 0, 0.0)
    inside_BK = parts_RCK[row_B, chunk_B].double().cumsum(dim=-1) + before_B[:, None]
    place_B = torch.searchsorted(inside_BK, target_B[:, None], right=True)[:, 0]
    # Where sums of a chunk and of its tokens differ in the last digit: the last possible token.
    last_B = (parts_RCK[row_B, chunk_B] > 0).double().cumsum(dim=-1).argmax(dim=-1)
    token_B = chunk_B * size + torch.minimum(place_B, last_B)
    return token_B.where(total_B.isfinite(), -1)


def log_probability(logits_BV: "Tensor", token_B: "Tensor") -> "Tensor":
    """Of each row's token under the model itself (temperature 1, every token), float32, ``(B,)``.

    For the token -1 of a row that is not finite, any number.
    """
    chosen_B = token_B.clamp(min=0)
    return logits_BV.float().log_softmax(dim=-1).gather(-1, chosen_B[:, None])[:, 0]
