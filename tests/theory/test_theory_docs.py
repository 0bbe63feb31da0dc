import importlib
import inspect
import re
from pathlib import Path

import pytest

from manyways import theory

TEXT = (Path(__file__).parents[2] / "docs" / "theory.md").read_text(encoding="utf-8")
MODULES = sorted(p.stem for p in Path(theory.__file__).parent.glob("[a-z]*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_is_in_the_docs(name: str) -> None:
    module = importlib.import_module(f"manyways.theory.{name}")
    own = {
        f"{name}.{key}"
        for key, value in inspect.getmembers(module, inspect.isfunction)
        if value.__module__ == module.__name__ and not key.startswith("_")
    }
    named = set(re.findall(rf"`({name}\.\w+)`", TEXT))
    estimators = {"composition.corrected_rate", "composition.within_covariance"}
    assert named - estimators == own


def test_every_module_is_in_the_index() -> None:
    listed = re.findall(r"^\| ``(\w+)`` \|", theory.__doc__ or "", re.MULTILINE)
    assert sorted(listed) == MODULES


def test_the_examples_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/theory.md", "exec"), {})


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_says_what_it_refuses(name: str) -> None:
    module = importlib.import_module(f"manyways.theory.{name}")
    for key, value in inspect.getmembers(module, inspect.isfunction):
        if value.__module__ == module.__name__ and not key.startswith("_"):
            assert "Raises:" in (value.__doc__ or ""), key
