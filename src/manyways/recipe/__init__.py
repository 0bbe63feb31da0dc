"""Reading and writing recipes: TOML files, ``--set``, ``extends``, and the shipped recipes."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from manyways import trust
from manyways.errors import RecipeError
from manyways.plugins import nearest
from manyways.recipe.section import BelowError, laid_over, section_of, toml_value
from manyways.recipe.tree import Recipe, check_arm, dotted, leaves

PACKAGE = Path(__file__).parents[1]


def shipped_folder() -> Path:
    """The folder of the shipped recipes: in an installed package, or in a checkout."""
    inside = PACKAGE / "recipes"
    return inside if inside.is_dir() else PACKAGE.parents[1] / "recipes"


def shipped_names() -> list[str]:
    """The names of the shipped recipes, without ``.toml``, in alphabetical order."""
    return sorted(path.stem for path in shipped_folder().glob("*.toml"))


def purpose_of(name: str) -> str:
    """The purpose of a shipped recipe: the first sentence of its opening comment."""
    lines = (shipped_folder() / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    comment = takewhile(lambda line: line.startswith("#"), lines)
    text = " ".join(line.removeprefix("#").strip() for line in comment)
    return re.split(r"[.:](?: |$)", text)[0]


def recipe_file(path: Path) -> Path:
    """The file that ``path`` names: ``path`` if it exists, else the shipped recipe of that name.

    In a folder without such a file, ``pocket``, ``pocket.toml`` and ``recipes/pocket.toml`` all
    name the shipped recipe. A path that names nothing is returned as it is.
    """
    if path.exists() or path.parent not in (Path(), Path("recipes")):
        return path
    name = path.name.removesuffix(".toml")
    return shipped_folder() / f"{name}.toml" if name in shipped_names() else path


def copy_shipped(name: str, to: Path) -> Path:
    """Copy a shipped recipe, and those that it extends, into the folder ``to``; returns the file.

    Raises RecipeError when there is no such recipe, or a file of that name is there already.
    """
    if name not in shipped_names():
        raise RecipeError(
            f"no recipe '{name}' is shipped.{nearest(name, dict.fromkeys(shipped_names()))}"
        )
    source, target = shipped_folder() / f"{name}.toml", to / f"{name}.toml"
    if target.exists():
        raise RecipeError(f"{target} is there already: name another folder, or move it away.")
    base = tomllib.loads(source.read_text(encoding="utf-8")).get("extends")
    if base is not None and not (to / str(base)).exists():
        copy_shipped(str(base).removesuffix(".toml"), to)
    to.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    return target


_WORD = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^.\"']+)")
_KEY = re.compile(rf"(?:{_WORD.pattern})(?:\.(?:{_WORD.pattern}))*")
_OF_ARM = re.compile(r"^\s*\[arms\.", re.MULTILINE)


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe file, or the shipped recipe of that name, and apply ``a.b=c`` overrides.

    Its keys replace those of the recipe that it ``extends``.

    Raises RecipeError with the path of the key and the nearest valid key.
    """
    path = recipe_file(path)
    return parse_recipe(_joined(path, overrides), str(path))


def extending(path: Path, overrides: Sequence[str] = ()) -> str | None:
    """A file joined with the recipes that it extends, as TOML; None if it extends none."""
    path = recipe_file(path)
    return dump_tree(_joined(path, overrides)) if "extends" in _keys_of(path) else None


