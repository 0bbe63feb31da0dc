"""Verbs that run stages on a run folder: one each, and those that other verbs start."""

from collections.abc import Callable
from typing import Annotated

import typer

from manyways.cli.parts import RunArgument, TrustOption
from manyways.stages import STAGES, Stage

stages = typer.Typer(rich_markup_mode=None)

ArmOption = Annotated[str | None, typer.Option(help="Only this arm.")]
SeedOption = Annotated[int | None, typer.Option(help="Only this seed.")]
PrintOption = Annotated[
    bool, typer.Option("--print-command", help="Print what would be started; start nothing.")
]


def _stage_command(stage: Stage) -> None:
    name = stage.word

    def shared(run: RunArgument, _: TrustOption = False) -> None:
        from manyways.commands.run import run_stage

        run_stage(run, name, arm=None, seed=None)

    def per_line(
        run: RunArgument,
        arm: ArmOption = None,
        seed: SeedOption = None,
        _: TrustOption = False,
    ) -> None:
        from manyways.commands.run import run_stage

        run_stage(run, name, arm=arm, seed=seed)

    def training(
        run: RunArgument,
        arm: ArmOption = None,
        seed: SeedOption = None,
        print_command: PrintOption = False,
        _: TrustOption = False,
    ) -> None:
        from manyways.commands.run import print_commands, run_stage

        if print_command:
            print_commands(run, name, arm=arm, seed=seed)
        else:
            run_stage(run, name, arm=arm, seed=seed)

    command: Callable[..., None] = per_line if stage.per in ("line", "checkpoint") else shared
    stages.command(name=name, help=stage.help)(training if stage.makes else command)


for _stage in STAGES:
    if _stage.help:
        _stage_command(_stage)


@stages.command(hidden=True)
def line(run: RunArgument, arm: str, seed: int, until: str = "report") -> None:
    """Run one (arm, seed) on behalf of `run --jobs`."""
    from manyways.commands.run import run_one_line

    run_one_line(run, arm=arm, seed=seed, until=until)


@stages.command(hidden=True, name="line-stage")
def line_stage(run: RunArgument, stage: str, arm: str, seed: int) -> None:
    """Train one (arm, seed) as one of the processes that accelerate started."""
    from manyways.commands.run import line_stage as train

    train(run, stage, arm=arm, seed=seed)
