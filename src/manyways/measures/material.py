"""What measures are taken from: the run folder, its checkpoints and their attempts.

Shapes: _P problems (in the order of the problem set), _S attempts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from manyways.arms import Line, parse_arm
from manyways.errors import MissingWork, NothingToTrainOn
from manyways.heuristics.labelling import LabellerError, PromptedText, is_exact, measured_error
from manyways.measures.benchmarks import means
from manyways.metrics.intervals import Ints, Resampling
from manyways.records import Checkpoint, Heuristic, Problem
from manyways.tables import parts, read_attempts_table

if TYPE_CHECKING:
    from manyways.context import Context
    from manyways.measures.score_curves import Curves
    from manyways.measures.solutions import Policy, Reader, Solutions
    from manyways.measures.token_modes import Forks
    from manyways.measures.yields import YieldRow
    from manyways.pool.training_rows import TrainingRow


@dataclass(frozen=True, kw_only=True)
class StageResults:
    """What the stages before analysis left, as functions of the run's context.

    training_rows: of a line; raise NothingToTrainOn or MissingWork where it has none.
    yields:        counts of the pool by heuristic.
    lessons:       correct attempts of the pool with the heuristic that was asked for.
    agreement:     the error of a labeller that ``manyways agreement`` found on the run.
    swapped:       the heuristics of the prefix swap.
    forks:         the file of next-token distributions of a checkpoint.
    no_forks:      why there are none, if so.
    """

    training_rows: "Callable[[Context, Line], list[TrainingRow]]"
    yields: "Callable[[Context], list[YieldRow]]"
    lessons: "Callable[[Context], Sequence[PromptedText]]"
    agreement: "Callable[[Context, str], LabellerError | None]"
    swapped: "Callable[[Context], Sequence[Heuristic]]"
    forks: "Callable[[Context, Checkpoint], Path]"
    no_forks: "Callable[[Context], str | None]"


@dataclass(frozen=True)
class Material:
    """Everything that measures are taken from, each read or computed once."""

    ctx: "Context"
    stages: StageResults

    @property
    def benchmarks(self) -> Sequence[str]:
        """The benchmarks of the recipe."""
        return self.ctx.recipe.benchmarks

    @cached_property
    def options(self) -> Mapping[str, Sequence[int]]:
        """Choice set -> the number of options of each of its problems."""
        return choice_sets(self.ctx)

    @cached_property
    def means(self) -> Mapping[str, Sequence[str]]:
        """Name of a mean over benchmarks -> its members."""
        return means(self.benchmarks, self.options)

    def chance(self, benchmark: str, k: int) -> float | None:
        """pass@k of guessing among the options; for a mean, where all its members have options."""
        members = [self.options.get(name) for name in self.means.get(benchmark, [benchmark])]
        found = [guessing_pass_at_k(options, k) for options in members if options]
        return sum(found) / len(found) if len(found) == len(members) else None

    @cached_property
    def settings(self) -> Resampling:
        """How intervals are resampled."""
        return Resampling(resamples=self.ctx.recipe.analyse.bootstrap)

    @cached_property
    def evaluations(self) -> "list[Evaluation]":
        """Every checkpoint on every benchmark that has attempts."""
        return list(evaluations(self.ctx))

    @cached_property
    def curves(self) -> "Curves":
        """pass@k of each, pooled over seeds, and means over benchmarks."""
        from manyways.measures.score_curves import curves, pass_curve

        return curves([pass_curve(e) for e in self.evaluations], self.means)

    @cached_property
    def reader(self) -> "Reader":
        """The run's labeller, which reads each text once."""
        from manyways.measures.solutions import Reader

        return Reader(self.ctx.labeller)

    @cached_property
    def solutions(self) -> "list[Solutions]":
        """Labelled attempts of each evaluation."""
        from manyways.measures.solutions import label_attempts

        return [label_attempts(evaluation, self.reader) for evaluation in self.evaluations]

    @cached_property
    def policies(self) -> "Mapping[str, Policy]":
        """The same by pooled checkpoint, all benchmarks together."""
        from manyways.measures.solutions import policies

        return policies(self.solutions)

    @cached_property
    def gate(self) -> "Mapping[str, Policy]":
        """Labelled attempts at RL's problems just before RL, by pooled checkpoint."""
        from manyways.measures.solutions import gate_solutions, policies

        return policies(gate_solutions(self.ctx, self.reader))

    @cached_property
    def data(self) -> "Mapping[Line, Sequence[TrainingRow]]":
        """The training rows of every line that has some; empty before selection."""
        found: dict[Line, Sequence[TrainingRow]] = {}
        if not self.ctx.run.path("2-solutions.parquet").is_file():
            return found
        for line in self.ctx.lines:
            if parse_arm(line.arm).midtrains:
                try:
                    found[line] = self.stages.training_rows(self.ctx, line)
                except (NothingToTrainOn, MissingWork):
                    continue
        return found

    @cached_property
    def forks(self) -> "Forks":
        """Next-token distributions of every checkpoint where the ways of a problem diverge."""
        from manyways.measures.token_modes import read_forks

        return read_forks(self)

    @cached_property
    def labeller_error(self) -> LabellerError | None:
        """The error of the run's labeller on texts of a model, None where nobody has measured it.

        What ``manyways agreement`` found on this run, or else what the labeller says of itself. Its
        error on exemplars will not do: on texts of a model it can be another one altogether.
        """
        if is_exact(self.ctx.labeller):
            return None
        name = self.ctx.recipe.heuristics.labeller
        return self.stages.agreement(self.ctx, name) or measured_error(self.ctx.labeller)


