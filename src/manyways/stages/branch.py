"""Token modes: how many next tokens are likely where solutions diverge (theory A1, A3).

For some problems of the pool, the kept solutions under different heuristics are compared. Each
checkpoint reads their common beginning, and its next-token distribution there is computed from its
logits. All checkpoints read the same beginnings, and nothing is sampled.
"""

from pathlib import Path

from manyways.context import Context, model_hash, settings_of, weights_identity
from manyways.fingerprint import fingerprint
from manyways.measures import write_rows
from manyways.measures.difficulty import of_pool, pool_size
from manyways.measures.token_modes import ForkRow
from manyways.pool.training_rows import Solutions
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
    """One piece of work for each checkpoint that exists."""
    return [_work(ctx, checkpoint) for checkpoint in _present(ctx)]


def run(ctx: Context) -> None:
    """Read the logits of every checkpoint that exists and has not been read yet.

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
    """The most beginnings that each checkpoint reads."""
    read = min(ctx.recipe.branch.problems, pool_size(ctx))
    return [
        Amount(work=f"branch/{one.name}", stage="branch", attempts=read) for one in ctx.checkpoints
    ]


def file_of(ctx: Context, checkpoint: Checkpoint) -> Path:
    """The file of a checkpoint's rows."""
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
    """The base model, which may be a Hub id, and every checkpoint that is trained already."""
    return [
        checkpoint
        for checkpoint in ctx.checkpoints
        if checkpoint == BASE or Path(ctx.path_of(checkpoint), "config.json").is_file()
    ]


def _forks(ctx: Context) -> Forks:
    """Problems with solutions under two or more heuristics, taken at equal distances."""
    if not ctx.run.path("2-solutions.parquet").is_file():
        return {}
    problems = of_pool(ctx).in_range().problems
    found = Solutions(ctx, ctx).kept()
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
