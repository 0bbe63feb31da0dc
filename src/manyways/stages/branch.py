"""Token modes: how many ways a checkpoint could well go on where solutions diverge (theory A1, A3).

For some problems of the pool the kept solutions under different heuristics are laid side by side;
each checkpoint is given what they have in common, and its next-token distribution is read from its
logits. Every checkpoint reads the same beginnings: nothing is sampled.
"""

from pathlib import Path

from manyways.context import Context, model_hash, settings_of, weights_identity
from manyways.fingerprint import fingerprint
from manyways.measures import write_rows
from manyways.measures.difficulty import of_pool, pool_size
from manyways.measures.token_modes import ForkRow
from manyways.pool.training_rows import kept_solutions
from manyways.progress import Meter, say
from manyways.records import BASE, PLAIN, Checkpoint
from manyways.run_dir import Amount, Work
from manyways.stages.gate import spread

FORMAT = 1
FOLDER = "6-branch"
LOCAL = ("transformers", "vllm")
"""Engines that load checkpoints here, so that ``transformers`` can load them too."""

Forks = dict[str, tuple[str, ...]]
"""Problem id -> its kept solutions, one under each of two or more heuristics."""


def left_out(ctx: Context) -> str | None:
    """Why logits cannot be read in this run, None when they can."""
    if ctx.recipe.model.engine not in LOCAL:
        return (
            f"logits are read from checkpoints on this machine, and model.engine is "
            f"'{ctx.recipe.model.engine}'"
        )
    if not ctx.recipe.phases:
        return "the recipe trains nothing"
    return None if ctx.recipe.branch.enabled else "the recipe says branch.enabled = false"


def plan(ctx: Context) -> list[Work]:
    """One piece of work for each checkpoint that there is."""
    return [_work(ctx, checkpoint) for checkpoint in _present(ctx)]


def run(ctx: Context) -> None:
    """Read the logits of every checkpoint that there is and has not been read.

    Raises ModelError and DataError as ``engines.next_token`` does.
    """
    if ctx.recipe.model.engine not in LOCAL:
        say(f"branch: left out: {left_out(ctx)}.")
        return
    missing = [
        (checkpoint, work)
        for checkpoint in _present(ctx)
        if not (work := _work(ctx, checkpoint)).done
    ]
    if not missing:
        say("branch: finished earlier.")
        return
    forks = _forks(ctx)
    if not forks:
        say("branch: no problem has kept solutions under two heuristics, so nothing diverges.")
    with Meter("branch", total=len(missing), unit="checkpoints") as meter:
        for checkpoint, work in missing:
            with work:
                rows = _read(ctx, ctx.path_of(checkpoint), forks)
                write_rows(ctx.run.path(work.outputs[0]), rows)
                work.counts.update(problems=len(rows))
            meter.advance()


def amount(ctx: Context) -> list[Amount]:
    """The beginnings that each checkpoint reads, at the most."""
    read = min(ctx.recipe.branch.problems, pool_size(ctx))
    return [
        Amount(work=f"branch/{one.name}", stage="branch", attempts=read) for one in ctx.checkpoints
    ]


def file_of(ctx: Context, checkpoint: Checkpoint) -> Path:
    """Where the rows of a checkpoint lie."""
    return ctx.run.path(FOLDER, f"{checkpoint.name}.json")


def _work(ctx: Context, checkpoint: Checkpoint) -> Work:
    selected = ctx.run.stamp("select")
    return ctx.run.work(
        f"branch/{checkpoint.name}",
        identity={
            "format": FORMAT,
            "model": model_hash(ctx, ctx.path_of(checkpoint)),
            "solutions": fingerprint(selected.identity) if selected else None,
            "prompt": settings_of(ctx.recipe.prompt),
            "precision": weights_identity(ctx, "engine", "device"),
        },
        request=ctx.recipe.branch.model_dump(exclude={"enabled"}),
        outputs=(file_of(ctx, checkpoint),),
    )


def _present(ctx: Context) -> list[Checkpoint]:
    """The base, which may be a Hub id, and whatever was trained."""
    return [
        checkpoint
        for checkpoint in ctx.checkpoints
        if checkpoint == BASE or Path(ctx.path_of(checkpoint), "config.json").is_file()
    ]


def _forks(ctx: Context) -> Forks:
    """At equal distances among the problems that were solved under two or more heuristics."""
    if not ctx.run.path("2-solutions.parquet").is_file():
        return {}
    problems = of_pool(ctx).in_range().problems
    found = kept_solutions(ctx)
    several = {
        problem: tuple(text for way, (_, text) in ways.items() if way != PLAIN)
        for problem, ways in found.items()
    }
    several = {problem: texts for problem, texts in several.items() if len(texts) > 1}
    chosen = [problem for problem in problems if problem.id in several]
    return {p.id: several[p.id] for p in spread(chosen, ctx.recipe.branch.problems)}


def _read(ctx: Context, path: str, forks: Forks) -> list[ForkRow]:
    from manyways.engines.next_token import Fork, next_tokens

    if not forks:
        return []
    asked = [Fork(messages=ctx.prompt_of(name), texts=texts) for name, texts in forks.items()]
    found = next_tokens(path, ctx.recipe.model, asked)
    return [
        ForkRow(
            problem_id=name,
            entropy=one.entropy,
            above=one.above,
            known=one.known,
            shared=one.shared,
        )
        for name, one in zip(forks, found, strict=True)
        if one is not None
    ]
