"""Verbs only: parses, then imports what the verb needs."""

import enum
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from manyways.errors import ManywaysError

app = typer.Typer(
    help="Teach a model many correct ways to solve a problem, then let RL combine them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
pocket = typer.Typer(no_args_is_help=True, help="The embedded model and its world.")
problems = typer.Typer(no_args_is_help=True, help="Problem sets.")
heuristics = typer.Typer(no_args_is_help=True, help="Heuristic packs.")
app.add_typer(pocket, name="pocket")
app.add_typer(heuristics, name="heuristics")
app.add_typer(problems, name="problems")


class Policy(enum.StrEnum):
    """Extraction: only the form that a prompt asks for, or with fallbacks."""

    strict = "strict"
    lenient = "lenient"


RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
ArmOption = Annotated[str | None, typer.Option(help="Only this arm.")]
SeedOption = Annotated[int | None, typer.Option(help="Only this seed.")]
DataOption = Annotated[
    Path | None,
    typer.Option(envvar="MANYWAYS_DATA", help="Folder of normalised problem sets, not the Hub."),
]


@app.command()
def run(  # noqa: PLR0913, PLR0917 - one parameter per option of the command
    recipe: Annotated[Path, typer.Argument(help="A recipe (.toml), or a run folder to continue.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/<name>.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="Override a key.")
    ] = None,
    until: Annotated[str, typer.Option(help="Last stage to run.")] = "report",
    dry_run: Annotated[bool, typer.Option(help="Say what would run and why; run nothing.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Arms trained at once.")] = 1,
    data_dir: DataOption = None,
) -> None:
    """Run a recipe from questions to report; finished stages are not run again."""
    from manyways.command_run import print_dry_run, run_recipe

    if dry_run:
        print_dry_run(recipe, out, overrides=set_ or [], until=until, data_dir=data_dir)
    else:
        run_recipe(recipe, out, overrides=set_ or [], until=until, jobs=jobs, data_dir=data_dir)


def _stage_command(name: str, summary: str) -> None:
    def shared(run: RunArgument) -> None:
        from manyways.command_run import run_stage

        run_stage(run, name, arm=None, seed=None)

    def per_line(run: RunArgument, arm: ArmOption = None, seed: SeedOption = None) -> None:
        from manyways.command_run import run_stage

        run_stage(run, name, arm=arm, seed=seed)

    command = per_line if name in ("midtrain", "gate", "rl", "evaluate") else shared
    app.command(name=name, help=summary)(command)


_stage_command("generate", "1 Sample attempts at every problem under every heuristic.")
_stage_command("select", "2 Keep the best correct attempt per problem and heuristic.")
_stage_command("midtrain", "3 Fine-tune the base on each arm's solutions.")
_stage_command("gate", "4 Measure whether each checkpoint is fit for RL.")
_stage_command("rl", "5 Train with the verdicts as reward (GRPO).")
_stage_command("evaluate", "6 Sample every checkpoint on every benchmark.")
_stage_command("analyse", "7 Turn attempts into tables with intervals.")
_stage_command("report", "8 Write report.html and report.md.")


@app.command(hidden=True)
def line(run: RunArgument, arm: str, seed: int, until: str = "report") -> None:
    """Run one (arm, seed) on behalf of `run --jobs`."""
    from manyways.command_run import run_one_line

    run_one_line(run, arm=arm, seed=seed, until=until)


@app.command()
def show(run: RunArgument, problem_id: str) -> None:
    """Print the whole life of one problem in a run."""
    from manyways.run_dir import open_for_reading
    from manyways.stages.show import show as show_problem

    show_problem(open_for_reading(run), problem_id)


@app.command()
def status(run: RunArgument) -> None:
    """Print what is finished in a run, and what it cost."""
    from manyways.run_dir import open_for_reading
    from manyways.stages.status import print_status

    print_status(open_for_reading(run))


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="JSON lines: gold and prediction, or code.")],
    out: Annotated[Path | None, typer.Option(help="Write verdicts here, not to stdout.")] = None,
    workers: Annotated[int, typer.Option(min=1)] = 2,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds per answer.")] = 5.0,
    policy: Annotated[Policy, typer.Option(help="How answers are extracted.")] = Policy.lenient,
    allow_unsafe_code: Annotated[
        bool, typer.Option("--allow-unsafe-code", help="Run programs even without a sandbox.")
    ] = False,
) -> None:
    """Judge the answers in a file, one verdict a line, in order."""
    from manyways.stages.verify_file import verify_file

    verify_file(
        file,
        out=out,
        workers=workers,
        timeout=timeout,
        policy=policy.value,
        allow_unsafe_code=allow_unsafe_code,
    )


