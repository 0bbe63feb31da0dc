"""``--jobs``: several lines (arm and seed) at once, each in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from manyways import signals, trust
from manyways.arms import Line
from manyways.context import Context
from manyways.progress import say
from manyways.run_dir import LOCK_HELD
from manyways.train import launch


def run_lines_in_processes(
    context: Context, wanted: Sequence[str], *, jobs: int, ended: Callable[[Line], None]
) -> list[str]:
    """Run every line in a child process, ``jobs`` at a time.

    wanted: the stages to run, in order.
    ended:  called with each line whose process has ended.

    Returns ``<line>: <sentence>`` for each line that failed.

    Children inherit this process's lock on the run folder. They share the CPU cores equally and
    take the visible GPUs in turn. Their output goes to ``arms/<arm>/seed-<s>/log.txt``. They end
    when this process ends, even when it is killed.
    """
    waiting = list(enumerate(context.lines))
    running: dict[Line, subprocess.Popen[bytes]] = {}
    failures: list[str] = []
    try:
        while waiting or running:
            while len(running) < jobs and (free := _next(waiting, running)):
                waiting.remove(free)
                slot, line = free
                with signals.held():  # a signal between start and assignment would leave an orphan
                    running[line] = _start(context, line, wanted, slot=slot, jobs=jobs)
                say(f"{line.name}: started, writes to {_log(context, line)}")
            for line, process in [(ln, p) for ln, p in running.items() if p.poll() is not None]:
                del running[line]
                if process.returncode == 0:
                    say(f"{line.name}: finished")
                else:
                    failures.append(f"{line.name}: {_last_words(context, line)}")
                    say(failures[-1])
                ended(line)
            time.sleep(0.2)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            launch.end(process, launch.GRACE_SECONDS)
    return failures


def _next(
    waiting: Sequence[tuple[int, Line]], running: Collection[Line]
) -> tuple[int, Line] | None:
    """The first line that does not depend on a line that is running or waiting."""
    busy = {*running, *(line for _, line in waiting)}
    return next((job for job in waiting if job[1].before not in busy), None)


def _start(
    context: Context, line: Line, wanted: Sequence[str], *, slot: int, jobs: int
) -> subprocess.Popen[bytes]:
    root = context.run.root
    command = [sys.executable, "-m", "manyways", "line", str(root), line.arm, str(line.seed)]
    # Without this each child would start one thread per core, and they would slow each other down.
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    environment = {
        **os.environ,
        **trust.environment(),
        LOCK_HELD: str(root),
        launch.PARENT: launch.this_process(),
        "OMP_NUM_THREADS": threads,
    }
    gpus = _visible_gpus()
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
    log = _log(context, line)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        return subprocess.Popen(
            [*command, "--until", wanted[-1]],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            pass_fds=() if context.run.lock_file is None else (context.run.lock_file,),
        )


def _visible_gpus() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [gpu for gpu in named.split(",") if gpu]
    # Imported here, because torch takes seconds to load and is not needed if the variable is set.
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


def _log(context: Context, line: Line) -> Path:
    return context.run.arm_path(line.arm, line.seed, "log.txt")


def _last_words(context: Context, line: Line) -> str:
    lines = _log(context, line).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "ended without any output"
