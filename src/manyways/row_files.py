"""Rows of the user's files: JSON lines, JSON, CSV, TSV, parquet, or a saved dataset.

Users' files are opened here and nowhere else. An error names the file, the line and the fix. Text
files are UTF-8 with or without a byte order mark, and may be gzipped. JSON lines may come from a
pipe, and a file named ``-`` is standard input.
"""

import csv
import gzip
import io
import json
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from manyways.errors import DataError

KINDS = ("jsonl", "ndjson", "json", "csv", "tsv", "parquet")
"""Endings of file names with a meaning; a file with another ending is read as JSON lines."""
LONGEST_FIELD = 10_000_000
"""Characters of one field of a CSV file; Python's own limit is 131,072."""
_MARK = b"\xef\xbb\xbf"
_SEPARATORS = (",", ";", "\t", "|")


class Row(NamedTuple):
    """One row. ``unit`` and ``number`` (from 1) say where it is in the file: ``line 3``."""

    number: int
    value: Any
    unit: str = "line"

    @property
    def where(self) -> str:
        """Its position in words, for an error message."""
        return f"{self.unit} {self.number}"


def kind_of(path: Path) -> str:
    """The ending of the name without ``.gz`` (``jsonl``, ``csv``); ``dataset`` for a folder."""
    try:
        folder = str(path) != "-" and path.is_dir()
    except OSError:  # a name that is too long: told when it is opened
        folder = False
    return "dataset" if folder else path.name.removesuffix(".gz").rpartition(".")[2].lower()


def read_objects(
    path: Path, *, split: str | None = None
) -> Iterator[tuple[Row, Mapping[str, Any]]]:
    """The rows of a file with their values, which are objects with named fields.

    split: which split to read of a folder that ``DatasetDict.save_to_disk`` wrote.

    Raises DataError as ``read_rows`` does, and for a row that is not an object.
    """
    for row in read_rows(path, split=split):
        if not isinstance(row.value, Mapping):
            kind = type(row.value).__name__
            raise DataError(f"{path}, {row.where}: a JSON object is wanted, this is a {kind}.")
        yield row, row.value


def read_rows(
    path: Path, stream: BinaryIO | None = None, *, strict: bool = True, split: str | None = None
) -> Iterator[Row]:
    """Yield the rows of a file in order.

    stream: the open file, if the caller has opened ``path`` already (for a progress bar).
    strict: refuse bytes that are not UTF-8. If False, such a byte of JSON lines becomes a lone
        surrogate, so that different bytes stay different.
    split: which split to read of a folder that ``DatasetDict.save_to_disk`` wrote.

    Raises DataError with the line for a row that cannot be read, and for a file that is cut off or
    cannot be opened.
    """
    kind = kind_of(path)
    if kind == "dataset":
        yield from _saved(path, split)
        return
    with stream or open_binary(regular(path)) as opened:
        if kind == "parquet":
            yield from _parquet(path, opened)
            return
        text = gzip.GzipFile(fileobj=opened) if path.suffix == ".gz" else opened
        lines = _lines(cast(Iterable[bytes], text), path)
        if kind in ("csv", "tsv"):
            yield from _table(path, lines, kind)
        elif kind == "json":
            yield from _json(path, lines)
        else:
            yield from _json_lines(path, lines, strict=strict)


def regular(path: Path) -> Path:
    """The file or pipe at ``path``. Raises DataError for a folder and if nothing is there."""
    if str(path) == "-":
        path = Path("/dev/stdin")
    try:
        there, folder = path.exists(), path.is_dir()
    except OSError as error:  # for example a name that is too long
        raise DataError(f"cannot read '{path}': {error.strerror}.") from error
    if folder:
        raise DataError(f"'{path}' is a folder: name a file in it.")
    if not there:
        raise DataError(f"there is no file or folder '{path}'.")
    return path


def open_binary(path: Path) -> BinaryIO:
    """Open for reading. Raises DataError when that is not permitted."""
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"cannot read '{path}': {error.strerror}.") from error


def value_at(row: Mapping[str, Any], column: str) -> Any:  # noqa: ANN401 - as the file has it
    """The value in a column, or at a dotted path into nested values (``prompt.0.content``).

    Raises KeyError, which lists the columns, when there is no such column.
    """
    if column in row:
        return row[column]
    value: Any = row
    for part in column.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list | tuple) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise KeyError(f"no column '{column}'; it has {', '.join(map(str, row))}")
    return value


