"""Compares two expressions as mathematics. It only runs in a worker process.

latex2sympy parses and Math-Verify compares. Some cases are decided here first, because Math-Verify
gets them wrong or is slow: constants are compared by relative size (it rounds to six decimals, so
all tiny numbers are equal to it); expressions that differ at a point are different, without
simplification; equations are equal when they are multiples of each other, without solving; rounded
decimals follow the policy of ``numbers``. Nothing here prints a sympy object, because making its
string may take for ever.

Expressions in the syntax of computer algebra systems become LaTeX first: ``a*sqrt(b**2)/3``,
``tan(theta)**2``, ``log(x, 10)``, ``Eq(x, 2)``, ``x == 2``. Python's own parser makes a tree, and a
whitelist of nodes, names and functions turns it into LaTeX. Nothing is evaluated, and what is not
on the whitelist is not read.
"""

import ast
import functools
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import latex2sympy2_extended
import math_verify
import sympy
from latex2sympy2_extended import NormalizationConfig, normalize_latex
from sympy.core.function import AppliedUndef

from manyways.verifiers.answers.numbers import read_number, rounds_to

_LOOKS_LIKE_CODE = re.compile(r"\*|==|[a-zA-Z]\s*\(|/|[a-zA-Z][0-9]")
_MAX_LENGTH = 500
_GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "mu",
    "nu", "xi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta",
    "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega",
)  # fmt: skip
_NAMES = {
    "pi": r"\pi", "E": "e", "I": "i", "oo": r"\infty", "inf": r"\infty", "Infinity": r"\infty",
    "lambda_": r"\lambda", "lamda": r"\lambda", **{name: f"\\{name}" for name in _GREEK},
}  # fmt: skip
_SAME_CALLS = (
    "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "ln", "arcsin", "arccos",
    "arctan",
)  # fmt: skip
_CALLS = {
    **{name: rf"\{name}({{0}})" for name in _SAME_CALLS},
    **{f"a{name}": rf"\arc{name}({{0}})" for name in ("sin", "cos", "tan")},
    "log": r"\ln({0})", "exp": "e^{{{0}}}", "sqrt": r"\sqrt{{{0}}}", "cbrt": r"\sqrt[3]{{{0}}}",
    "Abs": "|{0}|", "abs": "|{0}|", "factorial": "({0})!", "floor": r"\lfloor {0} \rfloor",
    "ceiling": r"\lceil {0} \rceil", "ceil": r"\lceil {0} \rceil",
    "Integer": "{0}", "Rational": r"\frac{{{0}}}{{{1}}}", "root": r"\sqrt[{1}]{{{0}}}",
    "binomial": r"\binom{{{0}}}{{{1}}}", "Pow": "({0})^{{{1}}}", "pow": "({0})^{{{1}}}",
    "Eq": "{0} = {1}", "log2": r"\frac{{\ln({0})}}{{\ln(2)}}",
    "log10": r"\frac{{\ln({0})}}{{\ln(10)}}",
}  # fmt: skip
_TWO_ARGUMENTS = {"log": r"\frac{{\ln({0})}}{{\ln({1})}}", "Integer": ""}
_COMPARES = {
    ast.Eq: "=", ast.Lt: "<", ast.Gt: ">", ast.LtE: r"\le ", ast.GtE: r"\ge ", ast.NotEq: r"\ne ",
}  # fmt: skip
_MODULE = re.compile(r"(?<![\w.])(?:np|numpy|math|sympy|sp)\.(?=[a-zA-Z])")
_COEFFICIENT = re.compile(r"(?<![\w.])([0-9]+(?:\.[0-9]+)?)(?=[a-df-zA-DF-Z(])")


class _NotCode(Exception):
    """The text has a node, name or function that is not on the whitelist."""


