"""Evaluation during training: every few steps, a few attempts at a validation set.

If the model in training can be sampled directly (``trl``, all weights in one process, the engine
``transformers``), it is evaluated at once, and ``rl.stop`` may end the training. Otherwise
checkpoints of these steps are saved, and the recipe's engine evaluates them after the training
(``catch_up``).
"""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from manyways.arms import Line
from manyways.checkpoints import chat_template_hash
from manyways.context import Context, sampling_identity, settings_of
from manyways.engines import Engine
from manyways.errors import DataError, RecipeError
from manyways.fingerprint import fingerprint, problems_hash
from manyways.measures.difficulty import count_in_range, of_validation, range_in_request
from manyways.measures.step_scores import (
    STAGE_OF,
    TrainedPhase,
    best_step,
    checkpoint_at,
    evaluated_steps,
    has_stalled,
    work_name,
)
from manyways.pool import sampling
from manyways.pool.sampling import LazyEngine
from manyways.records import Checkpoint, Problem
from manyways.run_dir import Amount, Work
from manyways.train import Watch, processes

FORMAT = 1


def watch(ctx: Context, line: Line, phase: TrainedPhase, *, steps: int) -> Watch | None:
    """The evaluations during a training of ``steps`` steps; None if the recipe asks for none.

    Raises DataError when the problem set does not exist or no problem is left, MissingWork when
    pass rates are needed and not measured, RecipeError when evaluations are to end the training but
    no process has the whole model.
    """
    every = _every(ctx, phase)
    if every is None:
        return None
    chosen(ctx)
    rl = ctx.recipe.rl
    _refuse_end(ctx, phase)
    live = _sampled_in_memory(ctx, phase)

    def look(step: int, model: Any, tokenizer: Any) -> None:  # noqa: ANN401
        from manyways.engines.transformers import TransformersEngine

        _sample(
            ctx,
            checkpoint_at(line, phase, step),
            TransformersEngine.over(model, tokenizer, ctx.recipe.model),
        )

    def saves(step: int) -> bool:
        if step == steps:
            return False
        if not live or _keep(ctx, phase) == "all":
            return True
        so_far = evaluated_steps(ctx, line, phase, until=step)
        return _keep(ctx, phase) == "best" and best_step(so_far, rl.watched) == step

    def tidy(step: int) -> None:
        if live:
            _tidy(ctx, line, phase, until=step)

    def ends(step: int) -> bool:
        if rl.stop is None or phase != "rl" or not live:
            return False
        so_far = evaluated_steps(ctx, line, phase, until=step)
        return has_stalled(so_far, k=rl.watched, patience=rl.stop.patience)

    return Watch(every=every, look=look if live else None, saves=saves, tidy=tidy, ends=ends)


def catch_up(ctx: Context, line: Line, phase: TrainedPhase) -> None:
    """Evaluate saved steps that have no evaluation yet; delete checkpoints that are not kept.

    Raises the errors of ``sampling.collect``.
    """
    if _every(ctx, phase) is None:
        return
    done = {one.step for one in evaluated_steps(ctx, line, phase)}
    for step, path in _saved(ctx, line, phase):
        if step not in done:
            # ``path=path``: the engine is opened later, when the loop variable has changed.
            engine = LazyEngine(lambda path=path: ctx.engine(path))  # type: ignore[misc]
            try:
                _sample(ctx, checkpoint_at(line, phase, step), engine)
            finally:
                engine.close()
    _tidy(ctx, line, phase, until=None)


def best(ctx: Context, line: Line) -> Checkpoint | None:
    """The best step of RL, which is evaluated besides the last one. Call it when RL has ended.

    None if the recipe does not keep it, or if the start or the last step is the best.
    """
    rl = ctx.recipe.rl
    if rl.evaluate_every is None or rl.keep == "last":
        return None
    steps = evaluated_steps(ctx, line)
    step = best_step(steps, rl.watched)
    if step is None or step == 0 or step == steps[-1].step:
        return None
    return checkpoint_at(line, "rl", step)


def spent(ctx: Context, line: Line, phase: TrainedPhase, since: float) -> float:
    """Seconds of evaluations during training that ended after the time ``since``."""
    names = {
        work_name(one.checkpoint, name)
        for one in evaluated_steps(ctx, line, phase)
        for name in ctx.recipe.rl.watched_sets
    }
    return sum(s.seconds for s in ctx.run.stamps() if s.work in names and s.ended >= since)


def amount(ctx: Context, line: Line, phase: TrainedPhase, *, steps: int) -> list[Amount]:
    """The attempts of evaluations during training: one piece of work for each step and set."""
    every, rl = _every(ctx, phase), ctx.recipe.rl
    if every is None:
        return []
    found = []
    for step in sorted({*range(0, steps + 1, every), steps}):
        for name in rl.watched_sets:
            every = ctx.count(name, rl.evaluate_limit)
            problems = count_in_range(partial(of_validation, ctx, name), every)
            attempts = problems * rl.evaluate_attempts
            found.append(
                Amount(
                    work=work_name(checkpoint_at(line, phase, step), name),
                    stage="evaluate",
                    attempts=attempts,
                    bound=attempts * ctx.recipe.evaluate.max_tokens,
                    ways=line.shows_ways,
                    prompts=name,
                    opens=not _sampled_in_memory(ctx, phase),
                )
            )
    return found


