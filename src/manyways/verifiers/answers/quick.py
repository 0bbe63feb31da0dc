"""The first step of the comparison: exact and bounded; it gives no result if it cannot prove one.

It runs in the caller's process on text that a model wrote. So it uses only string comparison,
fractions of bounded size and floating point, and neither a parser library nor evaluation.

It proves equality only by identical spelling or exact fractions. It proves difference by exact
fractions, by values that differ by more than a hundredth, or by shapes that cannot match (a pair
and a number, two answers and three).
"""

import re
from collections.abc import Callable
from functools import lru_cache

from manyways.verifiers.answers import Outcome, decide
from manyways.verifiers.answers.numbers import (
    Number,
    differ,
    read_number,
    same_number,
    surely_differ,
    value,
    value_at_a_point,
)
from manyways.verifiers.answers.shapes import MAX_ITEMS, Shape, read_shapes
from manyways.verifiers.answers.spelling import squeeze, tidy
from manyways.verifiers.answers.units import Quantity, drop_units, read_quantities, same_thing
from manyways.verifiers.answers.words import number_word, same_words

MAX_LENGTH = 600
"""Characters. Longer answers are left to the second step."""

_SPACED = re.compile(r"([-+]?)([0-9]+) ([0-9]+)/([0-9]+) ?(%?)")
_SPACED_THOUSANDS = re.compile(r"[-+]?[0-9]{1,3}(?: [0-9]{3})+(?:\.[0-9]+)?")
_NUMERAL = re.compile(
    r"\\?\$?-?(?:[0-9]{1,18}|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,5})(?:\.[0-9]{1,12})?"
)
_COMMA = re.compile(r"-?(?:[0-9]+|[0-9]{1,3}((?:\.[0-9]{3})+)),[0-9]+")
_POINT = re.compile(r"-?[0-9]*\.[0-9]+")
_LETTERED = re.compile(r"(?:\\text[a-z]*\{\s*)?\([A-E]\)\s*\}?[\\~\s]*(?=[-0-9$\\])")
_CODE = re.compile(r"(?<![\\a-zA-Z{])[a-zA-Z]{3,}\s*\(|(?<![\\a-zA-Z{])[a-zA-Z][0-9](?![a-zA-Z])")
"""Names of functions and variables as in programs, which the second step reads."""
_PROSE = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}\s+[a-zA-Z]{3,}")
_ALPHABETIC = re.compile(r"(?<![a-zA-Z\\])[a-zA-Z]")


def decide_written(gold: str, answer: str) -> Outcome | None:
    """``decide`` for all other answers than plain integers and tuples of them."""
    plain = _NUMERAL.fullmatch(gold) and _NUMERAL.fullmatch(answer)
    if plain:
        return _numerals(gold, answer)
    if not answer or len(gold) > MAX_LENGTH or len(answer) > MAX_LENGTH:
        return (True, "identical") if answer and gold == answer else None
    gold = _tidy_reference(gold)
    answer = as_number(gold, tidy(answer))
    if gold == answer or squeeze(gold) == squeeze(answer):
        return True, "identical"
    return same(gold, answer)


@lru_cache(maxsize=4096)
def _tidy_reference(gold: str) -> str:
    """Cached, because all attempts at a problem have the same reference."""
    return tidy(gold)


@lru_cache(maxsize=4096)
def _reference_quantities(gold: str) -> list[Quantity] | None:
    return read_quantities(gold, sure=True)


def as_number(gold: str, answer: str) -> str:
    r"""``7`` for ``\textbf{(C)}\ 7`` (an option with its letter) and for ``seven``.

    An answer is changed only if the reference has no letters.
    """
    if _ALPHABETIC.search(gold):
        return answer
    found = _LETTERED.match(answer)
    if found:
        return answer[found.end() :]
    return (number_word(answer) if answer[:1].isalpha() else None) or answer


def same(gold: str, answer: str) -> Outcome | None:
    """``decide`` for tidied answers that are not identical."""
    gold, answer = _decimal_commas(gold, answer)
    early = same_quantities(gold, answer, surely_differ)
    if early is None or early:
        return early or None
    if _CODE.search(answer) or _CODE.search(gold):
        return None
    left, right = read_shapes(gold, answer)
    if left.kind == "value" and right.kind == "value":
        return _values(left.items[0], right.items[0])
    return _shapes(left, right)


def same_quantities(
    gold: str, answer: str, differ_if: Callable[[Number, Number], bool]
) -> Outcome | tuple[()] | None:
    """Compare numbers with units, also in a sentence; () if one side is something else."""
    plain = read_number(pack(gold)), read_number(pack(answer))
    if plain[0] and plain[1]:
        equal = same_number(plain[0], plain[1])
        return (equal, "number") if equal or differ_if(plain[0], plain[1]) else None
    left = _reference_quantities(gold)
    right = read_quantities(answer, sure=False) if left else None
    if not left or not right:
        return ()
    if len(left) != len(right) or not all(map(same_thing, left, right)):
        return False, "units differ"
    pairs = [(one.number, two.number) for one, two in zip(left, right, strict=True)]
    if all(same_number(*pair) for pair in pairs):
        return True, "number"
    return (False, "number") if any(differ_if(*pair) for pair in pairs) else None


