"""Heuristic packs: TOML files of ways to attack a problem, ordered so that prefixes nest."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from manyways.checkpoints import package_path
from manyways.errors import DataError
from manyways.heuristics.prompts import Layout
from manyways.plugins import nearest
from manyways.records import Exemplar, Heuristic

PACKS: dict[str, str] = {
    "polya": "package:manyways.heuristics/polya.toml",
    "code": "package:manyways.heuristics/code.toml",
    "narrative": "package:manyways.heuristics/narrative.toml",
    "pocket": "package:manyways.pocket/heuristics.toml",
}
"""name -> where the pack's TOML file is; a recipe may name a ``.toml`` path instead."""

_ADAPTER = TypeAdapter(Heuristic)
_LAYOUT = TypeAdapter(Layout)


def load_pack(name: str, count: int | None = None) -> tuple[Heuristic, ...]:
    """Load a pack by table name, ``package:`` path or file path; the first ``count`` of it.

    Raises DataError when the file is missing, malformed, has duplicate ids or fewer than
    ``count`` heuristics.
    """
    path = _pack_path(name)
    rows = _read(path).get("heuristic", [])
    pack = tuple(_parse(row, number, path) for number, row in enumerate(rows, start=1))
    ids = [heuristic.id for heuristic in pack]
    if len(set(ids)) != len(ids):
        twice = sorted({i for i in ids if ids.count(i) > 1})
        raise DataError(f"heuristic pack {path}: ids appear twice: {', '.join(twice)}.")
    if not pack or (count is not None and count > len(pack)):
        raise DataError(
            f"heuristic pack {path} has {len(pack)} heuristics, {count or 'at least 1'} wanted: "
            "lower heuristics.count or add entries."
        )
    return pack[:count]


def load_layout(name: str) -> Layout:
    """How prompts under the heuristics of a pack are laid out: its table ``[prompt]``.

    Raises DataError when the pack is missing or malformed, or the table holds anything else.
    """
    path = _pack_path(name)
    given = _read(path).get("prompt", {})
    if not isinstance(given, dict):
        raise DataError(f"heuristic pack {path}: prompt is a table, [prompt].")
    unknown = set(given) - set(Layout.__dataclass_fields__)
    if unknown:
        raise DataError(f"heuristic pack {path}, [prompt]: unknown keys {unknown}.")
    try:
        return _LAYOUT.validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(f"heuristic pack {path}, [prompt] {where}: {first['msg']}.") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"heuristic pack {path} is not valid TOML: {error}.") from error


def _pack_path(name: str) -> Path:
    target = PACKS.get(name, name)
    path = package_path(target) if target.startswith("package:") else Path(target)
    if not path.is_file():
        if path.suffix == ".toml":
            raise DataError(f"no heuristic pack '{name}': there is no such file in {Path.cwd()}.")
        raise DataError(f"no heuristic pack '{name}'.{nearest(name, PACKS)} Or give a .toml path.")
    return path


def _parse(row: dict[str, Any], number: int, path: Path) -> Heuristic:
    row = dict(row)
    row["exemplars"] = row.pop("exemplar", [])
    unknown = set(row) - set(Heuristic.__dataclass_fields__)
    try:
        if unknown:
            raise DataError(f"heuristic pack {path}, entry {number}: unknown keys {unknown}.")
        return _ADAPTER.validate_python(row)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"heuristic pack {path}, entry {number} ({row.get('id', 'no id')}): {where}: "
            f"{first['msg']}."
        ) from error


__all__ = ["PACKS", "Exemplar", "load_layout", "load_pack"]
