"""majority@k: the score of the most frequent answer among k attempts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.measures.measure import Measure
from manyways.measures.pass_at_k import PassRow, curve_rows
from manyways.records import Score

if TYPE_CHECKING:
    from manyways.measures.material import Evaluation
    from manyways.measures.score_curves import Curve
    from manyways.measures.seen import Seen


@dataclass(frozen=True, kw_only=True, slots=True)
class MajorityRow(PassRow):
    """majority@k (``metrics.majority``). Benchmarks of programs have none: texts do not vote."""


def measured(seen: "Seen") -> Iterator[MajorityRow]:
    """Of every checkpoint on every benchmark whose answers can be put to the vote."""
    from manyways.measures.score_curves import curves

    found = (majority_curve(evaluation) for evaluation in seen.material.evaluations)
    every = curves([curve for curve in found if curve], seen.material.benchmarks)
    return curve_rows(every, seen.material.settings, measure="maj", row_type=MajorityRow)


def majority_curve(evaluation: "Evaluation") -> "Curve | None":
    """majority@k for powers of two and N itself; None where texts cannot vote."""
    import numpy as np

    from manyways.measures.score_curves import curve_of
    from manyways.metrics.majority import majority_at_k
    from manyways.metrics.pass_at_k import powers_of_two
    from manyways.verifiers import verifier_of
    from manyways.verifiers.answers.votes import vote_of

    asked = {problem.id: problem for problem in evaluation.asked()}
    if any(verifier_of(asked[name].verifier).votes == "none" for name in evaluation.problems):
        return None
    answers = evaluation.answers()
    starts = np.concatenate([[0], np.cumsum(evaluation.attempts_P)])
    fewest = int(evaluation.attempts_P.min())
    ks = sorted({*powers_of_two(fewest), fewest})
    rows = []
    for name, start, end in zip(evaluation.problems, starts[:-1], starts[1:], strict=True):
        problem = asked[name]
        mine = answers[start:end]
        spelled = {a: vote_of(a, problem.verifier, problem.choices) for a in set(mine)}
        votes, right = [spelled[a] for a in mine], evaluation.correct_S[start:end].tolist()
        rows.append(majority_at_k(votes, right, ks))
    return curve_of(evaluation, ks, np.stack(rows))


def example() -> list[MajorityRow]:
    """The vote of eight."""
    return [
        MajorityRow(
            checkpoint="base", arm="base", seed=None, phase="base", benchmark="pocket/test", k=8,
            attempts=96, score=Score(name="maj@8", value=0.33, low=0.2, high=0.46, n=12),
        )
    ]  # fmt: skip


MAJORITY = Measure(
    name="majority",
    row=MajorityRow,
    measured=measured,
    example=example,
    shown={},
    within="averages",
)
