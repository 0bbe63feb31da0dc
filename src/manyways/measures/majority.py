"""majority@k: the score of the most frequent answer among k attempts."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from manyways.measures import Measure
from manyways.measures.pass_at_k import PassRow, curve_rows
from manyways.records import Score

if TYPE_CHECKING:
    from manyways.measures.material import Evaluation
    from manyways.measures.score_curves import Curve
    from manyways.measures.seen import Seen
    from manyways.verifiers.verdicts import Verifiers


@dataclass(frozen=True, kw_only=True, slots=True)
class MajorityRow(PassRow):
    """majority@k (``metrics.pass_at_k``). Benchmarks of programs have none: texts do not vote."""


def measured(seen: "Seen") -> Iterator[MajorityRow]:
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
    from manyways.metrics.pass_at_k import majority_at_k, powers_of_two
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
