r"""Numbers as exact fractions: what a numeral means and when two of them are the same answer.

Policy
- Exact values are compared exactly: ``1/2``, ``0.5``, ``.50``, ``\frac12``, ``5e-1`` are equal.
- A numeral with a decimal point may be a rounded one. It equals the other number when they agree to
  a relative ``1e-6``, or when it is the other number correctly rounded to at least five
  significant digits. Integers and fractions are never taken as rounded.
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
_RELATIVE = Fraction(1, 10**6)
_ENOUGH_DIGITS = 5

_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)"
_POWER = r"(?:(?:\\times|\\cdot|\*)10(?:\^|\*\*)\{?\(?([-+]?[0-9]+)\)?\}?)"
_PLAIN = re.compile(rf"([-+]?)({_DECIMAL})(?:[eE]([-+]?[0-9]+)|{_POWER})?")
_TEN = re.compile(r"([-+]?)10\^\{?([-+]?[0-9]+)\}?")
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


def read_number(text: str) -> Number | None:
    """The number that ``text`` (tidied: no spaces around signs, no units) is, or None."""
    if not text or len(text) > MAX_DIGITS:
        return None
    percent = text.endswith("%")
    if percent:
        text = text[:-1].rstrip("\\")
    while text[:1] == "(" and text[-1:] == ")" and text.count("(") == 1:
        text = text[1:-1]
    found = _plain(text) or _fraction(text)
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
    """Are they the same answer under this module's policy?"""
    if gold.percent == other.percent:
        return _close(gold, other)
    if gold.percent:
        gold, other = other, gold
    hundredth = Number(other.value / 100, other.digits)
    return _close(gold, Number(other.value, other.digits)) or _close(gold, hundredth)


def _close(a: Number, b: Number) -> bool:
    if a.value == b.value:
        return True
    if not (a.digits or b.digits):
        return False
    gap = abs(a.value - b.value)
    if gap <= _RELATIVE * max(abs(a.value), abs(b.value)):
        return True
    return _is_rounding(a, b) or _is_rounding(b, a)


def _is_rounding(rounded: Number, exact: Number) -> bool:
    """Is ``rounded`` the other number to its own digits? Half a unit of its last digit."""
    if rounded.digits < _ENOUGH_DIGITS or 0 < exact.digits <= rounded.digits:
        return False
    unit = _unit(rounded)
    return abs(rounded.value - exact.value) * 2 <= unit


def _unit(number: Number) -> Fraction:
    """The value of the last significant digit: 0.001 for 12.345, 1e-8 for 1.23e-6."""
    leading = abs(number.value)
    exponent = len(str(leading.numerator)) - len(str(leading.denominator))
    scale = Fraction(10) ** exponent
    if scale > leading:
        exponent -= 1
    elif scale * 10 <= leading:
        exponent += 1
    return Fraction(10) ** (exponent - number.digits + 1)
