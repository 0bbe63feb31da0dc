"""How different the texts are: of each arm's training data, and of checkpoints' attempts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from manyways.arms import Line, parse_arm
from manyways.errors import MissingWork, NothingToTrainOn
from manyways.metrics.intervals import mean_intervals
from manyways.metrics.modes import openings, pooled_effective
from manyways.metrics.resampling import Resampling
from manyways.metrics.texts import EMBEDDER, distinct_n, embed
from manyways.metrics.vendi import vendi_scores
from manyways.records import Score
from manyways.results.tables import DiversityRow
from manyways.stages.analysis.evaluated import Evaluation
from manyways.stages.analysis.passes import score
from manyways.stages.analysis.ways import Reader
from manyways.stages.arm_data import TrainingRow, training_rows
from manyways.stages.context import Context

Embed = Callable[[Sequence[str]], NDArray[np.float64]]
OFFLINE: tuple[Embed, str] = (embed, EMBEDDER)
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
            except (NothingToTrainOn, MissingWork):
                continue
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """Texts with what each is about. ``labels``: the heuristic that opens each, if it is known."""

    texts: Sequence[str]
    problems: Sequence[str]
    labels: Sequence[str] | None = None


def diversity_rows(
    data: dict[Line, list[TrainingRow]],
    evaluations: Sequence[Evaluation],
    reader: Reader,
    settings: Resampling,
) -> Iterator[DiversityRow]:
    """Rows for the data of each arm and the attempts of each checkpoint, first seed alone."""
    arms: set[str] = set()
    for line, rows in data.items():
        if line.arm not in arms:
            arms.add(line.arm)
            texts, problems = [row.text for row in rows], [row.problem_id for row in rows]
            yield diversity_row(f"data of {line.arm}", _read(texts, problems, reader), settings)
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
        yield diversity_row(f"attempts of {name}", _read(texts, problems, reader), settings)


def diversity_row(
    what: str, of: Described, settings: Resampling, *, embedder: tuple[Embed, str] = OFFLINE
) -> DiversityRow:
    """Every measure of one set of texts. ``embedder``: texts -> unit rows, and its name."""
    embedding, called = embedder
    count = len(set(of.problems))
    found = vendi_scores(of.texts, of.problems, embedding)
    each_P = found.per_problem_P
    per_problem = None
    if len(each_P):
        mean, low, high = (float(x[0]) for x in mean_intervals(each_P, settings))
        per_problem = score("Vendi score per problem", (mean, low, high), len(each_P))
    bounds = found.pooled
    value = bounds if count > 1 else (bounds[0], bounds[0], bounds[0])
    return DiversityRow(
        what=what,
        texts=len(of.texts),
        vendi=score("Vendi score", value, count),
        distinct_3=_number(distinct_n(of.texts)),
        embedder=called,
        per_problem=per_problem,
        heuristics=_heuristics(of, settings),
    )


def _heuristics(of: Described, settings: Resampling) -> Score | None:
    """Effective number of opening heuristics over all texts, bootstrap over problems."""
    if of.labels is None or not of.labels:
        return None
    label_S = np.unique(of.labels, return_inverse=True)[1]
    problem_S = np.unique(of.problems, return_inverse=True)[1]
    right_S = np.zeros(len(of.labels))
    counts_PH = openings(problem_S, label_S, right_S, labels=int(label_S.max()) + 1).tried_PH
    value_R = pooled_effective([counts_PH], settings)[0]
    low, high = np.quantile(value_R[1:], [0.025, 0.975])
    # The bootstrap of an entropy lies below it: resampling loses rare categories.
    bounds = (value_R[0], low, max(high, value_R[0]))
    return score("Effective number of opening heuristics", bounds, len(counts_PH))


def _read(texts: Sequence[str], problems: Sequence[str], reader: Reader) -> Described:
    labels = [reader.ways(text).opening for text in texts]
    return Described(texts=texts, problems=problems, labels=labels)


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


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
