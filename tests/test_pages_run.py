"""What the pages tell a reader to type is typed: the notebook, Python sessions, every command.

``make commands`` lists each command with how it was run and the last line that it printed. Commands
that would take hours, or need what is not here, are run as ``adapted`` says; the few that cannot be
are in ``ELSEWHERE``.
"""

import doctest
import importlib
import json
import re
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from command_line import ROOT, in_this_process, listed
from needs import DATA, NO_DATA, reason

from manyways.checkpoints import package_path

pytestmark = pytest.mark.slow
OWN_TEST = "your-own.md"
"""Typed from top to bottom, with files of its own, by test_your_own_page."""
DOCS = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name != OWN_TEST]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
BASE = str(package_path("package:manyways.pocket/base"))
SMALL = (
    "generate.limit=16", "generate.samples=2", "generate.plain_samples=2", "midtrain.steps=4",
    "gate.problems=4", "rl.steps=2", "rl.group_size=4", "rl.prompts_per_step=2", "rl.limit=16",
    "evaluate.limit=4", "evaluate.attempts=2", "analyse.bootstrap=200",
)  # fmt: skip
ELSEWHERE = {
    "make": "tests/test_readme.py: the target exists; .ci/run calls most of them",
    ".ci/run": "this is what runs the tests",
    "pip": "installs",
    "python3": "makes an environment",
    "verl-env/bin/pip": "installs",
    "pytest": "a test of its own",
    "python": "a bench; make bench runs each",
}
"""First word of a command -> why it is not run here."""


