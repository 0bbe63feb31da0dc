"""``manyways recipes`` lists, copies and shows recipes. ``manyways keys`` prints every key."""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from manyways.errors import UserError
from manyways.plugins import nearest
from manyways.progress import open_table, print_result, print_text
from manyways.recipe import copy_shipped, dump_recipe, load_recipe, purpose_of, shipped_names
from manyways.recipe.section import Section, section_of, toml_value
from manyways.recipe.tree import SECTIONS, ArmConfig, Recipe

WORDS = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false"}
BOUNDS = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "below {}"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key of a recipe.

    Example: ``Key(name="samples", kind="integer, at least 1", default="4", meaning="...")``.

    default: as TOML, or ``required``, or empty for a key that has no value when it is left out.
    """

    name: str
    kind: str
    default: str
    meaning: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table of a recipe.

    path: the text in its brackets, empty for the keys at the top.
    need: a key of ``NEEDS``.
    keys: none if they are the keys of the table ``like``.
    """

    path: str
    meaning: str
    need: str
    keys: tuple[Key, ...]
    like: str = ""


def tables() -> list[Table]:
    """Every table, in the order of the recipe. The keys of a section are listed once."""
    return list(_tables(Recipe, "", "required", {}))


def schema() -> dict[str, Any]:
    """The JSON schema of a recipe, for editors: every key with its values and meaning.

    It requires no key, because a file that ``extends`` another may leave out any key.
    """
    seen: dict[type[BaseModel], str] = {}
    for _ in _tables(Recipe, "", "required", seen):
        pass
    whole = Recipe.model_json_schema()
    for model in seen:
        table = whole if model is Recipe else whole["$defs"][model.__name__]
        table.pop("required", None)
        table["description"] = " ".join((model.__doc__ or "").split())
        for name, meaning in _meanings(model).items():
            table["properties"][name]["description"] = meaning
    for name in SECTIONS:
        held = whole["$defs"][ArmConfig.__name__]["properties"]
        meaning = held[name]["description"]
        held[name] = {"$ref": whole["properties"][name]["$ref"], "description": meaning}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}


def _tables(
    model: type[BaseModel], path: str, need: str, seen: dict[type[BaseModel], str]
) -> Iterator[Table]:
    seen[model] = path
    fields = model.model_fields
    inner = {name: section_of(field.annotation) for name, field in fields.items()}
    schema = model.model_json_schema()["properties"]
    plain = (name for name, section in inner.items() if section is None)
    keys = tuple(
        Key(
            name=name, kind=_kind(schema[name]), default=_default(fields[name]),
            meaning=_meanings(model)[name],
        )
        for name in plain
    )  # fmt: skip
    yield Table(path=path, meaning=" ".join((model.__doc__ or "").split()), need=need, keys=keys)
    for name, section in inner.items():
        if section is None:
            continue
        below, state = f"{path}.{name}".lstrip("."), _need(fields[name])
        below += '."NAME"' if get_origin(fields[name].annotation) is dict else ""
        if section in seen:
            text = _meanings(model)[name]
            yield Table(path=below, meaning=text, need=state, keys=(), like=seen[section])
        else:
            yield from _tables(section, below, state, seen)


def _need(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, Section) and not default.there:
        return "stage"
    return "off" if default is None else "optional"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if value is None else toml_value(value)


def _kind(schema: Mapping[str, Any]) -> str:
    """A JSON schema in words."""
    if "anyOf" in schema:
        found = [_kind(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(found))
    if "enum" in schema or "const" in schema:
        return ", ".join(f'"{value}"' for value in schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        inner = schema.get("prefixItems") or [schema["items"]]
        return f"list: {', '.join(_kind(one) for one in inner)}"
    if schema["type"] == "object":
        return "table"
    bounds = (text.format(schema[name]) for name, text in BOUNDS if name in schema)
    return ", ".join((WORDS[schema["type"]], *bounds))


@cache
def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Key -> the text below it in the source. A key without a text is missing."""
    # Read from the source, because Python does not keep the docstrings of attributes.
    (found,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(found, ast.ClassDef)
    meanings = {}
    for line, below in zip(found.body, found.body[1:], strict=False):
        if isinstance(line, ast.AnnAssign) and isinstance(below, ast.Expr):
            text = ast.literal_eval(below.value)
            meanings[ast.unparse(line.target)] = " ".join(text.split())
    return meanings


WIDTH = 92
NEEDS = {
    "required": "required",
    "stage": "optional; its stages are left out without it",
    "optional": "optional",
    "off": "optional; absent by default",
}
PAGE = """# Every key of a recipe

A recipe is a TOML file. A key that is marked *required* has no default. If its table is optional,
the key is required once the table is there. So is one of `midtrain.steps` and `midtrain.epochs`.
A recipe without `[midtrain]`, `[rl]` and `[evaluate]` only makes data ([ten lines](your-own.md)).
`manyways recipes` lists whole recipes to start from.
With `extends` a recipe builds on another one. `manyways recipes show FILE` then prints the whole
recipe, with every default.

`manyways keys` prints this page, and `manyways keys rl` prints one of its tables. `--set
rl.steps=300` sets a key on the command line. `manyways keys --schema` prints a JSON schema, with
which editors complete and check keys. manyways refuses an unknown key or a wrong value before
anything runs, and names its path. `manyways keys --markdown` generates this page.
"""
LINKED = re.compile(r"docs/([a-z-]+[.]md)")


def list_recipes() -> None:
    """Print the name of each shipped recipe and what it is for."""
    table = open_table("recipe", "what it is for", title="`manyways run NAME` runs one")
    for name in shipped_names():
        table.add_row(name, purpose_of(name))
    print_result(table)


def copy_recipe(name: str, to: Path) -> None:
    """Copy a shipped recipe into the folder ``to`` and say how to run it."""
    copied = copy_shipped(name, to)
    print_text(f"{copied}\nNext: change it, then `manyways run {copied} --dry-run`.")


def show_recipe(path: Path, overrides: Sequence[str]) -> None:
    """Print a whole recipe: the keys that it inherits, its own keys and every default."""
    print_text(dump_recipe(load_recipe(path, overrides)))


def print_schema() -> None:
    """Print the JSON schema of a recipe."""
    print_text(json.dumps(schema(), indent=1))


def print_keys(section: str | None, *, markdown: bool) -> None:
    """Print all tables of a recipe, the tables at and below ``section``, or the key ``section``.

    A key is named with its table (``rl.steps``) or without (``steps``, in every table that has it).

    Raises UserError when there is no such table or key.
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
    """The table with only the key ``name``."""
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
