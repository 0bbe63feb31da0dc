"""The verbs of a run and of its stages. A verb imports what it needs only when it runs."""

import errno
import io
import itertools
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from manyways import __version__, signals, trust
from manyways.cli.export import export
from manyways.cli.tools import (
    DataOption,
    FormatOption,
    GoldOption,
    PredictionOption,
    RunArgument,
    SetOption,
    TrustOption,
    WorkersOption,
    heuristics,
    pocket,
    problems,
    recipes,
    tools,
)
from manyways.errors import ManywaysError
from manyways.stages import STAGES, Stage

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
stages = typer.Typer(rich_markup_mode=None)
"""A verb for each stage, and the hidden verbs that other verbs start."""
app.add_typer(stages)
app.add_typer(tools)
app.add_typer(pocket, name="pocket")
app.add_typer(heuristics, name="heuristics")
app.add_typer(problems, name="problems")
app.add_typer(recipes, name="recipes")
app.add_typer(export, name="export")

ArmOption = Annotated[str | None, typer.Option(help="Run only this arm.")]
SeedOption = Annotated[int | None, typer.Option(help="Run only this seed.")]
PrintOption = Annotated[
    bool,
    typer.Option("--print-command", help="Print the commands that would start. Start nothing."),
]
FolderOption = Annotated[
    Path | None, typer.Option("--out", help="The run folder. Default: runs/<name>.")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def manyways(
    _: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Teach a model many correct ways to solve a problem, then let RL combine them."""


@app.command()
def run(
    recipe: Annotated[
        Path, typer.Argument(help="A recipe file, the name of a shipped one, or a run folder.")
    ],
    out: FolderOption = None,
    set_: SetOption = None,
    until: Annotated[
        str, typer.Option(help="The last stage to run, for example select.")
    ] = "report",
    dry_run: Annotated[
        bool, typer.Option(help="Print what would run and why. Run nothing.")
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=1, help="The number of lines (arm, seed) that run at the same time.")
    ] = 1,
    data_dir: DataOption = None,
    _: TrustOption = False,
) -> None:
    """Run a recipe from problems to report. Finished stages do not run again."""
    from manyways.commands.run import print_dry_run, run_recipe

    if dry_run:
        print_dry_run(recipe, out, overrides=set_ or [], until=until, data_dir=data_dir)
    else:
        run_recipe(recipe, out, overrides=set_ or [], until=until, jobs=jobs, data_dir=data_dir)


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(help="The run folder. Default: runs/pocket.")] = None,
) -> None:
    """Run the whole method on the embedded model.

    It takes about 5 minutes on 2 cores.
    """
    from manyways.commands.run import run_recipe
    from manyways.recipe import shipped_folder

    recipe = shipped_folder() / "pocket.toml"
    run_recipe(recipe, out, overrides=[], until="report", jobs=1, data_dir=None)


@app.command()
def show(
    run: RunArgument,
    problem_id: Annotated[
        str, typer.Argument(help="The id of a problem, for example gsm8k/train/00042.")
    ] = "",
    attempts: Annotated[bool, typer.Option("--attempts", help="List every attempt.")] = False,
    texts: Annotated[bool, typer.Option("--texts", help="Print every attempt in full.")] = False,
    wrong: Annotated[
        bool, typer.Option("--wrong", help="Print in full only attempts that are not correct.")
    ] = False,
    rl: Annotated[
        bool, typer.Option("--rl", help="Print the attempts that RL kept, in full.")
    ] = False,
    _: TrustOption = False,
) -> None:
    """Print everything that a run did with one problem."""
    from manyways.commands.show import ShowOptions
    from manyways.commands.show import show as show_problem

    wanted = ShowOptions(attempts=attempts, texts=texts, wrong=wrong, rl=rl)
    show_problem(run, problem_id, wanted)


@app.command()
def status(run: RunArgument, _: TrustOption = False) -> None:
    """Print what is finished in a run, and what it cost."""
    from manyways.commands.show import print_status

    print_status(run)


@app.command()
def forecast(
    recipe: Annotated[
        Path, typer.Argument(help="A recipe, or a run folder to compare with its forecast.")
    ],
    out: FolderOption = None,
    set_: SetOption = None,
    measure: Annotated[
        bool, typer.Option(help="Sample and train a little on this machine to measure times.")
    ] = True,
    data_dir: DataOption = None,
    _: TrustOption = False,
) -> None:
    """Forecast attempts, tokens, time and disk space of a recipe.

    For a run folder, print the forecast beside what happened.
    """
    from manyways.commands.forecast import forecast_recipe

    forecast_recipe(recipe, out, overrides=set_ or [], measured=measure, data_dir=data_dir)


@app.command()
def doctor(
    recipe: Annotated[
        Path | None, typer.Argument(help="A recipe or a run folder. Check its rl.verl too.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON list, for programs.")
    ] = False,
    data_dir: DataOption = None,
    _: TrustOption = False,
) -> None:
    """Print what this machine has and lacks, and how to get it.

    It checks versions, devices, engines, the sandbox and the data. It exits with 0 even if
    something is missing.
    """
    from manyways.commands.doctor import print_checks

    print_checks(as_json=as_json, data_dir=data_dir, recipe=recipe)


@app.command()
def passk(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A file that `verify` reads, or a folder of attempts."),
    ],
    k: Annotated[
        str | None, typer.Option(help="Values of k, for example 1,8,64. Default: powers of two.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the scores to this file, as JSON.")
    ] = None,
    workers: WorkersOption = 2,
    written_by: FormatOption = None,
    prediction: PredictionOption = None,
    gold: GoldOption = None,
    problem: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column with the id of the problem.")
    ] = None,
) -> None:
    """Compute pass@k, avg@N and majority@k, with intervals.

    Any tool may have written the attempts.
    """
    from manyways.commands.answers import Reading
    from manyways.commands.passk import passk as score

    reading = Reading(format=written_by, prediction=prediction, gold=gold, problem=problem)
    score(path, k=k, out=out, workers=workers, reading=reading)


@app.command()
def table(
    run: RunArgument,
    style: Annotated[
        Literal["markdown", "csv", "latex"],
        typer.Option("--format", help="The format of the table."),
    ] = "markdown",
    out: Annotated[
        Path | None, typer.Option(help="Write the table to this file, not to stdout.")
    ] = None,
    intervals: Annotated[bool, typer.Option(help="Print 95% intervals too.")] = True,
    _: TrustOption = False,
) -> None:
    """Print a table that compares the arms on every benchmark.

    It has pass@1 and pass@k at the largest k.
    """
    from manyways.commands.compare import write_table

    write_table(run, style=style, out=out, intervals=intervals)


def main() -> NoReturn:
    """Entry point. Our own errors become one message and an exit code, never a traceback."""
    _prepare()
    try:
        with signals.unwind():
            code = app(standalone_mode=False)
    except ManywaysError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, signals.Signalled) as end:
        _fail(STOPPED, 128 + getattr(end, "number", signal.SIGINT))
    except Exception as error:  # libraries have no common class for a disk that is full
        _fail_if_not_installed(error)
        if _no_space(error):
            _fail(
                "the disk is full. What is finished is kept. Make room and run the same command "
                "again.",
                1,
            )
        _fail_if_own_code(error)
        if isinstance(error, OSError) and error.errno is not None:
            code = 2 if error.errno in WRONG_PATHS else 1
            where = f": '{error.filename}'" if error.filename else ""
            fix = (
                " Raise the limit on file sizes (ulimit -f)." if error.errno == errno.EFBIG else ""
            )
            _fail(f"{error.strerror}{where}. What is finished is kept.{fix}", code)
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            raise
        error.show()  # typer's usage errors know how to print themselves
        sys.exit(2)
    # Ctrl-C inside a command comes back as a value.
    if code == 130:
        _fail(STOPPED, 130)
    sys.exit(code if isinstance(code, int) else 0)


def _fail_if_not_installed(error: Exception) -> None:
    """End with the install command if ``error`` is a missing package of one of our extras."""
    from manyways.plugins import EXTRAS, install_command

    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    module = (missing or "").partition(".")[0]
    if module in EXTRAS:
        verb = " ".join(itertools.takewhile(str.isalpha, sys.argv[1:3]))
        command = install_command(module)
        _fail(f"`manyways {verb}` needs {module}, which is not installed. Run: {command}", 2)


def _fail_if_own_code(error: Exception) -> None:
    """End with the place in the user's own code if that code raised ``error``."""
    from manyways.plugins import own_lines

    if own := own_lines(error):
        told = "\n".join(f"  {line}" for line in own)
        _fail(f"your own code raised {type(error).__name__}: {error}\n{told}", 2)


def _prepare() -> None:
    # Idle OpenMP threads that spin long slow down other work on a machine with few cores. Threads
    # that never spin wake up too slowly. torch reads this variable once, when it is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    # Other libraries would draw their progress bars over ours. A user's own 0 shows them.
    for name in ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
        os.environ.setdefault(name, "1")
    trust.report_to_nobody()
    # Without a connection the Hub's client tries five times and reports each time. We do so once.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    for stream in (sys.stdout, sys.stderr):
        # A character that the stream cannot encode is written as its escape.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


STOPPED = "stopped. Run the same command again: what is finished is not done twice."

WRONG_PATHS = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP,
    errno.EEXIST, errno.ENAMETOOLONG,
}  # fmt: skip
"""Errors of the system that mean: the user named a wrong path."""

SIGNS_OF_A_FULL_DISK = ("No space left", "PytorchStreamWriter failed", "inline_container.cc")
"""How safetensors and torch report one. The file writer of torch can fail in two ways."""


def _no_space(error: BaseException | None) -> bool:
    """Whether a full disk caused ``error``. Some libraries say so only in their message."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(sign in str(error) for sign in SIGNS_OF_A_FULL_DISK):
            return True
        error = error.__cause__ or error.__context__
    return False


def _fail(message: str, code: int) -> NoReturn:
    from manyways.progress import visible

    with suppress(OSError):  # a terminal that is gone
        print(f"manyways: {visible(message)}", file=sys.stderr, flush=True)
        sys.stdout.flush()
    # Worker threads of heavy libraries must not keep a stopped command alive.
    if code >= 128:
        os._exit(code)
    sys.exit(code)


def _stage_command(stage: Stage) -> None:
    name = stage.word

    # There are three signatures because typer makes the options of a verb from its signature.
    def per_line(
        run: RunArgument, arm: ArmOption = None, seed: SeedOption = None, _: TrustOption = False
    ) -> None:
        from manyways.commands.run import run_stage

        run_stage(run, name, arm=arm, seed=seed)

    def shared(run: RunArgument, _: TrustOption = False) -> None:
        per_line(run)

    def training(
        run: RunArgument,
        arm: ArmOption = None,
        seed: SeedOption = None,
        print_command: PrintOption = False,
        _: TrustOption = False,
    ) -> None:
        from manyways.commands.run import print_commands

        if print_command:
            print_commands(run, name, arm=arm, seed=seed)
        else:
            per_line(run, arm, seed)

    command: Callable[..., None] = per_line if stage.per in ("line", "checkpoint") else shared
    stages.command(name=name, help=stage.help)(training if stage.makes else command)


for _stage in STAGES:
    if _stage.help:
        _stage_command(_stage)


@stages.command(hidden=True)
def line(run: RunArgument, arm: str, seed: int, until: str = "report") -> None:
    """Run one (arm, seed) for `run --jobs`."""
    from manyways.commands.run import run_one_line

    run_one_line(run, arm=arm, seed=seed, until=until)


@stages.command(hidden=True, name="line-stage")
def line_stage(run: RunArgument, stage: str, arm: str, seed: int) -> None:
    """Train one (arm, seed) in one of the processes that accelerate started."""
    from manyways.commands.run import line_stage as train

    train(run, stage, arm=arm, seed=seed)
