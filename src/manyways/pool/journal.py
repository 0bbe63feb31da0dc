"""Attempts that ended and are in no part yet: appended to a file, so that a kill loses none.

Parts hold attempts in the order of their cells, attempts end in any order. A line of the journal is
one attempt without its verdict, which follows from the text. Once a part holds an attempt its line
is dead; dead lines are dropped when they are the greater part of the file, and the file with the
last live one.
"""

import json
import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from manyways.engines import Completion
from manyways.pool.attempt_files import Key
from manyways.tables import replace_synced

FILE = ".ended.jsonl"
SYNC_SECONDS = 10.0
"""Between waits for the disk itself: a kill alone loses nothing that was written."""
SMALL = 1 << 20
"""Bytes of dead lines that are not worth writing the file anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What an attempt was sampled from, besides the settings of its stage."""

    seed: int
    prompt_hash: str
    model_hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One attempt that ended."""

    key: Key
    origin: Origin
    completion: Completion

    def text(self) -> bytes:
        """As JSON, in one line. Log-probabilities are left out: no stage asks for them."""
        row = {"key": self.key, **asdict(self.origin), **asdict(self.completion)}
        del row["logprobs"]
        return json.dumps(row).encode("ascii") + b"\n"


def read(folder: Path) -> Iterator[Line]:
    """The attempts in a folder's journal, up to a line that a kill or a full disk left torn."""
    for line, _ in _whole(folder / FILE):
        yield line


def _whole(path: Path) -> Iterator[tuple[Line, int]]:
    """Whole lines, and where each ends in the file."""
    if not path.is_file():
        return
    end = 0
    with path.open("rb") as stream:
        for text in stream:
            end += len(text)
            line = _parsed(text)
            if line is None:
                return
            yield line, end


def _parsed(text: bytes) -> Line | None:
    if not text.endswith(b"\n"):
        return None
    try:
        row = json.loads(text)
        problem, heuristic, sample = row.pop("key")
        origin = Origin(**{name: row.pop(name) for name in ("seed", "prompt_hash", "model_hash")})
        return Line(key=(problem, heuristic, sample), origin=origin, completion=Completion(**row))
    except (ValueError, TypeError, KeyError):
        return None


class Journal:
    """The journal of one folder, for its only writer. Use as a context manager.

    Example: ``with Journal(folder, have=keys) as journal: journal.add(line); journal.save()``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        have: Collection[Key],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``have``: attempts that parts hold already."""
        self._path, self._clock = folder / FILE, clock
        self._live: dict[Key, bytes] = {}
        self._there: dict[Key, Line] = {}
        self._size = self._dead = 0
        for line, end in _whole(self._path):
            self._dead += end - self._size
            self._size = end
            if line.key not in have:
                self._there[line.key] = line
                self._live[line.key] = line.text()
        self._dead -= sum(map(len, self._live.values()))
        self._waiting: dict[Key, bytes] = {}
        self._synced = clock()
        self._file: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is waiting and close; a journal without live lines is deleted."""
        try:
            if not isinstance(error, OSError):
                self.save()
        finally:
            if self._file is not None:
                os.close(self._file)
                self._file = None
        if not self._live:
            self._path.unlink(missing_ok=True)

    def find(self, key: Key) -> Line | None:
        """What an earlier, stopped run left of an attempt."""
        return self._there.get(key)

    def add(self, line: Line) -> None:
        """Note an attempt; ``save`` writes it."""
        self.fold([line.key])
        self._live[line.key] = self._waiting[line.key] = line.text()

    def save(self) -> None:
        """Write what was added since the last time and is in no part.

        Raises OSError when the disk is full; the next journal leaves a torn line out.
        """
        if self._waiting:
            text = b"".join(self._waiting.values())
            self._waiting = {}
            self._write(text)
            self._size += len(text)
        now = self._clock()
        if self._file is not None and now >= self._synced + SYNC_SECONDS:
            self._synced = now
            os.fsync(self._file)

    def fold(self, keys: Collection[Key]) -> None:
        """Forget attempts that a part holds now; those not written yet never are."""
        for key in keys:
            text = self._live.pop(key, b"")
            if self._waiting.pop(key, None) is None:
                self._dead += len(text)
        nothing = self._size and len(self._live) == len(self._waiting)
        if nothing or self._dead > max(SMALL, self._size // 2):
            self._rewrite()

    def _write(self, text: bytes) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o666)
            # What a kill left torn would make the next line unreadable.
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
        view = memoryview(text)
        while view:
            view = view[os.write(self._file, view) :]

    def _rewrite(self) -> None:
        """Only live lines that were written before; in one go, so that a kill loses neither."""
        written = (text for key, text in self._live.items() if key not in self._waiting)
        kept = b"".join(written)
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if kept:
            temporary = self._path.with_name(f"{FILE}.{os.getpid()}.tmp")
            try:
                temporary.write_bytes(kept)
                replace_synced(temporary, self._path)
            finally:
                temporary.unlink(missing_ok=True)
        else:
            self._path.unlink(missing_ok=True)
        self._size, self._dead = len(kept), 0
