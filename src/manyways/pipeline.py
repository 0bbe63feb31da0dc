"""The experiment from top to bottom: base -> pool -> arms -> scores -> report.

(pass rates of validation problems, if the recipe asks for them     generate)
pool = attempts of the base model on problems x heuristics          generate, select
(attempts of another model, for distilled arms                      generate)
for every arm and seed:
    (of a later round: a pool of the round before's checkpoint      generate, select)
    mid-train the base on the arm's solutions                       midtrain
    is the checkpoint fit for RL?                                   gate
    GRPO with verdicts as reward                                    rl
every checkpoint x every benchmark -> attempts with verdicts        evaluate
(prefix swap on the pool, off by default                            probe)
every checkpoint: token modes where solutions diverge, from logits     branch
tables with intervals, one report                                   analyse, report

The table of stages is ``stages.STAGES``. Here a recipe and that table become steps, and the steps
are run.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from manyways.arms import Line
from manyways.context import Context
from manyways.errors import MissingWork, RecipeError, StageError, Untrusted
from manyways.pool.training_rows import DISTILLED, pool_of, ready
from manyways.progress import RunMeter, say
from manyways.recipe.tree import Recipe
from manyways.records import BASE, Checkpoint
from manyways.run_dir import Amount, Work
from manyways.stages import STAGES, WORDS, Stage, preflight, up_to
from manyways.tables import write_text


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One stage applied to one thing: a line, a checkpoint, a pool or the whole run.

    context:    the run's, or that of the line's arm.
    line:       None for what all arms share.
    checkpoint: if the stage works on checkpoints.
    """

    context: Context
    stage: Stage
    line: Line | None = None
    checkpoint: Checkpoint | None = None

    @property
    def name(self) -> str:
        """``rl/star/seed-0``."""
        about = {"foreign pool": DISTILLED, "base": "base"}.get(self.stage.per, self.context.arm)
        about = self.line.name if self.line else about
        about = self.checkpoint.name if self.checkpoint else about
        return f"{self.stage.word}/{about}" if about else self.stage.word

    def plan(self) -> list[Work]:
        """Its pieces of work. Raises MissingWork when its input does not exist yet."""
        found = self.stage.module.plan(self._pool(), *self._about())
        return found if isinstance(found, list) else [found]

    def run(self, meter: RunMeter | None = None) -> None:
        """Do the work that is not done. Raises StageError when it leaves nothing usable."""
        with meter.piece(self.name) if meter else nullcontext():
            self.stage.module.run(self._pool(), *self._about())

    def amount(self) -> list[Amount]:
        """How much work it is, for progress and forecast."""
        about = (self.line,) if self.stage.per == "pool" else self._about()
        found: list[Amount] = self.stage.module.amount(self.context, *about)
        return found

    def _pool(self) -> Context:
        """The context to pass on: that of the line's pool, or the step's own."""
        if self.stage.per == "pool" and self.line is not None:
            return pool_of(self.context, self.line)
        return self.context

    def _about(self) -> tuple[Line | Checkpoint | None, ...]:
        about = {"line": (self.line,), "checkpoint": (self.checkpoint,)}
        return about.get(self.stage.per, ())


def steps(context: Context) -> list[Step]:
    """Every step of the recipe: first what arms share, then line by line, then the whole run."""
    mine = (s for s in STAGES if not s.section or getattr(context.recipe, s.section).there)
    every = [step for stage in mine for step in _of_stage(context, stage)]
    shared = [step for step in every if step.line is None and step.stage.per != "run"]
    lines = [step for line in context.lines for step in every if step.line == line]
    return [*shared, *lines, *(step for step in every if _is_wanted(step))]


def _of_stage(context: Context, stage: Stage) -> Iterator[Step]:
    lines = context.lines
    if stage.per == "base" and not stage.module.left_out(context):
        yield Step(context=context, stage=stage)
    if stage.per == "pool":
        yield Step(context=context, stage=stage)
        if stage.name == "selection":
            yield from (Step(context=one, stage=stage) for one in context.variants if one.selects)
        lines = [line for line in lines if line.before and context.recipe.midtrain.there]
    if stage.per == "checkpoint":
        yield Step(context=context, stage=stage, checkpoint=BASE)
    if stage.per == "run" or (stage.per == "foreign pool" and any(ln.distils for ln in lines)):
        yield Step(context=context, stage=stage)
    for line in lines if stage.per in ("pool", "line", "checkpoint") else ():
        made = [
            one
            for one in line.checkpoints
            if stage.makes in (None, one.phase) and one.phase in context.recipe.phases
        ]
        if stage.per == "checkpoint":
            for checkpoint in made:
                yield Step(context=context.of(line), stage=stage, line=line, checkpoint=checkpoint)
        elif made:
            yield Step(context=context.of(line), stage=stage, line=line)


