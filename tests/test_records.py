"""What a checkpoint is called, and that its name is put together in one place."""

import json
import re
from pathlib import Path

import pytest

from manyways.arms import Line
from manyways.records import BASE, Checkpoint, Problem

SRC = Path(__file__).parents[1] / "src" / "manyways"
NAMING = re.compile(
    r"/mid\"|/rl\"|/mid'|/rl'|\"vanilla\"|seed-\{|/seed-\"|startswith\(\"wrong|"
    r"replace\(\"heuristics"
)
OWNERS = {"records.py", "arms/__init__.py", "arms/kinds.py"}

THEORY = ("theory/", "commands/theory")
"""Where 'vanilla' is a rule of gradients."""


@pytest.mark.parametrize(
    ("checkpoint", "name"),
    [
        (BASE, "base"),
        (Line(arm="star", seed=0).mid, "star/seed-0/mid"),
        (Line(arm="star@9@round2", seed=12).rl, "star@9@round2/seed-12/rl"),
        (Checkpoint(arm="vanilla", phase="rl"), "vanilla/rl"),
    ],
)  # fmt: skip
def test_a_name_is_read_back(checkpoint: Checkpoint, name: str) -> None:
    assert checkpoint.name == name
    assert Checkpoint.parse(name) == checkpoint
    assert Checkpoint.parse(checkpoint.pooled).seed is None


@pytest.mark.parametrize(
    "name", ["", "star", "star/seed-0", "star/seed-x/rl", "star/seed-01/rl", "a/b/rl"]
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="is not base"):
        Checkpoint.parse(name)


def test_only_what_is_trained_has_a_folder() -> None:
    line = Line(arm="star", seed=1)
    assert line.mid.folder == "arms/star/seed-1/3-midtrain"
    assert line.rl.folder == "arms/star/seed-1/5-rl"
    for untrained in (BASE, Checkpoint(arm="star", phase="rl")):
        with pytest.raises(ValueError, match="not trained"):
            _ = untrained.folder


def test_a_line_knows_its_checkpoints() -> None:
    star, vanilla = Line(arm="star", seed=0), Line(arm="vanilla", seed=0)
    late = Line(arm="star@round2", seed=0)
    assert (star.origin, star.start, late.origin) == (BASE, star.mid, star.mid)
    assert star.checkpoints == (star.mid, star.rl)
    assert (vanilla.start, vanilla.checkpoints) == (BASE, (vanilla.rl,))


def test_names_are_put_together_in_one_place() -> None:
    found = [
        f"{path.relative_to(SRC)}:{number}: {line.strip()}"
        for path in sorted(SRC.rglob("*.py"))
        if path.relative_to(SRC).as_posix() not in OWNERS
        and not path.relative_to(SRC).as_posix().startswith(THEORY)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if NAMING.search(line)
    ]
    assert found == []


def test_a_problem_comes_back_from_json_as_it_was() -> None:
    problem = Problem(
        id="a/b/1",
        question="é?",
        answer="1",
        alternatives=("2",),
        choices=("x", "y"),
        tags={"k": "v"},
    )
    assert Problem.of(json.loads(json.dumps(problem.fields()))) == problem
    least = {"id": "a/b/1", "question": "q", "answer": "1"}
    assert Problem.of(least) == Problem(**least)
