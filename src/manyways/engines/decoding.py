"""The decode loop over a model's own forward and transformers' own cache.

Attempts at one prompt are one row of the model's batch for as long as they have the same tokens:
the model would compute the same for each of them. They part where their seeds draw different
tokens, and a row leaves when its attempts have ended.

B attempts of a batch, A those of them that go on, R rows of the model's batch, P distinct prompts,
L prompt tokens, T sampled tokens, V vocabulary.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from manyways.engines import SamplingSettings
from manyways.engines.batching import Batch
from manyways.engines.growing_cache import GrowingLayer
from manyways.engines.noise import (
    choose,
    distribution,
    log_probability,
    not_a_number,
    uniforms,
)

COMPACT = 0.9
"""Where rows cannot be moved one by one (attention windows), finished attempts leave the model's
batch once the others are at most this share of it."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one step of the model brought: attempts that ended, by their place in the batch.

    running: attempts that go on; each has ``tokens`` so far.
    """

    ended: dict[int, Sampled]
    running: int
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """A model with the tokens that end a text. ``pad``: any valid id; it is always masked."""

    model: Any
    eos: Tensor
    pad: int

    def run(
        self, batch: Batch, settings: SamplingSettings, stop: StopCheck | None = None
    ) -> list[Sampled]:
        """Sample every attempt of ``batch``; the result is in the batch's order.

        Raises ModelError when the model's logits are not finite.
        """
        ended: dict[int, Sampled] = {}
        for step in self.steps(batch, settings, stop):
            ended |= step.ended
        return [ended[attempt] for attempt in range(len(batch.seeds))]

    @torch.inference_mode()
    def steps(
        self, batch: Batch, settings: SamplingSettings, stop: StopCheck | None = None
    ) -> Iterator["Step"]:
        """The same, one step of the model after the other."""
        noise_BT = torch.from_numpy(uniforms(batch.seeds, settings.max_tokens))
        noise_BT = noise_BT.to(self.model.device)
        state = self._prefill(batch, settings.max_tokens)
        texts = [_Text() for _ in batch.seeds]
        ends, left = set(self.eos.tolist()), set(range(len(texts)))
        for step in range(settings.max_tokens):
            tokens = _draw(state, texts, noise_BT[:, step], settings)
            self._end(texts, state.attempts, ends, stop)
            last = step + 1 == settings.max_tokens
            now = [attempt for attempt in left if last or texts[attempt].ended]
            left.difference_update(now)
            going = len(left)
            yield Step(
                ended={attempt: texts[attempt].sampled(settings.logprobs) for attempt in now},
                running=going,
                tokens=step + 1,
            )
            if going == 0:
                break
            if state.shares or going <= COMPACT * len(state.attempts):
                kept = [not texts[attempt].ended for attempt in state.attempts]
                tokens = [token for token, stays in zip(tokens, kept, strict=True) if stays]
                state.leave(kept)
            self._advance(state, state.part(tokens))

    @staticmethod
    def _end(
        texts: "Sequence[_Text]", attempts: Sequence[int], ends: set[int], stop: StopCheck | None
    ) -> None:
        going = [texts[attempt] for attempt in attempts if not texts[attempt].ended]
        hits = stop.hits([text.tokens[-stop.tail :] for text in going]) if stop else []
        for place, text in enumerate(going):
            text.ended = text.tokens[-1] in ends or bool(hits and hits[place])

    def _prefill(self, batch: Batch, max_tokens: int) -> "_State":
        """Run each distinct prompt once."""
        device = self.model.device
        width = max(len(prompt) for prompt in batch.prompts)
        padded = [[self.pad] * (width - len(prompt)) + list(prompt) for prompt in batch.prompts]
        length_P = torch.tensor([len(prompt) for prompt in batch.prompts], device=device)
        column_L = torch.arange(width + max_tokens, device=device)
        # Columns to the right of the prompt hold sampled tokens: never masked.
        mask_PL = column_L >= width - length_P[:, None]
        position_PL = (mask_PL.cumsum(dim=-1) - 1).clamp(min=0)
        cache = DynamicCache(config=self.model.config)
        shares = all(type(layer) is DynamicLayer for layer in cache.layers)
        size = len(batch.owners)
        cache.layers = [
            GrowingLayer(size) if type(layer) is DynamicLayer else layer for layer in cache.layers
        ]
        out = self.model(
            input_ids=torch.tensor(padded, device=device),
            attention_mask=mask_PL[:, :width].long(),
            position_ids=position_PL[:, :width],
            past_key_values=cache,
            logits_to_keep=1,
        )
        state = _State(
            cache=cache,
            shares=shares,
            logits_RV=out.logits[:, -1],
            mask_RL=mask_PL,
            position_R=length_P,
            width=width,
            attempts=list(range(size)),
            rows=list(batch.owners),
        )
        if not shares:
            state.arrange(list(batch.owners))
            state.logits_RV = state.logits_RV[torch.tensor(batch.owners, device=device)]
            state.rows = list(range(size))
        return state

    def _advance(self, state: "_State", token_R: list[int]) -> None:
        """Feed one token of each row."""
        state.width += 1
        out = self.model(
            input_ids=torch.tensor(token_R, device=self.model.device)[:, None],
            attention_mask=state.mask_RL[:, : state.width].long(),
            position_ids=state.position_R[:, None],
            past_key_values=state.cache,
        )
        state.logits_RV = out.logits[:, -1]
        state.position_R = state.position_R + 1


@dataclass(kw_only=True)
class _Text:
    """An attempt so far."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False

    def sampled(self, logprobs: bool) -> Sampled:
        told = tuple(self.logprobs) if logprobs else None
        return Sampled(tokens=self.tokens, ended=self.ended, logprobs=told)


