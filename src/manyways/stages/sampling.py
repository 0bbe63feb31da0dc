"""What generate, gate and evaluate share: sample what is missing, judge it, append whole parts."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from manyways.engines import Completion, Engine, SampleRequest, SamplingSettings
from manyways.fingerprint import attempt_seed, prompt_hash
from manyways.progress import Meter, say
from manyways.records import Attempt, Message, Problem
from manyways.stages import attempt_files
from manyways.stages.context import Context
from manyways.tables import append_attempts

ENOUGH = 200
"""Attempts before the undecided share is looked at while sampling goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """The attempts wanted at one problem under one heuristic (``records.PLAIN`` for none).

    Example: ``Cell(problem=p, heuristic="induction", messages=prompts.under(...), samples=4)``.
    """

    problem: Problem
    heuristic: str
    messages: tuple[Message, ...]
    samples: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How and where cells are sampled.

    run_seed:  with the cell and the sample number it gives each attempt's seed.
    label:     what the progress display calls this.
    part_size: attempts per parquet part, at most (a cell is split only when it is larger).
    """

    settings: SamplingSettings
    folder: Path
    run_seed: int
    model_hash: str
    label: str
    part_size: int


class LazyEngine:
    """An engine that is opened when it is first asked for something."""

    def __init__(self, open_engine: Callable[[], Engine]) -> None:
        self._open = open_engine
        self._engine: Engine | None = None

    @property
    def reads_ahead(self) -> bool:
        """As ``Engine.reads_ahead``."""
        return getattr(self._opened(), "reads_ahead", False)

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        """As ``Engine.sample``."""
        return self._opened().sample(requests, settings)

    def facts(self) -> Mapping[str, str | int]:
        """As ``Engine.facts``; nothing is known of an engine that does not say."""
        opened = self._opened()
        return opened.facts() if hasattr(opened, "facts") else {"seeds": "not stated by the engine"}

    def close(self) -> None:
        """Close the engine, if it was opened."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _opened(self) -> Engine:
        if self._engine is None:
            self._engine = self._open()
        return self._engine


@dataclass(frozen=True, kw_only=True, slots=True)
class _Piece:
    """Samples of one cell that go into one part."""

    cell: Cell
    samples: tuple[int, ...]


def collect(
    ctx: Context,
    *,
    engine: Engine | Callable[[], Engine],
    cells: Sequence[Cell],
    sampling: Sampling,
) -> dict[str, float]:
    """Bring every cell to its number of attempts, each with a verdict; returns counts.

    Only missing (problem, heuristic, sample) keys are sampled, in the order of ``cells``. Parts are
    cut, and batches formed, within the missing keys alone: after a kill the rest is cut exactly as
    it would have been, so the records come out the same.

    engine: used and left open; a function is called only when something is missing, and what it
        returns is closed.

    Returns attempts, correct, wrong, no_answer, undecided, truncated, tokens over the cells' keys.

    Raises VerifierUnwell when more than ``verify.max_undecided`` of the answers are undecided.
    """
    tidy(ctx, cells, sampling)
    # An engine is no function, so this tells the two apart.
    opened = LazyEngine(engine if callable(engine) else lambda: engine)
    try:
        sample_missing(ctx, opened, cells, sampling)
    finally:
        if callable(engine):
            opened.close()
    wanted = {(cell.problem.id, cell.heuristic): cell.samples for cell in cells}
    counts = attempt_files.counts(sampling.folder, wanted)
    attempt_files.check_undecided(sampling.folder, limit=ctx.recipe.verify.max_undecided)
    return counts


def sample_missing(ctx: Context, engine: Engine, cells: Sequence[Cell], sampling: Sampling) -> None:
    """As ``collect``, in a folder that is tidy already and without counting what is there."""
    have = attempt_files.keys(sampling.folder)
    missing = [piece for cell in cells if (piece := _missing(cell, have)).samples]
    if missing:
        _sample_parts(ctx, engine, missing, sampling)


def sentence(label: str, counts: dict[str, float]) -> str:
    """``generate: 1600 attempts, 21.3% correct, 4.0% without an answer, 0.0% undecided, ...``."""
    total = max(counts["attempts"], 1)
    return (
        f"{label}: {counts['attempts']:.0f} attempts, {counts['correct'] / total:.1%} correct, "
        f"{counts['no_answer'] / total:.1%} without an answer, "
        f"{counts['undecided'] / total:.1%} undecided, {counts['truncated'] / total:.1%} cut off "
        f"at the token limit"
    )


