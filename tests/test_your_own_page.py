"""Every command of docs/your-own.md runs, offline, on things that are called as it calls them."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from command_line import ROOT, in_this_process, listed
from fake_server import Habits, Said, fake_server
from test_extend_page import examples

PAGE = (ROOT / "docs" / "your-own.md").read_text(encoding="utf-8")
BASE = ROOT / "src" / "manyways" / "pocket" / "base"
COMMIT = "0" * 40
STAND_INS = ("--set", "model.engine=fake_engines:AlwaysRight")
"""Only for runs that sample: the embedded model does not know these problems."""


def commands() -> dict[str, list[str]]:
    """Title of a section -> its command lines, without comments."""
    found: dict[str, list[str]] = {}
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```bash\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        lines = [line for block in blocks for line in block.splitlines() if line.strip()]
        if lines:
            found[section.splitlines()[0]] = lines
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, problems in three kinds of file, and the files of extend.md."""
    shutil.copytree(BASE, tmp_path / "my-model")
    rows = [{"prompt": f"What is {n} + 0?", "solution": str(n)} for n in range(4)]
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, data / "train.parquet")
    pyarrow.csv.write_csv(table, data / "train.csv")
    for name, text in re.findall(r"^```toml (\w+\.toml)\n(.*?)^```", PAGE, re.M | re.S):
        (tmp_path / name).write_text(text)
    for name, text in examples().items():
        (tmp_path / name).write_text(text)
        monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model as the Hub's cache keeps ``me/my-small``, and no connection."""
    from huggingface_hub import HfApi, constants

    repository = tmp_path / "hub" / "models--me--my-small"
    shutil.copytree(BASE, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def offline(*_: object, **__: object) -> None:
        raise OSError("no connection")

    monkeypatch.setattr(HfApi, "model_info", offline)


def right(prompt: str, seed: int | None, body: dict) -> Said:
    number = re.findall(r"What is (\d+) \+ 0", body["messages"][-1]["content"])[-1]
    return Said(f"It is \\boxed{{{number}}}.", "stop", 5)


def test_every_kind_of_ones_own_has_a_section() -> None:
    assert list(commands()) == [
        "Ten lines", "A model in a folder", "A model of the Hub", "A model behind an address",
        "Problems in a file", "A verifier of your own", "Heuristics of your own",
        "Adapters (LoRA)", "Trackers",
    ]  # fmt: skip
    assert sum(map(len, commands().values())) == 17


@pytest.mark.slow
@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("title", commands())
def test_its_commands_run(
    title: str, folder: Path, capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config
) -> None:
    with fake_server(Habits(writer=right)) as url:
        for line in commands()[title]:
            args = shlex.split(line.replace("http://localhost:8000/v1", url), comments=True)
            if args[1:3] == ["run", "mine.toml"] and len(args) == 3:
                args += STAND_INS
            done = in_this_process(capsys, *args[1:])
            assert done.code == 0, (line, done.err)
            said = (done.out + done.err).strip().splitlines()
            assert said
            listed(capsys, pytestconfig, "docs/your-own.md", line, " ".join(args[1:]), said[-1])
    if title == "Ten lines":
        assert list((folder / "exports").rglob("*.parquet"))
    if title == "A model behind an address":
        assert (folder / "runs" / "served" / "2-solutions.parquet").is_file()
