"""Two expressions compared as mathematics. Only ever runs in a worker process.

latex2sympy parses and Math-Verify compares. Around it stand repairs, each for something that
Math-Verify gets wrong or takes long over: constants are compared by relative size (it rounds to
six decimals, so all tiny numbers are equal to it); expressions that differ at a point are
different, without simplifying anything; equations are equal when they are multiples of each other,
without solving anything; a rounded decimal follows the policy of ``numbers``. Nothing here prints
a sympy object: their string form can take for ever.
"""

import functools
import re
from fractions import Fraction
from typing import Any

import latex2sympy2_extended
import math_verify
import sympy
from latex2sympy2_extended import NormalizationConfig, normalize_latex
from sympy.core.function import AppliedUndef

from manyways.verifiers.answers.numbers import read_number, rounds_to

Decision = tuple[bool | None, str]
"""(equal?, rule); None with a reason when it could not be decided."""
Sympy = Any
"""One of sympy's many kinds of object; the library has no types."""

_NORMAL = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none",
    equations=False,
)  # fmt: skip
_IMAGINARY = re.compile(r"(?<![a-zA-Z\\])i(?![a-zA-Z])|\\imath|\\mathbb\{C\}")
_D = r"(?:d|\\mathrm\{d\}|\\partial)\s*"
_NAME = r"(\\?[a-zA-Z]+)(?:_\{?(\w)\}?)?"
_AS_NAMES = (  # what the parser cannot read, or reads as a product, becomes a plain symbol
    (re.compile(rf"\\frac\s*\{{{_D}{_NAME}\}}\s*\{{{_D}([a-zA-Z])\}}"), r"\1_{\2d\3}"),
    (re.compile(rf"\\frac\s*\{{{_D}\^\{{?2\}}?\s*{_NAME}\}}\s*\{{{_D}([a-zA-Z])\s*\^\{{?2\}}?\}}"),
     r"\1_{\2dd\3}"),
    (re.compile(r"([a-zA-Z])\s*(?:''|\^\s*\{?\s*\\prime\s*\\prime\s*\}?)"), r"\1_{pp}"),
    (re.compile(r"([a-zA-Z])\s*(?:'|\^\s*\{?\s*\\prime\s*\}?)"), r"\1_{p}"),
    (re.compile(r"\\ddot\s*\{?\s*(\\?[a-zA-Z]+)\}?(?:_\{?0\}?)?"), r"\1_{ddot}"),
    (re.compile(r"\\dot\s*\{?\s*(\\?[a-zA-Z]+)\}?(?:_\{?0\}?)?"), r"\1_{dot}"),
    (re.compile(r"_\s*\{?\s*\\odot\s*\}?"), "_{sun}"),
    (re.compile(r"(?<![a-zA-Z\\])[Ee]_"), r"\\Xi_"),
    (re.compile(r"\\hbar"), r"\\eta"),
    (re.compile(r"(?<=_\{)\s*\\text\s*\{\s*(\w+)\s*\}"), r"\1"),
)  # fmt: skip
_DIGITS = 30
_POINTS = (Fraction(7, 5), Fraction(9, 13), Fraction(17, 11))
_WHOLE_POINTS = (*_POINTS, Fraction(23), Fraction(101), Fraction(58))
_STEPPED = (sympy.floor, sympy.ceiling, sympy.Mod)
_CLOSE = sympy.Float("1e-18", _DIGITS)
_DECIMAL = sympy.Float("1e-6", _DIGITS)


def same_expression(gold: str, answer: str) -> Decision:
    """Are two tidied answers the same expression, equation, inequality, interval or set?"""
    left = _parse(gold)
    if left is None:
        return None, "error: the reference answer cannot be parsed"
    right = _parse(answer)
    if right is None:
        return False, "unparsed"
    if _rounded(gold, right) or _rounded(answer, left):
        return True, "rounded"
    early = None
    if isinstance(left, sympy.Expr) and isinstance(right, sympy.Expr):
        early = _by_value(left, right)
    elif isinstance(left, sympy.Eq) and isinstance(right, sympy.Eq):
        early = _by_multiple(left, right)
    return early or _by_library(left, right)


def _by_library(left: Sympy, right: Sympy) -> Decision:
    if isinstance(left, sympy.Ne) and isinstance(right, sympy.Ne):
        return _by_library(sympy.Eq(*left.args), sympy.Eq(*right.args))
    equal = math_verify.verify(
        [left], [right],
        timeout_seconds=None, raise_on_error=True, allow_set_relation_comp=True,
    )  # fmt: skip
    return bool(equal), "math-verify"


