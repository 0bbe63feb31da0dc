"""Verbs that need no run: what the theory expects, what this machine has."""

from pathlib import Path
from typing import Annotated

import typer

from manyways.cli_parts import DataOption

alone = typer.Typer()


@alone.command()
def theory(
    figure: Annotated[str, typer.Option(metavar="NAME", help="One figure, or all.")] = "all",
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("theory.html"),
) -> None:
    """Draw what the theory expects: escape times, composition, crossover, budget, leak, clock."""
    from manyways.commands.theory import write_page

    write_page(out, figure=figure)


@alone.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list, for programs.")] = False,
    data_dir: DataOption = None,
) -> None:
    """What this machine has and lacks: versions, devices, engines, sandbox, data. Exit code 0."""
    from manyways.commands.doctor import print_checks

    print_checks(as_json=as_json, data_dir=data_dir)
