"""The recipes that come with the package, by name."""

import re
import tomllib
from itertools import takewhile
from pathlib import Path

from manyways.errors import RecipeError
from manyways.plugins import nearest

PACKAGE = Path(__file__).parents[1]


def folder() -> Path:
    """Where they lie: inside an installed package, or beside the source of a checkout."""
    inside = PACKAGE / "recipes"
    return inside if inside.is_dir() else PACKAGE.parents[1] / "recipes"


def names() -> list[str]:
    """Their names, without ``.toml``, in alphabetical order."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def purpose(name: str) -> str:
    """What the recipe ``name`` says it is for: the first sentence of its opening comment."""
    lines = (folder() / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    comment = takewhile(lambda line: line.startswith("#"), lines)
    text = " ".join(line.removeprefix("#").strip() for line in comment)
    return re.split(r"[.:](?: |$)", text)[0]


def recipe_file(path: Path) -> Path:
    """The file that ``path`` means: itself where it exists, else the shipped recipe of that name.

    ``pocket``, ``pocket.toml`` and ``recipes/pocket.toml`` all name the shipped one in a folder
    that has no such file. A path that names nothing is returned as it is.
    """
    if path.exists() or path.parent not in (Path(), Path("recipes")):
        return path
    name = path.name.removesuffix(".toml")
    return folder() / f"{name}.toml" if name in names() else path


def copy(name: str, to: Path) -> Path:
    """Copy the recipe ``name`` into the folder ``to``, and what it extends; returns the file.

    Raises RecipeError when there is no such recipe, or a file of that name is there already.
    """
    if name not in names():
        raise RecipeError(f"no recipe '{name}' is shipped.{nearest(name, dict.fromkeys(names()))}")
    source, target = folder() / f"{name}.toml", to / f"{name}.toml"
    if target.exists():
        raise RecipeError(f"{target} is there already: name another folder, or move it away.")
    base = tomllib.loads(source.read_text(encoding="utf-8")).get("extends")
    if base is not None and not (to / str(base)).exists():
        copy(str(base).removesuffix(".toml"), to)
    to.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    return target
