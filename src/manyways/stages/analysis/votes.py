"""majority@k of every checkpoint on every benchmark whose answers can be put to the vote."""

from collections.abc import Sequence

import numpy as np

from manyways.metrics.majority import majority_at_k
from manyways.metrics.pass_at_k import powers_of_two
from manyways.stages.analysis.evaluated import Evaluation
from manyways.stages.analysis.passes import Curve, curve_of
from manyways.verifiers.answers.votes import vote_of

UNCOUNTED = "python_tests"
"""Programs that do the same are rarely spelled the same: a vote over them would mean nothing."""


def majority_curve(evaluation: Evaluation) -> Curve | None:
    """majority@k for powers of two and N itself; None where texts cannot vote."""
    asked = {problem.id: problem for problem in evaluation.asked()}
    if any(asked[name].verifier == UNCOUNTED for name in evaluation.problems):
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


def majority_curves(evaluations: Sequence[Evaluation]) -> list[Curve]:
    """Those of all evaluations that have one."""
    found = (majority_curve(evaluation) for evaluation in evaluations)
    return [curve for curve in found if curve is not None]
