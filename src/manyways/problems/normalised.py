"""Reading the normalised form of a problem set: one JSON record a line, plain or gzipped."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manyways.errors import DataError
from manyways.row_files import read_objects


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
    yield from (dict(record) for _, record in read_objects(path))
