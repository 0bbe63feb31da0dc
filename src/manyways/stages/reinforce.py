"""5 rl: GRPO of a line's checkpoint on RL's problems, with verdicts as reward."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Literal, cast

from manyways.arms import Line
from manyways.checkpoints import checkpoint_hash, pick_device
from manyways.context import (
    VERDICTS,
    Context,
    settings_of,
    training_identity,
    verify_identity,
    weights_identity,
)
from manyways.errors import GateRefused, MissingWork
from manyways.fingerprint import fingerprint, problems_hash
from manyways.heuristics.labelling import step_labels
from manyways.measures import read_rows
from manyways.measures.curves import logged_steps
from manyways.measures.gate import GateRow
from manyways.metrics.composition import ways_of
from manyways.plugins import resolve
from manyways.progress import say
from manyways.records import PLAIN, Message, Problem, Verdict
from manyways.rendering import check_same_template
from manyways.run_dir import Amount, Work
from manyways.stages import generate, rates, watch
from manyways.train import RL_BACKENDS, Backend, RLSettings, Roller, Rollout
from manyways.train.reward import Shown, StepReward, best_of, diverse
from manyways.verifiers.final_answer import form_of
from manyways.verifiers.verdicts import check_health

FORMAT = 1


def plan(ctx: Context, line: Line) -> Work:
    """RL of one line as a piece of work.

    Raises MissingWork when the checkpoint that it starts from does not exist.
    """
    recipe = ctx.recipe
    start = ctx.path_of(line.start)
    if line.midtrains and not ctx.run.path(line.mid.folder).exists():
        raise MissingWork(f"{line.name} has no mid-trained checkpoint yet: run midtrain first.")
    return ctx.run.work(
        f"rl/{line.name}",
        identity={
            "format": FORMAT,
            "checkpoint": checkpoint_hash(start),
            "problems": problems_hash(rates.chosen(ctx, line).problems),
            "rl": training_identity(recipe.rl),
            **_shaped_by(ctx),
            "verify": verify_identity(recipe.verify),
            "verdicts": VERDICTS,
            "prompt": settings_of(recipe.prompt),
            "seed": line.seed,
            "model": weights_identity(ctx),
        },
        outputs=(ctx.run.path(line.rl.folder),),
    )


def _shaped_by(ctx: Context) -> dict[str, object]:
    """What rewards and prompts also depend on, if ``rl.diversity`` or ``rl.strategies`` is set."""
    recipe, found = ctx.recipe, dict[str, object]()
    if recipe.rl.diversity:
        found["labeller"] = recipe.heuristics.labeller
    if recipe.rl.strategies:
        found["strategies"] = [asdict(one) for one in ctx.pack[: recipe.rl.strategies]]
        found["asked"] = [asdict(ctx.layout), recipe.heuristics.shots]
    return {name: fingerprint(value) for name, value in found.items()}


def run(ctx: Context, line: Line) -> None:
    """Run RL of one line, in this process or in several; a killed training is continued.

    Raises GateRefused when the gate refused the checkpoint, and the errors of ``run_here``.
    """
    gated = read_rows(ctx.run.arm_path(line.arm, line.seed, "4-gate.json"), GateRow)
    if gated and gated[0].decision == "refused":
        raise GateRefused(gated[0].sentence)
    if ctx.recipe.launch is None or plan(ctx, line).done or ctx.recipe.rl.backend != "trl":
        run_here(ctx, line)
    else:
        from manyways.train import launch

        launch.start(ctx.recipe.launch, ctx.run, ("rl", line.arm, line.seed))
    watch.catch_up(ctx, line, "rl")


def run_here(ctx: Context, line: Line) -> None:
    """Run RL of one line in this process; each process of a distributed training calls it.

    Raises VerifierUnwell when too many attempts are undecided, and the errors of the backend.
    """
    work = plan(ctx, line)
    if work.done:
        say(f"rl {line.name}: finished earlier.")
        return
    rl = ctx.recipe.rl
    with work:
        begun = time.time()
        problems = train(ctx, line)
        steps = _steps_taken(ctx, line)
        attempts = steps * rl.prompts_per_step * rl.group_size
        work.counts.update(steps=steps, attempts=attempts, problems=problems)
        work.elsewhere = watch.spent(ctx, line, "rl", begun)
    if rl.stop and steps < rl.steps:
        say(
            f"rl {line.name}: ended after step {steps} of {rl.steps}: {rl.stop.on} on "
            f"{', '.join(rl.watched_sets)} had not risen in {rl.stop.patience} evaluations"
        )


def train(ctx: Context, line: Line) -> int:
    """Train with the recipe's RL backend; returns the number of problems.

    Each process of a distributed training calls it. It writes no stamp.
    """
    recipe = ctx.recipe
    chosen = rates.chosen(ctx, line)
    problems = chosen.problems
    if recipe.rl.pass_rate is not None:
        say(f"rl {line.name}: {chosen.sentence}")
    start = ctx.path_of(line.start)
    check_same_template(ctx.base_path, start)
    backend = cast(Backend, resolve(recipe.rl.backend, RL_BACKENDS, "RL backend"))
    backend(
        start,
        problems,
        reward=_reward(ctx),
        settings=rl_settings(ctx, line),
        out=ctx.run.path(line.rl.folder),
    )
    return len(problems)


def _steps_taken(ctx: Context, line: Line) -> int:
    """The last step in the log: before the recipe's last step if ``rl.stop`` ended the training."""
    logged = logged_steps(ctx.run.path(line.rl.folder, "metrics.jsonl"))
    return min(max(logged, default=0) or ctx.recipe.rl.steps, ctx.recipe.rl.steps)


