"""Every key of a recipe with its kind of value, default and meaning, read off the sections."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from manyways.recipe.arm import SECTIONS, ArmConfig
from manyways.recipe.section import Section, section_of, toml_value
from manyways.recipe.tree import Recipe

WORDS = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false"}
BOUNDS = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "below {}"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key.

    Example: ``Key(name="samples", kind="integer, at least 1", default="4", meaning="...")``.

    default: as TOML; ``required``, or empty where a key may be left out and has no value then.
    """

    name: str
    kind: str
    default: str
    meaning: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table of the file.

    path:  as it stands in brackets; empty for the keys at the top.
    need:  ``required``, ``stage`` (by its stages alone), ``optional`` (there with its defaults) or
           ``off`` (not there unless given).
    keys:  none where they are those of the table ``like``.
    """

    path: str
    meaning: str
    need: str
    keys: tuple[Key, ...]
    like: str = ""


def tables() -> list[Table]:
    """Every table, in the order of the recipe; a section that occurs again is not repeated."""
    return list(_tables(Recipe, "", "required", {}))


def schema() -> dict[str, Any]:
    """A recipe as JSON schema, for editors: every key with its values and meaning.

    No key is required in it, because a file that ``extends`` another may leave any out.
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
        held[name] = {"$ref": whole["properties"][name]["$ref"], **_told(held[name])}
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


def _told(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": schema["description"]}


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
    """Key -> the text that stands below it in the source.

    Raises KeyError, at the reader's, for a key without a text.
    """
    # From the source: Python keeps no docstrings of attributes.
    (found,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(found, ast.ClassDef)
    meanings = {}
    for line, below in zip(found.body, found.body[1:], strict=False):
        if isinstance(line, ast.AnnAssign) and isinstance(below, ast.Expr):
            text = ast.literal_eval(below.value)
            meanings[ast.unparse(line.target)] = " ".join(text.split())
    return meanings