def _is_wanted(step: Step) -> bool:
    """Whether it is a step of the whole run that the recipe does not leave out."""
    stage = step.stage
    return stage.per == "run" and not (stage.optional and stage.module.left_out(step.context))


def feeds(earlier: Step, later: Step) -> bool:
    """Whether ``later`` uses the output of ``earlier``."""
    made, used = earlier.stage, later.stage
    if later.checkpoint is not None:
        # A stage on a checkpoint needs only that checkpoint.
        return earlier.line == later.line and made.makes == later.checkpoint.phase
    # The run's own pool is sampled before any line is trained.
    if used.per == "pool" and later.line is None and earlier.line is not None:
        return False
    if later.line is not None and earlier.line not in (None, later.line):
        # The only other line that matters is the round before, to the stages that name it.
        return earlier.line == later.line.before and made.name in used.before
    # An arm's own selection feeds that arm only.
    if earlier.line is None and earlier.context.arm not in (None, later.context.arm):
        return False
    if made.per == "foreign pool" and later.line is not None and not later.line.distils:
        return False
    return made.name in used.after


def run(
    context: Context,
    *,
    until: str = WORDS[-1],
    jobs: int = 1,
    expected: Mapping[str, float] | None = None,
) -> None:
    """Run the recipe up to and including the stage ``until``.

    expected: forecast seconds of pieces of work, by their names.

    Raises MissingWork at the end, when everything else is done, if some arm stopped early.
    """
    if jobs > 1 and context.recipe.launch is not None:
        raise RecipeError(
            "--jobs and [launch] exclude each other (both start processes): give one of them."
        )
    wanted = reached(context, until)
    preflight.check_reach(context, wanted)
    _say_left_out(context.recipe, until)
    preflight.run(context, wanted)
    todo = [step for step in steps(context) if step.stage.word in wanted]
    pieces = {step.name: step.amount() for step in todo}
    name, known = context.recipe.name, expected or {}
    with RunMeter(name, context.run, pieces, expected=known, jobs=jobs) as meter:
        for step in todo:
            if step.line is None and step.stage.per != "run":
                step.run(meter)
        failures: list[str] = []
        if any(step.line and step.stage.per == "line" for step in todo):
            if jobs == 1:
                failures = run_lines(context, context.lines, wanted, meter)
            else:
                from manyways.jobs import run_lines_in_processes

                def ended(line: Line) -> None:
                    meter.passed(step.name for step in todo if step.line == line)

                failures = run_lines_in_processes(context, wanted, jobs=jobs, ended=ended)
        for step in todo:
            if step.stage.per == "run":
                step.run(meter)
    if failures:
        raise MissingWork(
            f"{len(failures)} of {len(context.lines)} arms did not go all the way:\n"
            + "\n".join(f"  {failure}" for failure in failures)
        )


def require_sections(context: Context, *words: str) -> None:
    """Raise RecipeError if the recipe lacks the section of one of the stages ``words``."""
    for stage in STAGES:
        section = getattr(context.recipe, stage.section) if stage.section else None
        if section is not None and stage.word in words and not section.there:
            keys = ", ".join(f"{stage.section}.{key}" for key in section.lacks())
            raise RecipeError(
                f"{stage.word}: the recipe has no section [{stage.section}], which this stage "
                f"needs (at least {keys}; `manyways keys {stage.section}` prints all of them)."
            )


def left_out(recipe: Recipe, wanted: Sequence[str]) -> dict[str, str]:
    """The ``wanted`` stages whose section the recipe lacks: stage -> name of the section."""
    needed = {s.word: s.section for s in STAGES if s.word in wanted and s.section}
    return {word: name for word, name in needed.items() if not getattr(recipe, name).there}


