"""avg@N and majority@k, which stand in one table.

avg@N is the share of correct attempts; its standard error holds the luck of sampling alone.
majority@k is the score of the most frequent answer among k attempts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isnan, sqrt
from typing import TYPE_CHECKING

from manyways.measures import Measure, example_score
from manyways.measures.benchmarks import prefer_pooled, summarise
from manyways.measures.pass_at_k import PASS_AT_K, PassRow, curve_rows
from manyways.measures.rates import QUALIFYING, RATES, ending
from manyways.records import Phase, Score
from manyways.reporting import Block, Entry, Table, words

if TYPE_CHECKING:
    from manyways.measures.material import Evaluation
    from manyways.measures.score_curves import Curve
    from manyways.measures.seen import Seen
    from manyways.verifiers.verdicts import Verifiers


NOTE = (
    "avg@N: share of correct attempts over all N at each problem, which pass@1 equals; ± is its "
    "standard error across attempts (the same problems, attempted anew), the brackets are over "
    "problems. maj@k: the score of the most frequent answer among k attempts, ties split, "
    "attempts without an answer not voting; programs have none."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AverageRow:
    """avg@N: the mean over problems of the share of correct attempts, all N of them.

    least: fewest attempts at a problem, per seed.
    most:  most attempts at a problem, per seed: N, where it is ``least``, too.
    error: standard error across attempts: how far ``score.value`` would move if the same problems
           were attempted anew. None when a problem has a single attempt. The interval of ``score``
           is over problems and holds this luck too.
    """

    checkpoint: str
    arm: str
    seed: int | None
    phase: Phase
    benchmark: str
    least: int
    most: int
    score: Score
    error: float | None
    seeds: Score | None = None


@dataclass(frozen=True, slots=True)
class _Luck:
    """Fewest and most attempts at a problem, and the variance of the mean across attempts."""

    least: int
    most: int
    variance: float


def measured(seen: "Seen") -> Iterator[AverageRow]:
    """One row per row of pass@1, which avg@N equals in value and interval."""
    single = ((e.checkpoint, e.benchmark, _luck(e)) for e in seen.material.evaluations)
    luck = summarise(single, seen.material.means, merge=_mean, mean=_mean)
    for row in seen.rows(PASS_AT_K):
        if row.k != 1:
            continue
        own = luck[row.checkpoint, row.benchmark]
        name = f"avg@{own.least}" if own.least == own.most else f"avg@{own.least}-{own.most}"
        yield AverageRow(
            checkpoint=row.checkpoint,
            arm=row.arm,
            seed=row.seed,
            phase=row.phase,
            benchmark=row.benchmark,
            least=own.least,
            most=own.most,
            score=replace(row.score, name=name),
            error=None if isnan(own.variance) else sqrt(own.variance),
            seeds=row.seeds and replace(row.seeds, name=f"{name} over seeds"),
        )


def _luck(evaluation: "Evaluation") -> _Luck:
    from manyways.metrics.pass_at_k import sampling_variance

    n_P = evaluation.attempts_P
    variance_P = sampling_variance(n_P, evaluation.correct_P)
    return _Luck(int(n_P.min()), int(n_P.max()), float(variance_P.sum() / len(n_P) ** 2))


def _mean(values: Sequence[_Luck], _: str) -> _Luck:
    """The luck of the plain average of independent means."""
    return _Luck(
        min(one.least for one in values),
        max(one.most for one in values),
        sum(one.variance for one in values) / len(values) ** 2,
    )


def example() -> list[AverageRow]:
    """Of eight attempts at each problem."""
    return [
        AverageRow(
            checkpoint="base", arm="base", seed=None, phase="base", benchmark="pocket/test",
            least=8, most=8, error=0.02,
            score=example_score("avg@8", 0.25),
        )
    ]  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class MajorityRow(PassRow):
    """majority@k (``metrics.majority``). Benchmarks of programs have none: texts do not vote."""


def majority_measured(seen: "Seen") -> Iterator[MajorityRow]:
    """Of every checkpoint on every benchmark whose answers can be put to the vote."""
    from manyways.measures.score_curves import curves

    verifiers = seen.material.ctx.verifiers
    found = (majority_curve(evaluation, verifiers) for evaluation in seen.material.evaluations)
    every = curves([curve for curve in found if curve], seen.material.means)
    return curve_rows(every, seen.material.settings, measure="maj", row_type=MajorityRow)


def majority_curve(evaluation: "Evaluation", verifiers: "Verifiers") -> "Curve | None":
    """majority@k for powers of two and N itself; None where texts cannot vote.

    verifiers: say which answers are the same vote, as they say which are correct.
    """
    import numpy as np

    from manyways.measures.score_curves import curve_of
    from manyways.metrics.majority import majority_at_k
    from manyways.metrics.pass_at_k import powers_of_two
    from manyways.verifiers import verifier_of
    from manyways.verifiers.answers.votes import Said, same_votes

    asked = {problem.id: problem for problem in evaluation.problem_set()}
    if any(verifier_of(asked[name].verifier).votes == "none" for name in evaluation.problems):
        return None
    starts = np.concatenate([[0], np.cumsum(evaluation.attempts_P)])
    names = np.repeat(np.arange(len(evaluation.problems)), evaluation.attempts_P)
    problems = [asked[name] for name in evaluation.problems]
    said = [
        Said(problems[at].id, answer, problems[at].verifier, problems[at].choices)
        for at, answer in zip(names.tolist(), evaluation.answers(), strict=True)
    ]
    votes_S = same_votes(said, verifiers)
    fewest = int(evaluation.attempts_P.min())
    ks = sorted({*powers_of_two(fewest), fewest})
    rows = []
    for start, end in pairwise(starts.tolist()):
        right = evaluation.correct_S[start:end].tolist()
        rows.append(majority_at_k(votes_S[start:end], right, ks))
    return curve_of(evaluation, ks, np.stack(rows))


def majority_example() -> list[MajorityRow]:
    """The vote of eight."""
    return [
        MajorityRow(
            checkpoint="base", arm="base", seed=None, phase="base", benchmark="pocket/test", k=8,
            attempts=96, score=example_score("maj@8", 0.33),
        )
    ]  # fmt: skip


MAJORITY = Measure(
    name="majority",
    row=MajorityRow,
    measured=majority_measured,
    example=majority_example,
    shown={},
    within="averages",
)


def blocks(seen: "Seen") -> list[Block]:
    """One row per checkpoint and benchmark."""
    if not seen.rows(AVERAGES):
        return []
    voted = {row.k for row in seen.rows(MAJORITY)}
    ks = sorted({min(voted), max(voted)}) if voted else []
    scores = {(r.checkpoint, r.benchmark, r.k): r.score for r in seen.rows(MAJORITY)}
    rates = {(row.checkpoint, row.benchmark): row for row in seen.rows(RATES)}
    rows: list[tuple[Entry, ...]] = []
    for benchmark in seen.benchmarks:
        found = [row for row in seen.rows(AVERAGES) if row.benchmark == benchmark]
        for row in prefer_pooled(found, key=lambda row: (row.arm, row.phase)):
            where = (row.checkpoint, benchmark)
            rows.append(
                (
                    benchmark,
                    words.checkpoint_label(row.checkpoint),
                    row.score.name,
                    words.quantity(row.score),
                    words.NONE if row.error is None else f"{row.error:.3f}",
                    *(words.quantity(scores.get((*where, k))) for k in ks),
                    words.count(row.score.n),
                    *ending(rates.get(where)),
                )
            )
    head = ("benchmark", "checkpoint", "N", "avg@N", "± attempts", *(f"maj@{k}" for k in ks))
    table = Table(
        caption="avg@N and majority@k of every checkpoint on every benchmark",
        head=(*head, "problems", *(name.replace("_", " ") for name in QUALIFYING)),
        rows=tuple(rows),
        note=NOTE,
        folded=True,
    )
    return [table]


AVERAGES = Measure(
    name="averages",
    row=AverageRow,
    measured=measured,
    example=example,
    shown={"evaluation": blocks},
)
