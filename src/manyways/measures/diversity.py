"""How different texts are: the training data of each arm, and the attempts of checkpoints."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from manyways.measures import Finding, Measure, example_score
from manyways.records import Checkpoint, Score, pooled
from manyways.reporting import (
    Block,
    Chart,
    Charts,
    Fold,
    Heading,
    Table,
    charts,
    explorer_link,
    words,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from manyways.measures.material import Evaluation
    from manyways.measures.seen import Seen
    from manyways.measures.solutions import Reader
    from manyways.metrics.intervals import Resampling

    Embed = Callable[[Sequence[str]], NDArray[np.float64]]


PER_PROBLEM = 8
DISTINCT = ("distinct 3-grams", "n")
PROBLEMS = 150
"""Problems per benchmark whose attempts are compared: the first ones, the same for everyone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DiversityRow:
    """How different the texts of a set are.

    what:     ``data of <arm>`` or ``attempts of <checkpoint pooled over seeds>`` (first seed's).
    texts:    their number.
    vendi:    Vendi score, the effective number of distinct texts; depends on the embedder.
    embedder: what turned texts into vectors.
    """

    what: str
    texts: int
    vendi: Score
    distinct_3: float | None
    """None where no text has three words."""

    embedder: str
    per_problem: Score | None = None
    """Mean over problems of the Vendi score of the texts on that problem (two or more)."""

    heuristics: Score | None = None
    """exp of the entropy of the heuristics that open the texts, direct counted as one."""


