"""2 select: attempts become solutions. Kept and dropped attempts are written, each with a reason.

One pool serves all arms. Solutions are chosen heuristic by heuristic in the pack's order, so those
under the first N heuristics do not depend on the later ones: the sets are nested.
"""

from dataclasses import asdict

from manyways.arms import Line
from manyways.context import Context, settings_of
from manyways.fingerprint import fingerprint
from manyways.pool import adherence
from manyways.pool.solutions import (
    refuse_foreign,
    requested_attempts,
    requests_identity,
    select,
    thresholds,
    yield_rows,
    yield_table,
)
from manyways.progress import CONSOLE, say
from manyways.records import PLAIN
from manyways.run_dir import Amount, Work
from manyways.stages import generate
from manyways.tables import parts, write_table

FORMAT = 2
SAMPLED = (
    "temperature", "top_p", "max_tokens", "stop", "part_size", "engine", "sampling",
)  # fmt: skip
"""Keys of ``[generate]`` that say how attempts are sampled, not which of them count."""


def plan(ctx: Context) -> Work:
    """Selection as a piece of work: depends on the attempts, the pack and the thresholds."""
    recipe, folder = ctx.recipe, ctx.run.path("1-attempts")
    return ctx.run.work(
        _name(ctx),
        identity={
            "format": FORMAT,
            # Names and sizes are enough: a file may be added or removed, but never changes.
            "attempts": [[part.name, part.stat().st_size] for part in parts(folder)],
            "select": thresholds(ctx),
            **adherence.identity(ctx),
            "wanted": settings_of(recipe.generate, *SAMPLED),
            "pack": fingerprint([asdict(heuristic) for heuristic in ctx.pack]),
            "heuristics": settings_of(recipe.heuristics, "pack", "count", "shots"),
            **requests_identity(recipe, folder),
            **ctx.left_out,
        },
        outputs=(ctx.solutions,),
    )


def _name(ctx: Context) -> str:
    """``select``, or ``select/vanilla+entropy`` for an arm with its own selection."""
    return f"select/{ctx.arm}" if ctx.selects else "select"


def amount(ctx: Context, line: Line | None) -> list[Amount]:
    """Selection reads every attempt of the pool."""
    name = f"select/{line.name}" if line else _name(ctx)
    return [Amount(work=name, stage="select", attempts=sum(generate.attempts_of(ctx, line)))]


def run(ctx: Context) -> None:
    """Choose solutions from the pool and say how much each heuristic gave.

    Raises DataError when an attempt was not written by the model that ``generate`` sampled.
    """
    work = plan(ctx)
    if work.done:
        say(f"{_name(ctx)}: finished earlier.")
        return
    with work:
        refuse_foreign(ctx)
        table = requested_attempts(ctx)
        write_table(ctx.solutions, select(ctx, table, work.counts))
        rows = yield_rows(ctx)
        work.counts.update(
            attempts=table.num_rows,
            correct=sum(row.correct for row in rows),
            kept=sum(row.kept for row in rows if row.heuristic != PLAIN),
            plain_kept=sum(row.kept for row in rows if row.heuristic == PLAIN),
        )
    CONSOLE.print(yield_table(rows))
