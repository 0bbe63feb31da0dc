"""Verbs that run no stage: what the theory expects, analyses of texts."""

import enum
from pathlib import Path
from typing import Annotated

import typer

alone = typer.Typer()


@alone.command()
def theory(
    figure: Annotated[str, typer.Option(metavar="NAME", help="One figure, or all.")] = "all",
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("theory.html"),
) -> None:
    """Draw what the theory expects: escape times, composition, crossover, budget, leak, clock."""
    from manyways.commands.theory import write_page

    write_page(out, figure=figure)


class LabelledTexts(enum.StrEnum):
    """Prompted attempts, or those on benchmarks."""

    pool = "pool"
    evaluations = "evaluations"


@alone.command()
def agreement(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    first: Annotated[str | None, typer.Option(help="A labeller; default the recipe's.")] = None,
    second: Annotated[str, typer.Option(help="The other labeller.")] = "exemplars",
    on: Annotated[LabelledTexts, typer.Option(help="Which texts.")] = LabelledTexts.pool,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only the half of the pool that none learns from.")
    ] = False,
) -> None:
    """Compare two labellers on the texts of a run: kappa, accuracy, confusions."""
    from manyways.commands.agreement import compare_labellers

    compare_labellers(run, first=first, second=second, on=on.value, held_out=held_out)
