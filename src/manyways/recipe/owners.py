"""Checks the ``extra`` tables against the libraries that they go to.

Keys and types are read from the installed source of TRL's config classes and vLLM's engine
arguments. Importing them would take seconds, and every verb reads a recipe. If a library is not
installed, or has its classes in another place, nothing is checked here, and the library itself
reports mistakes later in the run.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Optional, Union

from pydantic import ConfigDict, TypeAdapter, ValidationError

from manyways.errors import RecipeError
from manyways.plugins import nearest
from manyways.recipe.engines import DECIDED_OF_VLLM, ModelConfig
from manyways.recipe.training import refuse
from manyways.recipe.tree import Recipe, dotted

TRL_BASE = (
    ("trl", "trainer/base_config.py", "_BaseConfig"),
    ("transformers", "training_args.py", "TrainingArguments"),
)
SFT = ("SFTConfig", (("trl", "trainer/sft_config.py", "SFTConfig"), *TRL_BASE))
GRPO = ("GRPOConfig", (("trl", "trainer/grpo_config.py", "GRPOConfig"), *TRL_BASE))
VLLM = ("vllm.LLM", (("vllm", "engine/arg_utils.py", "EngineArgs"),))
CHOICES = (("transformers", "training_args.py"), ("transformers", "trainer_utils.py"))
"""Files with the enumerations that TRL's types name."""
_TYPES: dict[str, Any] = {
    "Any": Any, "None": None, "bool": bool, "dict": dict, "float": float, "int": int,
    "list": list, "str": str,
}  # fmt: skip
_GENERIC: dict[str, Any] = {
    "Dict": dict, "List": list, "Literal": Literal, "Optional": Optional, "Union": Union,
    "dict": dict, "list": list,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A key of a library.

    text:    its type, as written in the library's source.
    type:    the same as a Python type; Any for what is not known here.
    choices: the only texts that it accepts; empty if it accepts any.
    texts:   the texts that its type lists.
    """

    text: str
    type: Any
    choices: tuple[str, ...]
    texts: tuple[str, ...]


def check_extras(recipe: Recipe) -> None:
    """Check every ``extra`` table of ``recipe`` before anything runs.

    Raises RecipeError for a key or value that the library does not accept, or that cannot work.
    """
    for arm in (None, *(name for name in recipe.arms if name in recipe.arm)):
        own = recipe if arm is None else recipe.of(arm)
        above = "" if arm is None else f"{dotted(('arm', arm))}."
        check_extra(own.midtrain.extra, "midtrain", SFT, above=above)
        if own.rl.backend == "trl":
            check_extra(own.rl.extra, "rl", GRPO, above=above)
    models = {"model": recipe.model, "select.judge": recipe.select.judge}
    models["distill.model"] = recipe.distill.model if recipe.distill else None
    for section, model in models.items():
        if model is not None:
            _check_vllm(model, section)


Sources = tuple[tuple[str, str, str], ...]
"""(package, file, class) of a dataclass and of each of its bases."""


def check_extra(
    extra: Mapping[str, object], section: str, owner: tuple[str, Sources], *, above: str = ""
) -> None:
    """Check the ``extra`` table of a training. ``above``: ``arm."NAME".`` for the table of an arm.

    Raises RecipeError as ``check_extras`` does.
    """
    name, sources = owner
    known = fields_of(sources) if extra else None
    for key, value in extra.items():
        where = f"{above}{section}.extra.{key}"
        refuse(key, value, section, where=where)
        if known is not None:
            _check(where, value, known, name)


def _check_vllm(model: ModelConfig, section: str) -> None:
    known = fields_of(VLLM[1]) if model.vllm else None
    if known is not None:
        known = {key: field for key, field in known.items() if key not in DECIDED_OF_VLLM}
        for key, value in model.vllm.items():
            _check(f"{section}.vllm.{key}", value, known, VLLM[0])


def _check(where: str, value: object, known: Mapping[str, Field], owner: str) -> None:
    key = where.rpartition(".")[2]
    if key not in known:
        raise RecipeError(f"{where}: {owner} has no such key.{nearest(key, known)}")
    field = known[key]
    wrong = f"{where} = {value!r}: {owner} takes "
    try:
        TypeAdapter(field.type, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError as error:
        near = _near(value, field)
        raise RecipeError(f"{wrong}{field.text}.{near}") from error
    if field.choices and isinstance(value, str) and value not in field.choices:
        # A name that begins with the value is a better guess than one that is spelled alike.
        begun = [name for name in field.choices if name.startswith(value)] or field.choices
        raise RecipeError(f"{wrong}no such name.{nearest(value, dict.fromkeys(begun))}")


def _near(value: object, field: Field) -> str:
    """A guess at what a value of the wrong type was meant to be."""
    if isinstance(value, str) and field.texts:
        return nearest(value, dict.fromkeys(field.texts))
    if isinstance(value, str):
        for kind, read in ((int, int), (float, float), (bool, {"true": True, "false": False}.get)):
            try:
                meant = read(value)
                TypeAdapter(field.type, config=ConfigDict(strict=True)).validate_python(meant)
            except (ValueError, ValidationError):
                continue
            if isinstance(meant, kind):
                return f" Did you mean {str(meant).lower()}, without quotes?"
    return ""


@cache
def fields_of(sources: Sources) -> dict[str, Field] | None:
    """The fields of a dataclass and its bases, nearest first; None if one cannot be read."""
    enums = _enumerations()
    found: dict[str, Field] = {}
    for package, file, name in sources:
        body = next((c.body for c in _classes(_source(package, file)) if c.name == name), None)
        if body is None:
            return None
        for line in body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                found.setdefault(line.target.id, _field(line.annotation, enums))
    return found


def _field(annotation: ast.expr, enums: Mapping[str, tuple[str, ...]]) -> Field:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    inside = list(ast.walk(annotation))
    names = {node.id for node in inside if isinstance(node, ast.Name)}
    named = [enums[name] for name in sorted(names) if name in enums]
    texts = (node.value for node in inside if isinstance(node, ast.Constant))
    return Field(
        text=ast.unparse(annotation),
        type=_type(annotation),
        # In a list or a table, the enumeration is the type of the items, not of the value.
        choices=named[0] if len(named) == 1 and not names & {"dict", "list"} else (),
        texts=tuple(text for text in texts if isinstance(text, str)),
    )


def _type(node: ast.expr) -> Any:  # noqa: ANN401  one line for each form
    """The type that an annotation means; Any for names that only the library knows."""
    if isinstance(node, ast.Name):
        return _TYPES.get(node.id, Any)
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return Union[_type(node.left), _type(node.right)]  # noqa: UP007
    if not isinstance(node, ast.Subscript):
        return Any
    inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    outer = _GENERIC.get(ast.unparse(node.value).rpartition(".")[2], Any)
    if outer is Any:
        return Any
    made = tuple(map(ast.literal_eval if outer is Literal else _type, inner))
    return outer[made if len(made) > 1 else made[0]]


@cache
def _enumerations() -> dict[str, tuple[str, ...]]:
    """Name of an enumeration of texts -> its texts."""
    found = {}
    for package, file in CHOICES:
        for made in _classes(_source(package, file)):
            if any(ast.unparse(base).endswith("Enum") for base in made.bases):
                values = [line.value for line in made.body if isinstance(line, ast.Assign)]
                found[made.name] = tuple(
                    str(v.value) for v in values if isinstance(v, ast.Constant)
                )
    return found


def _classes(tree: ast.Module | None) -> list[ast.ClassDef]:
    return [line for line in tree.body if isinstance(line, ast.ClassDef)] if tree else []


@cache
def _source(package: str, file: str) -> ast.Module | None:
    try:
        spec = find_spec(package)
    except ValueError:  # a module without a spec: somebody's stand-in
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0], file)
    return ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else None
