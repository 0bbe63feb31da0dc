r"""The value of a constant expression, in floating point and bounded time; only ever to refute.

A recursive-descent reader for arithmetic in LaTeX (``\frac``, ``\sqrt``, powers, ``\pi``, ``e``,
``i``, common functions, implicit products). Two answers whose values differ by more than a
hundredth are different answers, which is most of what a verifier has to find out, and it takes
microseconds. Equal values prove nothing here. What the reader does not know has no value: None.
"""

import cmath
import math
import re
from collections.abc import Callable, Mapping

MAX_LENGTH = 200
_MAX_DEPTH = 30
_TOKEN = re.compile(
    r"\s*(?:([0-9]+(?:\.[0-9]*)?|\.[0-9]+)|(\\[a-zA-Z]+)|([a-zA-Z])|([-+*/^(){}\[\]!|]))"
)
_FUNCTIONS: Mapping[str, Callable[[complex], complex]] = {
    r"\sin": cmath.sin, r"\cos": cmath.cos, r"\tan": cmath.tan, r"\ln": cmath.log,
    r"\arcsin": cmath.asin, r"\arccos": cmath.acos, r"\arctan": cmath.atan,
    r"\sinh": cmath.sinh, r"\cosh": cmath.cosh, r"\tanh": cmath.tanh,
}  # fmt: skip
_CONSTANTS: Mapping[str, complex] = {r"\pi": math.pi, "e": math.e, "i": 1j}
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


def differ(a: complex, b: complex) -> bool:
    """Are the two values further apart than any rounding?"""
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
        return complex(base**exponent)

    def atom(self, depth: int) -> complex:
        token = self.take()
        if token[0].isdigit() or token[0] == ".":
            return complex(float(token)) if len(token) < 60 else complex(float(token[:60] + "e9"))
        if token in self.names:
            return complex(self.names[token])
        if token in "({[":
            result = self.sum(depth + 1)
            self.take({"(": ")", "{": "}", "[": "]"}[token])
            return result
        if token == r"\frac":
            above = self.argument(depth + 1)
            return above / self.argument(depth + 1)
        if token == r"\sqrt":
            return self.root(depth + 1)
        following = self.token or ""
        if token in _FUNCTIONS and (following in ("(", "{", r"\pi") or following[:1].isdigit()):
            return complex(_FUNCTIONS[token](self.argument(depth + 1, whole=True)))
        raise _Unknown

    def root(self, depth: int) -> complex:
        degree = 2 + 0j
        if self.token == "[":
            degree = self.atom(depth)
        inside = self.argument(depth)
        if degree == 0 or (inside.real < 0 and degree != 2):
            raise _Unknown
        return complex(inside ** (1 / degree))

    def argument(self, depth: int, *, whole: bool = False) -> complex:
        """What a command applies to: a group, or one digit or letter."""
        token = self.token
        if token is None:
            raise _Unknown
        if token[0].isdigit() and len(token) > 1 and not whole:
            if "." in token:
                raise _Unknown
            self.tokens[self.place : self.place + 1] = [token[0], token[1:]]
        return self.atom(depth)