@problems.command("check")
def problems_check(
    name: Annotated[str, typer.Argument(help="For example gsm8k/test.")],
    data_dir: DataOption = None,
) -> None:
    """Is every reference answer accepted by its own verifier, and a perturbed one rejected?"""
    from manyways.stages.problems_commands import check_problems

    check_problems(name, data_dir=data_dir)


@problems.command("list")
def problems_list(data_dir: DataOption = None) -> None:
    """The problem sets that have a name, with counts, licences and verifiers."""
    from manyways.stages.problems_commands import list_problem_sets

    list_problem_sets(data_dir=data_dir)


@problems.command("show")
def problems_show(
    name: Annotated[str, typer.Argument(help="For example gsm8k/test.")],
    number: Annotated[int, typer.Option(min=0, help="Which problem, from 0.")] = 0,
    data_dir: DataOption = None,
) -> None:
    """One problem of a set: its prompt, and the verdict on its reference."""
    from manyways.stages.problems_commands import show_problems

    show_problems(name, data_dir=data_dir, number=number)


@problems.command("overlap")
def problems_overlap(
    train: Annotated[str, typer.Argument(help="A training set.")],
    evals: Annotated[list[str] | None, typer.Argument(help="Evaluation sets; default all.")] = None,
    data_dir: DataOption = None,
) -> None:
    """Which training problems occur, exactly or nearly, in evaluation sets."""
    from manyways.stages.problems_commands import compare_problems

    compare_problems(train, evals or (), data_dir=data_dir)


@heuristics.command("list")
def heuristics_list(pack: Annotated[str, typer.Argument()] = "polya") -> None:
    """The heuristics of a pack, in order."""
    from manyways.stages.heuristics_commands import list_heuristics

    list_heuristics(pack)


@heuristics.command("show")
def heuristics_show(
    heuristic: str, pack: Annotated[str | None, typer.Option(help="Only look here.")] = None
) -> None:
    """One heuristic with its exemplars."""
    from manyways.stages.heuristics_commands import show_heuristic

    show_heuristic(heuristic, pack=pack)


@heuristics.command("check")
def heuristics_check(
    pack: Annotated[str, typer.Argument(help="A name or a .toml file.")],
    tokenizer: Annotated[str | None, typer.Option(help="Count prompt tokens under it.")] = None,
    data_dir: DataOption = None,
    workers: Annotated[int, typer.Option(min=1)] = 2,
    allow_unsafe_code: bool = False,
) -> None:
    """Is a pack complete, are its exemplars right, and do they differ?"""
    from manyways.stages.heuristics_commands import check_heuristics

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
    seed: int = 0,
) -> None:
    """Train the embedded base model from nothing (up to 30 minutes on 2 cores)."""
    from manyways.stages.pocket_build import build_base

    build_base(out, seed=seed)


@pocket.command("check")
def pocket_check() -> None:
    """Print the base model's success by operation and heuristic; fail if a property is gone."""
    from manyways.stages.pocket_build import check_base

    check_base()


def main() -> NoReturn:
    """Entry point: our own errors become one message and an exit code, never a traceback."""
    try:
        app(standalone_mode=False)
    except ManywaysError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("stopped. Run the same command again to continue where it was.", 130)
    except OSError as error:
        if error.errno is None:
            raise
        _fail(f"{error.strerror}: {error.filename or ''}. What is finished is kept.", 1)
    except Exception as error:  # typer's usage errors know how to print themselves
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            raise
        error.show()
        sys.exit(2)
    sys.exit(0)


def _fail(message: str, code: int) -> NoReturn:
    print(f"manyways: {message}", file=sys.stderr, flush=True)
    # Worker threads of heavy libraries must not keep a failed command alive.
    sys.stdout.flush()
    if code == 130:
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
