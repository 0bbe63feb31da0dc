"""What adaptive sampling asked for: how many attempts of each cell, and from which round on.

``1-attempts`` may hold more, from a larger or a fixed request before; what counts is what is
written here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from manyways.fingerprint import fingerprint
from manyways.recipe.tree import Recipe
from manyways.tables import read_table, write_table

FILE = "asked.parquet"
SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("heuristic", pa.string()),
        ("samples", pa.int32()),
        ("first_round", pa.int32()),
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One cell: attempts 0 to ``samples`` - 1 were asked for, the first in ``first_round``.

    Example: ``Asked(problem_id="made/seed/001", heuristic="a", samples=2, first_round=0)``.
    """

    problem_id: str
    heuristic: str
    samples: int
    first_round: int


def write_asked(folder: Path, asked: Iterable[Asked]) -> None:
    """Replace what is written beside the attempts in ``folder``."""
    rows = [asdict(cell) for cell in asked]
    write_table(folder / FILE, pa.Table.from_pylist(rows, schema=SCHEMA))


def read_asked(recipe: Recipe, folder: Path) -> Mapping[tuple[str, str], Asked] | None:
    """(problem id, heuristic) -> what was asked of it; None where sampling is fixed."""
    path = folder / FILE
    if recipe.generate.sampling == "fixed" or not path.is_file():
        return None
    cells = [Asked(**row) for row in read_table(path).to_pylist()]
    return {(cell.problem_id, cell.heuristic): cell for cell in cells}


def asked_identity(recipe: Recipe, folder: Path) -> dict[str, object]:
    """What selection depends on beside the attempts; nothing where sampling is fixed."""
    asked = read_asked(recipe, folder)
    if asked is None:
        return {}
    return {"asked": fingerprint([asdict(cell) for cell in asked.values()])}
