"""Which attempts of the pool count: those that the recipe asks for, in the order of selection.

What adaptive sampling asked for is written beside the attempts: there may be more of them, from a
larger or a fixed request before.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from manyways.context import Context
from manyways.errors import DataError
from manyways.fingerprint import fingerprint
from manyways.recipe.tree import Recipe
from manyways.records import PLAIN
from manyways.tables import read_attempts_table, read_table, write_table

FILE = ".asked.parquet"
Name = tuple[str, str]
"""(problem id, heuristic): a cell."""
SCHEMA = pa.schema(
    [("problem_id", pa.string()), ("heuristic", pa.string()), ("samples", pa.int32())]
)
COLUMNS = ["problem_id", "heuristic", "sample", "text", "finish", "tokens", "status", "reason"]


def wanted_attempts(ctx: Context, columns: Sequence[str] = COLUMNS) -> pa.Table:
    """The pool's attempts that the recipe asks for, ordered by problem, way and sample.

    A folder may hold more (a larger ``samples``, another ``count``, or fixed sampling once): those
    are left out, so that a run that was widened and narrowed again selects what a fresh one would.
    """
    need = list(dict.fromkeys([*COLUMNS[:3], *columns]))
    table = read_attempts_table(ctx.run.path("1-attempts"), need)
    generate = ctx.recipe.generate
    problems = {p.id: i for i, p in enumerate(ctx.problems(generate.problems, generate.limit))}
    ways = {name: i for i, name in enumerate(way_order(ctx))}
    problem = ranks(table["problem_id"], problems)
    way = ranks(table["heuristic"], ways)
    sample = table["sample"].to_numpy()
    limit = np.where(way == ways[PLAIN], generate.plain_samples, generate.samples)
    if (asked := read_asked(ctx.recipe, ctx.run.path("1-attempts"))) is not None:
        limit = np.minimum(limit, _asked_of(table, asked))
    use = np.flatnonzero((problem >= 0) & (way >= 0) & (sample < limit))
    order = use[np.lexsort((sample[use], way[use], problem[use]))]
    return table.take(pa.array(order))


def refuse_foreign(ctx: Context) -> None:
    """A pool is written by the model that is trained on it.

    Raises DataError where parts were copied in that another model wrote.
    """
    stamp, folder = ctx.run.stamp("generate"), ctx.run.path("1-attempts")
    if stamp is None:
        return
    writers = Counter(read_attempts_table(folder, ["model_hash"])["model_hash"].to_pylist())
    foreign = writers.total() - writers[str(stamp.identity["model"])]
    if foreign:
        raise DataError(
            f"{foreign} of {writers.total()} attempts in '{folder}' were written by another model "
            "than the one that is trained: arms on this pool are self-generated. Move these parts "
            "away; to train on another model's attempts, name them in [distill] and add an arm "
            "'distilled-N'."
        )


def way_order(ctx: Context) -> tuple[str, ...]:
    """The pack's heuristic ids in order, then ``plain``."""
    return (*(h.id for h in ctx.pack), PLAIN)


def ranks(column: pa.ChunkedArray, ranks: dict[str, int]) -> NDArray[np.int64]:
    """The rank of every value, -1 for values that have none."""
    encoded = column.combine_chunks().dictionary_encode()
    table = [ranks.get(value, -1) for value in encoded.dictionary.to_pylist()]
    return np.array(table, dtype=np.int64)[np.asarray(encoded.indices, dtype=np.int64)]


def _asked_of(table: pa.Table, asked: Mapping[Name, int]) -> NDArray[np.int64]:
    """How many samples were asked of the cell of each row."""
    names = zip(table["problem_id"].to_pylist(), table["heuristic"].to_pylist(), strict=True)
    return np.array([asked.get(name, 0) for name in names], dtype=np.int64)


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
