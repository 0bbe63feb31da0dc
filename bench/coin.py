"""A verifier for texts that mean nothing, in a module that workers load at once.

Named in recipes as ``coin:verify``, with ``bench`` on the Python path. A share of the problems pays
by a coin that is thrown with the text; the others pay nothing.
"""

import zlib

from manyways.records import Problem, Verdict

SHARE = 0.5
"""Of the problems, those that pay. A constant: a worker sees none of its parent's variables."""


def pays(question: str, text: str) -> bool:
    """Heads of the coin of a text, at a problem that pays at all."""
    open_to_all = zlib.crc32(question.encode()) % 1000 < 1000 * SHARE
    return open_to_all and zlib.crc32(text.encode()) % 2 == 0


def verify(problem: Problem, text: str) -> Verdict:
    """A verdict as the rl stage asks for it."""
    status = "correct" if pays(problem.question, text) else "wrong"
    return Verdict(status=status, answer=None, rule="coin")
