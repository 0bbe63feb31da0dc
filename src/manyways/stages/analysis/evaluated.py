"""What evaluation left behind: which checkpoints there are, and their attempts.

Shapes: _P problems (in the order of the problem set).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from manyways.records import Checkpoint, Problem
from manyways.stages.context import Context
from manyways.tables import parts, read_attempts_table

Ints = NDArray[np.int64]
BASE = "base"


@dataclass(frozen=True)
class Evaluation:
    """The attempts of one checkpoint on one benchmark, read when asked for."""

    ctx: Context
    checkpoint: Checkpoint
    benchmark: str
    problems: tuple[str, ...]
    """Ids in the order of the set, those without attempts left out."""
    ranks: Ints
    """Number of the problem (an index into ``problems``) of each attempt."""
    summary: pa.Table
    """Sample, status, finish and tokens of each attempt."""

    @cached_property
    def attempts_P(self) -> Ints:
        """Number of attempts of each problem."""
        return np.bincount(self.ranks, minlength=len(self.problems))

    @cached_property
    def correct_S(self) -> NDArray[np.bool_]:
        """Whether each attempt is correct. Undecided ones count as not correct."""
        return np.asarray(pc.equal(self.summary["status"], "correct"), dtype=bool)

    @cached_property
    def correct_P(self) -> Ints:
        """Number of correct attempts of each problem."""
        return np.bincount(self.ranks[self.correct_S], minlength=len(self.problems))

    def texts(self) -> list[str]:
        """The texts, in the order of ``ranks``."""
        return list(self._column("text"))

    def answers(self) -> list[str | None]:
        """The extracted answers, in the order of ``ranks``."""
        return list(self._column("answer"))

    def asked(self) -> list[Problem]:
        """The problems that the recipe evaluates on, those without attempts included."""
        return self.ctx.problems(self.benchmark, self.ctx.recipe.evaluate.limit)

    def _column(self, name: str) -> list[str]:
        table = _read(self.ctx, self.checkpoint.name, self.benchmark, [name])[1]
        values: list[str] = table[name].to_pylist()
        return values


def evaluations(ctx: Context) -> Iterator[Evaluation]:
    """Every (checkpoint, benchmark) of the recipe that has attempts on disk."""
    for benchmark in ctx.recipe.evaluate.benchmarks:
        for checkpoint in ctx.checkpoints:
            if not parts(ctx.run.eval_path(checkpoint.name, benchmark)):
                continue
            columns = ["status", "finish", "tokens"]
            ranks, table, ids = _read(ctx, checkpoint.name, benchmark, columns)
            if table.num_rows:
                present, dense = np.unique(ranks, return_inverse=True)
                yield Evaluation(
                    ctx=ctx,
                    checkpoint=checkpoint,
                    benchmark=benchmark,
                    problems=tuple(ids[i] for i in present),
                    ranks=dense,
                    summary=table,
                )


def _read(
    ctx: Context, checkpoint: str, benchmark: str, columns: list[str]
) -> tuple[Ints, pa.Table, list[str]]:
    """Attempts that the recipe asks for, ordered by problem and sample, with problem ranks."""
    evaluate = ctx.recipe.evaluate
    folder = ctx.run.eval_path(checkpoint, benchmark)
    table = read_attempts_table(folder, ["problem_id", "sample", *columns])
    ids = [problem.id for problem in ctx.problems(benchmark, evaluate.limit)]
    where = {name: i for i, name in enumerate(ids)}
    encoded = table["problem_id"].combine_chunks().dictionary_encode()
    known = np.array([where.get(v, -1) for v in encoded.dictionary.to_pylist()], dtype=np.int64)
    ranks = known[np.asarray(encoded.indices, dtype=np.int64)]
    sample = table["sample"].to_numpy()
    use = np.flatnonzero((ranks >= 0) & (sample < evaluate.attempts))
    order = use[np.lexsort((sample[use], ranks[use]))]
    return ranks[order], table.take(pa.array(order)), ids