@dataclass(frozen=True)
class Evaluation:
    """The attempts of one checkpoint on one benchmark; texts and answers are read when used."""

    ctx: "Context"
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

    def first_rows(self, attempts: int) -> list[int]:
        """The rows of the first ``attempts`` at each problem, in the order of ``ranks``."""
        starts_P = np.cumsum(self.attempts_P) - self.attempts_P
        place_S = np.arange(len(self.ranks)) - starts_P[self.ranks]
        return [int(row) for row in np.flatnonzero(place_S < attempts)]

    def problem_of(self, row: int) -> str:
        """The problem of a row, with its benchmark: ids of two benchmarks may be equal."""
        return f"{self.benchmark} {self.problems[self.ranks[row]]}"

    def texts(self) -> list[str]:
        """The texts, in the order of ``ranks``."""
        return list(self._column("text"))

    def answers(self) -> list[str | None]:
        """The extracted answers, in the order of ``ranks``."""
        return list(self._column("answer"))

    def problem_set(self) -> list[Problem]:
        """The problems that the recipe evaluates on, those without attempts included."""
        return self.ctx.problems(self.benchmark, self.ctx.recipe.evaluate.limit)

    def _column(self, name: str) -> list[str]:
        table = _read(self.ctx, self.checkpoint.name, self.benchmark, [name])[1]
        values: list[str] = table[name].to_pylist()
        return values


def choice_sets(ctx: "Context") -> dict[str, list[int]]:
    """Benchmarks all of whose problems have options -> how many each problem has."""
    found = {}
    for name in ctx.recipe.benchmarks:
        asked = ctx.problems(name, ctx.recipe.evaluate.limit)
        if asked and all(len(problem.choices) > 1 for problem in asked):
            found[name] = [len(problem.choices) for problem in asked]
    return found


def guessing_pass_at_k(options: Sequence[int], k: int) -> float:
    """pass@k of one who guesses: the mean over problems of 1 - (1 - 1 / options)^k."""
    return float(np.mean(1 - (1 - 1 / np.array(options)) ** k))


def evaluations(ctx: "Context") -> Iterator[Evaluation]:
    """Every (checkpoint, benchmark) of the recipe that has attempts on disk."""
    for benchmark in ctx.recipe.benchmarks:
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
    ctx: "Context", checkpoint: str, benchmark: str, columns: list[str]
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
