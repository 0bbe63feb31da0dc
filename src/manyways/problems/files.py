"""The rows of a user's file, whatever wrote it: JSON lines, JSON, CSV, TSV, parquet, a dataset."""

import csv
import gzip
import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyways.errors import DataError
from manyways.json_lines import parse
from manyways.problems.normalised import read_lines

Row = Mapping[str, Any]

LONGEST_FIELD = 10_000_000
"""Characters of one field of a CSV file; Python's own limit is 131,072."""


def read_rows(path: Path, split: str | None) -> list[Row]:
    """Every row of the file or dataset folder at ``path``, in its order.

    split: of a folder that ``DatasetDict.save_to_disk`` wrote.

    Raises DataError for a file of another kind, and for one that cannot be read to its end.
    """
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if path.is_dir():
        return _saved(path, split)
    if kind == "jsonl":
        return list(read_lines(path))
    if kind == "json":
        return _json_list(path)
    if kind in ("csv", "tsv"):
        return _table(path, "\t" if kind == "tsv" else ",")
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    raise DataError(
        f"{path}: .jsonl, .json, .csv or .tsv (.gz may follow), .parquet or a dataset folder."
    )


def _bytes(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"'{path}' cannot be read to its end: {error}.") from error


def _json_list(path: Path) -> list[Row]:
    try:
        rows = parse(_bytes(path))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}. JSON lines are named .jsonl.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: a JSON list of objects is wanted.")
    return rows


def _table(path: Path, delimiter: str) -> list[Row]:
    try:
        text = _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 (byte {error.start + 1}): save it as UTF-8."
        ) from None
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names = reader.fieldnames or []
    if len(set(names)) < len(names):
        raise DataError(f"{path}: two columns have one name: {', '.join(names)}.")
    try:
        rows: list[Row] = list(reader)
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.reader.line_num}: {error}. Quotes come in pairs; one that "
            "belongs to the text is doubled, in a field within quotes."
        ) from error
    for number, row in enumerate(rows):
        if None in row:
            raise DataError(
                f"{path}, row {number}: more fields than the header has names. Put a field that "
                "holds a separator in double quotes."
            )
    return rows


def _parquet(path: Path) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # A file object: a path with = in it would be read as a partition.
        with path.open("rb") as stream:
            return list(pq.read_table(stream).to_pylist())
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"cannot read '{path}' as parquet: {error}") from error


def _saved(path: Path, split: str | None) -> list[Row]:
    from datasets import DatasetDict, load_from_disk

    try:
        dataset = load_from_disk(str(path))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a folder of Dataset.save_to_disk ({error}).") from error
    if isinstance(dataset, DatasetDict):
        if split not in dataset:
            raise DataError(f"{path}: name one of its splits with split={' or '.join(dataset)}.")
        dataset = dataset[split]
    return [dict(row) for row in dataset]