def problems(ctx: Context) -> dict[str, list[Problem]]:
    """The problem sets of evaluations during training; empty if the recipe asks for none.

    Raises DataError when one does not exist.
    """
    rl = ctx.recipe.rl
    try:
        return {name: ctx.problems(name, rl.evaluate_limit) for name in ctx.recipe.on_the_way}
    except DataError as error:
        if rl.evaluate:
            raise
        raise DataError(
            f"evaluate_every: rl.evaluate is left out, and '{rl.watched_sets[0]}' cannot be had "
            f"({error}) Name a validation set in rl.evaluate: problems that are neither trained on "
            "nor in evaluate.benchmarks."
        ) from error


def chosen(ctx: Context) -> dict[str, list[Problem]]:
    """The problems of these sets that are evaluated: all, or those in the range of pass rates.

    Raises the errors of ``problems`` and ``RatedProblems.in_range``.
    """
    return {name: of_validation(ctx, name).in_range().problems for name in problems(ctx)}


def _work(ctx: Context, checkpoint: Checkpoint, name: str, phase: TrainedPhase) -> Work:
    recipe, rl = ctx.recipe, ctx.recipe.rl
    line = Line(arm=checkpoint.arm, seed=checkpoint.seed or 0)
    return ctx.run.work(
        work_name(checkpoint, name),
        identity={
            "format": FORMAT,
            "training": ctx.run.begun(f"{STAGE_OF[phase]}/{line.name}"),
            "step": checkpoint.step,
            "problems": problems_hash(ctx.problems(name, None)),
            "settings": settings_of(
                recipe.evaluate, "limit", "attempts", "benchmarks", "part_size"
            ),
            "seed": line.seed,
            **sampling_identity(ctx),
        },
        request={
            "limit": rl.evaluate_limit,
            "attempts": rl.evaluate_attempts,
            **range_in_request(rl.evaluate_pass_rate),
        },
        outputs=(ctx.run.eval_path(checkpoint.name, name),),
    )


def _sample(ctx: Context, checkpoint: Checkpoint, engine: Engine) -> None:
    """Sample, verify and keep a few plain attempts at every problem of the sets."""
    rl = ctx.recipe.rl
    phase: TrainedPhase = "mid" if checkpoint.phase == "mid" else "rl"
    for name, of_set in chosen(ctx).items():
        work = _work(ctx, checkpoint, name, phase)
        if work.done:
            continue
        work.facts["chat_template"] = chat_template_hash(ctx.base_path)
        sampling.evaluate(
            ctx,
            checkpoint,
            name,
            work=work,
            engine=engine,
            problems=of_set,
            attempts=rl.evaluate_attempts,
            # The weights of a step have no hash of their own.
            model_hash=fingerprint([work.identity["training"], checkpoint.step]),
        )


def _every(ctx: Context, phase: TrainedPhase) -> int | None:
    recipe = ctx.recipe
    return recipe.rl.evaluate_every if phase == "rl" else recipe.midtrain.evaluate_every


def _keep(ctx: Context, phase: TrainedPhase) -> str:
    return ctx.recipe.rl.keep if phase == "rl" else "last"


def _refuse_end(ctx: Context, phase: TrainedPhase) -> None:
    if phase == "rl" and ctx.recipe.rl.stop and processes.may_be_sharded():
        raise RecipeError(
            "rl.stop: FSDP and DeepSpeed spread the weights over processes, so that none can "
            "sample the model in training: take rl.stop out and look for the peak afterwards with "
            "rl.keep = 'best', or train without sharding."
        )


def _sampled_in_memory(ctx: Context, phase: TrainedPhase) -> bool:
    recipe = ctx.recipe
    if phase == "rl" and recipe.rl.backend != "trl":
        return False
    return recipe.model.engine == "transformers" and not processes.may_be_sharded()


def _folder(ctx: Context, line: Line, phase: TrainedPhase) -> Path:
    return ctx.run.path(checkpoint_at(line, phase, 0).folder).parent


def _saved(ctx: Context, line: Line, phase: TrainedPhase) -> list[tuple[int, str]]:
    """(step, path) of all weights on disk, in order, including the start and the last step."""
    trained = line.rl if phase == "rl" else line.mid
    start = line.start if phase == "rl" else line.origin
    every = {0: ctx.path_of(start)}
    for folder in _folder(ctx, line, phase).glob("*/checkpoint"):
        every[int(folder.parent.name)] = str(folder)
    stamp = ctx.run.stamp(f"{STAGE_OF[phase]}/{line.name}")
    if stamp is not None:
        every.setdefault(int(stamp.counts["steps"]), ctx.path_of(trained))
    return sorted(every.items())


def _tidy(ctx: Context, line: Line, phase: TrainedPhase, *, until: int | None) -> None:
    """Delete the checkpoints of steps that are not kept."""
    keep, folder = _keep(ctx, phase), _folder(ctx, line, phase)
    if keep == "all" or not folder.is_dir():
        return
    chosen = best_step(evaluated_steps(ctx, line, phase, until=until), ctx.recipe.rl.watched)
    for one in folder.iterdir():
        if keep == "last" or one.name != str(chosen):
            shutil.rmtree(one)
