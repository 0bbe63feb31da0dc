"""Rows of the result tables (``7-tables/*.json``): written by analyse, read by report and by users.

One JSON file per class, named in ``TABLES``; each holds a list of rows. Every rate comes with its
95% interval and the number of independent units behind it. ``checkpoint`` is ``base`` or
``<arm>/seed-<s>/<mid|rl>``; rows pooled over seeds have ``seed`` None and the name
``<arm>/<phase>``.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeVar, cast

from pydantic import TypeAdapter

from manyways.records import Phase, Score
from manyways.results.scores import AverageRow, MajorityRow, PassRow, RateRow
from manyways.results.theory import OpeningRow, PredictionRow, ProbeRow, TokenModesRow
from manyways.results.training import ArmRow, CostRow, CurveRow, GateRow
from manyways.tables import write_text

__all__ = [
    "TABLES", "ArmRow", "AverageRow", "CompositionRow", "CostRow", "CurveRow", "DiversityRow",
    "ExplorerRow", "ExplorerText", "Finding", "FourCells", "GateRow", "LabellerRow",
    "MajorityRow", "OpeningRow", "Outcomes", "PairedRow", "PassRow", "PredictionRow",
    "ProbeRow", "RateRow", "TokenModesRow", "YieldRow", "read_rows", "write_rows",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class FourCells:
    """base / mid-trained / RL only / mid-trained + RL for one arm, benchmark and k, over seeds.

    A cell is None where its checkpoint was not produced; ``rl_only`` is the vanilla arm.
    """

    arm: str
    benchmark: str
    k: int
    base: Score | None
    mid: Score | None
    rl_only: Score | None
    mid_rl: Score | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedRow:
    """Difference ``a - b`` in pass@k on the same problems; ``p``: sign-flip permutation test."""

    a: str
    b: str
    benchmark: str
    k: int
    difference: Score
    p: float
    seeds: Score | None = None
    """With 3 or more seeds: Student's t interval over the seeds' differences (``n`` seeds)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CompositionRow:
    """How a checkpoint's attempts use heuristics, right and wrong ones alike.

    ``benchmark``: ``all`` for the attempts on every benchmark together, ``seed data`` for the
    solutions that the arm's mid-training was given (``checkpoint`` is ``<arm>/mid``).

    composed:  share of solutions with two or more different heuristics (Wilson interval on the
               effective number of solutions, attempts at one problem being alike; ``n`` problems).
    switch:    share of boundaries between labelled steps where the heuristic changes, direct
               steps skipped; None without boundaries.
    effective: exp of the entropy of the steps' shares, ``direct`` counted as one way.
    shares:    heuristic id (``direct`` for none) -> share of steps.
    pairs:     ``first > second`` -> number of switches.
    drift:     mean within-problem covariance of composed and correct (theory D2).
    """

    checkpoint: str
    arm: str
    phase: Phase
    benchmark: str
    composed: Score
    switch: Score | None
    effective: float
    shares: dict[str, float]
    pairs: dict[str, int]
    drift: Score | None
    solutions: int = 0
    composed_correct: Score | None = None
    """As ``composed``, among correct solutions."""
    corrected: Score | None = None
    """``composed`` corrected for the labeller's error (theory M3) where that was measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabellerRow:
    """How well the run's labeller names the heuristic of whole texts that it was not fitted on.

    what: ``held-out exemplars`` of the pack, or ``prompted attempts`` of the run (there a text
          counts as the heuristic that was asked for, followed or not).

    accuracy, top3: the likeliest heuristic, one of the three likeliest (``n`` exemplars or
                    problems).
    confusion:      heuristic -> likeliest heuristic -> number of texts.
    sensitivity, specificity: in telling composed texts from others, on exemplars.
    """

    what: str
    labeller: str
    classes: int
    texts: int
    accuracy: Score
    top3: Score
    confusion: dict[str, dict[str, int]]
    sensitivity: Score | None = None
    specificity: Score | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """How some attempts ended. adherence: as in YieldRow."""

    attempts: int
    correct: int
    no_answer: int
    undecided: int
    truncated: int
    tokens: int
    adherence: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class YieldRow:
    """What the pool gave under one heuristic (``plain`` for plain prompts).

    fair: where sampling was adaptive, the first attempts of cells that were asked in the first
        round, before anything was known of them: what rates may be taken from. Shares of all
        attempts are too low there, because cells that succeed are left.
    """

    heuristic: str
    name: str
    attempts: int
    correct: int
    no_answer: int
    undecided: int
    truncated: int
    kept: int
    problems: int
    tokens: int
    dropped: dict[str, int]
    """Reason -> number of correct attempts dropped for it."""
    adherence: float | None = None
    """Does the model follow the heuristic when asked to? Mean over the attempts that were scored
    (by a labeller: all of them); None where a reward model gave ranks."""
    fair: Outcomes | None = None

    @property
    def rates(self) -> "Outcomes | YieldRow":
        """The counts whose shares say what to expect of an attempt."""
        return self.fair or self


@dataclass(frozen=True, kw_only=True, slots=True)
class DiversityRow:
    """Vendi score (effective number of distinct texts) of a set of texts; embedder stated.

    what: ``data of <arm>`` or ``attempts of <checkpoint pooled over seeds>`` (first seed's texts).
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplorerText:
    """One text in the explorer: its steps as (text, heuristic or None) and its verdict."""

    source: str
    """``pool`` or a checkpoint."""
    heuristic: str
    status: str
    answer: str | None
    kept: bool
    note: str
    steps: list[tuple[str, str | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplorerRow:
    """One problem with many texts on it."""

    problem_id: str
    question: str
    answer: str
    texts: list[ExplorerText]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One plain sentence with its interval, e.g. "no difference found". ``kind`` orders them."""

    kind: Literal["main", "mechanism", "data", "training", "caution"]
    sentence: str


TABLES: dict[str, type] = {
    "pass_at_k": PassRow,
    "averages": AverageRow,
    "majority": MajorityRow,
    "rates": RateRow,
    "four_cells": FourCells,
    "paired": PairedRow,
    "composition": CompositionRow,
    "labeller": LabellerRow,
    "yield": YieldRow,
    "diversity": DiversityRow,
    "gate": GateRow,
    "curves": CurveRow,
    "arms": ArmRow,
    "costs": CostRow,
    "predictions": PredictionRow,
    "probe": ProbeRow,
    "openings": OpeningRow,
    "token_modes": TokenModesRow,
    "explorer": ExplorerRow,
    "findings": Finding,
}
"""File stem in ``7-tables`` -> class of its rows."""

Row = TypeVar("Row")


def write_rows(path: Path, rows: Sequence[object]) -> None:
    """Write rows (dataclass instances) as a JSON list, a line for each."""
    lines = (json.dumps(asdict(cast("Score", row)), ensure_ascii=False) for row in rows)
    write_text(path, "[" + ",".join(f"\n{line}" for line in lines) + "\n]\n")


def read_rows(path: Path, row_type: type[Row]) -> list[Row]:
    """Read rows of ``row_type``; an absent file is an empty table."""
    if not path.is_file():
        return []
    rows: list[Row] = TypeAdapter(list[row_type]).validate_json(path.read_bytes())  # type: ignore[valid-type]
    return rows
