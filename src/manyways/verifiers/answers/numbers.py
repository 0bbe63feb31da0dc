r"""Numbers as exact fractions: what a numeral means and when two of them are the same answer.

Policy
- Exact values are compared exactly: ``1/2``, ``0.5``, ``.50``, ``\frac12``, ``5e-1`` are equal.
- A numeral with a decimal point may be a rounded one: it equals every number that it correctly
  rounds to at least four significant digits, other than an integer. Integers are never taken as
  rounded, and ``5.001`` is not ``5.000``. A relative gap of ``1e-9`` is floating-point noise.
- Percent: ``17%`` equals ``17%``, ``0.17`` and also ``17`` (a question that asks "what percent"
  has either as its reference). Without a percent sign, ``17`` and ``0.17`` differ.
- Thousands: ``1,234`` and ``1,234,567.8`` in groups of three are one number, as are ``1{,}234``,
  ``1\,234`` and ``1 234``.

No numeral longer than ``MAX_DIGITS`` or with an exponent beyond ``MAX_EXPONENT`` is read, which
bounds the cost (and keeps ``int`` from refusing).
"""

import re
from dataclasses import dataclass
from fractions import Fraction

MAX_DIGITS = 400
MAX_EXPONENT = 400
_RELATIVE, _NOISE = Fraction(1, 10**6), Fraction(1, 10**9)
_ENOUGH_DIGITS = 4

_DIGITS = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)"
_POWER = r"(?:(?:\\times|\\cdot|\*)10(?:\^|\*\*)\{?\(?([-+]?[0-9]+)\)?\}?)"
_PLAIN = re.compile(rf"([-+]?)({_DECIMAL})(?:[eE]([-+]?[0-9]+)|{_POWER})?")
_TEN = re.compile(r"([-+]?)10\^\{?([-+]?[0-9]+)\}?")
_REPEATING = re.compile(r"([-+]?)([0-9]*)\.([0-9]{0,20})\\(?:overline|bar)\{?([0-9]{1,20})\}?")
_DOTTED = re.compile(
    r"([-+]?[0-9]*\.[0-9]{0,20})\\dot\{?([0-9])\}?(?:([0-9]{0,18})\\dot\{?([0-9])\}?)?"
)
"""The same with dots over the first and the last digit of the period."""
_SLASH = re.compile(rf"([-+]?)\(?([-+]?{_DECIMAL})\)?/\(?([-+]?{_DECIMAL})\)?")
_FRAC = re.compile(
    rf"([-+]?)([0-9]{{1,9}})?\\frac(?:\{{([-+]?{_DECIMAL})\}}|([0-9]))"
    rf"(?:\{{([-+]?{_DECIMAL})\}}|([0-9]))"
)


@dataclass(frozen=True, slots=True)
class Number:
    """A numeral. ``digits`` counts significant digits if it has a decimal point, else 0."""

    value: Fraction
    digits: int = 0
    percent: bool = False

    @property
    def fits(self) -> bool:
        """Whether floating point can hold it."""
        return abs(self.value) < 10**100


def read_number(text: str) -> Number | None:
    """The number that ``text`` (tidied: no spaces around signs, no units) is, or None."""
    if not text or len(text) > MAX_DIGITS:
        return None
    if text.isdigit() and text.isascii():
        return Number(Fraction(int(text)))
    percent = text.endswith("%")
    if percent:
        text = text[:-1].rstrip("\\")
    while text[:1] == "(" and text[-1:] == ")" and text.count("(") == 1:
        text = text[1:-1]
    found = _plain(text) or _fraction(text) or _repeating(text)
    if found is None or not percent:
        return found
    return Number(found.value, found.digits, True)


def _plain(text: str) -> Number | None:
    match = _PLAIN.fullmatch(text)
    if match is None:
        ten = _TEN.fullmatch(text)
        return None if ten is None else _scaled(ten[1], "1", ten[2])
    return _scaled(match[1], match[2], match[3] or match[4])


def _scaled(sign: str, numeral: str, exponent: str | None) -> Number | None:
    value = _value(numeral)
    if exponent is not None:
        if len(exponent) > 5 or abs(int(exponent)) > MAX_EXPONENT:
            return None
        value *= Fraction(10) ** int(exponent)
    digits = 0
    if "." in numeral:
        digits = len(numeral.replace(".", "").replace(",", "").lstrip("0"))
    return Number(-value if sign == "-" else value, digits)


def _value(numeral: str) -> Fraction:
    whole, _, part = numeral.replace(",", "").partition(".")
    return Fraction(int(whole + part or "0"), 10 ** len(part))


def _signed(numeral: str) -> Fraction:
    value = _value(numeral.lstrip("+-"))
    return -value if numeral.startswith("-") else value


def _fraction(text: str) -> Number | None:
    slash = _SLASH.fullmatch(text)
    if slash:
        return _ratio(slash[1], "", slash[2], slash[3])
    frac = _FRAC.fullmatch(text)
    if frac is None:
        return None
    return _ratio(frac[1], frac[2], frac[3] or frac[4], frac[5] or frac[6])


