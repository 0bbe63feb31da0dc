r"""The value of an expression, in floating point and bounded time; only ever to refute.

A recursive-descent reader for arithmetic in LaTeX (``\frac``, ``\sqrt``, powers, ``\pi``, ``e``,
``i``, common functions, implicit products). Two answers whose values differ by more than a
hundredth are different answers, which is most of what a verifier has to find out, and it takes
microseconds. Equal values prove nothing here. What the reader does not know has no value: None.
"""

import cmath
import math
import re
import zlib
from collections.abc import Callable, Mapping

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
# Positive and unrelated, so that equal expressions are equal there and others hardly ever are.
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
    """The value of ``text`` with every letter bound to a number of its own, always the same one."""
    return value(text, _POINT)


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
        """``x_1`` and ``x_{12}``: unknowns of their own."""
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
        r"""``\sin(x)``, ``\sin^2 x``, ``\sin 2x``; of what else follows, one cannot be sure."""
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
        """What a command applies to: a group, or one digit or letter."""
        token = self.token
        if token is None:
            raise _Unknown
        if token[0].isdigit() and len(token) > 1:
            if "." in token:
                raise _Unknown
            self.tokens[self.place : self.place + 1] = [token[0], token[1:]]
        return self.atom(depth)
