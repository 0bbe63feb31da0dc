"""Verbs on the parts of a run: problem sets, heuristic packs, the embedded world."""

import enum
from pathlib import Path
from typing import Annotated

import typer

problems = typer.Typer(no_args_is_help=True, help="Problem sets.")
heuristics = typer.Typer(no_args_is_help=True, help="Heuristic packs.")
pocket = typer.Typer(no_args_is_help=True, help="The embedded model and its world.")
recipes = typer.Typer(help="The recipes that come with manyways.", invoke_without_command=True)
export = typer.Typer(no_args_is_help=True, help="A run's data, checkpoints and scores, elsewhere.")

DataOption = Annotated[
    Path | None,
    typer.Option(envvar="MANYWAYS_DATA", help="Folder of normalised problem sets, not the Hub."),
]


def _grant(trusted: bool) -> None:
    from manyways import trust

    if trusted:
        trust.grant_all()


TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust",
        callback=_grant,
        help="Use the code, programs and servers that the recipe names (docs/trust.md).",
    ),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
WorkersOption = Annotated[int, typer.Option(min=1, help="Processes that judge.")]
UnsafeOption = Annotated[
    bool, typer.Option("--allow-unsafe-code", help="Run programs even without a sandbox.")
]
PushOption = Annotated[
    str | None, typer.Option(metavar="OWNER/NAME", help="Upload it to the Hub, private.")
]


@recipes.callback()
def recipes_list(context: typer.Context) -> None:
    """List the recipes that come with manyways, or copy one."""
    from manyways.commands.recipes import list_recipes

    if context.invoked_subcommand is None:
        list_recipes()


@recipes.command("copy")
def recipes_copy(
    name: Annotated[str, typer.Argument(help="For example pocket.")],
    to: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to.")] = Path(),
) -> None:
    """Copy a recipe into a folder, to be changed."""
    from manyways.commands.recipes import copy_recipe

    copy_recipe(name, to)


class Form(enum.StrEnum):
    """Columns of a conversation, as TRL's trainers read them."""

    prompt_completion = "prompt-completion"
    messages = "messages"


@problems.command("check")
def problems_check(
    name: Annotated[str, typer.Argument(help="For example gsm8k/test.")],
    data_dir: DataOption = None,
) -> None:
    """Is every reference answer accepted by its own verifier, and a perturbed one rejected?"""
    from manyways.commands.problems import check_problems

    check_problems(name, data_dir=data_dir)


@problems.command("list")
def problems_list(data_dir: DataOption = None) -> None:
    """The problem sets that have a name, with counts, licences and verifiers."""
    from manyways.commands.problems import list_problem_sets

    list_problem_sets(data_dir=data_dir)


@problems.command("show")
def problems_show(
    name: Annotated[str, typer.Argument(help="For example gsm8k/test.")],
    number: Annotated[int, typer.Option(min=0, help="Which problem, from 0.")] = 0,
    data_dir: DataOption = None,
) -> None:
    """One problem of a set: its prompt, and the verdict on its reference."""
    from manyways.commands.problems import show_problems

    show_problems(name, data_dir=data_dir, number=number)


@problems.command("overlap")
def problems_overlap(
    train: Annotated[str, typer.Argument(help="A training set.")],
    evals: Annotated[list[str] | None, typer.Argument(help="Evaluation sets; default all.")] = None,
    data_dir: DataOption = None,
) -> None:
    """Which training problems occur, exactly or nearly, in evaluation sets."""
    from manyways.commands.problems import compare_problems

    compare_problems(train, evals or (), data_dir=data_dir)


@heuristics.command("list")
def heuristics_list(
    pack: Annotated[str, typer.Argument(help="A name or a .toml file.")] = "polya",
) -> None:
    """The heuristics of a pack, in order."""
    from manyways.commands.heuristics import list_heuristics

    list_heuristics(pack)


@heuristics.command("show")
def heuristics_show(
    heuristic: Annotated[str, typer.Argument(help="For example working-backwards.")],
    pack: Annotated[str | None, typer.Option(help="Only look here.")] = None,
) -> None:
    """One heuristic with its exemplars."""
    from manyways.commands.heuristics import show_heuristic

    show_heuristic(heuristic, pack=pack)