@functools.lru_cache(maxsize=4096)
def _parse(text: str) -> Sympy:
    """What latex2sympy reads, None when it cannot; MemoryError and RecursionError surface."""
    for pattern, name in _AS_NAMES:
        text = pattern.sub(name, text)
    for attempt in (normalize_latex(text, _NORMAL), text):
        try:
            imaginary = _IMAGINARY.search(attempt) is not None and "\\sum" not in attempt
            parsed = latex2sympy2_extended.latex2sympy(
                attempt, is_real=not imaginary, convert_degrees=False, normalization_config=None
            )
            if parsed in (sympy.nan, sympy.zoo):
                return None
            return _with_unit(parsed) if imaginary else parsed
        except (MemoryError, RecursionError):
            raise
        except Exception:  # noqa: BLE001 - the parser raises all kinds on what it cannot read
            continue
    return None


def _with_unit(expression: Sympy) -> Sympy:
    """``i`` is the imaginary unit; the parser leaves it a symbol."""
    units = [s for s in getattr(expression, "free_symbols", ()) if s.name == "i"]
    return expression.subs(dict.fromkeys(units, sympy.I)) if units else expression


def _rounded(numeral: str, expression: Sympy) -> bool:
    """Is ``numeral`` a decimal of at least four digits that rounds an exact constant?"""
    number = read_number(numeral.replace(" ", ""))
    if number is None or number.digits < 4 or not isinstance(expression, sympy.Expr):
        return False
    if expression.free_symbols or expression.has(sympy.Float) or expression.is_integer:
        return False
    exact = expression.evalf(_DIGITS)
    return bool(exact.is_Float) and rounds_to(number, Fraction(str(exact)))


def _by_value(left: Sympy, right: Sympy) -> Decision | None:
    """Decide by value where that is certain: constants, and expressions that differ at a point."""
    if left.is_Rational and right.is_Rational:
        return bool(left == right), "value"
    left, right = _named_functions(left, right)
    points = _bindings(left, right)
    if points is None:
        return None
    agreed = 0
    for point in points:
        same = _close_at(left.subs(point), right.subs(point))
        if same is False:
            return False, "value"
        agreed += same is True
    return (True, "value") if agreed == len(points) else None


def _by_multiple(left: Sympy, right: Sympy) -> Decision | None:
    """Two equations are the same when one's difference of sides is a multiple of the other's."""
    one, two = _named_functions(left.lhs - left.rhs, right.lhs - right.rhs)
    points = _bindings(one, two)
    if points is None or not left.free_symbols:
        return None
    ratio: Sympy = None
    for point in points:
        above, below = one.subs(point), two.subs(point)
        if _close_at(below, sympy.Integer(0)) is not False:
            return None
        if ratio is not None and _close_at(ratio, above / below) is not True:
            alone = len(left.free_symbols | right.free_symbols) == 1
            return None if alone else (False, "not multiples")
        ratio = above / below
    return True, "multiples"


def _named_functions(left: Sympy, right: Sympy) -> tuple[Sympy, Sympy]:
    """Unknown functions, as ``x(t)``, as unknowns: the same call is the same one on both sides."""
    calls = left.atoms(AppliedUndef) | right.atoms(AppliedUndef)
    names = {call: sympy.Symbol(f"call{i}", real=True) for i, call in enumerate(calls)}
    return (left.xreplace(names), right.xreplace(names)) if names else (left, right)


def _bindings(left: Sympy, right: Sympy) -> list[dict[Sympy, Sympy]] | None:
    """Points to compare at: one without unknowns; None when values would prove little."""
    if any(side.has(sympy.Integral, sympy.Sum, sympy.Product) for side in (left, right)):
        return None
    symbols = sorted(left.free_symbols | right.free_symbols, key=lambda symbol: symbol.name)
    if not symbols:
        return [{}]
    if len(symbols) > 8:
        return None
    stepped = left.has(*_STEPPED) or right.has(*_STEPPED)
    values = _WHOLE_POINTS if stepped else _POINTS
    points = []
    for shift in range(len(values)):
        chosen = [
            values[(i + shift) % len(values)] + Fraction(i * (shift + 1), 7)
            for i in range(len(symbols))
        ]
        rationals = [sympy.Rational(value.numerator, value.denominator) for value in chosen]
        points.append(dict(zip(symbols, rationals, strict=True)))
    return points


def _close_at(left: Sympy, right: Sympy) -> bool | None:
    """Equal to a relative 1e-18 (1e-6 when decimals are involved); None when there is no value."""
    one, two = left.evalf(_DIGITS), right.evalf(_DIGITS)
    if not all(side.is_number and side.is_finite for side in (one, two)):
        return None
    size = max(abs(one), abs(two))
    if not (size.is_Float or size.is_Integer):
        return None
    if left.has(sympy.Float) or right.has(sympy.Float):
        return bool(abs(one - two) <= size * _DECIMAL)
    if size > 10**10:  # a small difference of large numbers is a difference
        digits = int(sympy.log(size, 10).evalf(5)) + _DIGITS
        if digits > 3000:
            return None
        one, two = left.evalf(digits), right.evalf(digits)
        size = sympy.Integer(1)
    return bool(abs(one - two) <= size * _CLOSE)
