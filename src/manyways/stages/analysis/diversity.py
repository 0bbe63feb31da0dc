"""How different the texts are: of each arm's training data, and of checkpoints' attempts."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from manyways.arms import parse_arm
from manyways.errors import NothingToTrainOn
from manyways.metrics.intervals import mean_intervals
from manyways.metrics.resampling import Resampling
from manyways.metrics.texts import EMBEDDER, distinct_n, embed
from manyways.metrics.vendi import vendi_of_texts, vendi_per_problem
from manyways.results import DiversityRow
from manyways.stages.analysis.evaluated import Evaluation
from manyways.stages.analysis.passes import score
from manyways.stages.arm_data import TrainingRow, training_rows
from manyways.stages.context import Context, Line

PER_PROBLEM = 8
PROBLEMS = 150
"""Problems per benchmark whose attempts are compared: the first ones, the same for everyone."""


def arm_data(ctx: Context) -> dict[Line, list[TrainingRow]]:
    """The training rows of every line that has some; empty before selection."""
    found: dict[Line, list[TrainingRow]] = {}
    if not ctx.run.path("2-solutions.parquet").is_file():
        return found
    for line in ctx.lines:
        if parse_arm(line.arm).midtrains:
            try:
                found[line] = training_rows(ctx, line)
            except NothingToTrainOn:
                continue
    return found


def diversity_rows(
    data: dict[Line, list[TrainingRow]], evaluations: Sequence[Evaluation], settings: Resampling
) -> Iterator[DiversityRow]:
    """Rows for the data of each arm and the attempts of each checkpoint, first seed alone."""
    arms: set[str] = set()
    for line, rows in data.items():
        if line.arm not in arms:
            arms.add(line.arm)
            texts, problems = [row.text for row in rows], [row.problem_id for row in rows]
            yield _row(f"data of {line.arm}", texts, problems, settings)
    seed = min((e.checkpoint.seed for e in evaluations if e.checkpoint.seed is not None), default=0)
    by_name: dict[str, list[Evaluation]] = {}
    for evaluation in evaluations:
        if evaluation.checkpoint.seed in (None, seed):
            by_name.setdefault(evaluation.checkpoint.pooled, []).append(evaluation)
    for name, of_checkpoint in by_name.items():
        texts, problems = [], []
        for evaluation in of_checkpoint:
            some_texts, some_problems = _sample(evaluation)
            texts += some_texts
            problems += some_problems
        yield _row(f"attempts of {name}", texts, problems, settings)


def _sample(evaluation: Evaluation) -> tuple[list[str], list[str]]:
    texts, ranks = evaluation.texts(), evaluation.ranks.tolist()
    rows = [
        row
        for problem, group in groupby(range(len(ranks)), key=ranks.__getitem__)
        if problem < PROBLEMS
        for row in list(group)[:PER_PROBLEM]
    ]
    names = [f"{evaluation.benchmark} {evaluation.problems[ranks[row]]}" for row in rows]
    return [texts[row] for row in rows], names


def _row(
    what: str, texts: Sequence[str], problems: Sequence[str], settings: Resampling
) -> DiversityRow:
    count = len(set(problems))
    each_P = vendi_per_problem(texts, problems, embed)
    per_problem = None
    if len(each_P):
        mean, low, high = (float(x[0]) for x in mean_intervals(np.asarray(each_P), settings))
        per_problem = score("Vendi score per problem", (mean, low, high), len(each_P))
    bounds = vendi_of_texts(texts, problems, embed)
    value = bounds if count > 1 else (bounds[0], bounds[0], bounds[0])
    return DiversityRow(
        what=what,
        texts=len(texts),
        vendi=score("Vendi score", value, count),
        distinct_3=_number(distinct_n(texts)),
        embedder=EMBEDDER,
        per_problem=per_problem,
    )


def _number(value: float) -> float:
    return 0.0 if np.isnan(value) else value
