"""Sampling, as all stages do it: sample the missing attempts, verify them, append them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from manyways.context import Context
from manyways.engines import Completion, Ended, Engine, Event, SampleRequest, SamplingSettings
from manyways.engines.meter import SamplingMeter
from manyways.engines.queueing import stream
from manyways.fingerprint import prompt_hash
from manyways.pool import attempt_files
from manyways.pool.attempt_files import Cell, Held, Journal, Piece, Sampling, Saver, cut
from manyways.progress import say
from manyways.records import PLAIN, Checkpoint, Problem
from manyways.run_dir import Work


class LazyEngine:
    """An engine that is opened at its first use."""

    def __init__(self, open_engine: Callable[[], Engine]) -> None:
        self._open = open_engine
        self._engine: Engine | None = None

    @property
    def reads_ahead(self) -> bool:
        """See ``Engine.reads_ahead``."""
        return getattr(self._opened(), "reads_ahead", False)

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        """See ``Engine.sample``."""
        return self._opened().sample(requests, settings)

    def stream(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[Event]:
        """See ``Engine.stream``; it works for engines without one, too."""
        return stream(self._opened(), requests, settings)

    def facts(self) -> Mapping[str, str | int]:
        """See ``Engine.facts``; an engine without them is said to state nothing."""
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


def collect(
    ctx: Context,
    *,
    engine: Engine | Callable[[], Engine],
    cells: Sequence[Cell],
    sampling: Sampling,
) -> dict[str, float]:
    """Sample until every cell has its number of attempts, each with a verdict; returns counts.

    Only missing attempts (problem, heuristic, sample) are sampled, in the order of ``cells``. Files
    and batches are formed of missing attempts only. So after a kill the rest is divided as it would
    have been, and the records are the same.

    engine: an open engine, which stays open; or a function that opens one. The function is called
        only if an attempt is missing, and its engine is closed at the end.

    Returns attempts, correct, wrong, no_answer, undecided, truncated, tokens over the cells' keys.

    Raises VerifierUnwell when more than ``verify.max_undecided`` of the answers are undecided.
    """
    tidy(ctx, cells, sampling)
    # An engine is no function, so this tells the two apart.
    opened = LazyEngine(engine if callable(engine) else lambda: engine)
    try:
        have = attempt_files.held(sampling.folder)
        sample_missing(ctx, opened, cells, sampling=sampling, have=have)
    finally:
        if callable(engine):
            opened.close()
    wanted = {(cell.problem.id, cell.heuristic): cell.samples for cell in cells}
    counts = attempt_files.counts(sampling.folder, wanted)
    attempt_files.check_undecided(sampling.folder, limit=ctx.recipe.verify.max_undecided)
    return counts


def plain_cells(ctx: Context, problems: Sequence[Problem], samples: int) -> list[Cell]:
    """``samples`` attempts at each problem, from the plain prompt."""
    return [
        Cell(
            problem=problem,
            heuristic=PLAIN,
            messages=ctx.prompts_for(problem).plain(problem.question),
            samples=samples,
        )
        for problem in problems
    ]


def settings_of_evaluation(ctx: Context) -> SamplingSettings:
    """The settings for benchmarks, and for everything that is compared with them."""
    evaluate = ctx.recipe.evaluate
    return SamplingSettings(
        max_tokens=evaluate.max_tokens, temperature=evaluate.temperature, top_p=evaluate.top_p
    )


def evaluate(
    ctx: Context,
    checkpoint: Checkpoint,
    benchmark: str,
    *,
    work: Work,
    engine: Engine,
    problems: Sequence[Problem],
    attempts: int,
    model_hash: str,
) -> None:
    """Do ``work``: sample and verify one checkpoint on one problem set, and say the counts.

    Raises the errors of ``collect``.
    """
    label = f"evaluate {checkpoint.name} on {benchmark}"
    with work:
        counts = collect(
            ctx,
            engine=engine,
            cells=plain_cells(ctx, problems, attempts),
            sampling=Sampling(
                settings=settings_of_evaluation(ctx),
                folder=ctx.run.eval_path(checkpoint.name, benchmark),
                run_seed=checkpoint.seed or 0,
                model_hash=model_hash,
                label=label,
                part_size=ctx.recipe.evaluate.part_size,
            ),
        )
        work.counts.update(counts, problems=len(problems))
    say(sentence(label, work))


def sample_missing(
    ctx: Context, engine: Engine, cells: Sequence[Cell], *, sampling: Sampling, have: Held
) -> None:
    """The sampling of ``collect``, for a folder that is tidy; it returns no counts.

    have: what the folder holds. New attempts are added to it.
    """
    missing = [piece for cell in cells if (piece := _missing(cell, have.keys)).samples]
    if not missing:
        return
    parts = list(cut(missing, sampling.part_size))
    with Journal(sampling.folder, have=have.keys) as ended:
        saver = Saver(ctx, parts, sampling=sampling, journal=ended, have=have)
        if saver.taken_over:
            say(
                f"{sampling.label}: attempts that had ended when the last run was stopped, and are "
                f"taken over: {saver.taken_over}."
            )
        saver.write()
        wanted = [part for part in saver.wanted() if part]
        if wanted:
            _sample(engine, wanted, saver, sampling)


def sentence(label: str, work: Work) -> str:
    """``generate: 1600 attempts in 95.2 s, 21.3% correct``; other shares only if they are not 0."""
    counts = work.counts
    total = max(counts["attempts"], 1)
    shares = {
        "without an answer": counts["no_answer"],
        "undecided": counts["undecided"],
        "cut off": counts["truncated"],
    }
    words = [f"{counts['attempts']:.0f} attempts in {work.seconds:.1f} s"]
    words.append(f"{counts['correct'] / total:.1%} correct")
    words += [f"{count / total:.1%} {name}" for name, count in shares.items() if count]
    return f"{label}: {', '.join(words)}"


def _sample(
    engine: Engine, wanted: Sequence[Sequence[Piece]], saver: Saver, sampling: Sampling
) -> None:
    """Sample the pieces: all in one stream if the engine reads ahead, else file by file."""
    earlier = attempt_files.engine_facts(sampling.folder)
    total = sum(len(piece.samples) for part in wanted for piece in part)
    streams = [[piece for part in wanted for piece in part]] if engine.reads_ahead else wanted
    with SamplingMeter(sampling.label, total=total, most=sampling.settings.max_tokens) as meter:
        for pieces in streams:
            requests = [saver.request(piece) for piece in pieces]
            for event in stream(engine, requests, sampling.settings):
                if isinstance(event, Ended):
                    saver.add(pieces[event.request], event.place, event.completion)
                elif saver.write():
                    attempt_files.write_engine_facts(sampling.folder, [*earlier, engine.facts()])
                meter.take(event)
            saver.write()
            attempt_files.write_engine_facts(sampling.folder, [*earlier, engine.facts()])


def _missing(cell: Cell, have: set[attempt_files.Key]) -> Piece:
    samples = range(cell.samples)
    wanted = tuple(s for s in samples if (cell.problem.id, cell.heuristic, s) not in have)
    return Piece(cell=cell, samples=wanted)


def tidy(ctx: Context, cells: Sequence[Cell], sampling: Sampling) -> None:
    """Remove leftovers of a kill. Set the folder aside if prompts have changed since."""
    attempt_files.remove_leftovers(sampling.folder)
    now = {(cell.problem.id, cell.heuristic): prompt_hash(cell.messages) for cell in cells}
    waiting = (
        (line.key, line.origin.prompt_hash) for line in attempt_files.read_journal(sampling.folder)
    )
    if attempt_files.changed_prompts(sampling.folder, now, waiting):
        say(f"{sampling.label}: prompts have changed; earlier attempts are moved to stale/.")
        ctx.run.set_aside((str(sampling.folder.relative_to(ctx.run.root)),), "prompts")
