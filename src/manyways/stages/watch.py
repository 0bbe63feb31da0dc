"""Evaluation on the way: a few attempts at a validation set every so many steps of a training.

Where the model in training can be sampled as it is (``trl``, whole weights in one process, the
engine ``transformers``), it is, and the training may end by what is found. Elsewhere the steps are
saved, and evaluated by the recipe's engine when the training is over (``catch_up``).
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
    """What a training of ``steps`` steps is to do on the way; None where the recipe wants nothing.

    Raises DataError when there is no such problem set or nothing of it is left, MissingWork when
    its pass rates are wanted and not measured, RecipeError when the training is to end by
    its evaluations and no process has the whole model to sample it.
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
    """Evaluate the steps that were saved and not looked at; delete those that are not kept.

    Raises what ``sampling.collect`` raises.
    """
    if _every(ctx, phase) is None:
        return
    done = {one.step for one in evaluated_steps(ctx, line, phase)}
    for step, path in _saved(ctx, line, phase):
        if step not in done:
            # Bound now: the engine is opened later, when the loop's variable is another one.
            engine = LazyEngine(lambda path=path: ctx.engine(path))  # type: ignore[misc]
            try:
                _sample(ctx, checkpoint_at(line, phase, step), engine)
            finally:
                engine.close()
    _tidy(ctx, line, phase, until=None)


def best(ctx: Context, line: Line) -> Checkpoint | None:
    """The step of RL that is tested beside the last: None where none is kept or the last is best.

    Known when RL has ended.
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
    """Seconds of evaluations on the way that ended after the time ``since``."""
    names = {
        work_name(one.checkpoint, name)
        for one in evaluated_steps(ctx, line, phase)
        for name in ctx.recipe.rl.watched_sets
    }
    return sum(s.seconds for s in ctx.run.stamps() if s.work in names and s.ended >= since)


def amount(ctx: Context, line: Line, phase: TrainedPhase, *, steps: int) -> list[Amount]:
    """The attempts of all evaluations on the way, one piece of work for each step and set."""
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
    """The problem sets of evaluations on the way; empty where the recipe wants none.

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
    """Of these sets the problems that are evaluated: all, or those of the right difficulty.

    Raises as ``problems`` and ``RatedProblems.in_range`` do.
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
    """A few attempts at every problem set, from the plain prompt, judged and kept."""
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
    """Steps whose weights are on disk, in order, and where: the start and the last included."""
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
