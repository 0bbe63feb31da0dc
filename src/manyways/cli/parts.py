"""Verbs that run no stage: on problem sets, packs, recipes, texts, answers and exports."""

import enum
from pathlib import Path
from typing import Annotated

import typer

alone = typer.Typer()
"""Verbs of one word."""
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
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="What wrote the file: lm-eval, verl, nemo-skills, open-r1 or sharegpt.",
    ),
]
PredictionOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column of the answer or text to judge.")
]
GoldOption = Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of the reference.")]
FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="JSONL or parquet: text, and problem if known.")
]
OutOption = Annotated[Path | None, typer.Option(help="Also write JSON here.")]
LabellerOption = Annotated[str | None, typer.Option(help="Who labels steps.")]


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


@recipes.command("show")
def recipes_show(
    recipe: Annotated[Path, typer.Argument(help="A file, or the name of a shipped one.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="Override a key.")
    ] = None,
) -> None:
    """Print a recipe whole: with what it extends and every default."""
    from manyways.commands.recipes import show_recipe

    show_recipe(recipe, overrides or ())


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


class Policy(enum.StrEnum):
    """Extraction: only the form that a prompt asks for, or with fallbacks."""

    strict = "strict"
    lenient = "lenient"


@alone.command()
def verify(  # noqa: PLR0913, PLR0917 - an option each
    file: Annotated[
        Path, typer.Argument(help="JSON lines, CSV or parquet: gold and prediction, or code.")
    ],
    out: Annotated[Path | None, typer.Option(help="Write verdicts here, not to stdout.")] = None,
    workers: WorkersOption = 2,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds per answer.")] = 5.0,
    policy: Annotated[Policy, typer.Option(help="How answers are extracted.")] = Policy.lenient,
    verifier: Annotated[
        str | None, typer.Option(help="For every line, in place of its own; or module:function.")
    ] = None,
    allow_unsafe_code: UnsafeOption = False,
    written_by: FormatOption = None,
    prediction: PredictionOption = None,
    gold: GoldOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the verdicts in --out, judge what comes after.")
    ] = False,
) -> None:
    """Judge the answers in a file, one verdict a line, in order."""
    from manyways.commands.answers import Reading
    from manyways.commands.verify_file import verify_file

    verify_file(
        file,
        out=out,
        workers=workers,
        timeout=timeout,
        policy=policy.value,
        verifier=verifier,
        allow_unsafe_code=allow_unsafe_code,
        reading=Reading(format=written_by, prediction=prediction, gold=gold),
        resume=resume,
    )


@alone.command()
def theory(
    figure: Annotated[str, typer.Option(metavar="NAME", help="One figure, or all.")] = "all",
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("theory.html"),
) -> None:
    """Draw what the theory expects.

    Escape times, composition, crossover, budget, leak, clock.
    """
    from manyways.commands.theory import write_page

    write_page(out, figure=figure)


@alone.command()
def keys(
    section: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A table or key: rl, model.http, rl.steps.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As docs/recipe.md.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="As JSON schema, for editors.")] = False,
) -> None:
    """Print every key of a recipe: its value, default and meaning."""
    from manyways.commands.recipes import print_keys, print_schema

    if schema:
        print_schema()
    else:
        print_keys(section, markdown=markdown)


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
    _: TrustOption = False,
) -> None:
    """Compare two labellers on the texts of a run.

    By kappa, accuracy and confusions.
    """
    from manyways.commands.texts import compare_labellers

    compare_labellers(run, first=first, second=second, on=on.value, held_out=held_out)


@alone.command()
def diversity(
    file: FileArgument,
    embedder: Annotated[
        Path | None, typer.Option(help="Folder of a sentence-embedding model.")
    ] = None,
    pack: Annotated[str | None, typer.Option(help="Count opening heuristics of this too.")] = None,
    labeller: LabellerOption = None,
    out: OutOption = None,
) -> None:
    """Measure how different texts are.

    By the Vendi score, pooled and per problem, and by distinct n-grams.
    """
    from manyways.commands.texts import diversity as measure

    measure(file, embedder=embedder, pack=pack, labeller=labeller, out=out)


@alone.command()
def composition(
    file: FileArgument,
    pack: Annotated[str, typer.Option(help="A heuristic pack: a name or a .toml file.")] = "polya",
    labeller: LabellerOption = None,
    sensitivity: Annotated[
        float | None, typer.Option(min=0, max=1, help="Labeller's, for composed texts.")
    ] = None,
    specificity: Annotated[
        float | None, typer.Option(min=0, max=1, help="Labeller's, for composed texts.")
    ] = None,
    out: OutOption = None,
) -> None:
    """Measure which heuristics texts show and combine.

    And how often they switch, with intervals.
    """
    from manyways.commands.texts import composition as measure
    from manyways.errors import UserError

    if (sensitivity is None) != (specificity is None):
        raise UserError("give --sensitivity and --specificity together, or neither.")
    errors = None if sensitivity is None or specificity is None else (sensitivity, specificity)
    measure(file, pack=pack, labeller=labeller, errors=errors, out=out)


@alone.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...", help="The first is the reference.")
    ],
    each: Annotated[bool, typer.Option("--each", help="Every benchmark, not only means.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the differences here, as JSON.")] = None,
    _: TrustOption = False,
) -> None:
    """Compare runs on the problems that they share.

    Each run minus the first.
    """
    from manyways.commands.compare import compare_runs

    compare_runs(runs, each=each, out=out)
