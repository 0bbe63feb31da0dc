"""Verbs that run stages on a run folder: one each, and those that other verbs start."""

from typing import Annotated

import typer

from manyways.cli.parts import RunArgument

stages = typer.Typer(rich_markup_mode=None)

ArmOption = Annotated[str | None, typer.Option(help="Only this arm.")]
SeedOption = Annotated[int | None, typer.Option(help="Only this seed.")]
PrintOption = Annotated[
    bool, typer.Option("--print-command", help="Print what would be started; start nothing.")
]


def _stage_command(name: str, summary: str) -> None:
    def shared(run: RunArgument) -> None:
        from manyways.commands.run import run_stage

        run_stage(run, name, arm=None, seed=None)

    def per_line(run: RunArgument, arm: ArmOption = None, seed: SeedOption = None) -> None:
        from manyways.commands.run import run_stage

        run_stage(run, name, arm=arm, seed=seed)

    def training(
        run: RunArgument,
        arm: ArmOption = None,
        seed: SeedOption = None,
        print_command: PrintOption = False,
    ) -> None:
        from manyways.commands.run import print_commands, run_stage

        if print_command:
            print_commands(run, name, arm=arm, seed=seed)
        else:
            run_stage(run, name, arm=arm, seed=seed)

    command = per_line if name in ("gate", "evaluate") else shared
    command = training if name in ("midtrain", "rl") else command
    stages.command(name=name, help=summary)(command)


_stage_command("generate", "1 Sample attempts at every problem under every heuristic.")
_stage_command("select", "2 Keep the best correct attempt per problem and heuristic.")
_stage_command("midtrain", "3 Fine-tune the base on each arm's solutions.")
_stage_command("gate", "4 Measure whether each checkpoint is fit for RL.")
_stage_command("rl", "5 Train with the verdicts as reward (GRPO).")
_stage_command("evaluate", "6 Sample every checkpoint on every benchmark.")
_stage_command("probe", "Cut attempts in the middle and go on under another heuristic.")
_stage_command("branch", "Read from logits how many ways each checkpoint could well go on.")
_stage_command("analyse", "7 Turn attempts into tables with intervals.")
_stage_command("report", "8 Write report.html and report.md.")


@stages.command(hidden=True)
def line(run: RunArgument, arm: str, seed: int, until: str = "report") -> None:
    """Run one (arm, seed) on behalf of `run --jobs`."""
    from manyways.commands.run import run_one_line

    run_one_line(run, arm=arm, seed=seed, until=until)


@stages.command(hidden=True, name="line-stage")
def line_stage(run: RunArgument, stage: str, arm: str, seed: int) -> None:
    """Train one (arm, seed) as one of the processes that accelerate started."""
    from manyways.commands.line_stage import line_stage as train

    train(run, stage, arm=arm, seed=seed)
