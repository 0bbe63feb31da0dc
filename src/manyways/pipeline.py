"""The experiment, top to bottom: base -> pool -> arms -> scores -> report.

pool = attempts of the base model on problems x heuristics          generate, select
(attempts of another model, for distilled arms                      generate)
for every arm and seed:
    (of a later round: a pool of the round before's checkpoint      generate, select)
    mid-train the base on the arm's solutions                       midtrain
    is the checkpoint fit for RL?                                   gate
    GRPO with verdicts as reward                                    rl
every checkpoint x every benchmark -> attempts with verdicts        evaluate
tables with intervals, one report                                   analyse, report
(prefix swap on the pool, off by default                            probe)
every checkpoint: token modes where solutions part, from logits    branch
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from manyways.arms import Line
from manyways.errors import MissingWork, RecipeError, StageError
from manyways.progress import say
from manyways.records import BASE, Checkpoint
from manyways.run_dir import Work
from manyways.stages import (
    analyse,
    branch,
    distill,
    evaluate,
    gate,
    generate,
    midtrain,
    preflight,
    probe,
    reinforce,
    report,
    selection,
)
from manyways.stages.context import Context
from manyways.stages.pools import pool_of
from manyways.tables import write_text

STAGES = (
    "generate", "select", "midtrain", "gate", "rl", "evaluate", "probe", "branch",
    "analyse", "report",
)  # fmt: skip
DISTILLED = "generate/distilled"
ENDS = ("analyse", "report")


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One piece of work in order.

    line:          None for the steps that all arms share.
    after_failure: done even where an earlier step of the line had nothing to hand on.
    """

    stage: str
    name: str
    line: Line | None
    after_failure: bool = False
    plan: Callable[[], list[Work]]
    run: Callable[[], None]


class LineStage(Protocol):
    """The module of a stage that every (arm, seed) goes through on its own."""

    def plan(self, ctx: Context, line: Line, /) -> Work:
        """Describe the work."""
        ...

    def run(self, ctx: Context, line: Line, /) -> None:
        """Do it, unless it is done."""
        ...


def steps(context: Context) -> Iterator[Step]:
    """Every step of the recipe, in an order in which each finds its inputs."""
    yield _shared("generate", lambda: [generate.plan(context)], lambda: generate.run(context))
    yield _shared("select", lambda: [selection.plan(context)], lambda: selection.run(context))
    if any(line.distils for line in context.lines):
        foreign = _shared("generate", lambda: [distill.plan(context)], lambda: distill.run(context))
        yield replace(foreign, name=DISTILLED)
    yield _evaluation(context, None, BASE)
    for line in context.lines:
        yield from line_steps(context, line)
    if context.recipe.probe.enabled:
        yield _shared("probe", lambda: [probe.plan(context)], lambda: probe.run(context))
    if branch.why_not(context) is None:
        yield _shared("branch", lambda: branch.plan(context), lambda: branch.run(context))
    yield _shared("analyse", lambda: [analyse.plan(context)], lambda: analyse.run(context))
    yield _shared("report", lambda: [report.plan(context)], lambda: report.run(context))


def line_steps(context: Context, line: Line) -> Iterator[Step]:
    """Mid-train, gate, RL and evaluation of one (arm, seed); of a later round its pool before."""
    if line.before:
        yield from _pool_steps(context, line)
    if line.midtrains:
        yield _of_line("midtrain", midtrain, context=context, line=line)
    yield _of_line("gate", gate, context=context, line=line)
    yield _of_line("rl", reinforce, context=context, line=line)
    for checkpoint in line.checkpoints:
        yield _evaluation(context, line, checkpoint)


def run_shared(context: Context, stage: str) -> None:
    """Run the steps of ``stage`` that all arms share."""
    for step in steps(context):
        if step.line is None and step.stage == stage:
            step.run()


def run_line(context: Context, line: Line, wanted: tuple[str, ...] = STAGES) -> None:
    """Run the ``wanted`` stages of one (arm, seed).

    The mid-trained checkpoint is evaluated even when the gate refuses it for RL.

    Raises StageError when a stage has nothing to hand on; the sentence is kept in outcome.json.
    """
    outcome = context.run.arm_path(line.arm, line.seed, "outcome.json")
    failure: StageError | None = None
    for step in line_steps(context, line):
        if step.stage not in wanted or (failure and not step.after_failure):
            continue
        try:
            step.run()
        except StageError as error:
            say(f"{line.name}: {error}")
            failure = failure or error
            if step.stage in ("generate", "select", "midtrain"):
                break
    row = {"arm": line.arm, "seed": line.seed, "outcome": str(failure or "complete")}
    write_text(outcome, json.dumps(row))
    if failure:
        raise failure


