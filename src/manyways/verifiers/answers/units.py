r"""Units are dropped, never converted.

``5.4 \text{ cents}`` is ``5.4``, ``90^\circ`` is ``90``, ``\$18.90`` is ``18.90``, ``52_8`` is
``52``. What was dropped is told, so that two answers that name different known units ("5 cm",
"5 m") or bases are not called equal; an answer that names none is taken to mean the other's.
"""

import re

from manyways.verifiers.answers.numbers import number_word

_NAMES = (
    "degree degrees deg", "radian radians rad",
    "inch inches in", "foot feet ft", "yard yards yd yds", "mile miles mi",
    "millimeter millimeters millimetre millimetres mm",
    "centimeter centimeters centimetre centimetres cm",
    "meter meters metre metres m", "kilometer kilometers kilometre kilometres km",
    "second seconds sec secs s", "minute minutes min mins", "hour hours hr hrs h", "day days",
    "week weeks", "month months", "year years yr yrs",
    "gram grams g", "kilogram kilograms kg", "pound pounds lb lbs", "ounce ounces oz", "ton tons",
    "liter liters litre litres L", "milliliter milliliters ml mL", "gallon gallons", "cup cups",
    "dollar dollars usd USD", "cent cents", "euro euros", "rupee rupees",
    "mph", "km/h", "m/s", "cm/s", "kmh", "unit units", "acre acres", "hectare hectares",
    "joule joules J", "watt watts W", "newton newtons N", "kelvin K", "volt volts V", "hertz Hz",
    "people person", "student students", "point points", "way ways", "coin coins", "men man",
    "women woman", "boy boys", "girl girls", "apple apples", "number numbers", "value values",
    "piece pieces", "box boxes", "page pages", "dog dogs", "cat cats", "book books",
    "child children", "car cars", "integer integers", "solution solutions", "egg eggs",
    "time times", "step steps", "item items", "digit digits", "orange oranges", "toy toys",
    "ticket tickets", "ball balls", "card cards", "cookie cookies", "game games", "tree trees",
    "triangle triangles", "edge edges", "percent percentage pct",
)  # fmt: skip
UNITS = {spelling: names.split()[0] for names in _NAMES for spelling in names.split()}
"""Spelling of a unit or counted thing -> its one name."""
_POWERS = {"square": "2", "sq": "2", "cubic": "3", "cu": "3"}
_AMBIGUOUS = frozenset((*"mshgLJWNKV", "in"))  # also names of variables
_COUNTED = frozenset(("unit", "value", "number", "way", "time", "integer", "solution"))

_VALUE_END = r"[0-9}.)%]"
_TEXT = re.compile(
    rf"(?<={_VALUE_END})\s*\\(?:text|textrm|textnormal|mathrm|mbox|rm|textbf)\s*\{{\s*([^{{}}0-9]*)\}}"
    r"\s*(?:\^\s*\{?([0-9])\}?)?\s*$"
)
_WORDS = re.compile(
    rf"(?:(?<={_VALUE_END})\s*|(?<=[a-zA-Z])\s+)"
    r"((?:(?:square|sq|cubic|cu)\.?\s+)?[a-zA-Z]+(?:/[a-zA-Z]+)?)(?:\s+per\s+[a-zA-Z]+)?"
    r"\s*(?:\^\s*\{?([23])\}?)?\s*\.?$"
)
_DEGREES = re.compile(r"(?<=[0-9})a-zA-Z])\s*\^\\circ\s*(?:([CFK])(?![a-zA-Z]))?")
_MONEY = re.compile(r"\\?\$|[€£¥₹]|(?:US|USD|Rs\.?)\s*\$?\s*(?=[0-9])")
_BASE = re.compile(
    r"(?:(?<=[0-9)])|(?<=[0-9][A-F]))\s*_\s*(?:\{\s*(?:\\text(?:rm)?\{\s*)?([0-9]{1,2}|[a-z]{3,8})\s*\}?\s*\}|([0-9]))$"
)
_BASE_WORDS = re.compile(
    r"(?<=[0-9)])\s*(?:\\text\{\s*)?\(?\s*(?:in\s+)?base[\s-]+([0-9]{1,2}|[a-z]+)()\s*\)?\s*\}?$"
)
_TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
_ANGLE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*\^\\circ")
_ASIDE = re.compile(r"(?<=[0-9}%])\s+\(\s*(?:in\s+)?([a-zA-Z-]{2,20})\s*\)$")


def drop_units(text: str, *, letters: bool = False) -> tuple[str, str]:
    """``text`` (tidied) without its unit, and the unit's name ("" when none is known).

    letters: also drop a final "m", "s", ... that is not marked as text. Meant for answers: in a
        reference such a letter is a variable.
    """
    aside = _ASIDE.search(text) if text.endswith(")") else None
    if aside and (aside[1] in UNITS or number_word(aside[1])):
        text = text[: aside.start()]
    bare = _MONEY.sub("", text).strip() if "$" in text or not text.isascii() else text
    found = "dollar" if bare != text else ""
    if "^\\circ" in bare and _TRIGONOMETRIC.search(bare):
        bare = _ANGLE.sub(r"(\1\\cdot\\frac{\\pi}{180})", bare)
    elif "^\\circ" in bare:
        bare, found = _DEGREES.sub("", bare).strip(), "degree"
    if bare[-1:].isalpha() or bare[-1:] in "}.)0123456789":
        bare, word = _drop_last(bare, letters)
        found = word or found
    return bare, found


def _drop_last(text: str, letters: bool) -> tuple[str, str]:
    start = max(len(text) - 80, 0)
    base = _BASE.search(text, start) or _BASE_WORDS.search(text, start)
    if base:
        digits = base[1] or base[2]
        return text[: base.start()].strip(), "base " + (number_word(digits) or digits)
    match = _TEXT.search(text, start)
    if match:
        return text[: match.start()].strip(), _name(match[1], match[2])
    match = _WORDS.search(text, start)
    if match is None or not all(w.rstrip(".") in UNITS or w in _POWERS for w in match[1].split()):
        return text, ""
    if match[1] in _AMBIGUOUS and not (letters and text[match.start()].isspace()):
        return text, ""
    return text[: match.start()].strip(), _name(match[1], match[2])


def _name(words: str, raised: str | None) -> str:
    parts = words.replace(".", " ").split()
    power = next((_POWERS[word] for word in parts if word in _POWERS), raised or "")
    names = [UNITS[word] for word in parts if word in UNITS]
    return names[-1] + power if names and names[-1] not in _COUNTED else ""
