r"""The value of numerals and expressions, and when two numbers are the same answer.

Policy
- Exact values are compared exactly: ``1/2``, ``0.5``, ``.50``, ``\frac12``, ``5e-1`` are equal.
- A numeral with a decimal point may be a rounded one: it equals every number that it correctly
  rounds to at least four significant digits, other than an integer. Integers are never taken as
  rounded, and ``5.001`` is not ``5.000``. A relative gap of ``1e-9`` is floating-point noise.
- Percent: ``17%`` equals ``17%``, ``0.17`` and also ``17`` (a question that asks "what percent"
  has either as its reference). Without a percent sign, ``17`` and ``0.17`` differ.
- Thousands: ``1,234`` and ``1,234,567.8`` in groups of three are one number, as are ``1{,}234``,
  ``1\,234`` and ``1 234``.

Numerals longer than ``MAX_DIGITS`` or with an exponent beyond ``MAX_EXPONENT`` are not read. This
bounds the cost, and ``int`` refuses very long numerals.

Expressions are evaluated in floating point and bounded time, and only to prove a difference: by
recursive descent over arithmetic in LaTeX (``\frac``, ``\sqrt``, powers, ``\pi``, ``e``, ``i``,
common functions, implicit products). If values differ by more than a hundredth, the answers are
different. This decides most cases in microseconds. Equal values prove nothing here. An expression
that the reader does not know has the value None.
"""

import cmath
import math
import re
import zlib
from collections.abc import Callable, Mapping
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
"""A repeating decimal with dots over the first and the last digit of the period."""
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
    """Whether they are the same answer: exactly, or for a decimal to a relative 1e-6."""
    return any(_close(a, b) for a, b in _readings(gold, other))


def surely_differ(gold: Number, other: Number) -> bool:
    """Whether they are different answers, and neither is a rounding of the other."""
    return not any(_close(a, b) or is_rounding(a, b) for a, b in _readings(gold, other))


def is_rounding(a: Number, b: Number) -> bool:
    """Whether one is a decimal that rounds the other, which is more exact and no integer."""
    for rounded, exact in ((a, b), (b, a)):
        finer = exact.digits > rounded.digits or not exact.digits
        enough = rounded.digits >= _ENOUGH_DIGITS and exact.value.denominator > 1
        if finer and enough and rounds_to(rounded, exact.value):
            return True
    return False


def rounds_to(rounded: Number, exact: Fraction) -> bool:
    """Whether ``rounded`` is within half a unit of its last digit from ``exact``."""
    return abs(rounded.value - exact) * 2 <= _unit(rounded)


def _readings(a: Number, b: Number) -> list[tuple[Number, Number]]:
    """Pairs to compare: the two as they are, and a lone percentage also divided by 100."""
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


MAX_LENGTH = 200
_MAX_DEPTH = 30
_TOKEN = re.compile(
    r"\s*(?:([0-9]+(?:\.[0-9]*)?|\.[0-9]+)|(\\[a-zA-Z]+)|([a-zA-Z])|([-+*/^_(){}\[\]!|]))"
)
_FUNCTIONS: Mapping[str, Callable[[complex], complex]] = {
    r"\sin": cmath.sin, r"\cos": cmath.cos, r"\tan": cmath.tan, r"\ln": cmath.log,
    r"\arcsin": cmath.asin, r"\arccos": cmath.acos, r"\arctan": cmath.atan,
    r"\sinh": cmath.sinh, r"\cosh": cmath.cosh, r"\tanh": cmath.tanh,
}  # fmt: skip
_CONSTANTS: Mapping[str, complex] = {r"\pi": math.pi, "e": math.e, "i": 1j}
_GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "kappa",
    "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "varphi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Sigma", "Phi", "Psi", "Omega",
)  # fmt: skip
_LETTERS = [
    *(chr(code) for code in (*range(65, 91), *range(97, 123)) if chr(code) not in "ei"),
    *(f"\\{name}" for name in _GREEK),
]
# Positive and unrelated values: equal expressions are equal there, others almost never.
_POINT = {name: complex(0.31 + math.sqrt(2 + 3 * i) % 1.7) for i, name in enumerate(_LETTERS)}
_CLOSING = {"(": ")", "{": "}", "[": "]"}
_TIMES = {r"\cdot", r"\times", "*"}


class _Unknown(Exception):
    """Something that this reader does not read."""


def value(text: str, variables: Mapping[str, complex] | None = None) -> complex | None:
    """The value of ``text`` with ``variables`` bound, or None."""
    if len(text) > MAX_LENGTH:
        return None
    try:
        reader = _Reader(text, {**_CONSTANTS, **(variables or {})})
        result = reader.sum(0)
        if reader.token is not None:
            return None
        size = abs(result)
    except (_Unknown, ArithmeticError, ValueError):
        return None
    return result if size < 1e100 else None


def value_at_a_point(text: str) -> complex | None:
    """The value of ``text`` with a fixed number, another one for each letter, in place of it."""
    return value(text, _POINT)


