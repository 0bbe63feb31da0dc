"""Texts that a labeller has not been fitted on, for measuring it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from manyways.heuristics.labelling import Guess, PromptedText
from manyways.records import Heuristic

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
