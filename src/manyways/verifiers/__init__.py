"""How an answer is judged: the table of verifiers and their interface."""

from typing import Protocol

from manyways.records import Problem, Verdict

VERIFIERS: dict[str, str] = {
    "math": "manyways.verifiers.math:verify",
    "exact": "manyways.verifiers.exact:verify",
    "choice": "manyways.verifiers.choice:verify",
    "python_tests": "manyways.verifiers.python_tests:verify",
}
"""name -> ``module:function``; a recipe and ``--verifier`` may name ``"my.module:verify"`` instead.

Data may not: what a file holds must not say which code runs."""


class Verifier(Protocol):
    """Judges one text against one problem. Runs inside a worker process: it may be killed."""

    def __call__(self, problem: Problem, text: str) -> Verdict:
        """The verdict on ``text``; keyword options are passed to those that name them."""
        ...