def run_lines(context: Context, lines: list[Line], wanted: tuple[str, ...] = STAGES) -> list[str]:
    """Run lines one after another; returns ``<line>: <sentence>`` for each that stopped early."""
    failures = []
    for line in lines:
        try:
            run_line(context, line, wanted)
        except StageError as error:
            failures.append(f"{line.name}: {error}")
    return failures


def run(context: Context, *, until: str = "report", jobs: int = 1) -> None:
    """Run the recipe up to and including the stage ``until``.

    Raises MissingWork after everything else is done, when an arm could not go all the way.
    """
    from manyways.jobs import run_lines_in_processes

    if jobs > 1 and context.recipe.launch is not None:
        raise RecipeError("--jobs and [launch] both spread work over processes: give one of them.")
    wanted = STAGES[: STAGES.index(until) + 1]
    preflight.check_reach(context, wanted)
    preflight.run(context)
    for stage in ("generate", "select", "evaluate"):
        if stage in wanted:
            run_shared(context, stage)
    failures: list[str] = []
    if "midtrain" in wanted:
        failures = (
            run_lines(context, context.lines, wanted)
            if jobs == 1
            else run_lines_in_processes(context, wanted, jobs=jobs)
        )
    for stage in ("probe", "branch", "analyse", "report"):
        if stage in wanted:
            run_shared(context, stage)
    if failures:
        raise MissingWork(
            f"{len(failures)} of {len(context.lines)} arms did not go all the way:\n"
            + "\n".join(f"  {failure}" for failure in failures)
        )


def dry_run(context: Context, *, until: str = "report") -> list[tuple[str, str]]:
    """(work, why it would run or ``finished``) for every step, computing nothing."""
    wanted = STAGES[: STAGES.index(until) + 1]
    preflight.check_reach(context, wanted)
    preflight.check_names(context)
    rows: list[tuple[str, str]] = []
    pending: list[Step] = []
    for step in steps(context):
        if step.stage not in wanted:
            continue
        waits = [p for p in pending if _feeds(p, step)]
        if waits:
            rows.append((step.name, f"would run after {waits[-1].name}"))
            pending.append(step)
            continue
        unfinished = [work for work in step.plan() if not work.done]
        reason = f"would run: {unfinished[0].why}" if unfinished else "finished"
        rows.append((step.name, reason))
        if unfinished:
            pending.append(step)
    return rows


def _feeds(earlier: Step, later: Step) -> bool:
    """Whether ``later`` may use what ``earlier`` leaves."""
    if DISTILLED in (earlier.name, later.name):
        return later.stage in ENDS or (later.line is not None and later.line.distils)
    if later.line is None:
        return later.name != "evaluate/base" or earlier.stage == "select"
    before = later.line.before if earlier.stage in ("generate", "select", "midtrain") else None
    return earlier.line in (None, later.line, before) and earlier.name != "evaluate/base"


def _pool_steps(context: Context, line: Line) -> Iterator[Step]:
    """Sampling and selection of the pool of one (arm, seed), by its checkpoint of before."""
    yield Step(
        stage="generate",
        name=f"generate/{line.name}",
        line=line,
        plan=lambda: [generate.plan(pool_of(context, line))],
        run=lambda: generate.run(pool_of(context, line)),
    )
    yield Step(
        stage="select",
        name=f"select/{line.name}",
        line=line,
        plan=lambda: [selection.plan(pool_of(context, line))],
        run=lambda: selection.run(pool_of(context, line)),
    )


def _shared(stage: str, plan: Callable[[], list[Work]], run: Callable[[], None]) -> Step:
    return Step(stage=stage, name=stage, line=None, plan=plan, run=run)


def _of_line(stage: str, module: LineStage, *, context: Context, line: Line) -> Step:
    return Step(
        stage=stage,
        name=f"{stage}/{line.name}",
        line=line,
        plan=lambda: [module.plan(context, line)],
        run=lambda: module.run(context, line),
    )


def _evaluation(context: Context, line: Line | None, checkpoint: Checkpoint) -> Step:
    benchmarks = context.recipe.evaluate.benchmarks
    return Step(
        stage="evaluate",
        name=f"evaluate/{checkpoint.name}",
        line=line,
        after_failure=checkpoint.phase == "mid",
        plan=lambda: [evaluate.plan(context, checkpoint, b) for b in benchmarks],
        run=lambda: evaluate.run_all(context, checkpoint),
    )
