"""Numbers written as words: ``forty-two``, ``three hundred and five``, ``1.5 million``."""

import re
from fractions import Fraction

_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ADDED = {word: i for i, word in enumerate(_SMALL)} | {
    word: 10 * i for i, word in enumerate(_TENS, start=2)
}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NUMERAL = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_MAX_WORDS = 12


def number_word(text: str) -> str | None:
    """The digits of a number that is written as words, None when it is not one."""
    words = text.lower().replace("-", " ").split()
    if not words or len(words) > _MAX_WORDS or words[-1] == "and":
        return None
    first = words[0]
    if len(words) == 2 and words[1] in _SCALES and _NUMERAL.fullmatch(first):
        value = Fraction(first) * _SCALES[words[1]]
        return str(value) if value.denominator == 1 else None
    total = _sum(words)
    return None if total is None else str(total)


def _sum(words: list[str]) -> int | None:
    total, part, last = 0, 0, 10**15  # last: what the next word has to be smaller than
    for word in words:
        if word in _ADDED and _ADDED[word] < last:
            part += _ADDED[word]
            last = 10 if _ADDED[word] >= 20 else 0
        elif word == "hundred" and 0 < part < 10:
            part, last = part * 100, 100
        elif word in _SCALES and part:
            total, part, last = total + part * _SCALES[word], 0, 1000
        elif word != "and" or not (part or total):
            return None
    return total + part
