r"""Extracts a program from a model's text: a completion, fenced code, or a chat answer.

A thought (up to ``</think>``) is not read. In the rest, the first of these that defines the
function asked for is taken: the last fenced block, with the definitions that it needs from other
blocks; the text itself; the longest run of its lines that is Python; the text (or a block) as the
continuation of a prompt that is code, indented if necessary, and cut where it stops being Python.
If the text marks its program with ``[BEGIN]`` and ``[DONE]``, as MBPP's prompts do, the first
marked piece with such a program counts. Nothing is run here.
"""

import ast
import builtins
import re
import symtable
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_OPENING = re.compile(r"^([ \t>]*(?:(?:[-*+]|[0-9]{1,3}[.)])[ \t]+)?)(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_START = re.compile(r"(?:def|class|import|from|async def|@)\b|@", re.A)
_THOUGHT = re.compile(r"^[ \t]*<think>", re.M)
_LINE_MARKS = re.compile(r"^[ \t]*\[(BEGIN|DONE)\][ \t]*$", re.M)
_MARKS = re.compile(r"\[(BEGIN|DONE)\]")
_NAME = re.compile(r"(?<!\[)\b(?:BEGIN|DONE)\b|\b(?:BEGIN|DONE)\b(?!\])")
_MAX_PARSES = 200
_MAX_LENGTH = 100_000
_MAX_BLOCKS = 200
_MAX_ENDS = 6
_PYTHON = {"", "python", "python3", "py", "python2", "pycon"}

USUAL_IMPORTS = (
    "import bisect, collections, copy, datetime, functools, hashlib, heapq, itertools, math, "
    "operator, random, re, statistics, string, sys\n"
    "from collections import Counter, OrderedDict, defaultdict, deque\n"
    "from functools import cmp_to_key, lru_cache, reduce\n"
    "from itertools import accumulate, combinations, permutations, product\n"
    "from typing import *\n"
)
"""Models use these names without importing them, so a program gets them."""


def program(text: str, *, question: str, entry_point: str) -> str | None:
    """A whole program that defines ``entry_point``, or None when ``text`` holds none."""
    text = _said(text[:_MAX_LENGTH].replace("\x00", "").replace("\r\n", "\n"))
    for piece in _marked(text):
        found = _found(piece, question, entry_point)
        if found is not None:
            return _futures_first(found)
    return None


def prelude(question: str, entry_point: str) -> str:
    """The imports and helpers in a code prompt, without the function asked for."""
    tree = _parse(question + "\n    pass\n") or _parse(question)
    if tree is None:
        return USUAL_IMPORTS
    kept = [
        ast.unparse(node)
        for node in tree.body
        if getattr(node, "name", None) != entry_point and not isinstance(node, ast.Expr)
    ]
    return _futures_first("\n".join([USUAL_IMPORTS, *kept]) + "\n")


def whole_tests(tests: object, *, imports: object = None, setup: object = None) -> str:
    """Tests as one source: imports, set-up code, then the tests; each a text or a list of texts.

    Raises ValueError for anything else.
    """
    parts: list[str] = []
    for part in (imports, setup, tests):
        lines = [part] if isinstance(part, str) else [] if part is None else part
        if not isinstance(lines, list | tuple) or not all(isinstance(one, str) for one in lines):
            raise ValueError("tests are a text or a list of texts")
        parts += lines
    return "\n".join(part for part in parts if part.strip()) + "\n"


def asks_for_function(entry_point: str, *sources: str) -> bool:
    """Whether one of ``sources`` (a prompt, a reference) defines a function of this name."""
    bodies = [tree.body for source in sources if (tree := _parse(source)) is not None]
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == entry_point
        for body in bodies
        for node in body
    )


def _said(text: str) -> str:
    """``text`` without a thought; ``""`` when the thought does not end."""
    _, ended, said = text.rpartition("</think>")
    return "" if not ended and _THOUGHT.search(text) else said


def _marked(text: str) -> list[str]:
    """The pieces after each ``[BEGIN]``, or before a first ``[DONE]``; without marks, the text."""
    # A program that has a name DONE may write [DONE]. Then only marks on lines of their own count.
    marks = _LINE_MARKS if _NAME.search(text) else _MARKS
    first, *rest = marks.split(text)
    marked = zip(rest[::2], rest[1::2], strict=True)
    pieces = [piece.lstrip(" ") for mark, piece in marked if mark == "BEGIN"]
    return pieces if rest[:1] == ["BEGIN"] else [first, *pieces]


def _found(text: str, question: str, entry_point: str) -> str | None:
    text = text.lstrip("\ufeff")
    lead = prelude(question, entry_point)
    blocks = _blocks(text)
    for block in reversed(blocks):
        if block.defines(entry_point):
            return lead + _needed(block, blocks) + block.source
    for whole in (text, *_islands(text)):
        if defines(whole, entry_point):
            return lead + whole
    for piece in (*(block.source for block in reversed(blocks)), text):
        continued = _continuation(question, piece, entry_point)
        if continued is not None:
            return USUAL_IMPORTS + continued
    return None


@dataclass(frozen=True)
class _Block:
    """A fenced block, without the indentation of its fence. ``tree``: None if it is not Python."""

    source: str
    tree: ast.Module | None

    def defines(self, name: str) -> bool:
        return self.tree is not None and name in _defined(self.tree.body, imports=False)


