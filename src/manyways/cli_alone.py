"""Verbs that need no run: what the theory expects."""

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
