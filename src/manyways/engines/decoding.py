"""The decode loop over a model's own forward and transformers' own cache.

B attempts of a batch, R those of them still in the model's batch, P their distinct prompts,
L prompt tokens, T sampled tokens, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from manyways.engines import SamplingSettings
from manyways.engines.batching import Batch
from manyways.engines.noise import choose, distribution, log_probability, uniforms
from manyways.errors import ModelError

ROOM = 64
"""Tokens by which a cache layer grows at a time."""
COMPACT = 0.9
"""Finished attempts leave the model's batch once the others are at most this share of it."""


class StopCheck(Protocol):
    """Tells whether the newest token of an attempt completed a stop string."""

    tail: int
    """How many of the newest tokens have to be looked at."""

    def hits(self, tails: list[list[int]]) -> list[bool]:
        """One answer for each attempt, given its newest tokens."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """Tokens of one attempt, EOS included; ``ended``: by EOS or a stop string, not by length.

    logprobs: as ``Completion.logprobs``.
    """

    tokens: list[int]
    ended: bool
    logprobs: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """A model with the tokens that end a text. ``pad``: any valid id; it is always masked."""

    model: Any
    eos: Tensor
    pad: int

    @torch.inference_mode()
    def run(
        self, batch: Batch, settings: SamplingSettings, stop: StopCheck | None = None
    ) -> list[Sampled]:
        """Sample every attempt of ``batch``; the result is in the batch's order.

        Raises ModelError when the model's logits are not finite.
        """
        device, size = self.model.device, len(batch.seeds)
        noise_BT = torch.from_numpy(uniforms(batch.seeds, settings.max_tokens)).to(device)
        state = self._prefill(batch, settings.max_tokens)
        tokens_BT = torch.zeros((size, settings.max_tokens), dtype=torch.long, device=device)
        length_B = torch.full((size,), settings.max_tokens, device=device)
        ended_B = torch.zeros(size, dtype=torch.bool, device=device)
        logprob_BT = torch.zeros(tokens_BT.shape, device=device) if settings.logprobs else None
        for step in range(settings.max_tokens):
            rows = state.rows
            probability_RV = distribution(
                state.logits_RV, temperature=settings.temperature, top_p=settings.top_p
            )
            token_R = choose(probability_RV, noise_BT[rows, step])
            tokens_BT[rows, step] = token_R
            if logprob_BT is not None:
                logprob_BT[rows, step] = log_probability(state.logits_RV, token_R)
            ends_R = torch.isin(token_R, self.eos)
            if stop is not None:
                first = max(0, step + 1 - stop.tail)
                hits = stop.hits(tokens_BT[rows, first : step + 1].tolist())
                ends_R |= torch.tensor(hits, device=device)
            length_B[rows] = length_B[rows].where(~ends_R | ended_B[rows], step + 1)
            ended_B[rows] |= ends_R
            # The only wait for the device in a step.
            live, lowest = torch.stack([(~ended_B).sum(), token_R.min()]).tolist()
            if lowest < 0:
                raise ModelError(
                    "the model's output is not a number (NaN or infinity): its weights are broken, "
                    "or its training diverged. Train it again with a lower learning rate."
                )
            if live == 0 or step + 1 == settings.max_tokens:
                break
            if live <= COMPACT * len(rows):
                keep = (~ended_B[rows]).nonzero()[:, 0]
                state.keep(keep)
                token_R = token_R[keep]
            self._advance(state, token_R)
        return _cut(tokens_BT, length_B, ended_B, logprob_BT)

    def _prefill(self, batch: Batch, max_tokens: int) -> "_State":
        """Run each distinct prompt once, then give every attempt its copy of the cache."""
        device = self.model.device
        width = max(len(prompt) for prompt in batch.prompts)
        padded = [[self.pad] * (width - len(prompt)) + list(prompt) for prompt in batch.prompts]
        length_P = torch.tensor([len(prompt) for prompt in batch.prompts], device=device)
        column_L = torch.arange(width + max_tokens, device=device)
        # Columns to the right of the prompt hold sampled tokens: never masked.
        mask_PL = (column_L >= width - length_P[:, None]).long()
        position_PL = (mask_PL.cumsum(dim=-1) - 1).clamp(min=0)
        cache = DynamicCache(config=self.model.config)
        cache.layers = [GrowingLayer() if type(x) is DynamicLayer else x for x in cache.layers]
        out = self.model(
            input_ids=torch.tensor(padded, device=device),
            attention_mask=mask_PL[:, :width],
            position_ids=position_PL[:, :width],
            past_key_values=cache,
            logits_to_keep=1,
        )
        owner_B = torch.tensor(batch.owners, device=device)
        cache.batch_select_indices(owner_B)
        return _State(
            cache=cache,
            logits_RV=out.logits[owner_B, -1],
            mask_RL=mask_PL[owner_B],
            position_R=length_P[owner_B],
            rows=torch.arange(len(owner_B), device=device),
            width=width,
        )

    def _advance(self, state: "_State", token_R: Tensor) -> None:
        """Feed one token of each attempt."""
        state.width += 1
        out = self.model(
            input_ids=token_R[:, None],
            attention_mask=state.mask_RL[:, : state.width],
            position_ids=state.position_R[:, None],
            past_key_values=state.cache,
        )
        state.logits_RV = out.logits[:, -1]
        state.position_R = state.position_R + 1


def _cut(
    tokens_BT: Tensor, length_B: Tensor, ended_B: Tensor, logprob_BT: Tensor | None
) -> list[Sampled]:
    """Each attempt up to its end."""
    told = [None] * len(length_B) if logprob_BT is None else logprob_BT.tolist()
    table = zip(tokens_BT.tolist(), length_B.tolist(), ended_B.tolist(), told, strict=True)
    return [
        Sampled(tokens=row[:length], ended=ended, logprobs=logs and tuple(logs[:length]))
        for row, length, ended, logs in table
    ]


@dataclass(kw_only=True)
class _State:
    """What the next forward needs; ``rows``: which attempts of the batch are still in it."""

    cache: Any
    logits_RV: Tensor
    mask_RL: Tensor
    position_R: Tensor
    rows: Tensor
    width: int

    def keep(self, index: Tensor) -> None:
        """Drop the attempts that are not in ``index``."""
        self.cache.batch_select_indices(index)
        self.mask_RL = self.mask_RL[index]
        self.position_R = self.position_R[index]
        self.rows = self.rows[index]


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """A cache layer that keeps some room, so that a new token does not copy all earlier ones.

    ``keys`` and ``values`` are views of the filled part, so everything else is inherited.
    """

    keys: Tensor
    values: Tensor

    def __init__(self) -> None:
        super().__init__()
        self._rooms = (_Room(), _Room())

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Append states of shape (R, heads, new tokens, width); returns all states so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = self._rooms[0].append(self.keys, key_states)
        self.values = self._rooms[1].append(self.values, value_states)
        return self.keys, self.values


class _Room:
    """A buffer of which ``_view`` is the filled part."""

    def __init__(self) -> None:
        self._buffer: Tensor | None = None
        self._view: Tensor | None = None

    def append(self, old: Tensor, new: Tensor) -> Tensor:
        have = old.shape[-2] if old.dim() == 4 else 0
        want = have + new.shape[-2]
        buffer = self._buffer
        # ``old`` is another tensor after the cache was reordered or cropped.
        if buffer is None or old is not self._view or buffer.shape[-2] < want:
            buffer = new.new_empty((*new.shape[:2], want + ROOM, new.shape[-1]))
            if have:
                buffer[:, :, :have] = old
        buffer[:, :, have:want] = new
        self._buffer, self._view = buffer, buffer[:, :, :want]
        return self._view