@heuristics.command("check")
def heuristics_check(
    pack: Annotated[str, typer.Argument(help="A name or a .toml file.")],
    tokenizer: Annotated[str | None, typer.Option(help="Count prompt tokens under it.")] = None,
    data_dir: DataOption = None,
    workers: WorkersOption = 2,
    allow_unsafe_code: UnsafeOption = False,
) -> None:
    """Is a pack complete, are its exemplars right, and do they differ?"""
    from manyways.commands.heuristics import check_heuristics

    check_heuristics(
        pack,
        tokenizer=tokenizer,
        data_dir=data_dir,
        workers=workers,
        allow_unsafe_code=allow_unsafe_code,
    )


@pocket.command("build")
def pocket_build(
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint.")] = Path("pocket-base"),
    seed: Annotated[int, typer.Option(help="Of documents and weights.")] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="Default: what the world needs.")] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, max=8, help="Default: 2 on a CPU, 1 with a GPU.")
    ] = None,
) -> None:
    """Train the embedded base model from nothing (under half an hour on 2 cores)."""
    from manyways.commands.pocket import build_base

    build_base(out, seed=seed, steps=steps, processes=processes)


@pocket.command("check")
def pocket_check(
    model: Annotated[str | None, typer.Option(help="A folder; default the embedded base.")] = None,
) -> None:
    """Print the base model's success by operation and heuristic; fail if a property is gone."""
    from manyways.commands.pocket import BASE, check_base

    check_base(model or BASE)


@export.command("dataset")
def export_dataset(
    run: RunArgument,
    arm: Annotated[str | None, typer.Option(help="Its training rows; default all kept.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the arm; default the first.")] = None,
    out: Annotated[Path | None, typer.Option(help="Default exports/<run>-<arm>.")] = None,
    form: Annotated[
        Form, typer.Option("--format", help="Of its columns.")
    ] = Form.prompt_completion,
    push: PushOption = None,
    data_dir: DataOption = None,
    _: TrustOption = False,
) -> None:
    """Kept solutions as a dataset with a card; load_dataset reads the folder."""
    from manyways.commands.export.dataset import export_dataset as export_it
    from manyways.commands.export.folder import line_of
    from manyways.commands.show import open_run

    ctx = open_run(run, data_dir)
    line = line_of(ctx, arm, seed) if arm else None
    export_it(ctx, line, out=out, form=form.value, repo=push)


class TrainedStage(enum.StrEnum):
    """After mid-training, or after RL."""

    mid = "mid"
    rl = "rl"


@export.command("model")
def export_model(
    run: RunArgument,
    arm: Annotated[str, typer.Option(help="Which arm.")],
    seed: Annotated[int | None, typer.Option(help="Default the recipe's first.")] = None,
    stage: Annotated[TrainedStage, typer.Option(help="After which stage.")] = TrainedStage.rl,
    out: Annotated[Path | None, typer.Option(help="Default exports/<run>-<arm>-...")] = None,
    push: PushOption = None,
    data_dir: DataOption = None,
    _: TrustOption = False,
) -> None:
    """A checkpoint as a plain Hugging Face folder with a model card."""
    from manyways.commands.export.folder import line_of
    from manyways.commands.export.model import export_model as export_it
    from manyways.commands.show import open_run

    ctx = open_run(run, data_dir)
    export_it(ctx, line_of(ctx, arm, seed), stage=stage.value, out=out, repo=push)


@export.command("samples")
def export_samples(
    run: RunArgument,
    checkpoint: Annotated[
        str | None, typer.Option(help="base or ARM/seed-S/mid|rl; default every evaluated one.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Default exports/<run>-samples.")] = None,
    data_dir: DataOption = None,
    _: TrustOption = False,
) -> None:
    """Attempts and scores in the files of the lm-evaluation-harness."""
    from manyways.commands.export.samples import export_samples as export_it
    from manyways.commands.show import open_run

    export_it(open_run(run, data_dir), checkpoint, out=out)
