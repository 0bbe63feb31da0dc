"""Timing an engine on a few requests: a small batch and a larger one give a line of two points."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from manyways.commands.forecast.records import Sampled
from manyways.engines import Completion, Engine, SampleRequest, SamplingSettings
from manyways.fingerprint import attempt_seed, prompt_hash
from manyways.pool.requests import Cell
from manyways.records import Attempt, Verdict

SMALL = 8
"""Attempts of the first batch."""
SECONDS = 4.0
"""What the larger batch may take, judged by the small one."""
MOST = 512
"""Attempts of the larger batch."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What was sampled of one kind of prompt. ``points``: (attempts, seconds), small then large.

    warming: seconds that a first small batch took longer than a second one.
    """

    cells: Sequence[Cell]
    attempts: list[Attempt]
    points: tuple[tuple[int, float], tuple[int, float]]
    full: int
    warming: float

    @property
    def tokens(self) -> float:
        """Mean sampled tokens of an attempt."""
        return sum(a.tokens for a in self.attempts) / max(len(self.attempts), 1)


def timed(
    engine: Engine, cells: Sequence[Cell], settings: SamplingSettings, *, batch_tokens: int
) -> Timed:
    """Sample some attempts at ``cells`` twice: few, then up to a full batch or SECONDS."""
    few = _share(cells, SMALL)
    _, cold = _sample(engine, few, settings)
    attempts, first = _sample(engine, few, settings)
    longest = max(a.prompt_tokens for a in attempts) + settings.max_tokens
    full = max(1, batch_tokens // longest)
    rate = len(attempts) / max(first, 1e-6)
    wanted = int(min(full, MOST, max(2 * SMALL, rate * SECONDS)))
    more, second = _sample(engine, _share(cells, wanted), settings)
    points = ((len(attempts), first), (len(more), second))
    return Timed(
        cells=cells, attempts=more, points=points, full=full, warming=max(0.0, cold - first)
    )


def sampled_of(one: Timed) -> Sampled:
    """The summary of ``one``, its attempts judged."""
    count = len(one.attempts)
    fixed, each = line_through(*one.points)
    return Sampled(
        attempts=count,
        fixed=fixed,
        each=each,
        full=one.full,
        tokens=one.tokens,
        prompt_tokens=sum(a.prompt_tokens for a in one.attempts) / count,
        truncated=sum(a.finish == "length" for a in one.attempts) / count,
        correct=sum(a.verdict.status == "correct" for a in one.attempts) / count,
    )


def line_through(small: tuple[int, float], large: tuple[int, float]) -> tuple[float, float]:
    """Seconds of a batch as ``fixed + n x each``, neither negative; from (n, seconds) twice.

    Where noise or equal sizes leave no slope, everything is ``each``, which errs on the long side
    for larger batches.
    """
    (n1, t1), (n2, t2) = small, large
    if n2 <= n1 or t2 <= t1:
        return 0.0, t2 / n2
    each = (t2 - t1) / (n2 - n1)
    fixed = t1 - each * n1
    return (fixed, each) if fixed >= 0 else (0.0, t2 / n2)


def _share(cells: Sequence[Cell], attempts: int) -> list[tuple[Cell, int]]:
    """Whole cells at equal distances with about ``attempts`` samples, at least one cell."""
    per_cell = max(1, min(cells[0].samples, attempts))
    count = min(len(cells), max(1, -(-attempts // per_cell)))
    return [(cells[i * len(cells) // count], per_cell) for i in range(count)]


def _sample(
    engine: Engine, chosen: Sequence[tuple[Cell, int]], settings: SamplingSettings
) -> tuple[list[Attempt], float]:
    requests = [
        SampleRequest(
            messages=cell.messages,
            seeds=tuple(attempt_seed(0, cell.problem.id, cell.heuristic, s) for s in range(count)),
        )
        for cell, count in chosen
    ]
    start = time.monotonic()
    texts = list(engine.sample(requests, settings))
    seconds = time.monotonic() - start
    attempts = [
        _attempt(cell, number, one, seed)
        for (cell, _), request, own in zip(chosen, requests, texts, strict=True)
        for number, (one, seed) in enumerate(zip(own, request.seeds, strict=True))
    ]
    return attempts, seconds


def _attempt(cell: Cell, number: int, one: Completion, seed: int) -> Attempt:
    return Attempt(
        problem_id=cell.problem.id, heuristic=cell.heuristic, sample=number, seed=seed,
        text=one.text, finish=one.finish, prompt_tokens=one.prompt_tokens, tokens=one.tokens,
        prompt_hash=prompt_hash(cell.messages), model_hash="", verdict=Verdict(status="undecided"),
    )  # fmt: skip