def _repeating(text: str) -> Number | None:
    r"""``0.1\overline{6}`` is 1/6."""
    dotted = _DOTTED.fullmatch(text)
    if dotted:
        text = rf"{dotted[1]}\overline{{{dotted[2]}{dotted[3] or ''}{dotted[4] or ''}}}"
    match = _REPEATING.fullmatch(text)
    if match is None:
        return None
    sign, whole, start, period = match.groups()
    tail = Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(start))
    value = Fraction(int(whole + start or "0"), 10 ** len(start)) + tail
    return Number(-value if sign == "-" else value)


def _ratio(sign: str, whole: str | None, above: str, below: str) -> Number | None:
    divisor = _signed(below)
    if divisor == 0:
        return None
    value = _signed(above) / divisor
    if whole:
        if not 0 <= value < 1:
            return None  # 3\frac{5}{2} is a product, not a mixed number
        value += int(whole)
    return Number(-value if sign == "-" else value)


def same_number(gold: Number, other: Number) -> bool:
    """Are they the same answer, exactly or to a relative 1e-6 of a decimal?"""
    return any(_close(a, b) for a, b in _readings(gold, other))


def surely_differ(gold: Number, other: Number) -> bool:
    """Are they different answers even if one of them is a rounding of the other?"""
    return not any(_close(a, b) or is_rounding(a, b) for a, b in _readings(gold, other))


def is_rounding(a: Number, b: Number) -> bool:
    """Is one of them a decimal that rounds the other, which is more exact and no integer?"""
    for rounded, exact in ((a, b), (b, a)):
        finer = exact.digits > rounded.digits or not exact.digits
        enough = rounded.digits >= _ENOUGH_DIGITS and exact.value.denominator > 1
        if finer and enough and rounds_to(rounded, exact.value):
            return True
    return False


def rounds_to(rounded: Number, exact: Fraction) -> bool:
    """Is ``rounded`` within half a unit of its last digit?"""
    return abs(rounded.value - exact) * 2 <= _unit(rounded)


def _readings(a: Number, b: Number) -> list[tuple[Number, Number]]:
    """The two as they stand and, if one alone is a percentage, that one as a hundredth too."""
    bare = Number(a.value, a.digits), Number(b.value, b.digits)
    if a.percent == b.percent:
        return [bare]
    a, b = bare if b.percent else (bare[1], bare[0])
    return [bare, (a, Number(b.value / 100, b.digits))]


def _close(a: Number, b: Number) -> bool:
    if a.value == b.value:
        return True
    if not (a.digits or b.digits):
        return False
    gap, size = abs(a.value - b.value), max(abs(a.value), abs(b.value))
    if gap <= _NOISE * size:
        return True
    unit = max(_unit(number) for number in (a, b) if number.digits)
    return gap <= _RELATIVE * size and gap * 2 <= unit


def _unit(number: Number) -> Fraction:
    """The value of the last significant digit: 0.001 for 12.345, 1e-8 for 1.23e-6."""
    size = abs(number.value)
    if size == 0:
        return Fraction(0)
    exponent = len(str(size.numerator)) - len(str(size.denominator))
    if Fraction(10) ** exponent > size:
        exponent -= 1
    return Fraction(10) ** (exponent - number.digits + 1)


_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ADDED = {word: i for i, word in enumerate(_SMALL)} | {
    word: 10 * i for i, word in enumerate(_TENS, start=2)
}
SCALES = {
    "dozen": 12, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9,
    "trillion": 10**12, "quadrillion": 10**15, "lakh": 10**5, "lac": 10**5, "crore": 10**7,
    "k": 10**3, "mn": 10**6, "mln": 10**6, "bn": 10**9, "B": 10**9, "M": 10**6, "grand": 10**3,
    "тыс": 10**3, "тысяча": 10**3, "тысячи": 10**3, "тысяч": 10**3, "млн": 10**6, "млрд": 10**9,
    "миллион": 10**6, "миллиона": 10**6, "миллионов": 10**6, "миллиард": 10**9,
    "миллиарда": 10**9, "миллиардов": 10**9, "tausend": 10**3, "millionen": 10**6,
    "milliarde": 10**9, "milliarden": 10**9, "milliard": 10**9, "dutzend": 12, "mille": 10**3,
    "douzaine": 12, "mil": 10**3, "millón": 10**6, "millones": 10**6, "docena": 12,
    "milhão": 10**6, "milhões": 10**6, "mila": 10**3, "milione": 10**6, "milioni": 10**6,
    "十": 10, "百": 10**2, "千": 10**3, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8,
    "백": 10**2, "천": 10**3, "만": 10**4, "억": 10**8, "लाख": 10**5, "करोड़": 10**7,
}  # fmt: skip
"""What a word after a numeral multiplies it by. Spelled exactly, in lower case, or as a plural."""
_GROWING = ("hundred", "thousand", "million", "billion", "trillion", "lakh", "crore")
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13,
    "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18,
    "nineteenth": 19, "twentieth": 20, "thirtieth": 30, "fortieth": 40, "fiftieth": 50,
    "sixtieth": 60, "seventieth": 70, "eightieth": 80, "ninetieth": 90, "hundredth": 100,
}  # fmt: skip
_PARTS = {word: number for word, number in _ORDINALS.items() if number > 2} | {
    "half": 2, "halve": 2, "quarter": 4,
}  # fmt: skip
_IDEOGRAPHS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_NUMERAL = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_MAX_WORDS = 12


