"""Wrong first steps: each is answered with the mistake and the fix, exit code 2 and no traceback.

docs/troubleshooting.md lists them; a test compares the two.
"""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT, dying, in_a_process, in_this_process
from tiny_models import build_llama
from transformers import AutoTokenizer

from manyways.commands import needs
from manyways.plugins import install_command

PAGE = ROOT / "docs" / "troubleshooting.md"
POCKET = {
    "model.path": "package:manyways.pocket/base",
    "prompt.instruction": "",
    "heuristics.pack": "pocket",
    "heuristics.labeller": "pocket",
    "heuristics.count": "2",
    "arms": '["heuristics-2"]',
    "generate.problems": "pocket/seed?count=2",
}


def run(**changes: str) -> list[str]:
    """The shipped data-only recipe on what is at hand, with changes: ``model__path`` -> a key."""
    keys = {**POCKET, **{key.replace("__", "."): value for key, value in changes.items()}}
    return ["run", "data-only", *(w for k, v in keys.items() for w in ("--set", f"{k}={v}"))]


STEPS = {
    "a folder that is not a run": (["status", "."], "'.' is not a run folder"),
    "a misspelled recipe": (["run", "poket"], "Did you mean 'pocket'?"),
    "a misspelled key": (run(generate__sampels="3"), "Did you mean 'samples'?"),
    "the data in place of a recipe": (["run", "other.csv"], "is data and no recipe"),
    "a file without `file:`": (run(generate__problems="other.csv"), "write 'file:other.csv'"),
    "a missing file": (run(generate__problems="file:no.csv"), "paths start at"),
    "other column names": (
        run(generate__problems="file:other.csv"),
        "no column 'question'; it has q, a. Map them: ?question=COLUMN&answer=COLUMN",
    ),
    "a wrong path of a model": (run(model__path="./nowhere"), "there is no folder 'nowhere'"),
    "an adapter in place of a model": (run(model__path="./adapter"), "merge it into its base"),
    "a tokenizer without an EOS token": (run(model__path="./endless"), "has no EOS token"),
    "a Hub id without a connection": (
        run(model__path="me/mine"),
        "cannot reach 'me/mine' on the Hugging Face Hub",
    ),
    "a missing GPU": (run(model__device="cuda"), "set it to 'auto'"),
    "an engine that is not installed": (
        run(model__engine="vllm"),
        install_command("vllm"),
    ),
    "a server that does not run": (
        run(
            model__engine="http",
            model__http__url="http://localhost:9/v1",
            model__http__retries="0",
        ),
        "is it running, and is model.http.url right?",
    ),
    "a stage without its section": (
        [*run(), "--until", "midtrain"],
        "the recipe has no section [midtrain]",
    ),
    "a file in place of the run folder": (
        [*run(), "--out", "other.csv"],
        "cannot create the run folder",
    ),
}
SHELL = {
    "another Python than that of the environment",
    "a tokenizer without a chat template",
    "a run folder that is read-only",
    "a full disk",
    "Ctrl-C in the middle",
    "code of one's own that fails",
}
"""Those that have a test of their own below, or in tests/integration/test_stopping.py."""


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the things that newcomers have."""
    (tmp_path / "other.csv").write_text("q,a\nWhat is 1 + 1?,2\n")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    # No connection, so that nothing waits for one.
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", _offline)
    monkeypatch.setitem(sys.modules, "vllm", None)
    monkeypatch.setattr("torch.accelerator.current_accelerator", lambda **_: None)
    return tmp_path


def _offline(*_: object, **__: object) -> None:
    raise OSError("no connection")


def endless(folder: Path) -> None:
    """A checkpoint whose tokenizer has no EOS token."""
    build_llama(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folder)


@pytest.mark.parametrize("step", STEPS)
def test_a_wrong_first_step_is_told_the_fix(step: str, newcomer: Path, capsys) -> None:
    if step == "a tokenizer without an EOS token":
        endless(newcomer / "endless")
    args, fix = STEPS[step]
    done = in_this_process(capsys, *args)
    assert done.code == 2, done.err
    assert fix in done.err
    told = done.err.partition("manyways: ")[2]
    assert told and "Traceback" not in told
    assert len(re.findall(r"[.?:;](?= |$)", told, re.MULTILINE)) <= 6, "a sentence or two"


def test_another_python_than_that_of_the_environment() -> None:
    """One that has none of the packages: ``-I -S`` sees the standard library alone."""
    code = f"import sys, runpy; sys.path.insert(0, {str(ROOT / 'src')!r}); "
    code += "runpy.run_module('manyways', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "has no package 'typer'" in done.stderr
    assert "activate the environment" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_tokenizer_without_a_chat_template(newcomer: Path, capsys, monkeypatch) -> None:
    """No mistake of a base model's, so the plan goes on and says what the prompts get."""
    build_llama(newcomer / "bare")
    tokenizer = AutoTokenizer.from_pretrained(newcomer / "bare")
    tokenizer.chat_template = None
    tokenizer.save_pretrained(newcomer / "bare")
    (newcomer / "bare" / "chat_template.jinja").unlink(missing_ok=True)
    monkeypatch.setenv("COLUMNS", "200")
    done = in_this_process(capsys, *run(model__path="./bare"), "--dry-run")
    assert done.code == 0, done.err
    told = " ".join(done.out.split())
    assert "no chat template: prompts get a plain one" in told
    assert "put its chat_template.jinja into the folder" in told


