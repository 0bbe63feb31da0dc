"""What README and docs name exists: links, recipes, make targets, verbs."""

import re
from dataclasses import make_dataclass
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
import typer.main

from manyways.cli import app as cli
from manyways.cli.export import export
from manyways.cli.tools import heuristics, pocket, problems
from manyways.commands.recipes import tables
from manyways.records import Phase, Status

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_named_recipes_and_benches_exist(page: Path) -> None:
    named = re.findall(r"\b((?:recipes|bench)/[\w.-]+\.(?:toml|py))\b", page.read_text())
    for name in named:
        assert (ROOT / name).is_file(), f"{page.name} names {name}"


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"^make ([\w-]+)", page.read_text(), re.MULTILINE))
        assert named <= targets, page


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_named_verbs_exist(page: Path) -> None:
    verbs = set(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]
    parts = {"pocket": pocket, "heuristics": heuristics, "problems": problems, "export": export}
    for words in re.findall(r"\bmanyways ([a-z]+(?:\|[a-z]+)*)(?: ([a-z]+))?", _code(page)):
        for verb in words[0].split("|"):
            assert verb in verbs, f"{page.name}: manyways {verb}"
        if words[0] in parts and words[1]:
            inner = typer.main.get_command(parts[words[0]]).commands  # type: ignore[attr-defined]
            assert words[1] in inner, f"{page.name}: manyways {' '.join(words)}"


def _code(page: Path) -> str:
    """Commands as they stand in code: fenced shell blocks and backticks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:bash|sh|console)?\n(.*?)```", text, re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`(manyways [^`]+)`", text)])


def test_words_that_tables_are_written_in_are_explained() -> None:
    page = (ROOT / "docs" / "words.md").read_text(encoding="utf-8")
    for kind in (Status, Phase):
        for word in get_args(kind):
            assert f"`{word}`" in page, word
    defined = re.findall(r"^\| ([^|]+?) \| (?!meaning)", page, re.MULTILINE)
    words = [word for word in defined if word != "---"]
    assert len(words) > 60 and len(words) == len(set(words))


def test_the_page_of_tables_is_what_the_records_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "site"))
    made = import_module("tables")
    page = f"{made.HEAD}\n" + "\n".join(made.page())
    assert page.rstrip() == (ROOT / "docs" / "tables.md").read_text(encoding="utf-8").rstrip()
    assert "\n## `pass_at_k`\n" in page and "| `switch` | score or nothing |" in page


def test_a_column_that_nobody_explains_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "site"))
    made = import_module("tables")
    row = make_dataclass("Row", [("checkpoint", str), ("mystery", float)])
    known = made.entries(row)
    assert made.meaning(row, "checkpoint", known).startswith("`base`")
    with pytest.raises(KeyError, match=r"Row\.mystery"):
        made.meaning(row, "mystery", known)


def test_modules_that_docstrings_refer_to_exist() -> None:
    """``pool.sampling.collect``, where the first word is a package and not a table of recipes."""
    source = ROOT / "src" / "manyways"
    keys = {f"{table.path}.{key.name}" for table in tables() for key in table.keys}
    for path in source.rglob("*.py"):
        for found in re.findall(r"``([a-z_]+(?:\.[A-Za-z_]+)+)``", path.read_text("utf-8")):
            place, names = source, found.split(".")
            while names and (place / names[0]).is_dir():
                place /= names.pop(0)
            if place == source or found in keys or names[-1:] == ["toml"]:
                continue
            module = place / f"{names[0]}.py" if names else place / "__init__.py"
            if module.is_file():
                names = names[1:]
            else:
                module = place / "__init__.py"
            text = module.read_text("utf-8")
            for name in names:
                assert re.search(rf"\b{name}\b", text), f"{path.name} refers to {found}"
