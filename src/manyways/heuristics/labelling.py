"""Labellers, which say which heuristic a text shows: the interface, the table, and test texts."""

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
"""name -> ``module:function``; the function takes the pack's heuristics and returns a Labeller.

If it has a parameter ``attempts``, it also gets a ``PromptedTexts``. It must call this only when a
text is to be labelled, because there are no attempts when a run begins.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptedText:
    """A text that was sampled under ``heuristic``. Whether it follows it is not known."""

    text: str
    heuristic: str
    problem_id: str


PromptedTexts = Callable[[], Sequence[PromptedText]]
"""Returns the correct attempts of a run under its heuristics; empty before there are any."""


STEPS = 2
"""Version of ``LABELLERS``, raised by hand when one of them splits or labels texts differently."""


class Labeller(Protocol):
    """Labels the steps of a solution from its text alone."""

    def segments(self, text: str) -> list[Segment]:
        """Split ``text`` into its steps, in order. A step without a heuristic has None."""
        ...

    def adherence(self, text: str, heuristic: Heuristic) -> float:
        """How well ``text`` follows ``heuristic``, in [0, 1].

        If it has a parameter ``question``, it also gets the question that the text answers.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """What a labeller says about a text whose heuristic is known, or was asked for.

    Example: ``Guess(heuristic="induction", ranked=("figure", "induction", "symmetry"), unit="7")``.

    ranked: at most three heuristics, the most probable first.
    unit:   the problem; texts at one problem are not independent.
    """

    heuristic: str
    ranked: tuple[str, ...]
    unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LabellerError:
    """How well a labeller recognises composed texts, counted on texts whose kind is known.

    composed, single: number of texts with two heuristics, and of other texts.
    found:            the composed texts in which it saw two or more heuristics.
    passed:           the single texts in which it saw fewer than two.

    Numbers are effective numbers: smaller than the counts if texts at one problem are alike.
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
        """Share of single texts that are recognised as such."""
        return self.passed / self.single if self.single else float("nan")


@runtime_checkable
class Measured(Protocol):
    """A fitted labeller that can be tested on texts that it was not fitted on."""

    def exemplar_error(self) -> LabellerError:
        """Its error at recognising composed texts, on held-out exemplars (not a model's texts)."""
        ...

    def held_out(self) -> list[Guess]:
        """A guess at every exemplar of the pack, by a labeller that was fitted without it."""
        ...

    def guesses(self, texts: Sequence[PromptedText]) -> list[Guess]:
        """Guesses at ``texts``, each by a labeller that was not fitted on its problem."""
        ...


def measured_error(labeller: object) -> LabellerError | None:
    """A labeller's error on texts like a run's (its attribute ``measured_error``), or None."""
    found = getattr(labeller, "measured_error", None)
    return found if isinstance(found, LabellerError) else None


def is_exact(labeller: object) -> bool:
    """Whether a labeller is right by construction (its attribute ``exact``)."""
    return bool(getattr(labeller, "exact", False))


ANSWER = re.compile(r"\\boxed|^\s*####|^\W*(?:the )?(?:final )?answer\b", re.IGNORECASE)
"""A step that states the final answer."""


def step_labels(segments: Iterable[Segment]) -> list[str | None]:
    """The heuristics of the steps in order. A step that only states the answer is left out.

    Use this wherever labels are counted, so that rates of different stages can be compared.
    """
    return [s.heuristic for s in segments if s.heuristic or not ANSWER.search(s.text)]


Pack = Sequence[Heuristic]


def folds(pack: Pack) -> Iterator[tuple[tuple[Heuristic, ...], list[PromptedText]]]:
    """For each exemplar number: (the pack without these exemplars, their solutions).

    Every heuristic lacks one exemplar at a time, so that none has fewer examples than the others.
    The ``problem_id`` of an exemplar is ``exemplar/<heuristic>/<number from 1>``.
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
    """Composed texts: the first half of each list of steps with the second half of the next list.

    The lists are of different heuristics; the first one follows the last one. Lists of one step are
    joined as a whole.
    """
    texts = []
    for first, second in zip(parts, [*parts[1:], *parts[:1]], strict=True):
        texts.append("\n".join([*first[: (len(first) + 1) // 2], *second[len(second) // 2 :]]))
    return texts if len(parts) > 1 else []


def halves(texts: Sequence[PromptedText]) -> tuple[list[PromptedText], list[PromptedText]]:
    """Divide texts into two halves without a common problem: problems alternate, sorted by id."""
    order = {problem: i for i, problem in enumerate(sorted({t.problem_id for t in texts}))}
    parts: tuple[list[PromptedText], list[PromptedText]] = ([], [])
    for text in texts:
        parts[order[text.problem_id] % 2].append(text)
    return parts


def confusion(guesses: Sequence[Guess]) -> dict[str, dict[str, int]]:
    """Heuristic -> most probable heuristic by the labeller -> number of texts."""
    table: dict[str, dict[str, int]] = {}
    for guess in guesses:
        row = table.setdefault(guess.heuristic, {})
        row[guess.ranked[0]] = row.get(guess.ranked[0], 0) + 1
    return table
