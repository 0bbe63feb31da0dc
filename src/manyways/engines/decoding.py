"""The decode loop: it calls the model's own forward and keeps transformers' own cache.

Attempts at one prompt share one row of the model's batch as long as their tokens are the same,
because the model would compute the same numbers for each of them. They get rows of their own when
their seeds draw different tokens. A row leaves the batch when its attempts have ended, and waiting
attempts take its place. The randomness of an attempt comes from its seed, not from its batch.

Letters behind the names of tensors are their dimensions: A attempts that run, B rows of a batch,
R rows of the model's batch, P prompts that are prefilled together, L columns of the cache (the
tokens of a row, the newest one in the last column), T tokens, V vocabulary.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from manyways.engines import SamplingSettings
from manyways.engines.queueing import Waiting
from manyways.engines.rows import Rows
from manyways.errors import ModelError


def uniforms(seeds: Sequence[int], count: int) -> np.ndarray:
    """One number in [0, 1) for each (seed, token index): shape ``(len(seeds), count)``, float64.

    A counter-based generator (Philox 4x64-10; Salmon et al. 2011, "Parallel random numbers: as
    easy as 1, 2, 3") keyed by the seed: row ``i`` depends on ``seeds[i]`` alone, and a larger
    ``count`` only appends.
    """
    rows = [np.random.Generator(np.random.Philox(key=seed)).random(count) for seed in seeds]
    return np.stack(rows) if rows else np.empty((0, count))


def distribution(logits_BV: Tensor, *, temperature: float, top_p: float) -> Tensor:
    """The probabilities that tokens are sampled with: float32, shape ``(B, V)``.

    top_p: keeps the smallest set of most probable tokens that holds at least this much
        probability (nucleus sampling; Holtzman et al. 2020). Below 1, a row sums to less than 1,
        and the caller normalises.
    """
    logits_BV = logits_BV.float()
    if temperature != 1.0:
        # Shifted before the division, so that a tiny temperature cannot make inf - inf.
        logits_BV = (logits_BV - logits_BV.amax(dim=-1, keepdim=True)).div_(temperature)
    probability_BV = logits_BV.softmax(dim=-1)
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
"""Size of a chunk of the vocabulary. ``choose`` finds the chunk first, then the token in it."""


def choose(probability_RV: Tensor, row_B: Tensor, uniform_B: Tensor) -> Tensor:
    """Sample tokens, shape ``(B,)``: invert a row's cumulative distribution at ``uniform_B``.

    Tokens stay in the order of the vocabulary. If they were sorted by probability, a rounding
    difference between two batches could swap two tokens of nearly equal probability. That would
    change the choice everywhere, not only at the boundary between two tokens. Whole chunks are
    summed first, in float32: a float64 copy of a large vocabulary costs more than the sums. All
    further sums are float64, so that 10^5 terms lose no precision.

    row_B: which row of ``probability_RV`` each choice is made from. A row that is not finite gives
        the token -1.
    """
    rows, vocabulary = probability_RV.shape
    size = min(CHUNK, vocabulary)
    spare = -vocabulary % size
    if spare:
        probability_RV = torch.nn.functional.pad(probability_RV, (0, spare))
    parts_RCK = probability_RV.view(rows, -1, size)
    chunks_RC = parts_RCK.sum(dim=-1).double().cumsum(dim=-1)
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


JOIN = 8
"""Waiting attempts join the batch once one place in this many is free: one in eight."""


class StopCheck(Protocol):
    """Tells whether the newest token of an attempt completed a stop string."""

    tail: int
    """How many of the newest tokens have to be looked at."""

    def hits(self, tails: list[list[int]]) -> list[bool]:
        """One answer for each attempt, given its newest tokens."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """Tokens of one attempt, EOS included. ``ended``: EOS or a stop string ended it, not length."""

    tokens: list[int]
    ended: bool
    prompt_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The outcome of one pass of the model.

    ended:   attempts that ended in this pass, by their row in the queue.
    begun:   how many attempts joined the batch.
    running: the attempts that go on.
    """

    ended: dict[int, Sampled]
    begun: int
    running: "Sequence[Text]"

    def tokens(self) -> list[int]:
        """Tokens so far of each attempt that goes on."""
        return [len(text.tokens) for text in self.running]


@dataclass(kw_only=True)
class Text:
    """An attempt that runs. ``left``: its random numbers, one for each token still to come."""

    row: int
    waiting: Waiting
    seed: int
    left: Iterator[float]
    tokens: list[int] = field(default_factory=list)
    ended: bool = False

    def sampled(self) -> Sampled:
        """The attempt with the tokens that it has now."""
        return Sampled(tokens=self.tokens, ended=self.ended, prompt_tokens=len(self.waiting.prompt))


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """A model, the tokens that end a text, and a token to pad with (any: it is always masked)."""

    model: Any
    eos: Tensor
    pad: int

    @torch.inference_mode()
    def steps(
        self,
        queue: deque[Waiting],
        settings: SamplingSettings,
        stop: StopCheck | None = None,
        *,
        batch_tokens: int,
    ) -> Iterator[Step]:
        """Sample every attempt of ``queue``, and yield after each pass of the model.

        Raises ModelError when the model's logits are not finite.
        When the memory does not suffice, the attempts that run go back into the queue and the
        error is raised again. The caller may then try a smaller ``batch_tokens``.
        """
        rows = Rows(self.model, pad=self.pad)
        texts: list[Text] = []
        ends = set(self.eos.tolist())
        waiting = sum(len(one.seeds) for one in queue)
        longest = max((len(one.prompt) for one in queue), default=0)
        expected = min(waiting, _places(batch_tokens, longest, settings))
        try:
            while queue or texts:
                begun = 0
                while taken := _take(queue, texts, settings, batch_tokens=batch_tokens, rows=rows):
                    prompts = [prompt for prompt, _ in taken]
                    owners = [i for i, (_, started) in enumerate(taken) for _ in started]
                    rows.take_up(prompts, owners, expected=expected)
                    new = [text for _, started in taken for text in started]
                    texts += new
                    begun += len(new)
                    if queue and rows.joins:
                        yield Step(ended={}, begun=len(new), running=texts)
                        begun = 0
                tokens = _draw(rows, texts, settings)
                _end(texts, ends, settings.max_tokens, stop)
                most = settings.max_tokens
                kept = [not text.ended and len(text.tokens) < most for text in texts]
                over = [text for text, stays in zip(texts, kept, strict=True) if not stays]
                texts = [text for text, stays in zip(texts, kept, strict=True) if stays]
                yield Step(
                    ended={text.row: text.sampled() for text in over}, begun=begun, running=texts
                )
                rows.go_on(tokens, kept)
        except (RuntimeError, MemoryError):
            # Each is drawn again from its own seed, so nothing is lost or changed.
            put_back(queue, texts)
            raise


def _places(batch_tokens: int, longest: int, settings: SamplingSettings) -> int:
    """Attempts that a batch holds: as if each ran to its limit behind the longest prompt."""
    return max(1, batch_tokens // (longest + settings.max_tokens))


def _take(
    queue: deque[Waiting],
    texts: Sequence[Text],
    settings: SamplingSettings,
    *,
    batch_tokens: int,
    rows: Rows,
) -> list[tuple[Waiting, list[Text]]]:
    """Take prompts from the queue for one pass: those that share the first one's beginning."""
    if not queue or (texts and not rows.joins):
        return []
    longest = max([len(text.waiting.prompt) for text in texts], default=0)
    taken: list[tuple[Waiting, list[Text]]] = []
    count, fed, beginning = len(texts), 0, queue[0].beginning
    while queue and queue[0].beginning == beginning:
        wanted = queue[0]
        longest = max(longest, len(wanted.prompt))
        places = _places(batch_tokens, longest, settings)
        fed = max(fed, len(wanted.prompt) - wanted.shared)
        free = places - count
        # Few free places are not worth a pass over a prompt: it would hold up all that run.
        if not taken and texts and free < min(len(wanted.seeds), max(1, places // JOIN)):
            return []
        if free <= 0 or (taken and rows.joins and (len(taken) + 1) * fed > rows.prefill):
            break
        first, rest = queue.popleft().split(free)
        if rest.seeds:
            queue.appendleft(rest)
        taken.append((first, _started(first, settings.max_tokens)))
        count += len(first.seeds)
    return taken


def _started(waiting: Waiting, most: int) -> list[Text]:
    noise = uniforms(waiting.seeds, most)
    return [
        Text(row=row, waiting=waiting, seed=seed, left=iter(own.tolist()))
        for row, seed, own in zip(waiting.rows, waiting.seeds, noise, strict=True)
    ]


def put_back(queue: deque[Waiting], texts: Sequence[Text]) -> None:
    """Put attempts that run back to the front of the queue. Their tokens will be drawn again."""
    for text in reversed(texts):
        queue.appendleft(
            Waiting(
                prompt=text.waiting.prompt,
                shared=text.waiting.shared,
                rows=(text.row,),
                seeds=(text.seed,),
            )
        )


def _draw(rows: Rows, texts: Sequence[Text], settings: SamplingSettings) -> list[int]:
    """Draw one more token for each attempt."""
    device = rows.logits_RV.device
    row_A = torch.tensor(rows.rows, device=device)
    noise_A = torch.tensor([next(text.left) for text in texts], dtype=torch.float64, device=device)
    probability_RV = distribution(
        rows.logits_RV, temperature=settings.temperature, top_p=settings.top_p
    )
    token_A = choose(probability_RV, row_A, noise_A)
    # The only wait for the device in a step.
    tokens: list[int] = token_A.tolist()
    if min(tokens) < 0:
        raise not_a_number()
    for text, token in zip(texts, tokens, strict=True):
        text.tokens.append(token)
    return tokens


def _end(texts: Sequence[Text], ends: set[int], most: int, stop: StopCheck | None) -> None:
    hits = stop.hits([text.tokens[-stop.tail :] for text in texts]) if stop else []
    for place, text in enumerate(texts):
        text.ended = text.tokens[-1] in ends or bool(hits and hits[place])
