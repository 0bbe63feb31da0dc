"""The exact labeller: which heuristic each step of a pocket solution shows, from its text alone."""

import re
from collections.abc import Sequence
from functools import lru_cache

from manyways.errors import DataError
from manyways.records import Heuristic, Segment

SIGNS: dict[str, str] = {
    "decomposing": r"split \d+ as ",
    "specialisation": r"first for one:",
    "symmetry": r"pair first and last:",
    "induction": r"one step at a time:",
    "working-backwards": r"from the end:",
    "auxiliary-element": r"round \d+ to ",
    "analogy": r"so many times as many:",
    "variation": r"as if all were equal:",
    "restatement": r"all at once:",
    "guess-and-check": r"guess \d+:",
    "figure": r"a figure shows it:",
}
"""heuristic id -> how a step that uses it opens, as a regular expression."""

OPERATIONS: dict[str, tuple[str, ...]] = {
    "decomposing": ("product",),
    "specialisation": ("price",),
    "symmetry": ("series",),
    "induction": ("rule",),
    "working-backwards": ("unknown",),
    "auxiliary-element": ("product",),
    "analogy": ("price",),
    "variation": ("series",),
    "restatement": ("rule",),
    "guess-and-check": ("unknown",),
    "figure": ("product", "price", "series", "rule", "unknown", "sum"),
}
"""heuristic id -> the operations, by the word that steps name them with, to which it applies."""

_ANY_SIGN = re.compile("|".join(f"(?P<g{i}>{sign})" for i, sign in enumerate(SIGNS.values())))
_PART = re.compile(r"Part \d+, (?P<kind>[a-z]+):")
_IDS = tuple(SIGNS)


class PocketLabeller:
    """Labels the lines of a solution by how they open; needs no knowledge of the problem."""

    exact = True

    def segments(self, text: str) -> list[Segment]:
        """One segment a line, more when a line shows several heuristics; direct steps have None."""
        return [
            segment for line in text.splitlines() if line.strip() for segment in _segments(line)
        ]

    def adherence(self, text: str, heuristic: Heuristic) -> float:
        """Share of the parts to which ``heuristic`` applies that are done with it, in [0, 1].

        0 when it is never used, also when it applies to no part.
        """
        applicable = used = 0
        for line in text.splitlines():
            part = _PART.match(line.strip())
            if part is None:
                continue
            shown = any(segment.heuristic == heuristic.id for segment in _segments(line))
            used += shown
            applicable += shown or part["kind"] in OPERATIONS.get(heuristic.id, ())
        return used / applicable if applicable else 0.0


def load(pack: Sequence[Heuristic]) -> PocketLabeller:
    """The labeller for the pocket pack.

    Raises DataError when a heuristic of ``pack`` is none that the pocket world shows.
    """
    unknown = [heuristic.id for heuristic in pack if heuristic.id not in SIGNS]
    if unknown:
        raise DataError(
            f"the pocket labeller does not know {', '.join(unknown)}: use it with the pocket pack, "
            "or another labeller."
        )
    return PocketLabeller()


def operation(line: str) -> str | None:
    """The operation that a step line names, None when it names none."""
    part = _PART.match(line.strip())
    return part["kind"] if part else None


@lru_cache(maxsize=1 << 16)
def _segments(line: str) -> tuple[Segment, ...]:
    found = [
        (match.start(), _IDS[(match.lastindex or 1) - 1]) for match in _ANY_SIGN.finditer(line)
    ]
    if not found:
        return (Segment(text=line, heuristic=None),)
    starts = [0, *(start for start, _ in found[1:]), len(line)]
    return tuple(
        Segment(text=line[a:b], heuristic=label)
        for a, b, (_, label) in zip(starts, starts[1:], found, strict=False)
    )