def _blocks(text: str) -> list[_Block]:
    """Fenced blocks of Python, also in lists and quotations, and with fences inside strings."""
    lines = text.split("\n")
    found: list[_Block] = []
    i = 0
    while i < len(lines):
        opening = _OPENING.match(lines[i])
        if opening is None:
            i += 1
            continue
        label = re.match(r"[A-Za-z0-9_+-]*", opening[3])
        block, i = _block(lines, i + 1, opening[2], quoted=">" in opening[1])
        if label is not None and label[0].lower() in _PYTHON:
            found.append(block)
    return found[-_MAX_BLOCKS:]


def _block(lines: Sequence[str], start: int, fence: str, *, quoted: bool) -> tuple[_Block, int]:
    """(the block from line ``start`` on, the number of the line after it).

    It ends at the first closing fence. If it is not Python up to there, it ends at a later fence
    that makes it Python, because a docstring may contain a fence.
    """
    first: tuple[_Block, int] | None = None
    tried = 0
    for end in range(start, len(lines) + 1):
        last, then = _closed(lines[end], fence) if end < len(lines) else ("", 0)
        if then is None:
            continue
        block = _read([*lines[start:end], last], quoted=quoted)
        if block.tree is not None:
            return block, end + then
        first = first or (block, end + then)
        tried += 1
        if tried == _MAX_ENDS:
            break
    assert first is not None  # the last line ends every block
    return first


def _closed(line: str, fence: str) -> tuple[str, int | None]:
    """(the part of ``line`` that belongs to the block, lines to go on by; None: it ends no block).

    A line that opens the next block also ends one that was never closed.
    """
    if fence not in line:
        return "", None
    last, _, after = line.partition(fence)
    if not after.strip("`~ \t>"):
        return last.rstrip(" \t>"), 1
    return "", 0 if _OPENING.match(line) else None


def _read(lines: Sequence[str], *, quoted: bool) -> _Block:
    if quoted:
        lines = [re.sub(r"^[ \t]*>[ ]?", "", line) for line in lines]
    written = "\n".join(lines).lstrip("\ufeff").rstrip()
    for source in (written, textwrap.dedent(written)):
        tree = _parse(source)
        if tree is not None:
            return _Block(source, tree)
    return _Block(written, None)


def _needed(block: _Block, blocks: Sequence[_Block]) -> str:
    """Definitions and imports of other blocks that ``block`` uses and does not have."""
    others = [b.tree for b in blocks if b is not block and b.tree is not None]
    statements = [node for tree in others for node in tree.body if _defined([node])]
    kept: list[ast.stmt] = []
    missing = _missing(block.source) if statements else set()
    while wanted := [n for n in statements if n not in kept and _defined([n]) & missing]:
        kept += wanted
        missing |= _missing("\n".join(ast.unparse(node) for node in wanted))
    return "".join(f"{ast.unparse(node)}\n" for node in statements if node in kept)


def _missing(source: str) -> set[str]:
    """Global names that a program reads and does not define."""
    missing: set[str] = set()
    top = symtable.symtable(source, "<text>", "exec")
    tables = [top]
    for table in tables:
        tables += table.get_children()
        missing |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (table is top or symbol.is_global())
        }
    own = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned()}
    imported = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_imported()}
    return missing - own - imported - set(dir(builtins))


def _defined(body: Sequence[ast.stmt], *, imports: bool = True) -> set[str]:
    """Names that the top level of a program defines."""
    names: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom) and imports:
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign):
            stored = (n for target in node.targets for n in ast.walk(target))
            names |= {
                n.id for n in stored if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
    return names


def _islands(text: str) -> Iterator[str]:
    """Runs of lines among prose that start like Python and can be parsed."""
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
    """The last line before ``end`` that is not indented: prose is not, a function's body is."""
    for i in range(end - 1, start, -1):
        if lines[i][:1].strip():
            return i
    return start


def _continuation(question: str, piece: str, entry_point: str) -> str | None:
    """``question`` followed by ``piece``, cut where it stops being Python."""
    piece = piece.strip("\n")
    body = textwrap.indent(textwrap.dedent(piece), "    ")
    stripped = "    " + piece.lstrip()  # the first line alone has lost its indentation
    for written in (piece, body, stripped):
        lines = written.split("\n")
        end = len(lines)
        for _ in range(_MAX_PARSES):
            if end <= 0:
                break
            whole = question.rstrip(" ") + "\n".join(lines[:end])
            if any(line.strip() for line in lines[:end]) and defines(whole, entry_point):
                return whole
            end = _earlier_end(lines, 0, end)
    return None


def _futures_first(source: str) -> str:
    """Move ``from __future__`` statements to the top: Python accepts them nowhere else."""
    if "__future__" not in source:
        return source
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    lines = [line.encode() for line in source.split("\n")]
    moved: list[str] = []
    for node in body:
        if not isinstance(node, ast.ImportFrom) or node.module != "__future__":
            continue
        moved.append(ast.unparse(node))
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        lines[first : last + 1] = [before + b"pass" + after, *[b""] * (last - first)]
    return "".join(f"{line}\n" for line in dict.fromkeys(moved)) + b"\n".join(lines).decode()


def defines(source: str, name: str) -> bool:
    """Whether ``source`` is a program that defines ``name`` at its top level."""
    tree = _parse(source)
    return tree is not None and name in _defined(tree.body, imports=False)


def _parse(source: str) -> ast.Module | None:
    try:
        tree = ast.parse(source)
        compile(tree, "<text>", "exec")  # a `return` outside a function passes the parser
        return tree
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
