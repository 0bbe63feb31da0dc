"""Verbs that run no stage: problem sets, heuristics, recipes, texts, answers."""

from pathlib import Path
from typing import Annotated, Literal

import typer

tools = typer.Typer()
"""Verbs of one word."""
problems = typer.Typer(no_args_is_help=True, help="List, show and check problem sets.")
heuristics = typer.Typer(no_args_is_help=True, help="List, show and check heuristics.")
pocket = typer.Typer(no_args_is_help=True, help="Train and check the embedded model.")
recipes = typer.Typer(
    help="List, copy and show the recipes that come with manyways.", invoke_without_command=True
)

DataOption = Annotated[
    Path | None,
    typer.Option(
        envvar="MANYWAYS_DATA", help="Read problem sets from this folder, not from the Hub."
    ),
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
        help="Trust the code, programs and servers that a recipe names (docs/trust.md).",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Set a key, for example rl.steps=300."),
]
SetNameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The name of a problem set, such as gsm8k/test.")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
WorkersOption = Annotated[
    int, typer.Option(min=1, help="The number of worker processes that verify answers.")
]
UnsafeOption = Annotated[
    bool,
    typer.Option(
        "--allow-unsafe-code", help="Run generated programs even where there is no sandbox."
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="The tool that wrote the file: lm-eval, verl, nemo-skills, open-r1 or sharegpt.",
    ),
]
PredictionOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="The column with the answer or text to verify.")
]
GoldOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="The column with the reference answer.")
]
FileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="Rows with `text` (JSON lines, CSV, parquet), or a folder of attempts."
    ),
]
OutOption = Annotated[
    Path | None, typer.Option(help="Also write the result to this file, as JSON.")
]
LabellerOption = Annotated[
    str | None, typer.Option(help="The labeller that says which heuristic a step shows.")
]


@recipes.callback()
def recipes_list(context: typer.Context) -> None:
    """List the recipes that come with manyways, or copy one."""
    from manyways.commands.recipes import list_recipes

    if context.invoked_subcommand is None:
        list_recipes()


@recipes.command("copy")
def recipes_copy(
    name: Annotated[str, typer.Argument(help="The name of a recipe, for example pocket.")],
    to: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder to copy it to.")
    ] = Path(),
) -> None:
    """Copy a recipe into a folder, where you can change it."""
    from manyways.commands.recipes import copy_recipe

    copy_recipe(name, to)


@recipes.command("show")
def recipes_show(
    recipe: Annotated[Path, typer.Argument(help="A recipe file, or the name of a shipped one.")],
    overrides: SetOption = None,
) -> None:
    """Print a whole recipe, with defaults and the keys it inherits."""
    from manyways.commands.recipes import show_recipe

    show_recipe(recipe, overrides or ())


@problems.command("check")
def problems_check(name: SetNameArgument, data_dir: DataOption = None) -> None:
    """Check the reference answers of a problem set.

    The verifier must accept each reference answer and reject a perturbed one.
    """
    from manyways.commands.problems import check_problems

    check_problems(name, data_dir=data_dir)


@problems.command("list")
def problems_list(data_dir: DataOption = None) -> None:
    """List the named problem sets with their sizes and verifiers."""
    from manyways.commands.problems import list_problem_sets

    list_problem_sets(data_dir=data_dir)


@problems.command("show")
def problems_show(
    name: SetNameArgument,
    number: Annotated[
        int, typer.Option(min=0, help="The number of the problem in the set, from 0.")
    ] = 0,
    data_dir: DataOption = None,
) -> None:
    """Print one problem with its prompt.

    It also prints the verdict on the reference answer.
    """
    from manyways.commands.problems import show_problems

    show_problems(name, data_dir=data_dir, number=number)


