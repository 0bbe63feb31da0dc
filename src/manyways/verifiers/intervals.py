r"""Inequalities in one unknown, written as the interval of their solutions. Strings only."""

import re

from manyways.verifiers.shapes import split_list

_COMPARES = re.compile(r"[<>]|\\(?:le|ge)(?![a-zA-Z])")
_UNKNOWN = re.compile(r"\s*(?:[a-zA-Z]|\\[a-z]+|[a-z]\([a-z]\))\s*")


def as_intervals(gold: str, answer: str) -> tuple[str, str]:
    """Inequalities as intervals, unless one of two inequalities cannot be written so."""
    both = as_interval(gold), as_interval(answer)
    compares = bool(_COMPARES.search(gold)), bool(_COMPARES.search(answer))
    if all(compares) and not all(both):
        return gold, answer
    return both[0] or gold, both[1] or answer


def as_interval(text: str) -> str | None:
    r"""The solutions of inequalities in one unknown, alone on its side, as an interval or a union.

    ``x<2 or x>3`` is ``(-\infty, 2) \cup (3, \infty)``; None when it is not that simple.
    """
    if not _COMPARES.search(text):
        return None
    parts = [_interval(part) for part in split_list(text)]
    return " \\cup ".join(part for part in parts if part) if all(parts) else None


def _interval(text: str) -> str | None:
    pieces = _COMPARES.split(text)
    signs = _COMPARES.findall(text)
    unknown = [bool(_UNKNOWN.fullmatch(piece)) for piece in pieces]
    if sum(unknown) != 1 or not all(piece.strip() for piece in pieces) or len(set(signs)) > 2:
        return None
    if len({sign.lstrip("\\")[0] in "<l" for sign in signs}) > 1:
        return None  # 1 < x > 2
    if signs[0].lstrip("\\")[0] in ">g":
        pieces, signs, unknown = pieces[::-1], signs[::-1], unknown[::-1]
    closed = [sign[0] == "\\" for sign in signs]
    place = unknown.index(True)
    if len(pieces) == 3 and place == 1:
        low, high = pieces[0].strip(), pieces[2].strip()
        return f"{'(['[closed[0]]}{low}, {high}{')]'[closed[1]]}"
    if len(pieces) != 2:
        return None
    bound = pieces[1 - place].strip()
    if place == 0:
        return f"(-\\infty, {bound}{')]'[closed[0]]}"
    return f"{'(['[closed[0]]}{bound}, \\infty)"
