"""A training in several processes, started with ``accelerate launch``.

The process that starts it keeps the lock of the run folder and waits. The training processes end
when that process ends, even when it is killed, so that nobody writes to a folder without its lock.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from manyways import errors, trust
from manyways.errors import ManywaysError, MissingWork
from manyways.progress import without_bars
from manyways.recipe.training import LaunchConfig
from manyways.run_dir import LOCK_HELD, RunDir

FAILURE = "MANYWAYS_FAILURE_FILE"
"""Variable: the file in which a training process leaves its error."""
PARENT = "MANYWAYS_STARTED_BY"
"""Variable: ``<process id> <its start time>`` of the process that waits."""
GRACE_SECONDS = 20.0


def command(launch: LaunchConfig, root: Path, work: tuple[str, str, int]) -> list[str]:
    """The command line of a training.

    root: the run folder. work: (``midtrain`` or ``rl``, arm, seed).
    """
    stage, arm, seed = work
    words = [sys.executable, "-m", "accelerate.commands.launch"]
    if launch.accelerate_config is not None:
        words += ["--config_file", str(Path(launch.accelerate_config).expanduser().resolve())]
        if launch.processes is not None:
            words += ["--num_processes", str(launch.processes)]
    else:
        # --multi_gpu makes accelerate use torchrun on one machine. It is needed on CPUs, too,
        # because --cpu would start a single process; our settings say use_cpu.
        several = ["--multi_gpu"] if (launch.processes or 1) > 1 else []
        words += [*several, "--num_processes", str(launch.processes), "--num_machines", "1"]
        words += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    return [*words, "-m", "manyways", "line-stage", str(root), stage, arm, str(seed)]


def start(launch: LaunchConfig, folder: RunDir, work: tuple[str, str, int]) -> None:
    """Run a training's ``command`` to its end.

    Raises the errors of ``run``, and Untrusted for a file of accelerate that nobody trusts: it may
    name machines and scripts.
    """
    if launch.accelerate_config is not None:
        trust.require(
            f"launch.accelerate_config = '{launch.accelerate_config}' says what accelerate starts",
            launch.accelerate_config,
        )
    run(command(launch, folder.root, work), folder)


def run(words: list[str], folder: RunDir) -> None:
    """Run a training's command line to its end.

    Raises the error of the process that failed first, MissingWork when one was killed.
    """
    with tempfile.TemporaryDirectory(prefix="manyways-") as scratch:
        failure = Path(scratch) / "failure.json"
        environment = {
            **os.environ,
            **trust.environment(),
            LOCK_HELD: str(folder.root),
            FAILURE: str(failure),
            PARENT: this_process(),
        }
        process = subprocess.Popen(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            # They inherit the lock, so the folder stays locked until the last writer has ended.
            pass_fds=() if folder.lock_file is None else (folder.lock_file,),
        )
        try:
            with without_bars():
                code = process.wait()
        finally:
            end(process, GRACE_SECONDS)
        if code != 0:
            raise _told(failure, code)


def tell(error: ManywaysError) -> None:
    """Leave ``error`` for the process that started this one. Only the first error is kept."""
    place = os.environ.get(FAILURE)
    if place and not Path(place).exists():
        row = {"kind": type(error).__name__, "message": str(error)}
        Path(place).write_text(json.dumps(row), encoding="utf-8")


def this_process() -> str:
    """The value of ``PARENT`` for a process that has to end with this one."""
    me = psutil.Process()
    return f"{me.pid} {me.create_time()}"


def end_with_parent(seconds: float = 0.5) -> None:
    """From now on, end this process when the process that waits, or the launcher, has ended."""
    given = os.environ.get(PARENT)
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher and (given is None or _lives(given)):
            time.sleep(seconds)
        # Not sys.exit: this is a thread, and the main thread may wait for other processes for ever.
        os._exit(1)

    if given is not None:
        threading.Thread(target=watch, daemon=True).start()


def _lives(given: str) -> bool:
    number, began = given.split()
    try:
        process = psutil.Process(int(number))
        # Process ids are used again after a while, but not with the same start time.
        return process.create_time() == float(began) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Terminate ``process``; kill it if it has not ended after ``seconds``."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _told(failure: Path, code: int) -> ManywaysError:
    if failure.exists():
        row = json.loads(failure.read_text(encoding="utf-8"))
        kind = getattr(errors, row["kind"], ManywaysError)
        error: ManywaysError = kind(row["message"])
        return error
    return MissingWork(
        f"a training process ended without a message (exit code {code} of accelerate launch): "
        "killed, or out of memory? Run the same command again to continue from its last checkpoint."
    )
