"""What other programs call: a job of Slurm, with stand-ins for it, and a shell's completion."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from command_line import ROOT, environment
from waiting import eventually

SCRIPT = ROOT / "examples" / "run.sbatch"


def command(folder: Path, name: str, body: str) -> None:
    """A program ``name`` that writes down how it was called."""
    file = folder / name
    file.write_text(f'#!/usr/bin/env bash\necho "{name} $*" >> "$CALLS"\n{body}\n')
    file.chmod(0o755)


def job(folder: Path, body: str, *words: str) -> "subprocess.Popen[bytes]":
    """The script as Slurm starts it; ``srun`` does ``body``."""
    command(folder, "srun", body)
    command(folder, "scontrol", "")
    given = {"CALLS": str(folder / "calls"), "SLURM_JOB_ID": "7", "SLURM_GPUS_ON_NODE": "4"}
    path = {"PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.Popen(["bash", SCRIPT, *words], env={**os.environ, **given, **path})


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_the_job_ends_as_the_run_does(tmp_path: Path) -> None:
    assert job(tmp_path, "exit 3", "my.toml").wait() == 3
    assert calls(tmp_path) == ["srun --ntasks=1 manyways run my.toml --jobs 4"]


def test_a_job_whose_time_is_over_stops_the_run_and_queues_it_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")
    body = 'trap \'kill $!; echo stopped >> "$CALLS"; exit 143\' TERM\necho started >> "$CALLS"\n'
    done = job(tmp_path, body + f"exec 3<> {tmp_path}/never; read -u 3 & wait", "my.toml")
    assert eventually(lambda: (tmp_path / "calls").is_file() and "started" in calls(tmp_path))
    done.send_signal(signal.SIGTERM)
    assert done.wait() == 0
    assert calls(tmp_path)[1:] == ["started", "stopped", "scontrol requeue 7"]


def test_a_job_without_a_recipe_says_how(tmp_path: Path) -> None:
    done = subprocess.run(["bash", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "usage: sbatch run.sbatch RECIPE" in done.stderr


def test_the_shell_completes_verbs() -> None:
    asked = {"COMP_WORDS": "manyways re", "COMP_CWORD": "1", "_MANYWAYS_COMPLETE": "complete_bash"}
    code = "import sys; sys.argv = ['manyways']; from manyways.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(asked),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["report", "recipes"], done.stderr
