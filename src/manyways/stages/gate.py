"""4 gate: is this checkpoint fit for RL? It is measured on prompts of RL, before RL begins."""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from manyways.arms import Line
from manyways.context import Context, model_hash, sampling_identity, settings_of
from manyways.errors import GateRefused
from manyways.fingerprint import fingerprint, problems_hash
from manyways.heuristics.labelling import STEPS, step_labels
from manyways.measures import read_rows, write_rows
from manyways.measures.difficulty import RL_FOLDER
from manyways.measures.gate import GateRow
from manyways.metrics.composition import effective_ways, switch_rate, ways_of
from manyways.pool import sampling
from manyways.progress import say
from manyways.records import BASE, Attempt, Problem, line_name
from manyways.run_dir import Amount, Work
from manyways.stages import rates
from manyways.tables import read_attempts

FORMAT = 1
TRAINING = (
    "pass_rate", "pass_rate_of", "redraw", "redraw_at",
    "backend", "steps", "prompts_per_step", "micro_batch", "learning_rate", "warmup", "loss_type",
    "scale_rewards", "epsilon", "epsilon_high", "beta", "save_every", "attempts", "lora", "verl",
    "reward", "diversity", "strategies",
    "extra", "evaluate_every", "evaluate", "evaluate_limit", "evaluate_attempts",
    "evaluate_pass_rate", "keep", "stop",
)  # fmt: skip
"""Keys of ``[rl]`` that say how RL trains, not what it samples."""


def plan(ctx: Context, line: Line) -> Work:
    """The gate of one line as a piece of work.

    The thresholds are part of the request, so changing them decides again from the same attempts.

    Raises MissingWork when the checkpoint does not exist yet.
    """
    recipe, rl = ctx.recipe, ctx.recipe.rl
    folder = ctx.run.arm_path(line.arm, line.seed)
    return ctx.run.work(
        f"gate/{line.name}",
        identity={
            "format": FORMAT,
            "model": model_hash(ctx, ctx.path_of(line.start)),
            "problems": problems_hash(ctx.problems(recipe.rl.problems, recipe.rl.limit)),
            "rl": settings_of(recipe.rl, *TRAINING, "problems", "limit", "group_size"),
            "seed": line.seed,
            **sampling_identity(ctx),
        },
        request={
            **({"pass_rate": [rl.pass_rate, rl.pass_rate_of]} if rl.pass_rate else {}),
            "gate": recipe.gate.model_dump(),
            "group_size": recipe.rl.group_size,
            "labeller": [recipe.heuristics.labeller, STEPS],
            "pack": fingerprint([h.id for h in ctx.pack]),
        },
        # Shared attempts belong to the stage ``rates``; only that stage may set them aside.
        outputs=(
            *([] if rates.shared(ctx, line) else [_attempts(ctx, line)]),
            folder / "4-gate.json",
        ),
    )


def run(ctx: Context, line: Line) -> None:
    """Measure the checkpoint that RL of ``line`` starts from, and decide.

    Raises GateRefused with the reason when it is not fit and ``gate.enforce`` is on, even if that
    was decided in an earlier run; VerifierUnwell when too many answers are undecided.
    """
    work = plan(ctx, line)
    path = ctx.run.arm_path(line.arm, line.seed, "4-gate.json")
    if not work.done:
        with work:
            row, counts = _measured(ctx, line, str(work.identity["model"]))
            write_rows(path, [row])
            work.counts.update(counts)
    row = read_rows(path, GateRow)[0]
    say(row.sentence)
    if row.decision == "refused":
        raise GateRefused(row.sentence)


