"""Prefix swap: what happens to attempts that are begun under one heuristic and ended under another.

Shapes: _P problems, _H heuristics (first, second).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.measures import Measure, example_score
from manyways.records import Score
from manyways.reporting import Block, Heading, Note, Table, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from manyways.context import Context
    from manyways.measures.seen import Seen
    from manyways.metrics.intervals import Resampling

    Floats = NDArray[np.float64]


FOLDER = "6-probe"
BETWEEN = " > "
"""Between the two heuristics in the name of an entry: ``induction > figure``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeRow:
    """Prefix swap: success of attempts that begin under one heuristic and end under another.

    model:           what was sampled.
    heuristics:      in the order of the matrix.
    attempts:        continuations that were sampled.
    matrix:          rows: the first heuristic, columns: the second; ``n`` counts problems.
    complementarity: mean over problems of (mean off the diagonal - mean on it); above 0 where
                     changing the heuristic pays.
    covariance:      of the heuristics' strengths at the two halves, ``-(n-1)/n`` times that (M6).
    dependence:      second over first singular value of the mean matrix; 0 if the two halves
                     succeed independently (noise makes it positive).
    """

    model: str
    heuristics: list[str]
    matrix: list[list[Score]]
    complementarity: Score | None
    covariance: Score | None
    dependence: Score | None
    attempts: int


def measured(seen: "Seen") -> list[ProbeRow]:
    """One row, or none where the probe has not been run."""
    import numpy as np

    from manyways.measures.score_curves import mean_score, share_score

    ctx, settings = seen.material.ctx, seen.material.settings
    names = [heuristic.id for heuristic in seen.material.stages.swapped(ctx)]
    right_PHH, tried_PHH = _counts(ctx, names)
    if not tried_PHH.size or not tried_PHH.any():
        return []
    with np.errstate(invalid="ignore"):
        rates_PHH = right_PHH / tried_PHH
    gaps_P, covs_P = _per_problem(rates_PHH)
    return [
        ProbeRow(
            model="base",
            heuristics=names,
            matrix=[
                [
                    share_score("success", right_PHH[:, i, j], tried_PHH[:, i, j])
                    for j in range(len(names))
                ]
                for i in range(len(names))
            ],
            complementarity=mean_score("Swapped minus kept", gaps_P, settings)
            if len(gaps_P)
            else None,
            covariance=mean_score("Covariance of strengths", covs_P, settings)
            if len(covs_P)
            else None,
            dependence=_dependence(right_PHH, tried_PHH, settings),
            attempts=int(tried_PHH.sum()),
        )
    ]


def _counts(ctx: "Context", names: list[str]) -> "tuple[Floats, Floats]":
    """Right and tried attempts, (P, H, H)."""
    import numpy as np

    from manyways.tables import read_attempts_table

    table = read_attempts_table(
        ctx.run.path(FOLDER), ["problem_id", "heuristic", "sample", "status"]
    )
    problems = {name: i for i, name in enumerate(sorted(set(table["problem_id"].to_pylist())))}
    place = {name: i for i, name in enumerate(names)}
    tried = np.zeros((len(problems), len(names), len(names)))
    right = np.zeros_like(tried)
    for row in table.to_pylist():
        first, _, second = row["heuristic"].partition(BETWEEN)
        if first in place and second in place and row["sample"] < ctx.recipe.probe.samples:
            where = problems[row["problem_id"]], place[first], place[second]
            tried[where] += 1
            right[where] += row["status"] == "correct"
    return right, tried


def _per_problem(rates_PHH: "Floats") -> "tuple[Floats, Floats]":
    """Complementarity of each problem's own matrix, and the covariance that it stands for (M6)."""
    import numpy as np

    from manyways.theory.dynamics import complementarity

    gaps, covs = [], []
    for rates_HH in rates_PHH:
        there = ~np.isnan(np.diag(rates_HH))
        square = rates_HH[np.ix_(there, there)]
        if len(square) >= 2 and not np.isnan(square).any():
            gaps.append(complementarity(square))
            covs.append(-gaps[-1] * (len(square) - 1) / len(square))
    return np.array(gaps), np.array(covs)


def _dependence(right_PHH: "Floats", tried_PHH: "Floats", settings: "Resampling") -> Score | None:
    """Second over first singular value of the mean matrix.

    Noise alone makes it positive, more so in a bootstrap: the interval is the basic one
    (2 x value - quantiles), cut at 0.
    """
    import numpy as np

    from manyways.measures.score_curves import score
    from manyways.metrics.intervals import draw_counts
    from manyways.theory.dynamics import step_independence

    count, names, _ = right_PHH.shape
    draws_RP = np.concatenate([np.ones((1, count)), draw_counts(count, settings)])
    values = []
    flat = (counts.reshape(count, -1) for counts in (right_PHH, tried_PHH))
    for right, tried in zip(*(draws_RP @ counts for counts in flat), strict=True):
        if tried.all():
            values.append(step_independence((right / tried).reshape(names, names)))
    if len(values) < 2:
        return None
    low, high = np.quantile(values[1:], [0.025, 0.975])
    value = values[0]
    bounds = (value, max(0.0, 2 * value - float(high)), max(value, 2 * value - float(low)))
    return score("Second over first singular value", bounds, count)


def example() -> list[ProbeRow]:
    """Two heuristics that complement each other."""
    return [
        ProbeRow(
            model="base", heuristics=["symmetry", "analogy"], attempts=192,
            matrix=[
                [example_score("success", value) for value in row]
                for row in ((0.2, 0.4), (0.5, 0.25))
            ],
            complementarity=example_score("Swapped minus kept", 0.22), covariance=None,
            dependence=None,
        )
    ]  # fmt: skip


def blocks(seen: "Seen") -> list[Block]:
    """The matrix of each probe."""
    return [block for row in seen.rows(PROBE) for block in _swap(seen, row)]


def _swap(seen: "Seen", row: ProbeRow) -> list[Block]:
    """The prefix-swap matrix."""
    heading = Heading(
        title="Do the heuristics complement each other?",
        text="Attempts of the base model are cut in the middle; the row is the heuristic that "
        "began them, the column the one under which the same model went on. Each entry is the "
        "share that ended right.",
    )
    gap, cov, rank = row.complementarity, row.covariance, row.dependence
    found = "which says neither that changing pays nor that it does not"
    if gap and gap.low > 0:
        found = "so changing the heuristic in the middle pays: their strengths complement"
    elif gap and gap.high < 0:
        found = "so keeping the heuristic pays: their strengths do not complement"
    entries = [
        (seen.heuristic_name(first), *(words.quantity(score) for score in scores))
        for first, scores in zip(row.heuristics, row.matrix, strict=True)
    ]
    table = Table(
        caption="Success after a prefix swap",
        head=("begun under", *(seen.heuristic_name(h) for h in row.heuristics)),
        rows=tuple(entries),
        note=f"{row.attempts:,} continuations on {gap.n if gap else 0} problems; intervals take "
        "continuations of one problem as alike.",
    )
    sentence = (
        f"Swapped minus kept: {words.quantity(gap, 3)}, {found}. Covariance of strengths "
        f"{words.quantity(cov, 3)} (below 0: complementary), second over first singular value "
        f"{words.quantity(rank)} (0: the halves succeed independently; noise makes it positive)."
    )
    return [heading, Note(kind="finding", sentences=(sentence,)), table]


PROBE = Measure(
    name="probe",
    row=ProbeRow,
    measured=measured,
    example=example,
    shown={"theory": blocks},
)
