"""``manyways recipes`` and ``keys``: shipped recipes, a copy to change, every key."""

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from manyways.commands.printing import open_table, print_result, print_text
from manyways.errors import UserError
from manyways.plugins import nearest
from manyways.recipe import shipped
from manyways.recipe.file import dump_recipe, load_recipe
from manyways.recipe.reference import Key, Table, schema, tables

WIDTH = 92
NEEDS = {
    "required": "required",
    "stage": "optional; its stages are left out without it",
    "optional": "optional",
    "off": "optional; off without it",
}
PAGE = """# Every key of a recipe

A recipe is a TOML file. The keys marked *required* have no default; where a table is optional, they
are required once it is there (and one of `midtrain.steps` and `midtrain.epochs`). A recipe without
`[midtrain]`, `[rl]` and `[evaluate]` makes the data alone ([ten lines](your-own.md)).
`manyways recipes` lists whole recipes to start from.
With `extends` a recipe builds on another one. `manyways recipes show FILE` then prints the whole
recipe, with every default.

`manyways keys` prints this page, and `manyways keys rl` prints one of its tables. `--set
rl.steps=300` sets a key on the command line. `manyways keys --schema` prints a JSON schema, with
which editors complete and check keys. manyways refuses an unknown key or a wrong value before
anything runs, and names its path. This page is generated: `manyways keys --markdown`.
"""
LINKED = re.compile(r"docs/([a-z-]+[.]md)")


def list_recipes() -> None:
    """Print the name of each shipped recipe and what it is for."""
    table = open_table("recipe", "what it is for", title="`manyways run NAME` runs one")
    for name in shipped.names():
        table.add_row(name, shipped.purpose(name))
    print_result(table)


def copy_recipe(name: str, to: Path) -> None:
    """Copy a shipped recipe into the folder ``to`` and say how to run it."""
    copied = shipped.copy(name, to)
    print_text(f"{copied}\nNext: change it, then `manyways run {copied} --dry-run`.")


def show_recipe(path: Path, overrides: Sequence[str]) -> None:
    """Print a recipe whole: what it extends, what is set, every default."""
    print_text(dump_recipe(load_recipe(path, overrides)))


def print_schema() -> None:
    """Print a recipe's JSON schema, by which editors complete and check keys."""
    print_text(json.dumps(schema(), indent=1))


def print_keys(section: str | None, *, markdown: bool) -> None:
    """Print the tables of the recipe, those at and below ``section``, or the key of that name.

    A key is named with its table (``rl.steps``) or alone (``steps``: wherever it occurs). Raises
    UserError when there is no such table or key.
    """
    found = [one for one in tables() if section is None or _is_in(one.path, section)]
    found = found or [one for one in map(partial(_only, name=section), tables()) if one.keys]
    if not found:
        known = [one.path for one in tables() if one.path]
        known += [_full(one, key) for one in tables() for key in one.keys]
        hint = nearest(str(section), dict.fromkeys(known))
        raise UserError(f"a recipe has no table and no key '{section}'.{hint}")
    print_text("\n".join(page(found) if markdown else listing(found)))


def _full(table: Table, key: Key) -> str:
    return f"{table.path}.{key.name}" if table.path else key.name


def _only(table: Table, *, name: str | None) -> Table:
    """The table with no key but ``name``."""
    return replace(
        table, keys=tuple(key for key in table.keys if name in (_full(table, key), key.name))
    )


def _is_in(path: str, section: str) -> bool:
    return path == section or path.startswith(f"{section}.")


def listing(found: list[Table]) -> Iterator[str]:
    """The tables for a terminal, with a paragraph for each key."""
    for table in found:
        yield f"[{table.path}]  {NEEDS[table.need]}" if table.path else "At the top of the file"
        yield from textwrap.wrap(
            _bare(table.meaning), WIDTH, initial_indent="# ", subsequent_indent="# "
        )
        if table.like:
            yield f"# Its keys are those of [{table.like}]."
        for key in table.keys:
            yield from _paragraph(key)
        yield ""


def _paragraph(key: Key) -> Iterator[str]:
    given = "" if key.default in ("", "required") else f" = {key.default}"
    needed = ", required" if key.default == "required" else ""
    yield f"{key.name}{given}    ({key.kind}{needed})"
    yield from textwrap.wrap(
        _bare(key.meaning), WIDTH, initial_indent="    ", subsequent_indent="    "
    )


def page(found: list[Table]) -> Iterator[str]:
    """The tables as a Markdown page."""
    yield PAGE
    for table in found:
        yield f"## `[{table.path}]`" if table.path else "## At the top of the file"
        need = f" *{NEEDS[table.need].capitalize()}.*" if table.path else ""
        like = f" Its keys are those of `[{table.like}]`." if table.like else ""
        yield f"\n{_code(table.meaning)}{need}{like}\n"
        if table.keys:
            yield "| key | value | default | meaning |\n|---|---|---|---|"
        for key in table.keys:
            marks = {"": "", "required": "*required*"}
            default = marks.get(key.default, f"`{key.default}`")
            yield f"| `{key.name}` | {key.kind} | {default} | {_code(key.meaning)} |"
        yield ""


def _code(text: str) -> str:
    return LINKED.sub(r"[\1](\1)", text.replace("``", "`"))


def _bare(text: str) -> str:
    return text.replace("``", "")
