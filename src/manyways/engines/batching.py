"""Which attempts are sampled together: windows of requests, and batches within a window."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from manyways.engines import SampleRequest

WINDOW = 4096
"""Attempts among which prompts are sorted by length: bounds how far ahead an engine reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Attempts that are sampled together.

    Example, two attempts at the first prompt and one at the second:
    ``Batch(prompts=((5, 7), (5, 9, 2)), owners=(0, 0, 1), rows=(3, 4, 0), seeds=(8, 9, 1))``.

    prompts: token ids of the distinct prompts, shortest first.
    owners:  for each attempt, the index of its prompt in ``prompts``, ascending.
    rows:    for each attempt, its number in the window.
    seeds:   for each attempt, its seed.
    """

    prompts: tuple[tuple[int, ...], ...]
    owners: tuple[int, ...]
    rows: tuple[int, ...]
    seeds: tuple[int, ...]


def windows(requests: Iterable[SampleRequest], size: int = WINDOW) -> Iterator[list[SampleRequest]]:
    """Split ``requests``, in order, into lists of at least ``size`` attempts (the last: fewer)."""
    window: list[SampleRequest] = []
    attempts = 0
    for request in requests:
        window.append(request)
        attempts += len(request.seeds)
        if attempts >= size:
            yield window
            window, attempts = [], 0
    if window:
        yield window


def batches(
    prompts: Sequence[tuple[int, ...]],
    seeds: Sequence[Sequence[int]],
    *,
    max_tokens: int,
    batch_tokens: int,
) -> Iterator[Batch]:
    """Batches over a window, by prompt length; equal prompts of several requests are joined.

    A batch has at most ``batch_tokens // (longest prompt + max_tokens)`` attempts, at least one.

    prompts: token ids of each request.  seeds: the seeds of each request.
    """
    attempts: list[tuple[tuple[int, ...], int, int]] = []
    for prompt, own in zip(prompts, seeds, strict=True):
        attempts += [(prompt, len(attempts) + i, seed) for i, seed in enumerate(own)]
    attempts.sort(key=lambda attempt: (len(attempt[0]), attempt[0], attempt[1]))
    start = 0
    while start < len(attempts):
        end = start + 1
        while (
            end < len(attempts)
            and (end - start + 1) * (len(attempts[end][0]) + max_tokens) <= batch_tokens
        ):
            end += 1
        yield _batch(attempts[start:end])
        start = end


def _batch(attempts: Sequence[tuple[tuple[int, ...], int, int]]) -> Batch:
    index: dict[tuple[int, ...], int] = {}
    owners = tuple(index.setdefault(prompt, len(index)) for prompt, _, _ in attempts)
    return Batch(
        prompts=tuple(index),
        owners=owners,
        rows=tuple(row for _, row, _ in attempts),
        seeds=tuple(seed for _, _, seed in attempts),
    )