def scale_of(word: str) -> Fraction | int | None:
    """What ``word`` behind a numeral multiplies it by, None when it is no scale word."""
    bare = word.rstrip(".")
    part = bare.lower()
    for spelling in (bare, part, part.removesuffix("s")):
        if spelling in SCALES:
            return SCALES[spelling]
    several = part.endswith("s") and part not in ("quarters", "seconds")  # coins and times
    return Fraction(1, _PARTS[part[:-1]]) if several and part[:-1] in _PARTS else None


def number_word(text: str) -> str | None:
    """The digits of a number that is written as words, None when it is not one.

    ``forty-two``, ``a hundred``, ``2.5 million``, ``negative five``, ``three quarters``,
    ``two and a half``, ``twenty-first``, ``四十二``.
    """
    if len(text) > 150:
        return None
    words = text.lower().replace("-", " ").split()
    if not words or len(words) > _MAX_WORDS or words[-1] == "and":
        return None
    if words[0] in ("negative", "minus"):
        value = _read(words[1:])
        return None if value is None else str(-value)
    value = _read(words)
    return None if value is None else str(value)


def _read(words: list[str]) -> Fraction | int | None:
    if len(words) == 1:
        return _ideographs(words[0]) if not words[0].isascii() else _single(words[0])
    if len(words) == 2 and _NUMERAL.fullmatch(words[0]):
        scale = scale_of(words[1]) if words[1] not in _PARTS else None
        return None if scale is None else _whole(Fraction(words[0]) * scale)
    if words[0] in ("a", "an"):
        words = ["one", *words[1:]]
    for place in range(1, len(words)):  # two and a half, three quarters
        part = _part(words[place:])
        if part is not None:
            whole = _sum([w for w in words[:place] if w != "and"])
            return None if whole is None or words[place - 1] != "and" else whole + part
    part = _part(words)
    return part if part is not None else _ordinal(words)


def _single(word: str) -> Fraction | int | None:
    if word == "half":
        return Fraction(1, 2)
    return _ORDINALS[word] if word in _ORDINALS and word != "second" else _sum([word])


def _ordinal(words: list[str]) -> int | None:
    last = words[-1]
    if last in _ORDINALS and _ORDINALS[last] < 10 and words[-2] in _TENS:
        before = _sum(words[:-1])
        return None if before is None else before + _ORDINALS[last]
    return _sum(words)


def _part(words: list[str]) -> Fraction | None:
    """``one half``, ``three fourths``, ``a third``: some words and the name of a part."""
    below = _PARTS.get(words[-1]) or _PARTS.get(words[-1].removesuffix("s"))
    if below is None or len(words) < 2:
        return None
    above = ["one"] if words[:-1] == ["a"] else words[:-1]
    if above[-1] in _TENS and below < 10 and not words[-1].endswith("s"):
        return None  # twenty third is an ordinal
    value = _sum(above)
    return None if not value else Fraction(value, below)


def _whole(value: Fraction) -> Fraction | int:
    return value.numerator if value.denominator == 1 else value


def _ideographs(word: str) -> int | None:
    """``四十二``, ``三百零五``, ``两万``."""
    total, part, digit = 0, 0, 0
    if len(word) > 20 or not all(c in _IDEOGRAPHS or c in "十百千万萬亿億" for c in word):
        return None
    if all(c in _IDEOGRAPHS for c in word):
        return int("".join(str(_IDEOGRAPHS[c]) for c in word))
    for c in word:
        if c in _IDEOGRAPHS:
            digit = _IDEOGRAPHS[c]
        elif c in "十百千":
            part, digit = part + (digit or 1) * int(SCALES[c]), 0
        else:
            total, part, digit = (total + part + digit) * int(SCALES[c]), 0, 0
    return total + part + digit


def _sum(words: list[str]) -> int | None:
    total, part, last = 0, 0, 10**15  # last: what the next word has to be smaller than
    for word in words:
        if word in _ADDED and _ADDED[word] < last:
            part += _ADDED[word]
            last = 10 if _ADDED[word] >= 20 else 0
        elif word == "hundred" and 0 < part < 10:
            part, last = part * 100, 100
        elif word == "dozen" and part:
            part, last = part * 12, 0
        elif word in _GROWING and part:
            total, part, last = total + part * int(SCALES[word]), 0, 1000
        elif word != "and" or not (part or total):
            return None
    return total + part
