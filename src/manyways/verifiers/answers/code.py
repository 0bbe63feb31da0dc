"""Expressions as computer algebra systems write them, as LaTeX. Only ever runs in a worker.

``a*sqrt(b**2)/3``, ``tan(theta)**2``, ``log(x, 10)``, ``Eq(x, 2)``, ``x == 2``. Python's own parser
makes a tree, and a whitelist of nodes, names and functions turns that into LaTeX. Nothing is
evaluated, and whatever is not on the list is not read.
"""

import ast
import re
from collections.abc import Callable
from typing import Any

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
    """Something that is not on the list."""


def latex_of_code(text: str) -> str | None:
    """``text`` as LaTeX, None when it is no expression of such a system."""
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


def _row(node: ast.Tuple) -> str:
    return "(" + ", ".join(map(_written, node.elts)) + ")"


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
    """In brackets where it is a sum or has a sign."""
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
    ast.Tuple: _row,
}