@problems.command("overlap")
def problems_overlap(
    train: Annotated[str, typer.Argument(help="The name of the training set.")],
    evals: Annotated[
        list[str] | None, typer.Argument(help="Names of evaluation sets. Default: all.")
    ] = None,
    data_dir: DataOption = None,
) -> None:
    """List training problems that overlap with evaluation sets."""
    from manyways.commands.problems import compare_problems

    compare_problems(train, evals or (), data_dir=data_dir)


@heuristics.command("list")
def heuristics_list(
    pack: Annotated[str, typer.Argument(help="The name of a pack, or a .toml file.")] = "polya",
) -> None:
    """List the heuristics of a pack, in order."""
    from manyways.commands.heuristics import list_heuristics

    list_heuristics(pack)


@heuristics.command("show")
def heuristics_show(
    heuristic: Annotated[
        str, typer.Argument(help="The name of a heuristic, such as working-backwards.")
    ],
    pack: Annotated[str | None, typer.Option(help="Look only in this pack.")] = None,
) -> None:
    """Print one heuristic with its exemplars."""
    from manyways.commands.heuristics import show_heuristic

    show_heuristic(heuristic, pack=pack)


@heuristics.command("check")
def heuristics_check(
    pack: Annotated[str, typer.Argument(help="The name of a pack, or a .toml file.")],
    tokenizer: Annotated[
        str | None, typer.Option(help="Count the tokens of prompts with this tokenizer.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="SET", help="Check that no exemplar is a problem of this set."),
    ] = None,
    data_dir: DataOption = None,
    workers: WorkersOption = 2,
    allow_unsafe_code: UnsafeOption = False,
) -> None:
    """Check a pack and its exemplars.

    A pack must be complete. Its exemplars must be correct and different.
    """
    from manyways.commands.heuristics import check_heuristics

    check_heuristics(
        pack,
        tokenizer=tokenizer,
        against=against or (),
        data_dir=data_dir,
        workers=workers,
        allow_unsafe_code=allow_unsafe_code,
    )


@pocket.command("build")
def pocket_build(
    out: Annotated[Path, typer.Option(help="The folder to write the checkpoint to.")] = Path(
        "pocket-base"
    ),
    seed: Annotated[
        int, typer.Option(help="The random seed of the training data and of the first weights.")
    ] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps. Default: as many as the world needs.")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=8, help="Training processes. Default: 2 on a CPU, 1 on a GPU."),
    ] = None,
) -> None:
    """Train the embedded base model from scratch.

    It takes under 30 minutes on 2 cores.
    """
    from manyways.commands.pocket import build_base

    build_base(out, seed=seed, steps=steps, processes=processes)


@pocket.command("check")
def pocket_check(
    model: Annotated[
        str | None, typer.Option(help="The folder of a model. Default: the embedded base model.")
    ] = None,
) -> None:
    """Print the success of the base model by operation and heuristic.

    Fail if the model lacks a property that the demo needs.
    """
    from manyways.commands.pocket import BASE, check_base

    check_base(model or BASE)


@tools.command()
def verify(  # noqa: PLR0913, PLR0917 - an option each
    file: Annotated[
        Path, typer.Argument(help="JSON lines, CSV or parquet with answers and references.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write the verdicts to this file, not to stdout.")
    ] = None,
    workers: WorkersOption = 2,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one answer.")] = 5.0,
    policy: Annotated[
        Literal["strict", "lenient"],
        typer.Option(help="Accept only the form that the prompt asks for, or other forms too."),
    ] = "lenient",
    verifier: Annotated[
        str | None,
        typer.Option(help="Verify every answer with this verifier (a name or module:function)."),
    ] = None,
    allow_unsafe_code: UnsafeOption = False,
    written_by: FormatOption = None,
    prediction: PredictionOption = None,
    gold: GoldOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the verdicts in --out and verify the rest.")
    ] = False,
) -> None:
    """Verify the answers in a file. Each answer gets one verdict."""
    from manyways.commands.answers import Reading
    from manyways.commands.verify_file import verify_file

    verify_file(
        file,
        out=out,
        workers=workers,
        timeout=timeout,
        policy=policy,
        verifier=verifier,
        allow_unsafe_code=allow_unsafe_code,
        reading=Reading(format=written_by, prediction=prediction, gold=gold),
        resume=resume,
    )