def measured(seen: "Seen") -> Iterator[DiversityRow]:
    """Rows for the data of each arm and the attempts of each checkpoint, first seed alone."""
    material, reader, settings = seen.material, seen.material.reader, seen.material.settings
    arms: set[str] = set()
    for line, rows in material.data.items():
        if line.arm not in arms:
            arms.add(line.arm)
            texts, problems = [row.text for row in rows], [row.problem_id for row in rows]
            yield diversity_row(f"data of {line.arm}", _read(texts, problems, reader), settings)
    seed = min(
        (e.checkpoint.seed for e in material.evaluations if e.checkpoint.seed is not None),
        default=0,
    )
    by_name: dict[str, list[Evaluation]] = {}
    for evaluation in material.evaluations:
        if evaluation.checkpoint.seed in (None, seed):
            by_name.setdefault(evaluation.checkpoint.pooled, []).append(evaluation)
    for name, of_checkpoint in by_name.items():
        texts, problems = [], []
        for evaluation in of_checkpoint:
            some_texts, some_problems = _sample(evaluation)
            texts += some_texts
            problems += some_problems
        yield diversity_row(f"attempts of {name}", _read(texts, problems, reader), settings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """Texts with what each is about. ``labels``: the heuristic that opens each, if it is known."""

    texts: Sequence[str]
    problems: Sequence[str]
    labels: Sequence[str] | None = None


def diversity_row(
    what: str, of: Described, settings: "Resampling", *, embedder: "tuple[Embed, str] | None" = None
) -> DiversityRow:
    """Every measure of one set of texts.

    embedder: texts -> unit rows, and its name; one that needs no network when left out.
    """
    from manyways.measures.score_curves import mean_score, score
    from manyways.metrics.diversity import EMBEDDER, distinct_n, embed, vendi_scores

    embedding, called = embedder or (embed, EMBEDDER)
    count = len(set(of.problems))
    found = vendi_scores(of.texts, of.problems, embedding)
    each_P = found.per_problem_P
    bounds = found.pooled
    value = bounds if count > 1 else (bounds[0], bounds[0], bounds[0])
    return DiversityRow(
        what=what,
        texts=len(of.texts),
        vendi=score("Vendi score", value, count),
        distinct_3=_number(distinct_n(of.texts)),
        embedder=called,
        per_problem=mean_score("Vendi score per problem", each_P, settings)
        if len(each_P)
        else None,
        heuristics=_heuristics(of, settings),
    )


def _heuristics(of: Described, settings: "Resampling") -> Score | None:
    """Effective number of opening heuristics over all texts, bootstrap over problems."""
    import numpy as np

    from manyways.measures.score_curves import score
    from manyways.metrics.modes import openings, pooled_effective

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


def _read(texts: Sequence[str], problems: Sequence[str], reader: "Reader") -> Described:
    labels = [reader.ways(text).opening for text in texts]
    return Described(texts=texts, problems=problems, labels=labels)


def _sample(evaluation: "Evaluation") -> tuple[list[str], list[str]]:
    texts = evaluation.texts()
    first = evaluation.first_rows(PER_PROBLEM)
    rows = [row for row in first if evaluation.ranks[row] < PROBLEMS]
    return [texts[row] for row in rows], [evaluation.problem_of(row) for row in rows]


def _number(value: float) -> float | None:
    return None if isnan(value) else value


def example() -> list[DiversityRow]:
    """Training data of one arm, and attempts of one checkpoint."""
    return [
        DiversityRow(
            what=what, texts=96, distinct_3=0.4, embedder="hashed n-grams",
            vendi=example_score("Vendi score", value, half=1.0),
        )
        for what, value in (
            ("data of heuristics-8", 9.5),
            (f"attempts of {pooled('star', 'rl')}", 4.0),
        )
    ]  # fmt: skip


def blocks(seen: "Seen") -> list[Block]:
    """Vendi scores drawn, and every measure of each set of texts."""
    rows = seen.rows(DIVERSITY)
    if not rows:
        return []
    few = [row for row in rows if _of(row).phase == "base" or seen.at_first(_of(row).arm)]
    lines = [charts.Row(label=_what(row), marks=(_vendi_mark(seen, row),)) for row in few]
    chart = Chart(
        id="diversity",
        title="Vendi score",
        alt="; ".join(f"{_what(row)}: {words.quantity(row.vendi)}" for row in few),
        spec=charts.intervals(lines, axis="effective number of distinct texts"),
        height=charts.height_of(lines),
        note="Squares: training data. Others: attempts at the benchmarks.",
    )
    heading = Heading(
        title="Diversity",
        text="The Vendi score is the effective number of distinct texts in a set: 1 when all are "
        "alike. Compare only sets measured with the same embedder.",
    )
    figure = Fold(title="Vendi scores, drawn", blocks=(Charts(charts=(chart,)),))
    return [heading, figure, _table(rows)]


def _table(rows: list[DiversityRow]) -> Table:
    return Table(
        caption="Diversity",
        head=("", "texts", "Vendi score", "within a problem", "opening heuristics", *DISTINCT),
        rows=tuple(
            (
                _what(row),
                words.count(row.texts),
                words.quantity(row.vendi),
                words.quantity(row.per_problem),
                words.quantity(row.heuristics),
                words.number(row.distinct_3),
                words.count(row.vendi.n),
            )
            for row in rows
        ),
        note=f"Embedder: {'; '.join(dict.fromkeys(row.embedder for row in rows))}. n: problems. "
        "Opening heuristics: how many equally used ones would be as varied, direct counted as one.",
        folded=True,
    )


def _of(row: DiversityRow) -> Checkpoint:
    """The checkpoint that wrote the texts, or an arm that learned from them."""
    kind, _, name = row.what.partition(" of ")
    return Checkpoint(arm=name, phase="rl") if kind == "data" else Checkpoint.parse(name)


def _vendi_mark(seen: "Seen", row: DiversityRow) -> charts.Mark:
    checkpoint = _of(row)
    return charts.Mark(
        score=row.vendi,
        colour=seen.arm_colour(checkpoint.arm, checkpoint.phase),
        words=f"Vendi score {words.quantity(row.vendi)}, {row.texts:,} texts",
        symbol="square" if row.what.startswith("data") else charts.PHASE_SYMBOLS[checkpoint.phase],
        link="" if row.what.startswith("data") else explorer_link(source=checkpoint.name),
    )


def _what(row: DiversityRow) -> str:
    """``attempts of star/rl`` -> ``attempts of star · after RL``."""
    kind, of, name = row.what.partition(" of ")
    return f"{kind}{of}{words.checkpoint_label(name)}" if of else row.what


def says(seen: "Seen") -> Iterator[Finding]:
    """The Vendi scores of the training data."""
    sets = [
        row for row in seen.rows(DIVERSITY) if row.what.startswith("data of ") and row.vendi.n > 1
    ]
    if sets:
        said = {row.what.removeprefix("data of "): str(words.quantity(row.vendi)) for row in sets}
        sentence = (
            "Vendi score, the effective number of different texts, of the mid-training data: "
            f"{seen.of_arms(said)}."
        )
        yield Finding(kind="data", sentence=sentence)


DIVERSITY = Measure(
    name="diversity",
    row=DiversityRow,
    measured=measured,
    example=example,
    shown={"data": blocks},
    says=says,
)
