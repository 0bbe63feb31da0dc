"""How a part is solved under a heuristic: one line of short sub-steps, ending in its answer.

Direct steps give the answer at once. A heuristic that has no entry for an operation does not
apply to it, and a pure solution is direct there.
"""

from collections.abc import Callable

from manyways.pocket.kinds import KINDS, Part

Way = Callable[[Part], str]


def _split(part: Part) -> str:
    a, b = part.numbers
    tens, ones = b // 10 * 10, b % 10
    return (
        f"split {b} as {tens} and {ones}: {a} * {tens} = {a * tens}, {a} * {ones} = {a * ones}, "
        f"{a * tens} + {a * ones} = {a * b}."
    )


def _backwards(part: Part) -> str:
    x, a, b = part.numbers
    return f"from the end: {x * a + b} - {b} = {x * a}, {x * a} / {a} = {x}."


def _one_first(part: Part) -> str:
    p, n, m = part.numbers
    return f"first for one: {p * n} / {n} = {p}, {p} * {m} = {p * m}."


def _pairs(part: Part) -> str:
    a, d, h = part.numbers
    gap = (2 * h - 1) * d
    return (
        f"pair first and last: {2 * h - 1} * {d} = {gap}, {a} + {gap} = {a + gap}, "
        f"{a} + {a + gap} = {2 * a + gap}, {2 * a + gap} * {h} = {part.answer}."
    )


def _all_hens(part: Part) -> str:
    hens, cows = part.numbers
    heads, legs = hens + cows, 2 * hens + 4 * cows
    return (
        f"guess no cows: {heads} * 2 = {2 * heads}, {legs} - {2 * heads} = {2 * cows}, "
        f"{2 * cows} / 2 = {cows}."
    )


def _one_colour(part: Part) -> str:
    k, a, b = part.numbers
    return f"as if one colour: {a} + {b} = {a + b}, {a + b} * {k} = {part.answer}."


def _step_by_step(part: Part) -> str:
    x, c, k = part.numbers
    steps = []
    for _ in range(k):
        steps.append(f"{2 * x} + {c} = {2 * x + c}")
        x = 2 * x + c
    return f"one step at a time: {', '.join(steps)}."


def _figure(part: Part) -> str:
    return f"a figure shows it: {part.answer}."


WAYS: dict[str, dict[str, Way]] = {
    "decomposing": {"product": _split},
    "working-backwards": {"unknown": _backwards},
    "specialisation": {"price": _one_first},
    "symmetry": {"series": _pairs},
    "guess-and-check": {"animals": _all_hens},
    "analogy": {"boxes": _one_colour},
    "induction": {"rule": _step_by_step},
    "figure": dict.fromkeys(KINDS, _figure),
}
"""heuristic id -> operation -> how it is carried out."""


def step(part: Part, number: int, heuristic: str | None) -> str:
    """The line for part ``number`` (1-based) under ``heuristic`` where it applies, else direct."""
    way = WAYS[heuristic].get(part.kind) if heuristic else None
    return f"Part {number}, {part.kind}: {way(part) if way else f'{part.answer}.'}"


def applies(heuristic: str, parts: tuple[Part, ...]) -> bool:
    """Whether ``heuristic`` can be used on at least one of ``parts``."""
    return any(part.kind in WAYS[heuristic] for part in parts)
