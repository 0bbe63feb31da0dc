r"""Which answers are the same vote; the reference is not used.

``vote_of`` gives equal answers the same text, by the rules of their verifier: numbers by value
(``0.5``, ``1/2`` and ``\frac{1}{2}`` are one vote; ``50%`` is another), options by their letter,
everything else by its tidied spelling. ``same_votes`` also joins answers that the verifier calls
equal (``\$18``, ``18`` and ``18 \text{ dollars}``): the votes of a problem are sorted by frequency,
and each is compared with the later ones, as if it were the reference. Two plain numbers are not
compared, because their votes are their values, which differ.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from manyways.records import Problem
from manyways.verifiers import verifier_of
from manyways.verifiers.answers.numbers import read_number
from manyways.verifiers.answers.spelling import squeeze, tidy
from manyways.verifiers.choice import option

if TYPE_CHECKING:
    from manyways.verifiers.verdicts import Verifiers

LONGEST = 2000
"""Only this many characters of an answer are read."""
MOST = 64
"""The most votes of one problem that are compared with later ones."""
_NUMBER = re.compile(r"-?[0-9]+(?:/[0-9]+)?")
"""The vote of a plain number, which is its value."""


class Said(NamedTuple):
    """The answer of an attempt. ``name``: the problem; it has the ``verifier`` and ``choices``."""

    name: str
    answer: str | None
    verifier: str = "math"
    choices: tuple[str, ...] = ()


def vote_of(answer: str | None, verifier: str = "math", choices: Sequence[str] = ()) -> str | None:
    """The vote of an extracted answer; None without an answer.

    verifier: the problem's verifier. choices: its option texts, if known.
    """
    if answer is None or not answer.strip():
        return None
    text = answer[:LONGEST]
    alike = verifier_of(verifier).votes
    if alike == "characters":
        return " ".join(text.split())
    if alike == "option":
        letter, _ = option(text, choices)
        if letter:
            return letter
    spelled = squeeze(tidy(text))
    number = read_number(spelled)
    if number is None:
        return spelled or None
    return f"{number.value}{'%' if number.percent else ''}"


def same_votes(said: Sequence[Said], verifiers: "Verifiers") -> list[str | None]:
    """The vote of each attempt, in order; None for no answer. Equal votes are equal answers."""
    # Most attempts at a problem give the same answer, so each spelling is read once.
    votes = {ballot: vote_of(*ballot) for ballot in {one[1:] for one in said}}
    spelled = [votes[one[1:]] for one in said]
    polls: dict[str, _Poll] = {}
    for one, vote in zip(said, spelled, strict=True):
        if (
            vote is not None
            and one.answer is not None
            and verifier_of(one.verifier).votes == "equal"
        ):
            polls.setdefault(one.name, _Poll({}, Counter(), {})).add(vote, one.answer)
    waiting = list(polls.values())
    for poll in waiting:
        poll.left = [vote for vote, _ in poll.counts.most_common()]
    for _ in range(MOST):
        waiting = [poll for poll in waiting if poll.unsettled]
        if not waiting:
            break
        rounds = [poll.comparisons() for poll in waiting]
        pairs = [pair for asked in rounds for pair in asked]
        verdicts = iter(verifiers.verdicts(pairs, policy="strict"))
        for poll, asked in zip(waiting, rounds, strict=True):
            poll.put_together([next(verdicts).status == "correct" for _ in asked])
    return [
        polls[one.name].same.get(vote, vote) if vote is not None and one.name in polls else vote
        for one, vote in zip(said, spelled, strict=True)
    ]


@dataclass
class _Poll:
    """The votes of one problem: an answer and a count for each, and which votes are the same."""

    answers: dict[str, str]
    counts: Counter[str]
    same: dict[str, str]
    left: Sequence[str] = ()

    def add(self, vote: str, answer: str) -> None:
        self.answers.setdefault(vote, answer)
        self.counts[vote] += 1

    @property
    def unsettled(self) -> bool:
        """Whether some of the votes left may be the same."""
        return len(self.left) > 1 and not all(_NUMBER.fullmatch(vote) for vote in self.left)

    def comparable(self) -> list[str]:
        """The votes that may be the same as the most frequent one left."""
        first, *others = self.left
        if _NUMBER.fullmatch(first):
            return [other for other in others if not _NUMBER.fullmatch(other)]
        return others

    def comparisons(self) -> list[tuple[Problem, str]]:
        """The most frequent vote left as a reference, each of the others as an answer to it."""
        problem = Problem(id="votes/same/0", question="", answer=self.answers[self.left[0]])
        return [(problem, f"\\boxed{{{self.answers[other]}}}") for other in self.comparable()]

    def put_together(self, equal: Sequence[bool]) -> None:
        """Take the results of ``comparisons``; the first vote is settled then."""
        first, *others = self.left
        same = {vote for vote, found in zip(self.comparable(), equal, strict=True) if found}
        self.same |= dict.fromkeys(same, first)
        self.left = [vote for vote in others if vote not in same]
