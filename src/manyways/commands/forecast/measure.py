"""A short measurement on the real engine, verifier, labeller and trainers.

Sampling is timed with a small and a larger batch. The two times give a fixed cost and a cost for
each attempt.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from manyways.arms import VANILLA, Line
from manyways.commands.forecast import Measurement, SamplingCost
from manyways.context import Context
from manyways.engines import Completion, Ended, Engine, SampleRequest, SamplingSettings
from manyways.engines.meter import SamplingMeter
from manyways.engines.queueing import stream
from manyways.fingerprint import attempt_seed, prompt_hash
from manyways.measures.curves import logged_steps
from manyways.pool import sampling
from manyways.pool.attempt_files import Cell
from manyways.progress import say
from manyways.records import PLAIN, Attempt, Solution, Verdict
from manyways.run_dir import RunDir
from manyways.stages import generate, midtrain, reinforce
from manyways.tables import append_attempts, solutions_table, write_table

SMALL = 8
"""Attempts of the first batch."""
SECONDS = 4.0
"""What the larger batch may take, estimated from the small batch."""
MOST = 512
"""Attempts of the larger batch."""
SLOW = 20.0
"""If the first batch takes more seconds than this, only a few tokens of a larger one are timed."""
STRIDE = 8
"""The number of those tokens after the first."""
PARTING = 2.0
"""The temperature of those tokens: attempts at one prompt differ from the first token on."""

UNKNOWN_BATCH = 65536
"""Tokens in a batch of an engine that does not state them."""
STEPS = 3
"""Steps of each training. The first step warms up and is not counted."""
SLOW_STEPS = 2
"""The same for a slow engine, because a step of RL takes minutes then."""
TRAINS = {"evaluate_every": None}
"""No evaluation in a training: it is sampling, which is measured separately."""
PROBLEMS = 64
"""The most problems of each set that are used."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What was sampled of one kind of prompt.

    points:  (attempts, seconds) of the small batch and of the larger batch.
    full:    attempts in a full batch of the engine.
    warming: seconds that the first small batch took longer than the second.
    slow:    whether a batch takes so long that only one was sampled.
    """

    cells: Sequence[Cell]
    attempts: list[Attempt]
    points: tuple[tuple[int, float], tuple[int, float]]
    full: int
    warming: float
    slow: bool = False

    @property
    def tokens(self) -> float:
        """Mean sampled tokens of an attempt."""
        return sum(a.tokens for a in self.attempts) / max(len(self.attempts), 1)


def time_sampling(
    engine: Engine, cells: Sequence[Cell], settings: SamplingSettings, *, batch_tokens: int
) -> Timing:
    """Sample some attempts at ``cells``: a small batch, then up to a full batch or SECONDS.

    A slow engine (a model of real size on a CPU) samples one small batch only. Its larger batch is
    estimated from the time of its prompts and of STRIDE tokens.
    """
    few = _share(cells, SMALL)
    attempts, cold = _sample(engine, few, settings)
    longest = max(a.prompt_tokens for a in attempts) + settings.max_tokens
    full = max(1, batch_tokens // longest)
    if cold > SLOW:
        count, second = _by_a_stride(engine, cells, settings, attempts=attempts, full=full)
        points = ((len(attempts), cold), (count, second))
        return Timing(
            cells=cells, attempts=attempts, points=points, full=full, warming=0.0, slow=True
        )
    attempts, first = _sample(engine, few, settings)
    rate = len(attempts) / max(first, 1e-6)
    wanted = int(min(full, MOST, max(2 * SMALL, rate * SECONDS)))
    more, second = _sample(engine, _share(cells, wanted), settings)
    points = ((len(attempts), first), (len(more), second))
    return Timing(
        cells=cells, attempts=more, points=points, full=full, warming=max(0.0, cold - first)
    )


def _by_a_stride(
    engine: Engine,
    cells: Sequence[Cell],
    settings: SamplingSettings,
    *,
    attempts: Sequence[Attempt],
    full: int,
) -> tuple[int, float]:
    """(attempts in a full batch at ``cells``, its seconds), estimated from a few tokens.

    The time of a token is that between two passes in which all attempts run. An engine that does
    not tell of its passes samples the batch twice, the second time for one token.
    """
    wide = _share(cells, min(full, MOST, sum(cell.samples for cell in cells)))
    # Attempts at one prompt cost one row until they part, which is soon over in a whole text.
    hot = settings.temperature and max(settings.temperature, PARTING)
    settings = replace(settings, temperature=hot, top_p=1.0, max_tokens=1 + STRIDE)
    passes: list[float] = []
    begun, whole = _sample(engine, wide, settings, passes=passes)
    if len(passes) > STRIDE // 2:
        a_token = (passes[-1] - passes[0]) / STRIDE
    else:
        _, first = _sample(engine, wide, replace(settings, max_tokens=1))
        a_token = max(0.0, whole - first) / STRIDE
    mean = sum(a.tokens for a in attempts) / len(attempts)
    return len(begun), whole + a_token * (mean - (1 + STRIDE))


def timing_like_plain(plain: Timing, settings: SamplingSettings) -> Timing:
    """What other plain prompts would give, if their texts were like those of ``plain``.

    Longer texts are cut at the limit in ``settings``.
    """
    attempts = [replace(a, tokens=min(a.tokens, settings.max_tokens)) for a in plain.attempts]
    shorter = sum(a.tokens for a in attempts) / max(sum(a.tokens for a in plain.attempts), 1)
    (few, first), (many, second) = plain.points
    points = ((few, first * shorter), (many, second * shorter))
    return replace(plain, attempts=attempts, points=points)


def sampling_cost(one: Timing) -> SamplingCost:
    """The costs in ``one``, whose attempts have their verdicts."""
    count = len(one.attempts)
    fixed, each = fit_line(*one.points)
    return SamplingCost(
        attempts=count,
        fixed=fixed,
        each=each,
        full=one.full,
        tokens=one.tokens,
        prompt_tokens=sum(a.prompt_tokens for a in one.attempts) / count,
        truncated=sum(a.finish == "length" for a in one.attempts) / count,
        correct=sum(a.verdict.status == "correct" for a in one.attempts) / count,
    )


def fit_line(small: tuple[int, float], large: tuple[int, float]) -> tuple[float, float]:
    """(fixed, each) so that a batch of n takes ``fixed + n x each`` seconds; neither is negative.

    small, large: (n, seconds). If noise or equal sizes leave no slope, ``fixed`` is 0. Forecasts of
    larger batches are too long then.
    """
    (n1, t1), (n2, t2) = small, large
    if n2 <= n1 or t2 <= t1:
        return 0.0, t2 / n2
    each = (t2 - t1) / (n2 - n1)
    fixed = t1 - each * n1
    return (fixed, each) if fixed >= 0 else (0.0, t2 / n2)


def _share(cells: Sequence[Cell], attempts: int) -> list[tuple[Cell, int]]:
    """Cells at equal distances with about ``attempts`` samples in all, at least one cell."""
    per_cell = max(1, min(cells[0].samples, attempts))
    count = min(len(cells), max(1, -(-attempts // per_cell)))
    return [(cells[i * len(cells) // count], per_cell) for i in range(count)]


def _sample(
    engine: Engine,
    chosen: Sequence[tuple[Cell, int]],
    settings: SamplingSettings,
    *,
    passes: list[float] | None = None,
) -> tuple[list[Attempt], float]:
    """Attempts at ``chosen`` and their seconds.

    passes: takes up the times of the engine's passes since all attempts have begun.
    """
    requests = [
        SampleRequest(
            messages=cell.messages,
            seeds=tuple(attempt_seed(0, cell.problem.id, cell.heuristic, s) for s in range(count)),
        )
        for cell, count in chosen
    ]
    texts: dict[tuple[int, int], Completion] = {}
    total = sum(count for _, count in chosen)
    waiting = total
    start = time.monotonic()
    with SamplingMeter("forecast", total=total, most=settings.max_tokens) as meter:
        for event in stream(engine, requests, settings):
            if isinstance(event, Ended):
                texts[event.request, event.place] = event.completion
            else:
                waiting -= event.begun
                if passes is not None and waiting <= 0:
                    passes.append(time.monotonic())
            meter.take(event)
    seconds = time.monotonic() - start
    attempts = [
        _attempt(cell, place, texts[number, place], seed)
        for number, ((cell, _), request) in enumerate(zip(chosen, requests, strict=True))
        for place, seed in enumerate(request.seeds)
    ]
    return attempts, seconds


def _attempt(cell: Cell, number: int, one: Completion, seed: int) -> Attempt:
    return Attempt(
        problem_id=cell.problem.id, heuristic=cell.heuristic, sample=number, seed=seed,
        text=one.text, finish=one.finish, prompt_tokens=one.prompt_tokens, tokens=one.tokens,
        prompt_hash=prompt_hash(cell.messages), model_hash="", verdict=Verdict(status="undecided"),
    )  # fmt: skip


def measure(ctx: Context) -> tuple[Measurement, float]:
    """(the measured times, the bytes of a checkpoint). Nothing is written to the run folder.

    Raises the errors of the stages.
    """
    import torch  # noqa: F401 - so that its import does not count as opening an engine

    began = time.monotonic()
    with TemporaryDirectory(prefix="manyways-forecast-") as folder:
        small = _small(ctx, Path(folder))
        try:
            return _measure(small, began, _kinds(ctx))
        finally:
            small.close()


def _small(ctx: Context, folder: Path) -> Context:
    recipe = ctx.recipe
    midtrain_ = recipe.midtrain.model_copy(update={"steps": STEPS, "epochs": None, **TRAINS})
    whole = {"steps": STEPS, "pass_rate": None, "keep": "last", "stop": None, **TRAINS}
    rl = recipe.rl.model_copy(update=whole)
    gate = recipe.gate.model_copy(update={"enforce": False})
    generate_ = recipe.generate.model_copy(update={"pass_rate": None})
    small = {"generate": generate_, "midtrain": midtrain_, "rl": rl, "gate": gate}
    changed = recipe.model_copy(update=small)
    return Context(recipe=changed, run=RunDir(root=folder.resolve(), writer=True))


def _measure(ctx: Context, began: float, kinds: Sequence[str]) -> tuple[Measurement, float]:
    say("forecast: opening the engine")
    start = time.monotonic()
    engine = ctx.engine(ctx.base_path)
    opening = time.monotonic() - start
    try:
        found: dict[str, Timing] = {}
        for name in kinds:
            found[name] = _timed(ctx, engine, name, plain=found.get("plain"))
    finally:
        engine.close()
    workers, verdict, label = _verify(ctx, found)
    everything = [attempt for one in found.values() for attempt in one.attempts]
    part = append_attempts(ctx.run.path("sampled"), everything)
    trained = _briefer(ctx) if found["plain"].slow else ctx
    step, once = _midtrain(trained, found["heuristics"])
    rl_step, rl_once, size = _reinforce(trained)
    plain, named = found["plain"].tokens, found["heuristics"].tokens
    measured = Measurement(
        sampled={name: sampling_cost(one) for name, one in found.items()},
        opening=opening,
        starting=found["plain"].warming + workers,
        verdict=verdict,
        label=label,
        midtrain_step=step,
        midtrain_once=once,
        rl_step=rl_step,
        rl_once=rl_once,
        ratio=max(1.0, named / max(plain, 1e-9)),
        attempt_bytes=part.stat().st_size / max(len(everything), 1),
        took=time.monotonic() - began,
    )
    return measured, size


def _briefer(ctx: Context) -> Context:
    recipe, fewer = ctx.recipe, {"steps": SLOW_STEPS}
    trainings = {
        "midtrain": recipe.midtrain.model_copy(update=fewer),
        "rl": recipe.rl.model_copy(update=fewer),
    }
    return replace(ctx, recipe=recipe.model_copy(update=trainings), origin=ctx)


def _kinds(ctx: Context) -> tuple[str, ...]:
    recipe = ctx.recipe
    sets = (name for one in recipe.variants for name in one.on_the_way)
    kinds = ("plain", "heuristics", "rl", *ctx.benchmarks, *sets)
    return tuple(dict.fromkeys(kinds))


def _timed(ctx: Context, engine: Engine, kind: str, *, plain: Timing | None) -> Timing:
    """Sample a little of one kind of prompt. A slow engine samples plain prompts only once."""
    cells, settings = _requests(ctx, kind)
    if plain is not None and plain.slow and kind != "heuristics":
        say(f"forecast: {kind} is assumed to be like plain, because sampling is slow here")
        return timing_like_plain(plain, settings)
    say(f"forecast: sampling {kind}")
    size = int(getattr(engine, "batch_tokens", UNKNOWN_BATCH))
    return time_sampling(engine, cells, settings, batch_tokens=size)


def _requests(ctx: Context, kind: str) -> tuple[Sequence[Cell], SamplingSettings]:
    """The prompts of one kind, and the settings of its stage."""
    recipe = ctx.recipe
    if kind in ("plain", "heuristics"):
        section = recipe.generate
        problems = ctx.problems(section.problems, section.limit)[:PROBLEMS]
        cells = [
            c for c in generate.cells(ctx, problems) if (c.heuristic == PLAIN) == (kind == "plain")
        ]
        settings = SamplingSettings(
            max_tokens=section.max_tokens, temperature=section.temperature, top_p=section.top_p,
            stop=section.stop,
        )  # fmt: skip
    elif kind == "rl":
        cells = _plain_cells(ctx, recipe.rl.problems, recipe.rl.limit, recipe.rl.group_size)
        settings = SamplingSettings(
            max_tokens=recipe.rl.max_tokens, temperature=recipe.rl.temperature
        )
    else:
        evaluate, rl = recipe.evaluate, recipe.rl
        tested = kind in evaluate.benchmarks
        limit, attempts = (
            (evaluate.limit, evaluate.attempts)
            if tested
            else (rl.evaluate_limit, rl.evaluate_attempts)
        )
        cells = _plain_cells(ctx, kind, limit, attempts)
        settings = sampling.settings_of_evaluation(ctx)
    return cells, settings


def _plain_cells(ctx: Context, name: str, limit: int | None, samples: int) -> list[Cell]:
    return sampling.plain_cells(ctx, ctx.problems(name, limit)[:PROBLEMS], samples)


def _verify(ctx: Context, found: dict[str, Timing]) -> tuple[float, float, float]:
    """Verify and label all attempts: seconds to start the workers, of a verdict, of a label."""
    say("forecast: verdicts and labels")
    problems = {cell.problem.id: cell.problem for one in found.values() for cell in one.cells}
    flat = [(one, i) for one in found.values() for i in range(len(one.attempts))]
    pairs = [(problems[o.attempts[i].problem_id], o.attempts[i].text) for o, i in flat]
    start = time.monotonic()
    ctx.verifiers.verdicts(pairs[:4])
    workers = time.monotonic() - start
    start = time.monotonic()
    verdicts = ctx.verifiers.verdicts(pairs)
    verified = time.monotonic() - start
    for (one, i), verdict in zip(flat, verdicts, strict=True):
        one.attempts[i] = replace(one.attempts[i], verdict=verdict)
    first = ctx.pack[0]
    start = time.monotonic()
    for _, text in pairs:
        ctx.labeller.adherence(text, first)
    labelled, count = time.monotonic() - start, max(len(pairs), 1)
    return workers, verified / count, labelled / count


def _midtrain(ctx: Context, named: Timing) -> tuple[float, float]:
    """Seconds of a step and of the rest. The training data are all sampled texts, wrong or not."""
    say("forecast: mid-training, a few steps")
    chosen: dict[tuple[str, str], Solution] = {}
    for attempt in named.attempts:
        chosen[attempt.problem_id, attempt.heuristic] = Solution(
            problem_id=attempt.problem_id, heuristic=attempt.heuristic, sample=attempt.sample,
            text=attempt.text, status="correct", adherence=1.0, kept=True, reason="measured",
        )  # fmt: skip
    write_table(ctx.run.path("2-solutions.parquet"), solutions_table(chosen.values()))
    line = Line(arm=f"heuristics-{ctx.recipe.heuristics.count}", seed=ctx.recipe.seeds[0])
    midtrain.run(ctx, line)
    return _step_times(ctx, f"midtrain/{line.name}", "3-midtrain", line)


def _reinforce(ctx: Context) -> tuple[float, float, float]:
    """Seconds of a step and of the rest, and bytes of the checkpoint."""
    say("forecast: RL, a few steps")
    line = Line(arm=VANILLA, seed=ctx.recipe.seeds[0])
    reinforce.run(ctx, line)
    size = sum(f.stat().st_size for f in Path(ctx.path_of(line.rl)).iterdir())
    return (*_step_times(ctx, f"rl/{line.name}", "5-rl", line), float(size))


def _step_times(ctx: Context, work: str, folder: str, line: Line) -> tuple[float, float]:
    log = ctx.run.arm_path(line.arm, line.seed, folder, "metrics.jsonl")
    seconds: list[float] = [row["seconds"] for row in logged_steps(log).values()]
    stamp = ctx.run.stamp(work)
    whole = stamp.seconds if stamp else sum(seconds)
    return sum(seconds[1:]) / max(len(seconds) - 1, 1), max(0.0, whole - sum(seconds))