def test_a_run_folder_that_is_read_only(newcomer: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(needs.os, "access", lambda _, mode, **__: mode != os.W_OK)
    done = in_this_process(capsys, *run(), "--dry-run")
    assert done.code == 2
    assert "name another run folder with --out" in done.err
    monkeypatch.undo()
    monkeypatch.chdir(newcomer)
    monkeypatch.setattr(os, "mkdir", _read_only)
    done = in_this_process(capsys, *run())
    assert done.code == 2
    assert "cannot create the run folder" in done.err
    assert "Read-only file system" in done.err


def _read_only(path: object, *_: object, **__: object) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


LOADER = """from manyways.records import Problem

def load(split, source):
    return [Problem(id="m/0", question=row["question"], answer="2") for row in [{"q": "1 + 1?"}]]
"""


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (LOADER, ["raised KeyError: 'question'", "my_failing.py, line 4, in load: return"]),
        ("def load(:\n", ["raised SyntaxError", "my_failing.py, line 1: def load(:"]),
    ],
)
def test_code_of_ones_own_that_fails_is_told_by_its_line(
    content: str, lines: list[str], newcomer: Path, capsys, monkeypatch
) -> None:
    (newcomer / "my_failing.py").write_text(content)
    monkeypatch.syspath_prepend(str(newcomer))
    monkeypatch.delitem(sys.modules, "my_failing", raising=False)
    done = in_this_process(capsys, *run(generate__problems="my_failing:load/x"))
    assert done.code == 2, done.err
    assert all(line in done.err for line in lines), done.err
    assert "site-packages" not in done.err
    assert "manyways/cli" not in done.err


def test_a_verifier_of_ones_own_that_fails_is_told_by_its_line(
    newcomer: Path, capsys, monkeypatch
) -> None:
    (newcomer / "my_judge.py").write_text("def verify(problem, text):\n    return 1 / 0\n")
    monkeypatch.syspath_prepend(str(newcomer))
    monkeypatch.setenv("PYTHONPATH", str(newcomer))
    done = in_this_process(capsys, *run(verify__verifier="my_judge:verify"))
    assert done.code == 2
    assert "ZeroDivisionError" in done.err
    assert "my_judge.py, line 2, in verify: return 1 / 0" in done.err


@pytest.mark.slow
def test_ctrl_c_in_the_middle_loses_nothing(newcomer: Path) -> None:
    args = [*run(), "--out", newcomer / "run"]
    done = dying(*args, at="*2-solutions.parquet", by=signal.SIGINT)
    assert done.code == 130, done.err
    assert "Run the same command again" in done.err
    again = in_a_process(*args)
    assert again.code == 0, again.err
    assert "generate: finished earlier" in again.err


def test_the_page_lists_every_one() -> None:
    listed = set(re.findall(r"^\| ([^|]+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed - {"step", "---"} == {*STEPS, *SHELL}
