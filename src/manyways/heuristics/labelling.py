"""Which heuristic does a text show? Labellers: the interface, the table, and texts held out."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from manyways.records import Heuristic, Segment

LABELLERS: dict[str, str] = {
    "pocket": "manyways.pocket.ways:load",
    "exemplars": "manyways.heuristics.exemplar_labeller:load",
    "attempts": "manyways.heuristics.exemplar_labeller:load_taught",
}
"""name -> ``module:function``; the function takes the pack's heuristics, returns a Labeller.

One that has a parameter ``attempts`` is also given a ``PromptedTexts``, to be called only when a
text is labelled: when a run begins there are no attempts yet.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptedText:
    """A text that was asked to follow ``heuristic``. Whether it does is not known."""

    text: str
    heuristic: str
    problem_id: str


PromptedTexts = Callable[[], Sequence[PromptedText]]
"""The correct attempts of a run under its heuristics; empty before there are any."""


STEPS = 2
"""Raised when a labeller of ``LABELLERS`` cuts or labels texts otherwise than it did."""


class Labeller(Protocol):
    """Labels the steps of a solution from its text alone."""

    def segments(self, text: str) -> list[Segment]:
        """Split ``text`` into its steps, in order; a neutral or direct step has heuristic None."""
        ...

    def adherence(self, text: str, heuristic: Heuristic) -> float:
        """How well ``text`` follows ``heuristic``, in [0, 1]."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """What a labeller says about a text whose heuristic is known, or was asked for.

    Example: ``Guess(heuristic="induction", ranked=("figure", "induction", "symmetry"), unit="7")``.

    ranked: the likeliest heuristics, at most three, the likeliest first.
    unit:   texts of one unit (a problem) are alike.
    """

    heuristic: str
    ranked: tuple[str, ...]
    unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LabellerError:
    """How often a labeller tells composed texts from others, counted on texts known to be either.

    found: of ``composed`` texts with two heuristics, those that it saw two or more in.
    passed: of ``single`` other texts, those that it saw fewer than two in.

    Effective numbers, smaller than those of the texts, where texts at one problem are alike.
    """

    found: float
    composed: float
    passed: float
    single: float

    @property
    def sensitivity(self) -> float:
        """Share of composed texts that are found."""
        return self.found / self.composed if self.composed else float("nan")

    @property
    def specificity(self) -> float:
        """Share of other texts that pass as such."""
        return self.passed / self.single if self.single else float("nan")


@runtime_checkable
class Measured(Protocol):
    """A fitted labeller that can be put to texts that it was not fitted on."""

    def exemplar_error(self) -> LabellerError:
        """Its error in telling composed texts, on held-out exemplars: not on texts of a model."""
        ...

    def held_out(self) -> list[Guess]:
        """Guesses at every exemplar of the pack, each by a labeller that has not seen it."""
        ...

    def guesses(self, texts: Sequence[PromptedText]) -> list[Guess]:
        """Guesses at ``texts``, none by a labeller fitted on a text at the same problem."""
        ...


def measured_error(labeller: object) -> LabellerError | None:
    """A labeller's error on texts like those of a run, if it knows: its ``measured_error``."""
    found = getattr(labeller, "measured_error", None)
    return found if isinstance(found, LabellerError) else None


def is_exact(labeller: object) -> bool:
    """Whether a labeller is right by construction: it says so with an attribute ``exact``."""
    return bool(getattr(labeller, "exact", False))


ANSWER = re.compile(r"\\boxed|^\s*####|^\W*(?:the )?(?:final )?answer\b", re.IGNORECASE)
"""A step that states the final answer."""


def step_labels(segments: Iterable[Segment]) -> list[str | None]:
    """The heuristics of the steps in order; a neutral line that only states the answer is none.

    Use this wherever labels are counted, so that rates of different stages can be compared.
    """
    return [s.heuristic for s in segments if s.heuristic or not ANSWER.search(s.text)]


Pack = Sequence[Heuristic]


def folds(pack: Pack) -> Iterator[tuple[tuple[Heuristic, ...], list[PromptedText]]]:
    """For each exemplar number the pack without those exemplars, and their solutions.

    Every heuristic lacks one exemplar at a time, so none is poorer than the others when guessed at.
    ``problem_id`` of an exemplar: ``exemplar/<heuristic>/<number from 1>``.
    """
    for number in range(max((len(h.exemplars) for h in pack), default=0)):
        seen = tuple(
            replace(h, exemplars=h.exemplars[:number] + h.exemplars[number + 1 :]) for h in pack
        )
        out = [
            PromptedText(
                text=h.exemplars[number].solution,
                heuristic=h.id,
                problem_id=f"exemplar/{h.id}/{number + 1}",
            )
            for h in pack
            if number < len(h.exemplars)
        ]
        yield seen, out


def joined(parts: Sequence[Sequence[str]]) -> list[str]:
    """Composed texts: the first half of each list of steps with the second half of the next one.

    Parts are of different heuristics, in a circle. Lists of one step are joined whole.
    """
    texts = []
    for first, second in zip(parts, [*parts[1:], *parts[:1]], strict=True):
        texts.append("\n".join([*first[: (len(first) + 1) // 2], *second[len(second) // 2 :]]))
    return texts if len(parts) > 1 else []


def halves(texts: Sequence[PromptedText]) -> tuple[list[PromptedText], list[PromptedText]]:
    """Two parts that share no problem: every other problem, in the order of their ids."""
    order = {problem: i for i, problem in enumerate(sorted({t.problem_id for t in texts}))}
    parts: tuple[list[PromptedText], list[PromptedText]] = ([], [])
    for text in texts:
        parts[order[text.problem_id] % 2].append(text)
    return parts


def confusion(guesses: Sequence[Guess]) -> dict[str, dict[str, int]]:
    """Heuristic -> likeliest heuristic -> number of texts."""
    table: dict[str, dict[str, int]] = {}
    for guess in guesses:
        row = table.setdefault(guess.heuristic, {})
        row[guess.ranked[0]] = row.get(guess.ranked[0], 0) + 1
    return table