def _joined(path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    tree = _read(path)
    for override in overrides:
        _apply(tree, override)
    return tree


def _keys_of(path: Path) -> dict[str, Any]:
    """The keys in one file, without those of the recipe that it extends."""
    if not path.is_file():
        raise RecipeError(
            f"no recipe at '{path}', and none of this name is shipped."
            f"{nearest(path.stem, dict.fromkeys(shipped_names()))} (`manyways recipes` lists them.)"
        )
    if path.suffix != ".toml":
        _refuse_data(path)
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        hint = ""
        if isinstance(error, tomllib.TOMLDecodeError) and _OF_ARM.search(text):
            hint = ' arms is the list of names; settings of one arm stand in [arm."NAME"].'
        raise RecipeError(f"{path} is not valid TOML: {error}.{hint}") from error


def _refuse_data(path: Path) -> None:
    from manyways.row_files import KINDS, kind_of

    if kind_of(path) in KINDS:
        raise RecipeError(
            f"'{path}' is data and no recipe: name it in one, as generate.problems = 'file:{path}' "
            "(`manyways recipes copy data-only .` gives you one to change)."
        )


def _read(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The file's keys, joined with those of its base. ``above``: the files that extend this one."""
    tree = _keys_of(path)
    base = tree.pop("extends", None)
    if base is None:
        return tree
    if not isinstance(base, str) or not base or "\0" in base:
        raise RecipeError(f"{path}:\n  extends: give the path of one recipe (got {base!r}).")
    under, here = path.parent / base, (*above, path.resolve())
    if under.resolve() in here:
        raise RecipeError(f"{path}:\n  extends: '{base}' extends this file itself.")
    if not under.is_file():
        raise RecipeError(
            f"{path}:\n  extends: no recipe at '{under}'. Give a path that starts at the folder of "
            "this file."
        )
    if any(trust.is_run_folder(folder) for folder in under.resolve().parents):
        # Who names a recipe trusts what it names, but a run folder may come from somebody else.
        raise RecipeError(
            f"{path}:\n  extends: '{base}' is in a run folder, maybe of someone else. Copy "
            "it, read it, and extend the copy."
        )
    below = _read(under, here)
    _unset(below, tree.pop("unset", []), path)
    return laid_over(below, tree)


def _unset(below: dict[str, Any], unset: object, path: Path) -> None:
    """Remove the keys ``unset`` from ``below``, which the recipe at ``path`` extends."""
    if not isinstance(unset, list) or not all(isinstance(key, str) for key in unset):
        raise RecipeError(f'{path}:\n  unset: a list of keys, as ["rl.lora"] (got {unset!r}).')
    for key in unset:
        _take_out(below, key, f"{path}:\n  unset: '{key}'")


def _words(key: str) -> list[str]:
    """The words of a dotted key, quotes removed."""
    return ["".join(word) for word in _WORD.findall(key.strip())]


def _take_out(tree: dict[str, Any], key: str, what: str) -> None:
    *sections, last = _words(key) or [""]
    node: Any = tree
    for section in sections:
        node = node.get(section) if isinstance(node, dict) else None
    if not isinstance(node, dict) or last not in node:
        given = [name for name, _ in leaves(tree)]
        near = nearest(key, dict.fromkeys([*given, *tree]))
        raise RecipeError(f"{what} is not given by what is extended.{near}")
    del node[last]


def parse_recipe(tree: dict[str, Any], origin: str) -> Recipe:
    """Validate a parsed TOML tree. RecipeError lists every mistake, one in each line."""
    for key, text in _texts(tree):
        if "\0" in text:
            raise RecipeError(f"{origin}:\n  {key}: it contains a NUL character. Remove that.")
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        raise _told(origin, error) from error
    for name in recipe.arm:
        try:
            check_arm(recipe, name)
        except ValidationError as error:
            raise _told(origin, error, "arm", name) from error
        except ValueError as error:
            raise RecipeError(f"{origin}:\n  {dotted(('arm', name))}.{error}.") from error
    return recipe


def _told(origin: str, error: ValidationError, *above: str) -> RecipeError:
    found = [cast(dict[str, Any], item) for item in error.errors()]
    # A list of which no item is valid would be called empty, too.
    found = [item for item in found if item["type"] != "too_short" or not item["input"]]
    lines = [_explain(item, above) for item in found]
    lines.append("(`manyways keys` prints every key, `manyways keys rl` those of one section.)")
    return RecipeError("\n".join([f"{origin}:", *(f"  {line}" for line in lines)]))


def _texts(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """(key, text) of every text in a parsed tree. Keys are texts, too."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, key)
    elif isinstance(value, dict):
        for name, inner in value.items():
            below = f"{key}.{name}" if key else name
            yield below, name
            yield from _texts(inner, below)


def _apply(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set '{override}': write it as section.key=value.")
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        # If the value is not TOML, it is a text without quotes: --set model.path=my/model.
        value = text
    if not _KEY.fullmatch(key.strip()):
        raise RecipeError(f"--set '{override}': write it as section.key=value.")
    *sections, last = _words(key)
    node = tree
    for section in sections:
        node = node.setdefault(section, {})
        if not isinstance(node, dict):
            raise RecipeError(f"--set '{override}': '{section}' is a value, not a section.")
    node[last] = value


_PLAIN = {
    **dict.fromkeys(("tuple_type", "list_type"), 'write a list, as ["a", "b"]'),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "write a whole number"),
    **dict.fromkeys(("model_type", "dict_type", "model_attributes_type"), "write a table of keys"),
    "too_short": "name at least one",
    "string_type": "write a text in quotes",
}
"""Type of an error of pydantic -> what to do, where its own words speak of Python."""


def _explain(item: dict[str, Any], above: tuple[str, ...] = ()) -> str:
    where = dotted((*above, *item["loc"])) or "recipe"
    if item["type"] == "extra_forbidden":
        *table, key = item["loc"]
        if table[:1] == ["arm"] and key in Recipe.model_fields:
            return (
                f"{where}: one pool and one evaluation serve all arms: only keys of [rl], "
                "[midtrain] and [select] can differ from arm to arm."
            )
        return f"{where}: unknown key.{nearest(str(key), dict.fromkeys(_fields_at(table)))}"
    if item["type"] == "missing":
        return f"{where}: required, but not given."
    if isinstance(error := item.get("ctx", {}).get("error"), BelowError):
        return f"{where}.{error.below}: {error}."
    message = _PLAIN.get(item["type"]) or item["msg"].removeprefix("Value error, ").removesuffix(
        "."
    )
    given = "" if isinstance(item["input"], dict) else f" (got {item['input']!r})"
    return f"{where}: {message}{given}."


def _fields_at(loc: list[Any]) -> list[str]:
    model: type[BaseModel] = Recipe
    for part in loc:
        field = model.model_fields.get(str(part))
        if field is None:
            # The name of an arm; the sections of all arms have the same keys.
            continue
        inner = section_of(field.annotation)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as TOML, with every default. Keys without a value are left out."""
    tree = recipe.model_dump(mode="json", exclude_none=True)
    del tree["unset"]
    return dump_tree(tree)


def dump_tree(tree: dict[str, Any]) -> str:
    """A recipe's keys as TOML."""
    tree = dict(tree)
    arms = tree.pop("arm", {})
    lines = [
        f"{key} = {toml_value(value)}" for key, value in tree.items() if not isinstance(value, dict)
    ]
    sections = {name: section for name, section in tree.items() if isinstance(section, dict)}
    for name, settings in arms.items():
        sections[dotted(("arm", name))] = {k: v for k, v in settings.items() if v != {}}
    for name, section in sections.items():
        lines += ["", f"[{name}]", *(f"{k} = {toml_value(v)}" for k, v in section.items())]
    return "\n".join(lines) + "\n"
