"""Our verdicts as verl's reward. It runs in verl's own Python, so it must import nothing heavy."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from manyways import trust
from manyways.records import Problem, Verdict
from manyways.verifiers.verdicts import Verifiers, check_health

WINDOW = 512
"""The undecided share is checked over this many recent verdicts, in each reward worker of verl."""


def scorer(settings: Mapping[str, Any]) -> Callable[..., dict[str, float]]:
    """A ``compute_score`` for verl, which needs a number for every attempt.

    An undecided attempt gets 0.0, as a wrong one does, and is counted. TRL would leave it out of
    its group instead. So the training ends when more than ``max_undecided`` of the last 512
    verdicts are undecided.

    settings: the arguments of ``Verifiers``, ``max_undecided``, and ``trusted``: what the process
        that wrote them trusts.
    """
    trust.take(settings.get("trusted", {}))
    limit, not_theirs = settings["max_undecided"], ("max_undecided", "trusted")
    verifiers = Verifiers(**{name: v for name, v in settings.items() if name not in not_theirs})
    recent: deque[Verdict] = deque(maxlen=WINDOW)

    def compute_score(
        *, solution_str: str, extra_info: Mapping[str, str], **_: object
    ) -> dict[str, float]:
        problem = Problem.of(json.loads(extra_info["problem"]))
        verdict = verifiers.verdicts([(problem, solution_str)])[0]
        recent.append(verdict)
        if len(recent) == WINDOW:
            check_health(list(recent), limit=limit)
        score = 1.0 if verdict.status == "correct" else 0.0
        return {"score": score, "acc": score, "undecided": float(verdict.status == "undecided")}

    return compute_score