@tools.command()
def theory(
    figure: Annotated[
        str, typer.Option(metavar="NAME", help="The name of one figure, or all.")
    ] = "all",
    out: Annotated[Path, typer.Option(help="Write the page to this file.")] = Path("theory.html"),
) -> None:
    """Draw the predictions of the theory as figures on one page.

    The figures are escape, composition, crossover, budget, leak and clock.
    """
    from manyways.commands.theory import write_page

    write_page(out, figure=figure)


@tools.command()
def keys(
    section: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A table or a key: rl, model.http, rl.steps."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page docs/recipe.md.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print a JSON schema, for editors.")
    ] = False,
) -> None:
    """Print every key of a recipe: type, default and meaning."""
    from manyways.commands.recipes import print_keys, print_schema

    if schema:
        print_schema()
    else:
        print_keys(section, markdown=markdown)


@tools.command()
def agreement(
    run: RunArgument,
    first: Annotated[
        str | None, typer.Option(help="One labeller. Default: the labeller of the recipe.")
    ] = None,
    second: Annotated[str, typer.Option(help="The other labeller.")] = "exemplars",
    on: Annotated[
        Literal["pool", "evaluations"],
        typer.Option(help="Texts to label: the pool, or attempts on benchmarks."),
    ] = "pool",
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Use only problems that no labeller learns from.")
    ] = False,
    _: TrustOption = False,
) -> None:
    """Measure how far two labellers agree on the texts of a run.

    It prints kappa, accuracy and the confusion matrix.
    """
    from manyways.commands.texts import compare_labellers

    compare_labellers(run, first=first, second=second, on=on, held_out=held_out)


@tools.command()
def diversity(
    file: FileArgument,
    embedder: Annotated[
        Path | None, typer.Option(help="The folder of a sentence-embedding model.")
    ] = None,
    pack: Annotated[
        str | None, typer.Option(help="Also count the opening heuristics, with this pack.")
    ] = None,
    labeller: LabellerOption = None,
    out: OutOption = None,
) -> None:
    """Measure how diverse texts are.

    It computes the Vendi score, over all texts and per problem, and distinct n-grams.
    """
    from manyways.commands.texts import diversity as measure

    measure(file, embedder=embedder, pack=pack, labeller=labeller, out=out)


@tools.command()
def composition(
    file: FileArgument,
    pack: Annotated[str, typer.Option(help="A heuristic pack: a name or a .toml file.")] = "polya",
    labeller: LabellerOption = None,
    sensitivity: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="The share of composed texts that the labeller finds."),
    ] = None,
    specificity: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="The share of other texts that it finds not composed."),
    ] = None,
    out: OutOption = None,
) -> None:
    """Measure which heuristics texts show and combine.

    It also counts switches from one heuristic to another. All rates have intervals. With
    --sensitivity and --specificity it also corrects the rate for errors of the labeller.
    """
    from manyways.commands.texts import composition as measure
    from manyways.errors import UserError

    if (sensitivity is None) != (specificity is None):
        raise UserError("give --sensitivity and --specificity together, or neither.")
    errors = None if sensitivity is None or specificity is None else (sensitivity, specificity)
    measure(file, pack=pack, labeller=labeller, errors=errors, out=out)


@tools.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN...", help="Run folders. The first is the reference."),
    ],
    each: Annotated[
        bool, typer.Option("--each", help="Print every benchmark, not only the means.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the differences to this file, as JSON.")
    ] = None,
    _: TrustOption = False,
) -> None:
    """Compare the scores of runs on the problems that they share.

    It prints each run minus the first.
    """
    from manyways.commands.compare import compare_runs

    compare_runs(runs, each=each, out=out)