def amount(ctx: Context, line: Line) -> list[Amount]:
    """Its optimizer steps and the attempts that they sample."""
    rl = ctx.recipe.rl
    attempts = rl.steps * rl.prompts_per_step * rl.group_size
    return [
        Amount(
            work=f"rl/{line.name}",
            stage="rl",
            line=line,
            attempts=attempts,
            steps=rl.steps,
            bound=attempts * rl.max_tokens,
            ways=line.shows_ways or bool(rl.strategies),
            prompts="rl",
        ),
        *watch.amount(ctx, line, "rl", steps=rl.steps),
    ]


def commands(ctx: Context, line: Line) -> list[list[str]]:
    """The command lines that ``run`` would start; none if it trains in its own process."""
    recipe = ctx.recipe
    if recipe.rl.backend == "verl":
        from manyways.train.verl import backend

        out = ctx.run.path(line.rl.folder)
        return backend.commands(ctx.path_of(line.start), rl_settings(ctx, line), out)
    if recipe.launch is None or recipe.rl.backend != "trl":
        return []
    from manyways.train import launch

    return [launch.command(recipe.launch, ctx.run.root, ("rl", line.arm, line.seed))]


def rl_settings(ctx: Context, line: Line) -> RLSettings:
    """The settings of one line for the backend."""
    recipe = ctx.recipe
    return RLSettings(
        config=recipe.rl,
        messages=lambda problem: ctx.prompts_for(problem).plain(problem.question),
        arm=line.arm,
        seed=line.seed,
        device=pick_device(recipe.model.device),
        dtype=recipe.model.dtype,
        template=recipe.model.chat_template_kwargs,
        load=recipe.model.load,
        roll=_roller(recipe.model.batch_tokens, f"rl {line.name}, sampling"),
        tracking=recipe.tracking,
        name=f"{recipe.name}/{line.rl.name}",
        verify=recipe.verify,
        form=form_of(recipe.prompt.instruction),
        watch=watch.watch(ctx, line, "rl", steps=recipe.rl.steps),
        strategy=_strategy(ctx) if recipe.rl.strategies else None,
    )


def _strategy(ctx: Context) -> Callable[[Problem, int], tuple[str, tuple[Message, ...]]]:
    """Prompts for a group's attempts: each heuristic in turn, then the plain one, and so on."""
    pack = ctx.pack[: ctx.recipe.rl.strategies]

    def ask(problem: Problem, place: int) -> tuple[str, tuple[Message, ...]]:
        turn = place % (len(pack) + 1)
        if turn == len(pack):
            return PLAIN, ctx.prompts_for(problem).plain(problem.question)
        return pack[turn].id, generate.heuristic_prompt(ctx, pack[turn], problem)

    return ask


def _reward(ctx: Context) -> StepReward:
    limit = ctx.recipe.verify.max_undecided
    labeller = ctx.labeller

    def read(text: str) -> Shown:
        ways = ways_of(step_labels(labeller.segments(text)))
        return Shown(composed=ways.composed, opening=ways.opening)

    def check(verdicts: Sequence[Verdict]) -> None:
        check_health(verdicts, limit=limit)

    def ways(text: str) -> frozenset[str]:
        return frozenset(label for label in step_labels(labeller.segments(text)) if label)

    rl = ctx.recipe.rl
    earn = best_of(rl.best_of) if rl.best_of else None
    return StepReward(
        verify=ctx.verifiers.verdicts,
        group_size=rl.group_size,
        earn=diverse(rl.diversity, ways) if rl.diversity else earn,
        read=read,
        check=check,
    )


def _roller(batch_tokens: int | Literal["auto"], label: str) -> Roller:
    """A sampler for RL: the engine's decoder on the model in training, without copying weights."""

    def roll(ask: Rollout) -> list[list[int]]:
        import torch

        from manyways.engines import SamplingSettings
        from manyways.engines.decoding import Decoder
        from manyways.engines.meter import SamplingMeter
        from manyways.engines.queueing import queue
        from manyways.engines.transformers import Sampler

        eos = torch.tensor(ask.stop_ids, device=ask.model.device)
        sampler = Sampler(Decoder(model=ask.model, eos=eos, pad=ask.pad_id), batch_tokens)
        settings = SamplingSettings(
            max_tokens=ask.max_tokens, temperature=ask.temperature, top_p=ask.top_p
        )
        tokens: list[list[int]] = [[] for _ in ask.seeds]
        meter = SamplingMeter(label, total=len(tokens), most=ask.max_tokens)
        with meter:
            for step in sampler.steps(queue(ask.prompts, [(s,) for s in ask.seeds]), settings):
                for row, sampled in step.ended.items():
                    tokens[row] = sampled.tokens
                    meter.end(len(sampled.tokens), cut_off=not sampled.ended)
                meter.step(len(step.running), step.begun, step.tokens)
        return tokens

    return roll