def is_missing(value: object) -> bool:
    """Whether a value is missing: null, or NaN, which is how data frames write null."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def parse(raw: bytes, *, strict: bool = True) -> object:
    """The value of one line of JSON. Raises ValueError with a sentence that says what is wrong."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError("UTF-16: save the file as UTF-8")
    try:
        text = raw.removeprefix(_MARK).decode("utf-8", "strict" if strict else "surrogateescape")
        return _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1}): save the file as UTF-8") from None
    except _Twice as error:
        raise ValueError(f"the key '{error}' stands twice in one object: keep one") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} (character {error.pos + 1})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:  # Python refuses integers of more than 4,300 digits
        raise ValueError(f"a number is too long: {str(error).partition(':')[0]}") from None


class _Twice(ValueError):
    """The message is a key that stands twice in one object."""


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):  # json itself would silently keep the last value
        raise _Twice(Counter(key for key, _ in pairs).most_common(1)[0][0][:100])
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_each_once)  # json.loads makes one for every line


def _lines(stream: Iterable[bytes], path: Path) -> Iterator[bytes]:
    try:
        yield from stream
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"'{path}' cannot be read to its end: {error}.") from error


def _json_lines(path: Path, lines: Iterable[bytes], *, strict: bool) -> Iterator[Row]:
    for number, raw in enumerate(lines, start=1):
        if raw.strip():
            try:
                yield Row(number, parse(raw, strict=strict))
            except ValueError as error:
                raise DataError(f"{path}, line {number}: {error}.") from None


def _json(path: Path, lines: Iterator[bytes]) -> Iterator[Row]:
    """A list of objects. JSON lines are read too, because some tools name them ``.json``."""
    first = next((line for line in lines if line.strip()), b"[]")
    if not first.removeprefix(_MARK).lstrip().startswith(b"["):
        yield from _json_lines(
            path, (part for rest in ([first], lines) for part in rest), strict=True
        )
        return
    try:
        items = parse(first + b"".join(lines))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}.") from error
    if not isinstance(items, list):
        raise DataError(f"{path}: a JSON list of objects is wanted.")
    yield from (Row(number, item, "item") for number, item in enumerate(items, start=1))


def _table(path: Path, lines: Iterable[bytes], kind: str) -> Iterator[Row]:
    text = _decoded(path, lines)
    header = next(text, "")
    separator = "\t" if kind == "tsv" else _separator(header)
    csv.field_size_limit(LONGEST_FIELD)
    rest = (part for some in ([header], text) for part in some)
    reader = csv.DictReader(rest, delimiter=separator, strict=True)
    names = reader.fieldnames or []
    if len(set(names)) < len(names):
        raise DataError(f"{path}: two columns have one name: {', '.join(names)}.")
    try:
        for record in reader:
            where = Row(reader.line_num, cast(dict[Any, Any], record))
            if None in where.value:
                raise DataError(
                    f"{path}, {where.where}: more fields than the header has names. Put a field "
                    "that holds a separator in double quotes."
                )
            yield where
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.reader.line_num}: {error}. Quotes come in pairs; one that "
            "belongs to the text is doubled, in a field within quotes."
        ) from error


def _decoded(path: Path, lines: Iterable[bytes]) -> Iterator[str]:
    for number, raw in enumerate(lines, start=1):
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}, line {number} is not UTF-8 (byte {error.start + 1}): save it as UTF-8."
            ) from None


def _separator(header: str) -> str:
    """The separator of the columns; a comma if there is one column."""
    return next((mark for mark in _SEPARATORS if mark in header), ",")


def _parquet(path: Path, stream: BinaryIO) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        # A file object: a path with = in it would be read as a partition.
        source = stream if stream.seekable() else io.BytesIO(stream.read())
        for batch in pq.ParquetFile(source).iter_batches():
            for record in batch.to_pylist():
                number += 1
                yield Row(number, record, "row")
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"cannot read '{path}' as parquet: {error}") from error


def _saved(path: Path, split: str | None) -> Iterator[Row]:
    from datasets import DatasetDict, load_from_disk

    try:
        dataset = load_from_disk(str(path))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a folder of Dataset.save_to_disk ({error}).") from error
    if isinstance(dataset, DatasetDict):
        if split not in dataset:
            raise DataError(f"{path}: name one of its splits with split={' or '.join(dataset)}.")
        dataset = dataset[split]
    yield from (Row(number, dict(row), "row") for number, row in enumerate(dataset, start=1))
