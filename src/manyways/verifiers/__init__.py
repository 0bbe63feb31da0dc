"""How an answer is judged: the table of verifiers, and what is asked of each besides verdicts."""

from dataclasses import dataclass
from typing import Literal, Protocol

from manyways.records import Problem, Verdict

AUTO = "auto"
"""Of ``verify.isolation``: programs run in the first of all kinds that works here."""


class Verify(Protocol):
    """Judges one text against one problem. Runs inside a worker process: it may be killed."""

    def __call__(self, problem: Problem, text: str) -> Verdict:
        """The verdict on ``text``; keyword options are passed to those that name them."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Verifier:
    """A verifier. Functions are named ``module:function`` and imported when needed.

    verify:  a ``Verify``.
    here:    what may run in the caller's process: all of it, being nothing but bounded string work;
             the fast path first; or nothing.
    cuts:    whether it compares an answer that ``final_answer`` cuts out of a text, so that
             exemplars have to end in the form that the prompt asks for.
    votes:   which answers are one vote: those that it calls equal, of equal value or tidied
             spelling, the same option, the same characters; or none, because a vote over such
             answers would mean nothing.
    asks:    what a prompt asks for in place of the recipe's instruction; ``{name}`` is the entry
             point. Empty: the recipe's.
    written: how an attempt writes ``{answer}``. Empty: in the form that the prompt asks for.
    perturb: function of a problem; a reference made wrong, which must not be accepted.
    seconds: function of a timeout and of where programs run: the wall clock of one answer. Empty:
             the timeout. Raises NoIsolation where the verifier cannot run.
    warm_up: what a worker runs before its first answer, outside of its limit.
    """

    verify: str
    here: Literal["all", "fast path", "nothing"] = "nothing"
    cuts: bool = False
    votes: Literal["equal", "value", "option", "characters", "none"] = "value"
    asks: str = ""
    written: str = ""
    perturb: str = "manyways.verifiers.selfcheck:another_number"
    seconds: str = ""
    warm_up: str = ""


VERIFIERS: dict[str, Verifier] = {
    "math": Verifier(
        verify="manyways.verifiers.math:verify",
        here="fast path",
        cuts=True,
        votes="equal",
        warm_up="manyways.verifiers.answers.full:warm_up",
    ),
    "exact": Verifier(
        verify="manyways.verifiers.exact:verify",
        here="all",
        cuts=True,
        votes="characters",
        perturb="manyways.verifiers.selfcheck:one_more_letter",
    ),
    "choice": Verifier(
        verify="manyways.verifiers.choice:verify",
        here="all",
        cuts=True,
        votes="option",
        perturb="manyways.verifiers.selfcheck:next_option",
    ),
    "python_tests": Verifier(
        verify="manyways.verifiers.python_tests:verify",
        votes="none",  # programs that do the same are rarely spelled the same
        asks=(  # a program cannot be boxed
            "Write the whole program, including what it imports, in one ```python block. "
            "It must define {name}."
        ),
        written="```python\n{answer}\n```",
        perturb="manyways.verifiers.selfcheck:hollow",
        seconds="manyways.verifiers.python_tests:seconds",
    ),
}
"""A recipe and ``--verifier`` may name ``"my.module:verify"`` instead.

Data may not: what a file holds must not say which code runs."""
FUNCTIONS = {name: verifier.verify for name, verifier in VERIFIERS.items()}
"""name -> ``module:function``, for ``plugins``."""
BROUGHT = {name: name for name in ("manyways.verifiers.procedural:verify",)}
"""Verifiers of ours that problem sets of ours bring along and no recipe names."""
_BY_FUNCTION = {verifier.verify: verifier for verifier in VERIFIERS.values()}


def verifier_of(name: str) -> Verifier:
    """The verifier called ``name``; one of a user's own has what is usual."""
    return VERIFIERS.get(name) or _BY_FUNCTION.get(name) or Verifier(verify=name)
