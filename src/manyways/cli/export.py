"""Verbs that export the data, checkpoints and samples of a run."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from manyways.cli.tools import DataOption, RunArgument, TrustOption

export = typer.Typer(
    no_args_is_help=True, help="Export the data, checkpoints and samples of a run."
)

PushOption = Annotated[
    str | None,
    typer.Option(metavar="OWNER/NAME", help="Upload it to this private repository on the Hub."),
]


@export.command("dataset")
def export_dataset(
    run: RunArgument,
    arm: Annotated[
        str | None,
        typer.Option(help="Export the training rows of this arm. Default: all kept solutions."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The seed of the arm. Default: the first.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder. Default: exports/<run>-<arm>, -pool or -rl.")
    ] = None,
    form: Annotated[
        Literal["prompt-completion", "messages"],
        typer.Option("--format", help="The columns of the dataset."),
    ] = "prompt-completion",
    rl: Annotated[
        bool, typer.Option("--rl", help="Export the attempts of RL, correct and wrong.")
    ] = False,
    push: PushOption = None,
    data_dir: DataOption = None,
    _: TrustOption = False,
) -> None:
    """Export solutions or RL's attempts as a dataset with a card.

    `datasets.load_dataset` reads the folder.
    """
    from manyways.commands.export import line_of
    from manyways.commands.export.dataset import export_dataset as export_it
    from manyways.commands.show import open_run

    ctx = open_run(run, data_dir)
    if rl:
        from manyways.commands.export.dataset import export_rl
        from manyways.commands.run import lines_of

        export_rl(ctx, lines_of(ctx, arm, seed), out=out, repo=push)
        return
    line = line_of(ctx, arm, seed) if arm else None
    export_it(ctx, line, out=out, form=form, repo=push)


@export.command("model")
def export_model(
    run: RunArgument,
    arm: Annotated[str, typer.Option(help="The arm to export.")],
    seed: Annotated[
        int | None, typer.Option(help="The seed of the arm. Default: the first.")
    ] = None,
    stage: Annotated[
        Literal["mid", "rl"],
        typer.Option(help="Take the checkpoint after mid-training or after RL."),
    ] = "rl",
    out: Annotated[
        Path | None,
        typer.Option(help="The folder. Default: exports/<run>-<arm>-seed-<seed>-<stage>."),
    ] = None,
    push: PushOption = None,
    data_dir: DataOption = None,
    _: TrustOption = False,
) -> None:
    """Export a checkpoint as a Hugging Face folder with a model card."""
    from manyways.commands.export import line_of
    from manyways.commands.export.model import export_model as export_it
    from manyways.commands.show import open_run

    ctx = open_run(run, data_dir)
    export_it(ctx, line_of(ctx, arm, seed), stage=stage, out=out, repo=push)


@export.command("samples")
def export_samples(
    run: RunArgument,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="One of base, ARM/seed-S/mid and ARM/seed-S/rl. Default: all."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder. Default: exports/<run>-samples.")
    ] = None,
    data_dir: DataOption = None,
    _: TrustOption = False,
) -> None:
    """Export attempts and scores as lm-evaluation-harness does."""
    from manyways.commands.export.samples import export_samples as export_it
    from manyways.commands.show import open_run

    export_it(open_run(run, data_dir), checkpoint, out=out)