def commands() -> list[tuple[str, str]]:
    """(page, command) of every fenced shell block, without its comment."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                command = " ".join(re.sub(r"(?:^|\s)#.*", "", line).split())
                if command:
                    found.append((str(page.relative_to(ROOT)), command))
    return list(dict.fromkeys(found))


def files() -> dict[str, str]:
    """Name -> content of each fenced block that is a file: ```jsonl answers.jsonl."""
    found: dict[str, str] = {}
    for page in PAGES:
        found |= dict(re.findall(r"^```\w+ (\S+\.\w+)\n(.*?)^```", page.read_text(), re.M | re.S))
    return found


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nbformat.NotebookNode]:
    """A folder in which the notebook was executed with a small run, and what it shows."""
    from nbclient import NotebookClient

    place = tmp_path_factory.mktemp("pages")
    book = nbformat.read(ROOT / "examples" / "demo.ipynb", as_version=4)
    (sizes,) = [cell for cell in book.cells if "parameters" in cell.metadata.get("tags", ())]
    settings = " ".join(f"--set {one}" for one in SMALL)
    sizes.source = f"RUN = 'runs/pocket'\nSETTINGS = '{settings}'"
    client = NotebookClient(book, timeout=800, resources={"metadata": {"path": str(place)}})
    client.execute(env={"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "tests")})
    return place, book


@pytest.fixture(scope="module")
def place(book: tuple[Path, nbformat.NotebookNode]) -> Path:
    """Where commands are typed: runs, recipes, and the files that pages name."""
    root = book[0]
    shutil.copytree(ROOT / "recipes", root / "recipes")
    for name in ("first", "second", "data", "pocket-study", "gsm8k-llama-3.2-3b"):
        shutil.copytree(root / "runs" / "pocket", root / "runs" / name)
    study = root / "runs" / "pocket-study" / "arms"
    (study / "heuristics-8").symlink_to(study / "heuristics-10")
    (root / "models").mkdir()
    (root / "models" / "my-sentence-model").symlink_to(BASE)
    rows = {
        "answers.jsonl": [{"gold": "1/2", "prediction": "\\boxed{0.5}"}],
        "attempts.jsonl": [{"problem": p, "correct": i < 3} for p in "ab" for i in range(64)],
        "texts.jsonl": [{"text": f"Start from {i} and add {i * i}.", "problem": i % 3}
                        for i in range(12)],
        "traces.jsonl": [{"text": f"Try the number {i}. It is too small. Then try {i + 1}.",
                          "problem": i % 3, "correct": i % 2 == 0} for i in range(12)],
        "mine.jsonl": [{"prompt": f"{i} + 1?", "solution": str(i + 1)} for i in range(30)],
    }  # fmt: skip
    for split in ("train", "rl", "test"):
        rows[f"data/{split}.jsonl"] = [
            {"prompt": f"What is {i} + {i} in {split}?", "solution": str(2 * i)} for i in range(30)
        ]
    (root / "data").mkdir()
    for name, lines in rows.items():
        (root / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    for name, content in files().items():
        (root / name).write_text(content)
    return root


def test_the_notebook_draws_three_figures(book: tuple[Path, nbformat.NotebookNode]) -> None:
    outputs = [out for cell in book[1].cells if cell.cell_type == "code" for out in cell.outputs]
    assert sum("image/png" in out.get("data", {}) for out in outputs) == 3
    assert [
        out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"
    ] == []
    assert "report.html" in "".join(out.get("text", "") for out in outputs)


def test_sessions_of_the_python_page(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    text = "\n".join(re.findall(r"```pycon\n(.*?)```", page, re.DOTALL))
    sessions = doctest.DocTestParser().get_doctest(text, {}, "python.md", "docs/python.md", 0)
    assert len(sessions.examples) > 15
    told: list[str] = []
    result = doctest.DocTestRunner().run(sessions, out=told.append)
    assert result.failed == 0, "".join(told)


READERS = ("pandas", "polars", "duckdb", "datasets")


@pytest.mark.parametrize("library", READERS)
def test_other_libraries_read_a_run_as_it_is(
    library: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec(library) is None:
        pytest.skip(reason(library, "make setup-dev"))
    monkeypatch.chdir(place)
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    (line,) = re.findall(rf"^{library}\..+$", page, re.MULTILINE)
    table = eval(line, {library: importlib.import_module(library)})
    whole = len(importlib.import_module("manyways").open("runs/pocket").attempts)
    rows = sum(row[1] for row in table.fetchall()) if library == "duckdb" else len(table)
    assert rows == whole > 0


def adapted(words: list[str]) -> list[str]:
    """The command with what it takes to end here, in seconds; the same options otherwise."""
    named = next((word for word in words[1:] if word.endswith(".toml")), "")
    if words[0] == "demo" or words[:2] == ["pocket", "check"]:
        return [*words, "--help"]
    if words[0] == "table":  # [--optional], one|of|these
        words = [w.partition("|")[0] for w in words if "[" not in w and not w.endswith("]")]
    words = ["runs/pocket" if word == "RUN" else word for word in words]
    if words[0] == "run" and "--dry-run" not in words:
        words.append("--dry-run")
    if words[0] == "forecast" and "--no-measure" not in words:
        words.append("--no-measure")
    if words[0] in ("run", "forecast") and "pocket" not in named and "smoke" not in named:
        words += ["--set", f"model.path='{BASE}'"]
    if named == "my.toml":  # a recipe for a machine with a GPU and vLLM
        words += ["--trust", "--set", "model.engine='transformers'", "--set", "rl.extra={}"]
        words += [
            "--set",
            "evaluate.benchmarks=['file:data/test.jsonl?question=prompt&answer=solution']",
        ]
    return words


@pytest.mark.parametrize(("page", "command"), commands(), ids=lambda text: text[:60])
def test_a_command_of_the_pages(
    page: str, command: str, place: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    pytestconfig: pytest.Config,
) -> None:  # fmt: skip
    words = shlex.split(command)
    while "=" in words[0]:
        words.pop(0)
    if words[0] != "manyways":
        assert words[0] in ELSEWHERE, f"{page}: {command}"
        for name in re.findall(r"(?<!-)\b(?:tests|bench)/\S+\.py", command):
            assert (ROOT / name).is_file(), command
        listed(capsys, pytestconfig, page, command, "not run here", ELSEWHERE[words[0]])
        return
    typed = adapted(words[1:])
    if typed[:2] == ["recipes", "copy"]:  # into a folder that has none of that name
        (place / f"{typed[2]}.toml").unlink(missing_ok=True)
    if DATA.is_dir():
        monkeypatch.setenv("MANYWAYS_DATA", str(DATA))
    elif re.search(r"gsm8k-llama.*toml|dapo", command):
        pytest.skip(NO_DATA)
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("PYTHONPATH", str(place))
    outcome = in_this_process(capsys, *typed)
    assert outcome.code == 0, f"{page}: {command}\n{outcome.out}\n{outcome.err}"
    said = (outcome.out + outcome.err).strip().splitlines()
    listed(capsys, pytestconfig, page, command, " ".join(typed), said[-1].strip() if said else "")
