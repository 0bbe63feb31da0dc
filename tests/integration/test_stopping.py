"""Ctrl-C and a full disk end a command with one sentence, and lose nothing that is finished."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest
from command_line import ROOT, dying, environment, in_a_process, start
from needs import small_disk
from waiting import eventually, runs

from manyways.errors import RunDirError
from manyways.run_dir import open_for_writing

SMOKE = ROOT / "recipes" / "smoke.toml"


@pytest.mark.slow
@pytest.mark.parametrize(
    "when",
    [
        "*/1-attempts/part-00002.parquet",
        "*/star/seed-0/3-midtrain/trainer/checkpoint-2/complete",
        "*/vanilla/seed-0/5-rl/trainer/checkpoint-2/complete",
    ],
)
def test_ctrl_c_says_how_to_go_on_and_keeps_what_is_finished(tmp_path: Path, when: str) -> None:
    out = tmp_path / "run"
    outcome = dying("run", SMOKE, "--out", out, at=when, by=signal.SIGINT)
    assert outcome.code == 130
    assert "stopped. Run the same command again: what is finished is not done twice." in outcome.err
    assert "Traceback" not in outcome.out + outcome.err
    kept = {path: path.stat().st_mtime_ns for path in (out / "1-attempts").glob("*.parquet")}
    assert kept
    again = in_a_process("run", SMOKE, "--out", out)
    assert again.code == 0, again.err
    assert kept == {path: path.stat().st_mtime_ns for path in kept}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose lines are to be trained."""
    out = tmp_path_factory.mktemp("pool") / "run"
    done = in_a_process("run", SMOKE, "--out", out, "--until", "select")
    assert done.code == 0, done.err
    return out


def is_free(folder: Path) -> bool:
    try:
        with open_for_writing(folder):
            return True
    except RunDirError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize(
    "by", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda by: by.name
)
def test_lines_end_with_the_command_that_started_them(pool: Path, tmp_path: Path, by: int) -> None:
    out = tmp_path / "run"
    shutil.copytree(pool, out)
    command = start("run", SMOKE, "--out", out, "--jobs", "2")
    logs = [out / "arms" / arm / "seed-0" / "log.txt" for arm in ("vanilla", "star")]
    try:
        assert eventually(lambda: all(log.exists() for log in logs))
        started = [child.pid for child in psutil.Process(command.pid).children(recursive=True)]
        assert len(started) >= 2
    finally:
        command.send_signal(by)
        _, err = command.communicate()
    if by != signal.SIGKILL:
        assert command.returncode == 128 + by
        assert "stopped. Run the same command again: what is finished is not done twice." in err
        assert "Traceback" not in err
        assert is_free(out), "they were waited for"
    assert eventually(lambda: not any(map(runs, started)))
    assert eventually(lambda: is_free(out))
    assert not [log for log in logs if "Traceback" in log.read_text()]


@pytest.mark.slow
def test_a_signal_that_the_caller_ignores_stays_ignored(tmp_path: Path) -> None:
    """As under nohup."""
    words = f"trap '' HUP; exec {sys.executable} -m manyways run {SMOKE} --out {tmp_path / 'run'}"
    command = subprocess.Popen(
        ["sh", "-c", f"{words} --until select"], env=environment(), stderr=subprocess.PIPE
    )
    assert eventually((tmp_path / "run" / "recipe.toml").exists)
    command.send_signal(signal.SIGHUP)
    _, err = command.communicate()
    assert command.returncode == 0, err


def no_space() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_space_in_words() -> None:
    raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")


def no_space_behind() -> None:
    try:
        no_space()
    except OSError as error:
        raise RuntimeError("could not write the checkpoint") from error


@pytest.mark.parametrize("fail", [no_space, no_space_in_words, no_space_behind])
def test_a_full_disk_is_named_whatever_reports_it(
    fail: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from manyways.cli import app as cli

    monkeypatch.setattr(cli, "app", lambda **_: fail())
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    assert "the disk is full. What is finished is kept" in capsys.readouterr().err


def test_a_file_that_may_not_grow_is_told_with_the_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from manyways.cli import app as cli

    too_large = Mock(side_effect=OSError(errno.EFBIG, os.strerror(errno.EFBIG)))
    monkeypatch.setattr(cli, "app", too_large)
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert "ulimit -f" in said
    assert "''" not in said


@pytest.mark.slow
@pytest.mark.parametrize("size", ["40k", "600k", "9m"])
def test_a_run_that_fills_its_disk_goes_on_when_there_is_room(tmp_path: Path, size: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    small_disk(disk, size=size)
    try:
        full = in_a_process("run", SMOKE, "--out", disk / "run")
        assert full.code == 1, full.err
        assert "the disk is full" in full.err
        assert "Traceback" not in full.err
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        again = in_a_process("run", SMOKE, "--out", disk / "run")
        assert again.code == 0, again.err
    finally:
        subprocess.run(["umount", str(disk)], check=True)