def _sample_parts(
    ctx: Context, engine: Engine, missing: Sequence[_Piece], sampling: Sampling
) -> None:
    limit = ctx.recipe.verify.max_undecided
    seen = Counter(attempt_files.statuses(sampling.folder))
    total = sum(len(piece.samples) for piece in missing)
    parts = list(_cut(missing, sampling.part_size))
    earlier = attempt_files.engine_facts(sampling.folder)
    with (
        Meter(sampling.label, total=total, unit="attempts") as meter,
        closing(_sampled(engine, parts, sampling, meter)) as sampled,
    ):
        for part, completions in zip(parts, sampled, strict=True):
            attempts = _judged(ctx, part, completions, sampling)
            append_attempts(sampling.folder, attempts)
            attempt_files.write_engine_facts(sampling.folder, [*earlier, engine.facts()])
            seen.update(attempt.verdict.status for attempt in attempts)
            if seen.total() >= ENOUGH and seen["undecided"] > limit * seen.total():
                attempt_files.check_undecided(sampling.folder, limit=limit)


def _sampled(
    engine: Engine, parts: Sequence[Sequence[_Piece]], sampling: Sampling, meter: Meter
) -> Generator[list[list[Completion]]]:
    """The completions of each part; see ``Engine.reads_ahead`` for what is sampled together."""
    groups = [parts] if engine.reads_ahead else [[part] for part in parts]
    for group in groups:
        requests = [_request(piece, sampling) for part in group for piece in part]
        stream = engine.sample(requests, sampling.settings)
        for part in group:
            found = []
            for completions in islice(stream, len(part)):
                found.append(completions)
                meter.advance(len(completions), tokens=sum(one.tokens for one in completions))
            yield found


def _request(piece: _Piece, sampling: Sampling) -> SampleRequest:
    return SampleRequest(
        messages=piece.cell.messages,
        seeds=tuple(_seed(piece.cell, sample, sampling) for sample in piece.samples),
    )


def _judged(
    ctx: Context,
    part: Sequence[_Piece],
    completions: Sequence[Sequence[Completion]],
    sampling: Sampling,
) -> list[Attempt]:
    """Attempts in the order of ``part``, judged in one go."""
    rows = [
        (piece.cell, sample, completion)
        for piece, texts in zip(part, completions, strict=True)
        for sample, completion in zip(piece.samples, texts, strict=True)
    ]
    verdicts = ctx.judge.verdicts([(cell.problem, one.text) for cell, _, one in rows])
    return [
        Attempt(
            problem_id=cell.problem.id,
            heuristic=cell.heuristic,
            sample=sample,
            seed=_seed(cell, sample, sampling),
            text=one.text,
            finish=one.finish,
            prompt_tokens=one.prompt_tokens,
            tokens=one.tokens,
            prompt_hash=prompt_hash(cell.messages),
            model_hash=sampling.model_hash,
            verdict=verdict,
        )
        for (cell, sample, one), verdict in zip(rows, verdicts, strict=True)
    ]


def _seed(cell: Cell, sample: int, sampling: Sampling) -> int:
    return attempt_seed(sampling.run_seed, cell.problem.id, cell.heuristic, sample)


def _cut(missing: Sequence[_Piece], size: int) -> Iterator[list[_Piece]]:
    """Parts of at most ``size`` attempts; cells stay whole unless they are larger than that."""
    part: list[_Piece] = []
    count = 0
    for whole in missing:
        for start in range(0, len(whole.samples), size):
            piece = replace(whole, samples=whole.samples[start : start + size])
            if part and count + len(piece.samples) > size:
                yield part
                part, count = [], 0
            part.append(piece)
            count += len(piece.samples)
    if part:
        yield part


def _missing(cell: Cell, have: set[attempt_files.Key]) -> _Piece:
    samples = range(cell.samples)
    wanted = tuple(s for s in samples if (cell.problem.id, cell.heuristic, s) not in have)
    return _Piece(cell=cell, samples=wanted)


def tidy(ctx: Context, cells: Sequence[Cell], sampling: Sampling) -> None:
    """Remove leftovers of a kill; set parts aside whose prompts have changed since."""
    attempt_files.remove_leftovers(sampling.folder)
    now = {(cell.problem.id, cell.heuristic): prompt_hash(cell.messages) for cell in cells}
    if attempt_files.changed_prompts(sampling.folder, now):
        say(f"{sampling.label}: prompts have changed; earlier attempts are moved to stale/.")
        ctx.run.set_aside((str(sampling.folder.relative_to(ctx.run.root)),), "prompts")