def amount(ctx: Context, line: Line) -> list[Amount]:
    """One group of attempts at some of RL's problems."""
    rl = ctx.recipe.rl
    problems = ctx.count(rl.problems, rl.limit)
    if rl.pass_rate is None or rl.pass_rate_of == "base":
        problems = 0 if rates.shared(ctx, line) else min(ctx.recipe.gate.problems, problems)
    attempts = problems * rl.group_size
    return [
        Amount(
            work=f"gate/{line.name}",
            stage="gate",
            attempts=attempts,
            bound=attempts * rl.max_tokens,
            ways=line.shows_ways,
            prompts="rl",
        )
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Groups:
    """Shares of groups in [0, 1], by the verdicts of their attempts that are decided.

    A group without a decided attempt counts as all wrong: it gives no gradient either.
    """

    all_right: float
    all_wrong: float
    mixed: float


def group_shares(attempts: list[Attempt]) -> Groups:
    """One group per problem. Groups have RL's size, so plain shares are unbiased."""
    groups: defaultdict[str, set[bool]] = defaultdict(set)
    for attempt in attempts:
        earned = groups[attempt.problem_id]
        if attempt.verdict.status != "undecided":
            earned.add(attempt.verdict.status == "correct")
    total = max(len(groups), 1)
    right = sum(earned == {True} for earned in groups.values())
    mixed = sum(len(earned) == 2 for earned in groups.values())
    return Groups(
        all_right=right / total,
        all_wrong=(len(groups) - right - mixed) / total,
        mixed=mixed / total,
    )


def _measured(ctx: Context, line: Line, model: str) -> tuple[GateRow, dict[str, float]]:
    rl = ctx.recipe.rl
    folder = _attempts(ctx, line)
    seed = line.seed
    if rates.shared(ctx, line):
        seed = rates.SEED
    # First every problem, because the problems are chosen by their rates.
    if rl.pass_rate is not None and rl.pass_rate_of == "start":
        _sample(ctx, line, ctx.problems(rl.problems, rl.limit), (folder, seed, model))
    chosen = rates.chosen(ctx, line)
    problems = spread(chosen.problems, ctx.recipe.gate.problems)
    counts = _sample(ctx, line, problems, (folder, seed, model))
    wanted = {problem.id for problem in problems}
    attempts = [
        attempt
        for attempt in read_attempts(folder)
        if attempt.problem_id in wanted and attempt.sample < rl.group_size
    ]
    row = decided(ctx, gate_row(ctx, line, attempts))
    if rl.pass_rate is not None:
        row = replace(row, sentence=f"{row.sentence} {chosen.sentence}")
        # Shared attempts are counted by the stage that sampled them.
        counts = {} if rates.shared(ctx, line) else counts
        counts |= chosen.counts
    return row, counts


def _attempts(ctx: Context, line: Line) -> Path:
    """The folder of the attempts that a line's gate measures."""
    if rates.shared(ctx, line):
        return ctx.run.path(RL_FOLDER)
    return ctx.run.arm_path(line.arm, line.seed, "4-gate")


def _sample(
    ctx: Context, line: Line, problems: list[Problem], where: tuple[Path, int, str]
) -> dict[str, float]:
    """Sample a group of attempts at each problem. ``where``: folder, seed, hash of the model."""
    return sampling.collect(
        ctx,
        engine=lambda: ctx.engine(ctx.path_of(line.start)),
        cells=sampling.plain_cells(ctx, problems, ctx.recipe.rl.group_size),
        sampling=replace(rates.sampling_in(ctx, *where), label=f"gate {line.name}"),
    )


def spread(problems: list[Problem], count: int) -> list[Problem]:
    """``count`` problems at equal distances, because sets are often sorted by subject or level."""
    if count >= len(problems):
        return problems
    return [problems[i * len(problems) // count] for i in range(count)]


def gate_row(ctx: Context, line: Line, attempts: list[Attempt]) -> GateRow:
    """What was measured on ``attempts``. ``decided`` then sets decision and sentence."""
    total = len(attempts)
    groups = group_shares(attempts)
    ways = [ways_of(step_labels(ctx.labeller.segments(a.text))) for a in attempts]

    def share(status: str) -> float:
        return sum(attempt.verdict.status == status for attempt in attempts) / total

    return GateRow(
        checkpoint=line.start.name,
        arm=line.arm,
        seed=line.seed,
        attempts=total,
        stop=sum(attempt.finish == "stop" for attempt in attempts) / total,
        no_answer=share("no_answer"),
        undecided=share("undecided"),
        passed=share("correct"),
        all_right=groups.all_right,
        all_wrong=groups.all_wrong,
        mixed=groups.mixed,
        switch=switch_rate(ways),
        effective=effective_ways(ways),
        decision="fit",
        sentence="",
    )


def decided(ctx: Context, row: GateRow) -> GateRow:
    """``row`` with its decision and the sentence that explains it."""
    name = line_name(row.arm, row.seed)
    problem = complaint(ctx, row)
    if problem is None:
        ways = "none" if row.switch is None else f"{row.switch:.0%}"
        return replace(
            row,
            decision="fit",
            sentence=f"gate {name}: fit for RL: {row.stop:.0%} of attempts stop by themselves, "
            f"{row.passed:.0%} are right, {row.mixed:.0%} of groups are mixed; switch rate {ways}, "
            f"{row.effective:.1f} effective ways.",
        )
    if ctx.recipe.gate.enforce:
        return replace(row, decision="refused", sentence=f"gate {name}: not fit for RL: {problem}")
    return replace(
        row,
        decision="overridden",
        sentence=f"gate {name}: RL goes ahead because gate.enforce = false, although {problem}",
    )


def complaint(ctx: Context, row: GateRow) -> str | None:
    """Why a checkpoint is not fit and what to do about it, None when it is fit."""
    gate, rl = ctx.recipe.gate, ctx.recipe.rl
    trained = row.checkpoint != BASE.name
    longer = "raise midtrain.steps or rl.max_tokens" if trained else "raise rl.max_tokens"
    if row.stop < gate.min_stop:
        return (
            f"the checkpoint stops by itself in only {row.stop:.0%} of attempts (gate.min_stop = "
            f"{gate.min_stop:.0%}); the others are cut off at rl.max_tokens = {rl.max_tokens} and "
            f"earn nothing. Does its training data end in EOS? Otherwise {longer}."
        )
    if row.no_answer > gate.max_no_answer:
        remedy = "Raise midtrain.steps" if trained else "Use an arm that mid-trains"
        return (
            f"{row.no_answer:.0%} of attempts hold no answer that can be read "
            f"(gate.max_no_answer = {gate.max_no_answer:.0%}): they do not end in the form that "
            f"the prompt asks for. {remedy}, or ask for it more clearly in prompt.instruction."
        )
    if row.mixed < gate.min_mixed:
        return _no_signal(ctx, row)
    return None


def _no_signal(ctx: Context, row: GateRow) -> str:
    limit = ctx.recipe.gate.min_mixed
    start = (
        f"only {row.mixed:.0%} of groups hold both right and wrong attempts (gate.min_mixed = "
        f"{limit:.0%}), and the others give no gradient: {row.all_wrong:.0%} are all wrong, "
        f"{row.all_right:.0%} all right. "
    )
    if row.all_wrong >= row.all_right:
        return start + (
            "The problems are too hard for it: choose easier rl.problems, raise rl.group_size, or "
            "start from a stronger checkpoint."
        )
    return start + "The problems are too easy for it: choose harder rl.problems."
