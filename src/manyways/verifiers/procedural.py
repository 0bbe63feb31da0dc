"""Procedural problems of reasoning-gym, verified by the scorer of their task.

Many tasks accept several answers (any shortest path, any valid schedule). A comparison with the
reference would call some correct answers wrong.
"""

import json
from functools import lru_cache
from typing import Any

from manyways.records import Problem, Verdict
from manyways.verifiers.final_answer import Form, Policy, extract


def verify(
    problem: Problem, text: str, *, policy: Policy = "strict", form: Form = "boxed"
) -> Verdict:
    """``correct`` when the scorer gives the final answer of ``text`` full marks.

    ``problem.tests`` says how to make the entry again (task, size, seed, settings, number), because
    scorers read fields of the entry that are not in the problem.
    """
    found = extract(text, policy=policy, form=form)
    if found is None:
        return Verdict(status="no_answer", rule="none")
    made = json.loads(problem.tests)
    settings = json.dumps(made["settings"], sort_keys=True)
    dataset = _dataset(made["task"], made["size"], made["seed"], settings)
    entry = dataset[made["number"]]
    if entry["question"].strip() != problem.question or str(entry["answer"]) != problem.answer:
        return Verdict(
            status="undecided",
            answer=found.answer,
            reason="error: reasoning-gym did not make the same problem again",
        )
    plain = found.answer.strip().strip("$").strip()  # scorers do not know dollar signs
    full = dataset.score_answer(plain, entry) >= 1.0
    return Verdict(
        status="correct" if full else "wrong", answer=found.answer, rule=f"{found.rule}/task scorer"
    )


@lru_cache(maxsize=16)
def _dataset(task: str, size: int, seed: int, settings: str) -> Any:  # noqa: ANN401
    import reasoning_gym

    return reasoning_gym.create_dataset(task, seed=seed, size=size, **json.loads(settings))
