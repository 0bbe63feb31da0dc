"""The table of verifiers, and what other modules need to know about each of them."""

from dataclasses import dataclass
from typing import Literal, Protocol

from manyways.records import Problem, Verdict

AUTO = "auto"
"""Value of ``verify.isolation``: programs run in the first kind of isolation that works here."""


class Verify(Protocol):
    """Verifies one text against one problem. It runs in a worker process, which may be killed."""

    def __call__(self, problem: Problem, text: str) -> Verdict:
        """The verdict on ``text``. Options are passed by keyword if the function names them."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Verifier:
    """A verifier. Functions are named ``module:function`` and imported when needed.

    verify:  a ``Verify``.
    here:    what may run in the caller's process: ``all`` of it, if it is bounded work on strings;
             only a ``fast path`` that is tried first; or ``nothing``.
    cuts:    whether it compares an answer that ``final_answer`` extracts from a text. Exemplars
             then have to end in the form that the prompt asks for.
    votes:   which answers are the same vote: ``equal`` ones by this verifier, those of equal
             ``value`` or spelling, the same ``option``, the same ``characters``; or ``none``, if
             voting makes no sense.
    asks:    replaces the recipe's instruction in the prompt; ``{name}`` is the entry point. Empty:
             the recipe's instruction.
    written: how an attempt writes ``{answer}``. Empty: in the form that the prompt asks for.
    perturb: function (problem) -> a wrong answer, which must not be accepted.
    seconds: function (timeout, where programs run) -> limit of wall clock for one answer. Empty:
             the timeout. It raises NoIsolation if the verifier cannot run.
    warm_up: function that a worker runs before its first answer, outside the time limit.
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
"""A recipe and ``--verifier`` may name ``"my.module:verify"`` instead. Data may not, because a file
of data must not decide which code runs."""
FUNCTIONS = {name: verifier.verify for name, verifier in VERIFIERS.items()}
"""name -> ``module:function``, for ``plugins``."""
BROUGHT = {name: name for name in ("manyways.verifiers.procedural:verify",)}
"""Our own verifiers that only our own problem sets name."""
_BY_FUNCTION = {verifier.verify: verifier for verifier in VERIFIERS.values()}


def verifier_of(name: str) -> Verifier:
    """The verifier called ``name``; a user's own function gets the defaults."""
    return VERIFIERS.get(name) or _BY_FUNCTION.get(name) or Verifier(verify=name)