def _decimal_commas(gold: str, answer: str) -> tuple[str, str]:
    """Write decimal commas as points, if the reference shows that they are no separators.

    ``1.234,5`` has a decimal comma on both sides; ``3,5`` as a reference is two integers.
    """
    comma = _COMMA.fullmatch(answer)
    if comma and (comma[1] or _POINT.fullmatch(gold) or _is_fraction(gold)):
        answer = answer.replace(".", "").replace(",", ".")
    comma = _COMMA.fullmatch(gold)
    if comma and comma[1]:
        gold = gold.replace(".", "").replace(",", ".")
    return gold, answer


def _is_fraction(text: str) -> bool:
    number = read_number(pack(text)) if "," not in text else None
    return number is not None and number.value.denominator > 1


def numeral(text: str, *, letters: bool = False) -> tuple[Number | None, str, str]:
    """(the number that a tidied answer is or None, its unit, the text without the unit)."""
    bare, unit = drop_units(text, letters=letters)
    return read_number(pack(bare)), unit, bare


def pack(text: str) -> str:
    """``text`` without spaces, unless one separates two numerals that are no mixed number."""
    if " " not in text:
        return text
    mixed = _SPACED.fullmatch(text)
    if mixed:
        return rf"{mixed[1]}{mixed[2]}\frac{{{mixed[3]}}}{{{mixed[4]}}}{mixed[5]}"
    if re.search(r"[0-9.] +[0-9.]", text) and not re.fullmatch(r"[-+]?\\frac ?[0-9] [0-9]", text):
        return text.replace(" ", "") if _SPACED_THOUSANDS.fullmatch(text) else text
    return text.replace(" ", "")


def _numerals(gold: str, answer: str) -> Outcome | None:
    """Compare plain numerals, the most common answers."""
    left, right = (read_number(text.lstrip("\\$")) for text in (gold, answer))
    if left is None or right is None:
        return None
    equal = same_number(left, right)
    return (equal, "number") if equal or surely_differ(left, right) else None


def _values(gold: str, answer: str) -> Outcome | None:
    left, unit, bare = numeral(gold)
    right, other_unit, other = numeral(answer, letters=not _ALPHABETIC.search(gold))
    units_differ = bool(unit and other_unit and unit != other_unit)
    if left and right:
        equal = same_number(left, right) and not units_differ
        return (equal, "number") if equal or units_differ or surely_differ(left, right) else None
    words = same_words(gold, answer)
    if words is not None:
        return words, "words"
    if units_differ and (left or right):
        return False, "units differ"
    if "%" in bare or "%" in other:
        return None
    one, two = _size(left, bare), _size(right, other)
    apart = one is not None and two is not None and differ(one, two)
    return (False, "value") if apart else None


def _size(number: Number | None, text: str) -> complex | None:
    return complex(number.value) if number and number.fits else _value_at_a_point(text)


def _value_at_a_point(text: str) -> complex | None:
    """``value_at_a_point``, but None for prose: a word is no product of its letters."""
    return None if _PROSE.search(text) else value_at_a_point(text)


def _shapes(gold: Shape, answer: Shape) -> Outcome | None:
    if max(len(gold.items), len(answer.items)) > MAX_ITEMS:
        return None
    if gold.kind in ("sequence", "matrix") and gold.kind == answer.kind:
        return _in_order(gold, answer)
    if gold.kind in ("list", "set") and answer.kind in ("list", "set"):
        return _any_order(gold, answer)
    if gold.kind == "value":
        return _lone(gold.items[0], answer)
    return _lone(answer.items[0], gold) if answer.kind == "value" else None


def _lone(text: str, many: Shape) -> Outcome | None:
    """One expression is no tuple, matrix or union, and one constant is not several of them."""
    if "," in text or len(many.items) < 2 or not _is_expression(text):
        return None
    if many.kind in ("list", "set"):
        constant = _is_constant(text) and all(map(_is_constant, many.items))
        several = many.kind == "list" or _item(many.items[0], many.items[-1]) is False
        return (False, "shape") if constant and several else None
    return False, "shape"


def _in_order(gold: Shape, answer: Shape) -> Outcome | None:
    if len(gold.items) != len(answer.items) or gold.width != answer.width:
        return False, "shape"
    if gold.brackets != answer.brackets:
        return (False, "brackets") if len(gold.items) == 2 else None
    found = [_item(a, b) for a, b in zip(gold.items, answer.items, strict=True)]
    if any(outcome is False for outcome in found):
        return False, gold.kind
    return (True, gold.kind) if found and all(found) else None


def _any_order(gold: Shape, answer: Shape) -> Outcome | None:
    """Different when some item of one side differs from every item of the other side."""
    for one, two in ((gold, answer), (answer, gold)):
        for part in one.items:
            if all(_item(part, other) is False for other in two.items):
                return False, gold.kind
    if gold.kind == answer.kind and len(gold.items) == len(answer.items):
        left, right = (sorted(map(squeeze, shape.items)) for shape in (gold, answer))
        return (True, gold.kind) if left == right else None
    return None


def _item(gold: str, answer: str) -> bool | None:
    outcome = decide(gold, answer)
    return None if outcome is None else outcome[0]


def _is_expression(text: str) -> bool:
    return _is_constant(text) or _value_at_a_point(drop_units(text)[0]) is not None


def _is_constant(text: str) -> bool:
    number, _, bare = numeral(text)
    return number is not None or value(bare) is not None
