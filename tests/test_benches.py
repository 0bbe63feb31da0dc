"""Benches are run by hand: what they take from the package is looked for here, at once."""

import ast
import importlib
from pathlib import Path

import pytest

BENCHES = sorted((Path(__file__).parents[1] / "bench").rglob("*.py"))


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_what_a_bench_imports_is_there(path: Path) -> None:
    taken = [
        (node.module, name.name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("manyways")
        for name in node.names
    ]
    missing = [f"{module}.{name}" for module, name in taken if not is_there(str(module), name)]
    assert missing == []


def is_there(module: str, name: str) -> bool:
    if hasattr(importlib.import_module(module), name):
        return True
    try:
        importlib.import_module(f"{module}.{name}")
    except ImportError:
        return False
    return True


def test_there_are_benches() -> None:
    assert len(BENCHES) > 10