def differ(a: complex, b: complex) -> bool:
    """Whether the two values differ by more than any rounding."""
    return abs(a - b) > 0.01 * max(abs(a), abs(b))


class _Reader:
    def __init__(self, text: str, names: Mapping[str, complex]) -> None:
        self.names = names
        self.tokens: list[str] = []
        place = 0
        text = text.rstrip()
        while place < len(text):
            found = _TOKEN.match(text, place)
            if found is None:
                raise _Unknown
            self.tokens.append(found.group().strip())
            place = found.end()
        self.place = 0

    @property
    def token(self) -> str | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self, expected: str = "") -> str:
        token = self.token
        if token is None or (expected and token != expected):
            raise _Unknown
        self.place += 1
        return token

    def sum(self, depth: int) -> complex:
        if depth > _MAX_DEPTH:
            raise _Unknown
        total = self.product(depth + 1)
        while self.token in ("+", "-"):
            sign = self.take()
            term = self.product(depth + 1)
            total = total + term if sign == "+" else total - term
        return total

    def product(self, depth: int) -> complex:
        sign = 1
        while self.token in ("+", "-"):
            sign = -sign if self.take() == "-" else sign
        result = sign * self.power(depth + 1)
        while (token := self.token) is not None:
            if token == "/":
                self.take()
                result /= self.power(depth + 1)
            elif token in _TIMES:
                self.take()
                result *= self.power(depth + 1)
            elif token[0].isdigit() or token[0] == "." or token in ("+", "-", ")", "}", "]", "|"):
                break  # two numerals in a row may be a mixed number: the caller sees a leftover
            elif token == r"\frac" and self.tokens[self.place - 1][0].isdigit():
                raise _Unknown
            else:
                result *= self.power(depth + 1)
        return result

    def power(self, depth: int) -> complex:
        if depth > _MAX_DEPTH:
            raise _Unknown
        base = self.atom(depth + 1)
        while self.token == "!":
            self.take()
            if base.imag or not 0 <= base.real <= 60 or base.real != int(base.real):
                raise _Unknown
            base = complex(math.factorial(int(base.real)))
        if self.token != "^":
            return base
        self.take()
        sign = -1 if self.token == "-" and self.take() else 1
        exponent = sign * self.power(depth + 1)
        if abs(exponent) > 400 or (base == 0 and exponent.real <= 0):
            raise _Unknown
        if base.real < 0 and not base.imag and exponent.real != int(exponent.real):
            raise _Unknown  # which root is meant is a matter of taste
        return complex(base**exponent)

    def atom(self, depth: int) -> complex:
        token = self.take()
        if token[0].isdigit() or token[0] == ".":
            return complex(float(token))
        if token in self.names:
            return self.subscripted(token) if self.token == "_" else complex(self.names[token])
        if token in _CLOSING:
            result = self.sum(depth + 1)
            self.take(_CLOSING[token])
            return result
        read = {r"\frac": self.fraction, r"\sqrt": self.root}.get(token)
        if read is not None:
            return read(depth + 1)
        if token in _FUNCTIONS:
            return self.function(_FUNCTIONS[token], depth + 1)
        raise _Unknown

    def fraction(self, depth: int) -> complex:
        above = self.argument(depth)
        return above / self.argument(depth)

    def subscripted(self, name: str) -> complex:
        """``x_1`` and ``x_{12}`` are unknowns different from ``x``."""
        self.take("_")
        part = self.take()
        if part == "{":
            part = ""
            while self.token not in ("}", None):
                part += self.take()
            self.take("}")
        if "A" not in self.names:
            raise _Unknown  # unknowns are not bound
        return complex(0.31 + zlib.crc32(f"{name}_{part}".encode()) % 1699 / 1000)

    def function(self, called: Callable[[complex], complex], depth: int) -> complex:
        r"""``\sin(x)``, ``\sin^2 x``, ``\sin 2x``; other forms are ambiguous and not read."""
        power = 1 + 0j
        if self.token == "^":
            self.take()
            power = self.atom(depth)
            if power.real < 0:
                raise _Unknown  # an inverse function
        if self.token in ("(", "{"):
            return complex(called(self.atom(depth)) ** power)
        inside = 1 + 0j
        if self.token is not None and self.token[0].isdigit():
            inside = self.atom(depth)
        if self.token in self.names:
            inside *= self.power(depth)
        following = self.token or ""
        if following and following not in "+-)}]":
            raise _Unknown
        return complex(called(inside) ** power)

    def root(self, depth: int) -> complex:
        degree = 2 + 0j
        if self.token == "[":
            degree = self.atom(depth)
        inside = self.argument(depth)
        if degree == 0 or (inside.real < 0 and degree != 2):
            raise _Unknown
        return complex(inside ** (1 / degree))

    def argument(self, depth: int) -> complex:
        """The argument of a command: a group, or one digit or letter."""
        token = self.token
        if token is None:
            raise _Unknown
        if token[0].isdigit() and len(token) > 1:
            if "." in token:
                raise _Unknown
            self.tokens[self.place : self.place + 1] = [token[0], token[1:]]
        return self.atom(depth)
