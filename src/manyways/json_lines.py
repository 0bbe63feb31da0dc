"""JSON lines that anyone wrote: plain, gzipped or from a pipe, and what may be wrong with a line.

A byte order mark is passed over. A file named ``-`` is standard input.
"""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from manyways.errors import DataError

_MARK = b"\xef\xbb\xbf"


def read_json_lines(
    path: Path, stream: BinaryIO | None = None, *, strict: bool = True
) -> Iterator[tuple[int, object]]:
    """(number from 1, value) of every line that is not blank.

    stream: what to read, where the caller has opened ``path`` already (for a progress bar).
    strict: refuse bytes that are not UTF-8; else each of them stays what it is, told from others,
        as a lone surrogate.

    Raises DataError, naming the line, for what is not JSON in UTF-8, and for a file that is cut
    off or cannot be opened.
    """
    where = regular(path)
    with stream or open_binary(where) as opened:
        unpacked = gzip.GzipFile(fileobj=opened) if path.suffix == ".gz" else opened
        for number, raw in enumerate(_lines(cast(Iterable[bytes], unpacked), path), start=1):
            if raw.strip():
                try:
                    yield number, parse(raw, strict=strict)
                except ValueError as error:
                    raise DataError(f"{path}, line {number}: {error}.") from None


def regular(path: Path) -> Path:
    """Where to read ``path``; a pipe will do. Raises DataError for a folder and for nothing."""
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
    """Open for reading. Raises DataError where that is not allowed."""
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"cannot read '{path}': {error.strerror}.") from error


def parse(raw: bytes, *, strict: bool = True) -> object:
    """The value of one line. Raises ValueError that says in words what is wrong with it."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError("UTF-16: save the file as UTF-8")
    try:
        text = raw.removeprefix(_MARK).decode("utf-8", "strict" if strict else "surrogateescape")
        return json.loads(text, object_pairs_hook=_each_once)
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
    """A key."""


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):  # json keeps the last without a word
        raise _Twice(Counter(key for key, _ in pairs).most_common(1)[0][0][:100])
    return found


def _lines(stream: Iterable[bytes], path: Path) -> Iterator[bytes]:
    try:
        yield from stream
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"'{path}' cannot be read to its end: {error}.") from error