def _draw(
    state: "_State", texts: Sequence[_Text], noise_B: Tensor, settings: SamplingSettings
) -> list[int]:
    """One more token for each attempt; those of ended ones, where these are still fed, are lost."""
    row_A, attempt_A = torch.tensor([state.rows, state.attempts], device=noise_B.device)
    probability_RV = distribution(
        state.logits_RV, temperature=settings.temperature, top_p=settings.top_p
    )
    token_A = choose(probability_RV[row_A], noise_B[attempt_A])
    # The only wait for the device in a step, but for log-probabilities.
    tokens: list[int] = token_A.tolist()
    if min(tokens) < 0:
        raise not_a_number()
    told = [0.0] * len(tokens)
    if settings.logprobs:
        told = log_probability(state.logits_RV[row_A], token_A).tolist()
    for attempt, token, logprob in zip(state.attempts, tokens, told, strict=True):
        if not texts[attempt].ended:
            texts[attempt].tokens.append(token)
            texts[attempt].logprobs.append(logprob)
    return tokens


@dataclass(kw_only=True)
class _State:
    """What the next forward needs.

    shares:   whether attempts with equal tokens are one row.
    attempts: those in the model's batch, and ``rows``: the row of each.
    """

    cache: Any
    shares: bool
    logits_RV: Tensor
    mask_RL: Tensor
    position_R: Tensor
    width: int
    attempts: list[int]
    rows: list[int]

    def leave(self, kept: Sequence[bool]) -> None:
        """Drop the attempts that are not ``kept``; their rows go in ``part``."""
        self.attempts = [a for a, stays in zip(self.attempts, kept, strict=True) if stays]
        self.rows = [row for row, stays in zip(self.rows, kept, strict=True) if stays]

    def part(self, tokens: Sequence[int]) -> list[int]:
        """A row for each distinct (row, token) of the attempts; returns the token of each row."""
        children: dict[tuple[int, int], int] = {}
        child = [
            children.setdefault(key, len(children)) for key in zip(self.rows, tokens, strict=True)
        ]
        places = self.arrange([row for row, _ in children])
        fed = [0] * len(children)
        for place, (_, token) in zip(places, children, strict=True):
            fed[place] = token
        self.rows = [places[number] for number in child]
        return fed

    def arrange(self, parents: Sequence[int]) -> list[int]:
        """Rows that continue the rows ``parents``; returns the place of each."""
        places = _places(parents) if self.shares else list(range(len(parents)))
        source = [0] * len(parents)
        for place, parent in zip(places, parents, strict=True):
            source[place] = parent
        if source == list(range(len(self.mask_RL))):
            return places
        source_R = torch.tensor(source, device=self.mask_RL.device)
        self.mask_RL = self.mask_RL[source_R]
        self.position_R = self.position_R[source_R]
        self.cache.batch_select_indices(source_R)
        return places


def _places(parents: Sequence[int]) -> list[int]:
    """Where each child of a row goes: the first stays where it is, others where a row is free."""
    count, taken = len(parents), set()
    places = [-1] * count
    for child, parent in enumerate(parents):
        if parent < count and parent not in taken:
            places[child] = parent
            taken.add(parent)
    free = (place for place in range(count) if place not in taken)
    return [next(free) if place < 0 else place for place in places]
