r"""The shape of an answer: what its brackets and commas say.

``12`` is a value, ``(1, 2)`` a sequence, ``\{1, 2\}`` a set, ``1, 2`` or ``1 and 2`` a list
(several answers, in any order), a ``pmatrix`` a matrix, ``(0,1) \cup (2,3)`` a union. The items are
strings, which may have a shape of their own. A string is read in one pass, so every text is safe.
"""

import re
from dataclasses import dataclass
from typing import Literal

from manyways.verifiers.answers.numbers import value
from manyways.verifiers.answers.spelling import unwrap_text

Kind = Literal["value", "sequence", "set", "list", "matrix", "union"]

MAX_ITEMS = 64
_OPEN, _CLOSE = "([{", ")]}"
_GROUPED = re.compile(
    r"[-+]?(?:\\?\$)?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?\s*(?:%|\D.*)?", re.S
)
_DIGIT_GROUPS = re.compile(r"-?[1-9][0-9]{0,2}(?:,[0-9]{3})+")
_CONNECTIVE = re.compile(r"\s*,?\s*(?<![a-zA-Z\\])(?:and|or)(?![a-z])\s*,?\s*")
_TEXT_CONNECTIVE = re.compile(r"\\(?:text|mbox|textrm|mathrm)\{\s*,?\s*(?:and|or)\s*,?\s*\}")
_TEXT_LIST = re.compile(r"\\(?:text|mbox|textrm|mathrm)\{([^{}]*,[^{}]*)\}")
_MATRIX = re.compile(
    r"\(?\s*\\begin\{(?:[pbvB]?matrix|smallmatrix|array)\}(?:\{[lcr|]*\})?(.*?)"
    r"\\end\{(?:[pbvB]?matrix|smallmatrix|array)\}\s*\)?", re.S,
)  # fmt: skip
_ROW_END = re.compile(r"\\\\\s*(?:\[[^\]]{0,12}\])?|\\cr")
_ROW = re.compile(r"\[([^\[\]]+)\]")
_ROWS = re.compile(rf"\[\s*{_ROW.pattern}(?:\s*,\s*{_ROW.pattern})*\s*\]")
_PLUS_MINUS = re.compile(r"\\pm(?![a-zA-Z])|\\mp(?![a-zA-Z])|\+/-")


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of an answer.

    items:    its items in order; for a matrix its entries, row by row, in ``width`` columns.
    brackets: for a sequence the opening and the closing bracket: ``()``, ``[)``, ...
    """

    kind: Kind
    items: tuple[str, ...]
    brackets: str = ""
    width: int = 0


def read_shape(text: str) -> Shape:
    """The shape of a tidied answer."""
    if "\\begin" in text:
        matrix = _MATRIX.fullmatch(text)
        if matrix and "\\begin" not in matrix[1]:
            return _matrix(matrix[1])
    if "\\cup" in text:
        parts = split(text, r"\cup")
        if len(parts) > 1:
            return Shape("union", tuple(parts))
    words = _TEXT_LIST.fullmatch(text)
    if words:
        text = words[1]
    inner, brackets = _inside(_turned(text))
    if brackets:
        return _bracketed(text, inner, brackets)
    if _GROUPED.fullmatch(text.rpartition("=")[2].strip() if "=" in text else text):
        return Shape("value", (text,))
    parts = split_list(text)
    if len(parts) > 1:
        return Shape("list", tuple(_share_name(parts)))
    return Shape("value", (text,))


def read_shapes(gold: str, answer: str) -> tuple[Shape, Shape]:
    """The shapes of both. ``[[1, 2], [3, 4]]`` is a matrix if the other side is a matrix."""
    left, right = read_shape(gold), read_shape(answer)
    if left.kind == "matrix" and _ROWS.fullmatch(answer):
        return left, _rows(answer)
    if right.kind == "matrix" and _ROWS.fullmatch(gold):
        return _rows(gold), right
    return _listed(left, right), _listed(right, left)


def _listed(one: Shape, other: Shape) -> Shape:
    """``1,100`` is two answers if the other side is several answers."""
    if one.kind != "value" or other.kind not in ("list", "set") or len(other.items) < 2:
        return one
    text = one.items[0]
    return Shape("list", tuple(text.split(","))) if _DIGIT_GROUPS.fullmatch(text) else one


def split_list(text: str) -> list[str]:
    """The answers of a list: split at semicolons if there are any, else at commas, "and", "or"."""
    if "and" in text or "or" in text:
        text = _CONNECTIVE.sub(" , ", _TEXT_CONNECTIVE.sub(" , ", text))
    if ";" in text:
        parts = split(text, ";")
        if len(parts) > 1:
            return parts
    if "," not in text and "\\pm" not in text and "\\mp" not in text:
        return [text]
    return [half for part in split(text, ",") for half in _both_signs(part)]


def split(text: str, mark: str) -> list[str]:
    """``text`` split at ``mark`` outside all brackets, without empty items."""
    parts, depth, start, place = [], 0, 0, 0
    while place < len(text):
        letter = text[place]
        if depth == 0 and text.startswith(mark, place):
            parts.append(text[start:place])
            place = start = place + len(mark)
            continue
        if letter in _OPEN:
            depth += 1
        elif letter in _CLOSE:
            depth = max(depth - 1, 0)
        place += 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _turned(text: str) -> str:
    """``]0, 1[`` written as ``(0, 1)``."""
    if text[:1] == "]" and text[-1:] in "])[":
        text = "(" + text[1:]
    return text[:-1] + ")" if text[:1] in "([" and text[-1:] == "[" else text


def _inside(text: str) -> tuple[str, str]:
    r"""(the text inside a pair of brackets around everything, the pair); ``{}`` for ``\{...\}``."""
    braced = text.startswith("\\{") and text.endswith("\\}")
    if not braced and not (text[:1] in _OPEN and text[-1:] in _CLOSE and len(text) > 1):
        return text, ""
    depth = 0
    for place, letter in enumerate(text):
        if letter in _OPEN:
            depth += 1
        elif letter in _CLOSE:
            depth -= 1
            if depth == 0 and place < len(text) - 1:
                return text, ""
    if depth:
        return text, ""
    return (text[2:-2], "{}") if braced else (text[1:-1], text[0] + text[-1])


def _bracketed(text: str, inner: str, brackets: str) -> Shape:
    mark = ";" if len(split(inner, ";")) > 1 else ","
    parts = split(inner, mark)
    if brackets == "{}":
        if text.startswith("{"):
            return read_shape(inner.strip())  # in LaTeX bare braces only group
        return Shape("set", tuple(half for part in parts for half in _both_signs(part)))
    if len(parts) < 2:
        return read_shape(inner.strip()) if brackets == "()" and inner.strip() else _value(text)
    return Shape("sequence", tuple(parts), brackets)


def _value(text: str) -> Shape:
    return Shape("value", (text,))


def _matrix(body: str) -> Shape:
    rows = [row.split("&") for row in _ROW_END.split(body) if row.strip(" \\")]
    width = len(rows[0]) if rows else 0
    if any(len(row) != width for row in rows):
        return Shape("matrix", ())
    return Shape("matrix", tuple(entry.strip() for row in rows for entry in row), "", width)


def _rows(text: str) -> Shape:
    rows = [split(row, ",") for row in _ROW.findall(text)]
    if any(len(row) != len(rows[0]) for row in rows):
        return Shape("matrix", ())
    return Shape("matrix", tuple(entry for row in rows for entry in row), "", len(rows[0]))


def _both_signs(part: str) -> list[str]:
    r"""``a \pm b`` is two answers; so is what ``\mp`` marks, the other way round."""
    if not _PLUS_MINUS.search(part):
        return [part]
    upper = _PLUS_MINUS.sub(lambda m: "-" if m.group() == r"\mp" else "+", part)
    lower = _PLUS_MINUS.sub(lambda m: "+" if m.group() == r"\mp" else "-", part)
    return [upper.strip().removeprefix("+").strip(), lower.strip()]


def _share_name(parts: list[str]) -> list[str]:
    """``x = 1, 2`` is a list of two values of x: remove the name from the first one."""
    first, *others = parts
    _, sign, rest = first.partition("=")
    if sign and rest.strip() and not any("=" in other for other in others):
        return [rest.strip(), *others]
    return parts


_COMPARES = re.compile(r"[<>]|\\(?:le|ge)(?![a-zA-Z])")
_UNKNOWN = re.compile(r"\s*(?:[a-zA-Z]|\\[a-z]+|[a-z]\([a-z]\))\s*")
_BUILDER = re.compile(
    r"\\?\{\s*[a-zA-Z]\s*(?:\\in\s*(?:\\mathbb\s*\{?R\}?|\\R)\s*)?(?::|\\mid|\\vert|\|)(.+?)\\?\}",
    re.S,
)
_BOTH = re.compile(r"\s*,?\s*(?:(?<![a-zA-Z\\])and(?![a-z])|\\(?:land|wedge)(?![a-zA-Z])|,)\s*")
_TEXT_BOTH = re.compile(r"\\(?:text|mbox|textrm|mathrm)\{\s*,?\s*(and)\s*,?\s*\}")
_ALL_REAL = re.compile(
    r"(?:x\s*(?:\\in|is)\s*)?(?:(?:all|any|every)\s+reals?(?:\s+(?:numbers?|values?|x))*|the\s+real\s+numbers|"
    r"\\mathbb\s*\{?R\}?|\\R|\(\s*-\s*\\infty\s*,\s*\+?\s*\\infty\s*\))",
    re.I,
)
_NOTHING = re.compile(
    r"(?:there\s+(?:is|are)\s+)?no\s+(?:real\s+)?(?:solutions?|roots?|values?)|(?:the\s+)?empty(?:\s+set)?|\\\{\s*\\\}|\\emptyset"
    r"|has\s+no\s+(?:real\s+)?solutions?",
    re.I,
)


def as_intervals(gold: str, answer: str) -> tuple[str, str]:
    """Inequalities as intervals, unless both are inequalities and one of them is no interval.

    Words for sets (``no solution``, ``all real numbers``) become these sets.
    """
    gold, answer = (_in_symbols(text) for text in (gold, answer))
    both = as_interval(gold), as_interval(answer)
    compares = bool(_COMPARES.search(gold)), bool(_COMPARES.search(answer))
    if all(compares) and not all(both):
        return gold, answer
    return both[0] or gold, both[1] or answer


def _in_symbols(text: str) -> str:
    """The condition of a set builder; words for no number and for all numbers as sets."""
    bare = unwrap_text(text).strip()
    if _ALL_REAL.fullmatch(bare):
        return "(-\\infty, \\infty)"
    if _NOTHING.fullmatch(bare):
        return "\\emptyset"
    built = _BUILDER.fullmatch(text)
    return built[1].strip() if built else text


def ascending(text: str) -> tuple[list[str], list[str]] | None:
    """(the members of ``a < b < c``, its signs); a descending chain is reversed."""
    signs = _COMPARES.findall(text)
    if not signs or len({sign.lstrip("\\")[0] in "<l" for sign in signs}) > 1:
        return None
    members = [member.strip() for member in _COMPARES.split(text)]
    signs = ["<" if len(sign) == 1 else "<=" for sign in signs]
    return (members, signs) if text.count("<") or "\\le" in text else (members[::-1], signs[::-1])


def end_of_brackets(text: str, start: int) -> int:
    """The position after the bracket that closes the one at ``start``; -1 if none does."""
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] in _OPEN) - (text[place] in _CLOSE)
        if depth == 0:
            return place + 1
    return -1


def as_interval(text: str) -> str | None:
    r"""The solutions of inequalities as an interval or a union; None for less simple ones.

    The unknown must stand alone on its side. ``x<2 or x>3`` is ``(-\infty, 2) \cup (3, \infty)``,
    ``x \ge 2 and x<5`` is ``[2, 5)``.
    """
    if not _COMPARES.search(text):
        return None
    both = [part for part in _BOTH.split(_TEXT_BOTH.sub(r"\1", text)) if part.strip()]
    if len(both) == 2:
        halves = [_interval(part) for part in both]
        if all(halves):
            met = _meeting(*(half or "" for half in halves))
            if met:
                return met
    parts = [_interval(part) for part in split_list(text)]
    return " \\cup ".join(part for part in parts if part) if all(parts) else None


def _meeting(one: str, two: str) -> str | None:
    """The intersection of two half lines, None if it is not certainly an interval."""
    if one.startswith("(-\\infty"):
        one, two = two, one
    if not (one.endswith("\\infty)") and two.startswith("(-\\infty,")):
        return None
    low, high = split(one[1:], ",")[0], two[:-1].partition(",")[2].strip()
    sizes = value(low), value(high)
    if sizes[0] is None or sizes[1] is None or sizes[0].real > sizes[1].real:
        return None
    return f"{one[0]}{low}, {high}{two[-1]}"


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