def latex_of_code(text: str) -> str | None:
    """``text`` as LaTeX, None when it is no expression of a computer algebra system."""
    bare = text.strip().strip("$`").strip()
    if len(bare) > _MAX_LENGTH or "\\" in bare or not _LOOKS_LIKE_CODE.search(bare):
        return None
    if not bare.isascii() or re.search(r"[{}'\"!?;@#%&|~\[\]]|[0-9]\s+[0-9]|//", bare):
        return None
    code = _COEFFICIENT.sub(r"\1*", _MODULE.sub("", bare)).replace("^", "**")
    try:
        return _written(ast.parse(code, mode="eval").body)
    except (_NotCode, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _written(node: ast.AST) -> str:
    writer = _WRITERS.get(type(node))
    if writer is None:
        raise _NotCode
    return writer(node)


def _signed(node: ast.UnaryOp) -> str:
    if not isinstance(node.op, ast.USub | ast.UAdd):
        raise _NotCode
    return ("-" if isinstance(node.op, ast.USub) else "") + _factor(node.operand)


def _constant(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _NotCode
    written = repr(value)
    mantissa, _, exponent = written.partition("e")
    return rf"{mantissa}\times 10^{{{int(exponent)}}}" if exponent else written


def _name(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    stem, _, script = name.partition("_")
    digits = re.fullmatch(r"([a-zA-Z])([0-9]+)", stem)
    if digits:
        stem, script = digits[1], digits[2]
    stem = _NAMES.get(stem, stem)
    if len(stem) != 1 and not stem.startswith("\\"):
        raise _NotCode
    return f"{stem}_{{{script}}}" if script else stem


def _operation(node: ast.BinOp) -> str:
    if isinstance(node.op, ast.Add | ast.Sub):
        sign = "+" if isinstance(node.op, ast.Add) else "-"
        return f"{_written(node.left)}{sign}{_factor(node.right)}"
    if isinstance(node.op, ast.Mult):
        return rf"{_factor(node.left)} \cdot {_factor(node.right)}"
    if isinstance(node.op, ast.Div):
        return rf"\frac{{{_written(node.left)}}}{{{_written(node.right)}}}"
    if isinstance(node.op, ast.Pow):
        return f"{_power_base(node.left)}^{{{_written(node.right)}}}"
    raise _NotCode


def _factor(node: ast.AST) -> str:
    """The node as LaTeX, in brackets if it is a sum or has a sign."""
    written = _written(node)
    summed = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
    return f"({written})" if summed or isinstance(node, ast.UnaryOp) else written


def _power_base(node: ast.AST) -> str:
    written = _written(node)
    return written if isinstance(node, ast.Name | ast.Constant) else f"({written})"


def _call(node: ast.Call) -> str:
    if not isinstance(node.func, ast.Name) or node.keywords:
        raise _NotCode
    name, arguments = node.func.id, [_written(argument) for argument in node.args]
    if len(arguments) == 2 and name in _TWO_ARGUMENTS:
        form = _TWO_ARGUMENTS[name]
    elif name in _CALLS:
        form = _CALLS[name]
    elif len(name) == 1 and len(arguments) == 1:
        return f"{name}({arguments[0]})"
    else:
        raise _NotCode
    if len(arguments) != (2 if "{1}" in form else 1):
        raise _NotCode
    return form.format(*arguments)


def _comparison(node: ast.Compare) -> str:
    written = _written(node.left)
    for operator, side in zip(node.ops, node.comparators, strict=True):
        if type(operator) not in _COMPARES:
            raise _NotCode
        written += f" {_COMPARES[type(operator)]} {_written(side)}"
    return written


_WRITERS: dict[type[ast.AST], Callable[[Any], str]] = {
    ast.Constant: lambda node: _constant(node.value),
    ast.Name: lambda node: _name(node.id),
    ast.UnaryOp: _signed,
    ast.BinOp: _operation,
    ast.Call: _call,
    ast.Compare: _comparison,
    ast.Tuple: lambda node: "(" + ", ".join(map(_written, node.elts)) + ")",
}


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
    """Whether two tidied answers are the same expression, equation, inequality, interval or set."""
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
    """The expression that latex2sympy reads, or None. Raises MemoryError and RecursionError."""
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
    """Replace the symbol ``i`` by the imaginary unit, which the parser does not do."""
    units = [s for s in getattr(expression, "free_symbols", ()) if s.name == "i"]
    return expression.subs(dict.fromkeys(units, sympy.I)) if units else expression


def _rounded(numeral: str, expression: Sympy) -> bool:
    """Whether ``numeral`` is a decimal of at least four digits that rounds an exact constant."""
    number = read_number(numeral.replace(" ", ""))
    if number is None or number.digits < 4 or not isinstance(expression, sympy.Expr):
        return False
    if expression.free_symbols or expression.has(sympy.Float) or expression.is_integer:
        return False
    exact = expression.evalf(_DIGITS)
    return bool(exact.is_Float) and rounds_to(number, Fraction(str(exact)))


def _by_value(left: Sympy, right: Sympy) -> Decision | None:
    """Decide by value if that is certain: for constants, and expressions that differ at a point."""
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
    """Compare equations: they are the same if their differences of sides are multiples."""
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
    """Replace calls of unknown functions, as ``x(t)``, by unknowns, the same on both sides."""
    calls = left.atoms(AppliedUndef) | right.atoms(AppliedUndef)
    names = {call: sympy.Symbol(f"call{i}", real=True) for i, call in enumerate(calls)}
    return (left.xreplace(names), right.xreplace(names)) if names else (left, right)


def _bindings(left: Sympy, right: Sympy) -> list[dict[Sympy, Sympy]] | None:
    """Points to compare at; one empty point without unknowns; None if values prove little."""
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
    """Whether they are equal to a relative 1e-18 (1e-6 with decimals); None without a value."""
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
