"""From what a model wrote to a program: completions, fenced code, chat answers.

In order: the last fenced block that defines the function asked for; the text itself; the longest
run of its lines that is Python and defines it; the text (or block) as the continuation of a prompt
that is code, indented when it lacks that, cut where it stops being Python. Nothing is run here.
"""

import ast
import re
import textwrap
from collections.abc import Iterator

_FENCE = re.compile(r"```[ \t]*([A-Za-z0-9_+-]*)[^\n]*\n(.*?)(?:\n[ \t]*```|```|\Z)", re.S)
_START = re.compile(r"(?:def|class|import|from|async def|@)\b|@", re.A)
_MAX_PARSES = 200
_MAX_LENGTH = 100_000

USUAL_IMPORTS = (
    "import bisect, collections, copy, datetime, functools, hashlib, heapq, itertools, math, "
    "operator, random, re, statistics, string, sys\n"
    "from collections import Counter, OrderedDict, defaultdict, deque\n"
    "from functools import cmp_to_key, lru_cache, reduce\n"
    "from itertools import accumulate, combinations, permutations, product\n"
    "from typing import *\n"
)
"""A program may rely on these without importing them, as models do."""


def program(text: str, *, question: str, entry_point: str) -> str | None:
    """A whole program that defines ``entry_point``, or None when ``text`` holds none."""
    text = text[:_MAX_LENGTH].replace("\x00", "")
    lead = prelude(question, entry_point)
    blocks: list[str] = [block for label, block in _FENCE.findall(text) if label.lower() in _PYTHON]
    for block in reversed(blocks):
        if _defines(block, entry_point):
            return lead + block
    if not blocks:
        for whole in (text, *_islands(text)):
            if _defines(whole, entry_point):
                return lead + whole
    for piece in (*reversed(blocks), text):
        continued = _continuation(question, piece, entry_point)
        if continued is not None:
            return USUAL_IMPORTS + continued
    return None


def prelude(question: str, entry_point: str) -> str:
    """What a code prompt brings besides the function asked for: its imports and helpers."""
    tree = _parse(question + "\n    pass\n") or _parse(question)
    if tree is None:
        return USUAL_IMPORTS
    kept = [
        ast.unparse(node)
        for node in tree.body
        if getattr(node, "name", None) != entry_point and not isinstance(node, ast.Expr)
    ]
    return "\n".join([USUAL_IMPORTS, *kept]) + "\n"


_PYTHON = {"", "python", "python3", "py", "python2", "pycon"}


def _islands(text: str) -> Iterator[str]:
    """Runs of lines that start like Python and parse, among prose."""
    lines = text.split("\n")
    budget = _MAX_PARSES
    starts = [i for i, line in enumerate(lines) if _START.match(line)]
    for start in starts[:20]:
        end = len(lines)
        while end > start and budget > 0:
            budget -= 1
            piece = "\n".join(lines[start:end])
            if _parse(piece) is not None:
                yield piece
                break
            end = _earlier_end(lines, start, end)


def _earlier_end(lines: list[str], start: int, end: int) -> int:
    """The last line before ``end`` that begins in the first column: prose does, a body does not."""
    for i in range(end - 1, start, -1):
        if lines[i][:1].strip():
            return i
    return start


def _continuation(question: str, piece: str, entry_point: str) -> str | None:
    """``question`` followed by ``piece``, cut where it stops being Python."""
    body = textwrap.indent(textwrap.dedent(piece.strip("\n")), "    ")
    for written in (piece, body):
        lines = written.split("\n")
        end = len(lines)
        for _ in range(_MAX_PARSES):
            if end <= 0:
                break
            whole = question.rstrip(" ") + "\n".join(lines[:end])
            if any(line.strip() for line in lines[:end]) and _defines(whole, entry_point):
                return whole
            end = _earlier_end(lines, 0, end)
    return None


def _defines(source: str, name: str) -> bool:
    tree = _parse(source)
    if tree is None:
        return False
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name == name:
                return True
        elif isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            return True
    return False


def _parse(source: str) -> ast.Module | None:
    try:
        tree = ast.parse(source)
        compile(tree, "<text>", "exec")  # a `return` outside a function passes the parser
        return tree
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