def reached(context: Context, until: str) -> list[str]:
    """The stages that a run goes through. Raises RecipeError when it cannot reach ``until``."""
    require_sections(context, until)
    missing = left_out(context.recipe, up_to(until))
    return [word for word in up_to(until) if word not in missing]


def _say_left_out(recipe: Recipe, until: str) -> None:
    if missing := left_out(recipe, up_to(until)):
        names = ", ".join(f"[{name}]" for name in dict.fromkeys(missing.values()))
        say(f"the recipe has no {names}: left out are {', '.join(missing)}.")


def run_stage(context: Context, word: str, lines: Sequence[Line], *, shared: bool) -> None:
    """Run one stage on some lines, even if the recipe leaves the stage out of a whole run.

    shared: whether to run it also on what all arms share.

    Raises MissingWork when it left nothing usable for some of the lines.
    """
    require_sections(context, word)
    mine = [stage for stage in STAGES if stage.word == word]
    for step in (step for stage in mine for step in _of_stage(context, stage)):
        if step.line is None and shared:
            step.run()
    if any(stage.per == "pool" for stage in mine):
        # A later round's pool can wait: its writer is trained by a later stage.
        lines = [line for line in lines if ready(context, line)]
    failures = run_lines(context, lines, (word,))
    if failures:
        raise MissingWork("\n".join(failures))


def run_lines(
    context: Context, lines: Sequence[Line], wanted: Sequence[str], meter: RunMeter | None = None
) -> list[str]:
    """Run lines one after another; returns ``<line>: <sentence>`` for each that stopped early."""
    every, failures = steps(context), []
    for line in lines:
        mine = [step for step in every if step.line == line and step.stage.word in wanted]
        try:
            _run_line(context, line, mine, meter)
        except StageError as error:
            failures.append(f"{line.name}: {error}")
    return failures


def run_line(context: Context, line: Line, wanted: Sequence[str]) -> None:
    """Run the ``wanted`` stages of one (arm, seed).

    Raises StageError when a stage leaves nothing usable; outcome.json keeps the sentence.
    """
    mine = [one for one in steps(context) if one.line == line and one.stage.word in wanted]
    _run_line(context, line, mine, None)


def _run_line(context: Context, line: Line, mine: Sequence[Step], meter: RunMeter | None) -> None:
    """Run the steps of one line. When one fails, only the steps that use its output are left out.

    So a mid-trained checkpoint is evaluated even when the gate refuses it for RL.
    """
    failure: StageError | None = None
    stopped: list[Step] = []
    for step in mine:
        if any(feeds(earlier, step) for earlier in stopped):
            stopped.append(step)
            if meter:
                meter.passed([step.name])
            continue
        try:
            step.run(meter)
        except StageError as error:
            say(f"{line.name}: {error}")
            # The first failure is the reason. Later ones follow from it.
            failure = failure or error
            stopped.append(step)
    if mine:
        row = {"arm": line.arm, "seed": line.seed, "outcome": str(failure or "complete")}
        path = context.run.arm_path(line.arm, line.seed, "outcome.json")
        write_text(path, json.dumps(row))
    if failure:
        raise failure


def dry_run(
    context: Context, *, until: str = WORDS[-1], unknown: str = ""
) -> list[tuple[str, str]]:
    """For every step: (name, ``finished`` or why it would run). Nothing is computed.

    Code that nobody trusts is not run; for steps that depend on it the answer is not known.

    unknown: why no step can be compared with what is finished; empty when they can.
    """
    wanted = reached(context, until)
    rows: list[tuple[str, str]] = [
        (word, f"left out: the recipe has no [{name}]")
        for word, name in left_out(context.recipe, up_to(until)).items()
    ]
    pending: list[Step] = []
    for step in steps(context):
        if step.stage.word not in wanted:
            continue
        waits = [earlier for earlier in pending if feeds(earlier, step)]
        if waits:
            state = f"would run after {waits[-1].name}"
        else:
            state = f"not known: {unknown}" if unknown else _state(step)
        rows.append((step.name, state))
        if state != "finished":
            pending.append(step)
    return rows


def _state(step: Step) -> str:
    try:
        whys = (work.why for work in step.plan())
        why = next((why for why in whys if why != "finished"), "")
    except Untrusted as error:
        return f"not known: {error}"
    return f"would run: {why}" if why else "finished"
