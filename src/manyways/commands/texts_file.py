"""Texts from anywhere: a file of rows (JSON lines, CSV, parquet), or a folder of parquet parts.

A line is ``{"text": "..."}`` or ``{"problem": "p1", "text": "..."}``, with ``"correct": true``
where it is known. Attempts that ``manyways generate`` or ``evaluate`` wrote are read as they are
(``problem_id``, ``text``, ``status``). Texts that name no problem count as one problem each.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from manyways.errors import DataError
from manyways.row_files import read_rows

FORMS = 'a line is {"text": "..."} or {"problem": "p1", "text": "...", "correct": true}.'


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """Texts in order. ``problems``: a name for each; ``correct``: None where it is not known.

    named: whether the file says which text is about which problem.
    """

    texts: list[str]
    problems: list[str]
    correct: list[bool] | None
    named: bool


def read_texts(path: Path) -> Texts:
    """Read a file or folder.

    Raises DataError when there is nothing, or, naming the line, when one cannot be read.
    """
    rows = list(_rows(path))
    if not rows:
        raise DataError(f"'{path}' holds no texts: {FORMS}")
    named = [row.problem is not None for row in rows]
    if any(named) and not all(named):
        raise DataError(
            f"{path}, {rows[named.index(False)].where}: no 'problem', though other lines have one."
        )
    known = [row.correct for row in rows if row.correct is not None]
    return Texts(
        texts=[row.text for row in rows],
        problems=[str(i) if row.problem is None else row.problem for i, row in enumerate(rows)],
        correct=known if len(known) == len(rows) else None,
        named=all(named),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    where: str
    text: str
    problem: str | None
    correct: bool | None


def _rows(path: Path) -> Iterator[_Row]:
    for where, record in _records(path):
        try:
            yield _row(where, record)
        except ValueError as error:
            raise DataError(f"{path}, {where}: {error}; {FORMS}") from None


def _records(path: Path) -> Iterator[tuple[str, object]]:
    """(where it stands in words, record)."""
    if str(path) == "-" or not path.is_dir():
        yield from ((row.where, row.value) for row in read_rows(path))
        return
    parts = sorted(path.rglob("*.parquet"))
    if not parts:
        raise DataError(f"'{path}' holds no texts: there is no parquet file below it.")
    for part in parts:
        yield from ((f"{row.where} of {part.name}", row.value) for row in read_rows(part))


def _row(where: str, record: object) -> _Row:
    if not isinstance(record, Mapping):
        raise ValueError("not an object")
    text, name = record.get("text"), record.get("problem", record.get("problem_id"))
    if not isinstance(text, str):
        raise ValueError("no 'text'")
    if name is not None and (isinstance(name, bool) or not isinstance(name, str | int)):
        raise ValueError("'problem' is neither a text nor a number")
    return _Row(
        where=where,
        text=_whole(text),
        problem=None if name is None else str(name),
        correct=_correct(record),
    )


def _whole(text: str) -> str:
    """Half a character (a lone surrogate, which JSON can hold) cannot be hashed or written."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _correct(record: Mapping[str, object]) -> bool | None:
    if record.get("status") is not None:
        return record["status"] == "correct"
    stated = record.get("correct")
    if stated is None:
        return None
    if stated not in (0, 1):
        raise ValueError(f"'correct' is {stated!r}, not true or false")
    return bool(stated)
