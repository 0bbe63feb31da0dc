"""Verbs that run no stage: answers in a file, the theory's figures, labellers, runs compared."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from manyways.cli.parts import TrustOption, UnsafeOption, WorkersOption

alone = typer.Typer()


class Policy(enum.StrEnum):
    """Extraction: only the form that a prompt asks for, or with fallbacks."""

    strict = "strict"
    lenient = "lenient"


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
    from manyways.commands.keys import print_keys, print_schema

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


FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="JSONL or parquet: text, and problem if known.")
]
OutOption = Annotated[Path | None, typer.Option(help="Also write JSON here.")]
LabellerOption = Annotated[str | None, typer.Option(help="Who labels steps.")]


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
