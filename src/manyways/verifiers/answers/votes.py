r"""Which answers are the same vote: a spelling that equal answers share, without the reference.

Numbers are compared by value (``0.5``, ``1/2`` and ``\frac{1}{2}`` are one vote; ``50%`` is
another), options by their letter, everything else by its tidied spelling. Answers that only
algebra proves equal stay apart: a vote must not be counted by comparing it with the reference.
"""

from collections.abc import Sequence

from manyways.verifiers.answers.numbers import read_number
from manyways.verifiers.answers.spelling import squeeze, tidy
from manyways.verifiers.choice import option

LONGEST = 2000
"""Characters of an answer that are looked at."""


def vote_of(answer: str | None, verifier: str = "math", choices: Sequence[str] = ()) -> str | None:
    """The vote that an extracted answer is; None for no answer.

    verifier: of the problem; ``choice`` reads options.  choices: option texts, where known.
    """
    if answer is None or not answer.strip():
        return None
    text = answer[:LONGEST]
    if verifier == "choice":
        letter, _ = option(text, choices)
        if letter:
            return letter
    spelled = squeeze(tidy(text))
    number = read_number(spelled)
    if number is None:
        return spelled or None
    return f"{number.value}{'%' if number.percent else ''}"
