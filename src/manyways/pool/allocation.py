"""What adaptive sampling asked for: how many attempts of each cell.

``1-attempts`` may hold more, from a larger or a fixed request before; what counts is what is
written here.
"""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from manyways.fingerprint import fingerprint
from manyways.recipe.tree import Recipe
from manyways.tables import read_table, write_table

FILE = "asked.parquet"
Name = tuple[str, str]
"""(problem id, heuristic): a cell."""
SCHEMA = pa.schema(
    [("problem_id", pa.string()), ("heuristic", pa.string()), ("samples", pa.int32())]
)


def write_asked(folder: Path, asked: Mapping[Name, int]) -> None:
    """Replace what is written beside the attempts in ``folder``.

    asked: attempts 0 to n - 1 of a cell were asked for.
    """
    rows = [(*name, samples) for name, samples in asked.items()]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    write_table(folder / FILE, pa.table(columns, schema=SCHEMA))


def read_asked(recipe: Recipe, folder: Path) -> Mapping[Name, int] | None:
    """How many attempts were asked of each cell; None where sampling is fixed."""
    path = folder / FILE
    if recipe.generate.sampling == "fixed" or not path.is_file():
        return None
    problems, ways, samples = (read_table(path)[name].to_pylist() for name in SCHEMA.names)
    return dict(zip(zip(problems, ways, strict=True), samples, strict=True))


def asked_identity(recipe: Recipe, folder: Path) -> dict[str, object]:
    """What selection depends on beside the attempts; nothing where sampling is fixed."""
    asked = read_asked(recipe, folder)
    if asked is None:
        return {}
    return {"asked": fingerprint([[*name, samples] for name, samples in asked.items()])}
