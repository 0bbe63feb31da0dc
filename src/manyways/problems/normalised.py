"""Reading the normalised form of a problem set: one JSON record a line, plain or gzipped."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manyways.errors import DataError


def find(folder: Path, stem: str) -> Path | None:
    """``<stem>.jsonl`` or ``<stem>.jsonl.gz`` in ``folder``, whichever exists."""
    for path in (folder / f"{stem}.jsonl", folder / f"{stem}.jsonl.gz"):
        if path.is_file():
            return path
    return None


def read_records(folder: Path, stem: str) -> Iterator[dict[str, Any]]:
    """The records of ``<stem>.jsonl`` or ``<stem>.jsonl.gz`` in ``folder``.

    Raises DataError when neither exists or a line is not a JSON object.
    """
    path = find(folder, stem)
    if path is None:
        raise DataError(
            f"no {stem}.jsonl or {stem}.jsonl.gz in '{folder}': set data_dir (or MANYWAYS_DATA) to "
            "the folder with the normalised problem sets, or leave it out to load from the Hub."
        )
    yield from read_lines(path)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSON lines file, gzipped when its name ends in ``.gz``.

    Raises DataError, naming the line, when one is not a JSON object.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as stream:
        try:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield _record(line, f"{path}:{number}")
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read: {error}.") from error


def _record(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg}).") from error
    if not isinstance(record, dict):
        raise DataError(f"{where}: a JSON object is wanted, this is a {type(record).__name__}.")
    return record
