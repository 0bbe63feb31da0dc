"""docs/architecture.md: its counts, and that what it says to touch is all there is to touch."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT, environment

import manyways

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SOURCE = ROOT / "src" / "manyways"


def test_the_spine_has_the_lines_that_the_page_says() -> None:
    spine = re.findall(r"^\d+\. \[`(.+?)`\]\(\S+\) \((\d+) lines\)", PAGE, flags=re.MULTILINE)
    assert 15 <= len(spine) <= 20
    for name, said in spine:
        lines = len((SOURCE / name).read_text(encoding="utf-8").splitlines())
        assert abs(lines - int(said)) <= 0.2 * lines, f"{name} has {lines} lines, not {said}"


STAGE = '''
"""Counts the characters of the pool."""

import json

from manyways.context import Context
from manyways.run_dir import Amount, Work
from manyways.tables import read_attempts_table, write_text


def plan(ctx: Context) -> Work:
    """One piece of work."""
    return ctx.run.work("count", identity={"format": 1}, outputs=(ctx.run.path("count.json"),))


def run(ctx: Context) -> None:
    """Count."""
    with plan(ctx):
        texts = read_attempts_table(ctx.run.path("1-attempts"), ["text"])["text"].to_pylist()
        write_text(ctx.run.path("count.json"), json.dumps(sum(map(len, texts))))


def amount(_: Context) -> list[Amount]:
    """One piece of work."""
    return [Amount(work="count", stage="count")]
'''
ENTRY = '    Stage(name="count", help="Count characters.", per="run", after=("generate",)),\n'
KIND = """    Kind(
        name="last",
        numbered=True,
        data="one correct attempt per (problem, heuristic), last N heuristics",
        words=lambda n: f"the last {n} ways of each problem",
        prompts="all",
        pick=lambda pool, n, seed: [
            (problem, way, found[way])
            for problem, found in pool.kept().items()
            for way in pool.heuristics[-n:]
            if way in found
        ],
        examples=lambda n, chances: n * chances.solved,
    ),
"""
ENGINE = '''
"""Says the same always."""

from manyways.engines import Completion


class Same:
    """One text for every seed."""

    reads_ahead = False

    def __init__(self, path, settings):
        """Nothing to load."""

    def sample(self, requests, settings):
        """Yields it."""
        for request in requests:
            yield [
                Completion(
                    text=f"Step by step.\\\\nThe word is yes {seed % 5}.",
                    finish="stop", prompt_tokens=1, tokens=7,
                )
                for seed in request.seeds
            ]

    def facts(self):
        """None."""
        return {}

    def close(self):
        """Nothing to close."""
'''
VERIFIER = '''
"""Whether a word is said."""

from manyways.records import Verdict


def verify(problem, text):
    """Right when the text says yes, or is the reference."""
    right = "yes" in text or problem.answer in text
    return Verdict(status="correct" if right else "wrong", answer="yes", rule="word")
'''
KEY = '''
    surprise: Positive = 3
    """Nobody knows."""
'''


def insert(path: Path, before: str, text: str) -> None:
    """Put ``text`` before the one place where ``before`` stands."""
    old = path.read_text(encoding="utf-8")
    assert old.count(before) == 1, (path, before, old.count(before))
    path.write_text(old.replace(before, text + before), encoding="utf-8")


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with one of each added where the page says."""
    package = tmp_path_factory.mktemp("copy") / "manyways"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(manyways.__file__).parent, package, ignore=ignored)
    (package / "stages" / "count.py").write_text(STAGE.lstrip())
    insert(package / "stages" / "__init__.py", '    Stage(\n        name="analyse",', ENTRY)
    insert(package / "arms" / "kinds.py", '    Kind(\n        name="distilled",', KIND)
    (package / "engines" / "same.py").write_text(ENGINE.lstrip())
    insert(
        package / "engines" / "__init__.py", '    "vllm": "manyways.engines.vllm:VllmEngine",\n',
        '    "same": "manyways.engines.same:Same",\n',
    )  # fmt: skip
    (package / "verifiers" / "word.py").write_text(VERIFIER.lstrip())
    insert(
        package / "verifiers" / "__init__.py", '    "exact": Verifier(\n',
        '    "word": Verifier(verify="manyways.verifiers.word:verify"),\n',
    )  # fmt: skip
    insert(package / "recipe" / "tree.py", "\n\nclass Sections(Section):", KEY)
    return package


def run(package: Path, *words: str | Path) -> str:
    """The command line of the copy; what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "manyways", *map(str, words)],
        env=environment({"PYTHONPATH": str(package.parent)}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_one_of_each_is_added_where_the_page_says(grown: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    changes = {
        "arms": "['vanilla', 'last-1']", "model.engine": "'same'", "verify.verifier": "'word'",
        "analyse.surprise": "4", "generate.limit": "4", "select.min_adherence": "0.0",
    }  # fmt: skip
    settings = [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]
    said = run(grown, "run", ROOT / "recipes" / "smoke.toml", "--out", out, *settings,
               "--until", "select")  # fmt: skip
    assert "100.0% correct" in said
    run(grown, "count", out)
    assert int((out / "count.json").read_text()) > 100
    plan = run(grown, "run", out, "--dry-run", "--until", "midtrain")
    assert "midtrain/last-1/seed-0" in plan
    recipe = ROOT / "recipes" / "smoke.toml"
    assert "count" in run(grown, "forecast", recipe, "--no-measure", "--out", tmp_path / "none")
    assert "surprise" in run(grown, "keys")
    rows = (
        "from pathlib import Path\n"
        "from manyways.arms import Line, parse_arm\n"
        "from manyways.context import Context\n"
        "from manyways.pool.training_rows import training_rows\n"
        "from manyways.recipe import load_recipe\n"
        "from manyways.run_dir import RunDir\n"
        f"root = Path({str(out)!r})\n"
        "ctx = Context(recipe=load_recipe(root / 'recipe.toml'), run=RunDir(root=root))\n"
        "rows = training_rows(ctx, Line(arm='last-1', seed=0))\n"
        "print(len(rows), {row.heuristic for row in rows} == {ctx.pack[-1].id})\n"
        "print(parse_arm('last-1').words)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", rows], env=environment({"PYTHONPATH": str(grown.parent)}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "the last 1 ways of each problem"
    count, same = done.stdout.split()[:2]
    assert int(count) > 0 and same == "True"
