"""A folder of attempts: the cells asked for, what it holds, and the journal that survives a kill.

Parts hold attempts in the order of their cells, attempts end in any order. A line of the journal is
one attempt without its verdict, which follows from the text. Once a part holds an attempt its line
is dead; dead lines are dropped when they are the greater part of the file, and the file with the
last live one.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

from manyways.context import Context
from manyways.engines import Completion, SampleRequest, SamplingSettings
from manyways.fingerprint import attempt_seed, prompt_hash
from manyways.records import Attempt, Message, Problem, Verdict
from manyways.tables import (
    BESIDE,
    append_attempts,
    beside,
    read_attempts_table,
    replace_synced,
    write_text,
)
from manyways.verifiers.verdicts import check_health

Key = tuple[str, str, int]
"""(problem id, heuristic, sample)."""

ENGINE_FILE = "engine.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What a folder holds: the keys of its attempts, and how many have each verdict status.

    Read once by the folder's only writer, who adds to it what it writes.
    """

    keys: set[Key]
    statuses: Counter[str]


def held(folder: Path) -> Held:
    """The attempts that are there."""
    table = read_attempts_table(folder, ["problem_id", "heuristic", "sample", "status"])
    *key, status = (column.to_pylist() for column in table.columns)
    return Held(keys=set(zip(*key, strict=True)), statuses=Counter(status))


def engine_facts(folder: Path) -> list[Mapping[str, str | int]]:
    """What the engines said about themselves, one entry for each time that attempts were added."""
    path = beside(folder, ENGINE_FILE)
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []


def write_engine_facts(folder: Path, facts: Sequence[Mapping[str, str | int]]) -> None:
    """Replace them."""
    write_text(beside(folder, ENGINE_FILE), json.dumps(facts, indent=1))


def counts(folder: Path, wanted: Mapping[tuple[str, str], int]) -> dict[str, float]:
    """Attempts by status, truncated ones and tokens, among the wanted keys.

    A folder may hold more than is wanted now, from an earlier, larger request.

    wanted: (problem id, heuristic) -> number of samples.
    """
    columns = ["problem_id", "heuristic", "sample", "status", "finish", "tokens"]
    table = read_attempts_table(folder, columns)
    status: Counter[str] = Counter()
    truncated = tokens = 0
    for problem, heuristic, sample, verdict, finish, length in zip(
        *(column.to_pylist() for column in table.columns), strict=True
    ):
        if sample < wanted.get((problem, heuristic), 0):
            status[verdict] += 1
            truncated += finish == "length"
            tokens += length
    return {
        "attempts": status.total(),
        **{kind: status[kind] for kind in ("correct", "wrong", "no_answer", "undecided")},
        "truncated": truncated,
        "tokens": tokens,
    }


def check_undecided(folder: Path, *, limit: float) -> None:
    """Stop when the verdicts in ``folder`` cannot be trusted.

    Raises VerifierUnwell, with the reasons, when more than the share ``limit`` is undecided.
    """
    status = read_attempts_table(folder, ["status"])["status"].to_pylist()
    if status.count("undecided") > limit * len(status):
        table = read_attempts_table(folder, ["status", "reason"])
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        check_health(
            [Verdict(status=status, reason=reason) for status, reason in rows], limit=limit
        )


def changed_prompts(
    folder: Path, now: Mapping[tuple[str, str], str], waiting: Iterable[tuple[Key, str]] = ()
) -> bool:
    """Whether an attempt was sampled from another prompt than ``now`` has for it.

    now:     (problem id, heuristic) -> prompt hash.
    waiting: attempts that are in no part yet, and the hash of their prompt.
    """
    table = read_attempts_table(folder, ["problem_id", "heuristic", "prompt_hash"])
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    more = ((problem, heuristic, old) for (problem, heuristic, _), old in waiting)
    return any(
        now.get((problem, heuristic), old) != old for problem, heuristic, old in chain(rows, more)
    )


def remove_leftovers(folder: Path) -> None:
    """Delete what a kill left half-written; call as the folder's only writer."""
    for name in BESIDE:
        for dots in (".", ".."):
            for left in folder.parent.glob(f"{dots}{folder.name}.{name}.*.tmp"):
                left.unlink()
    for left in folder.glob(".*.tmp"):
        left.unlink()


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """The attempts wanted at one problem under one heuristic (``records.PLAIN`` for none).

    Example: ``Cell(problem=p, heuristic="induction", messages=prompts.under(...), samples=4)``.
    """

    problem: Problem
    heuristic: str
    messages: tuple[Message, ...]
    samples: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How and where cells are sampled.

    run_seed:  with the cell and the sample number it gives each attempt's seed.
    label:     what the progress display calls this.
    part_size: attempts per parquet part, at most (a cell is split only when it is larger).
    """

    settings: SamplingSettings
    folder: Path
    run_seed: int
    model_hash: str
    label: str
    part_size: int

    def seed(self, key: Key) -> int:
        """The seed of one attempt."""
        return attempt_seed(self.run_seed, *key)


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Samples of one cell: ``samples`` are their numbers."""

    cell: Cell
    samples: tuple[int, ...]

    @property
    def keys(self) -> list[Key]:
        """What identifies each of them, in order."""
        return [(self.cell.problem.id, self.cell.heuristic, sample) for sample in self.samples]


def cut(missing: Sequence[Piece], size: int) -> Iterator[list[Piece]]:
    """Parts of at most ``size`` attempts; cells stay whole unless they are larger than that."""
    part: list[Piece] = []
    count = 0
    for whole in missing:
        for start in range(0, len(whole.samples), size):
            piece = replace(whole, samples=whole.samples[start : start + size])
            if part and count + len(piece.samples) > size:
                yield part
                part, count = [], 0
            part.append(piece)
            count += len(piece.samples)
    if part:
        yield part


FILE = "ended.jsonl"
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
        """As JSON, in one line."""
        row = {"key": self.key, **asdict(self.origin), **asdict(self.completion)}
        return json.dumps(row).encode("ascii") + b"\n"


def read_journal(folder: Path) -> Iterator[Line]:
    """The attempts in a folder's journal, up to a line that a kill or a full disk left torn."""
    for line, _ in _whole(beside(folder, FILE)):
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
        self._path, self._clock = beside(folder, FILE), clock
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
            # After a full disk another write would fail too, and hide the first error.
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
        # Sampled anew, it replaces the line that an earlier run left.
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
            temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}.tmp")
            try:
                temporary.write_bytes(kept)
                replace_synced(temporary, self._path)
            finally:
                temporary.unlink(missing_ok=True)
        else:
            self._path.unlink(missing_ok=True)
        self._size, self._dead = len(kept), 0


ENOUGH = 200
"""Attempts before the undecided share is looked at while sampling goes on."""


class Saver:
    """Takes attempts as they end and writes each part as soon as it and those before it are whole.

    Until then the journal holds them. What the journal of a stopped run holds is taken over.
    """

    def __init__(
        self,
        ctx: Context,
        parts: Sequence[Sequence[Piece]],
        *,
        sampling: Sampling,
        journal: Journal,
        have: Held,
    ) -> None:
        """``have``: what the folder holds; parts that are written are added."""
        self._ctx, self._sampling, self._journal = ctx, sampling, journal
        self._have = have
        self._parts = list(parts)
        self._lines: dict[Key, Line] = {}
        self._next = 0
        self._part_of: dict[Key, int] = {}
        for number, part in enumerate(self._parts):
            for piece in part:
                for key in piece.keys:
                    line = journal.find(key)
                    if line and line.origin == self._origin(piece.cell, key):
                        self._lines[key] = line
                    else:
                        self._part_of[key] = number
        self._open = Counter(self._part_of.values())
        self.taken_over = len(self._lines)

    def wanted(self) -> list[list[Piece]]:
        """What has to be sampled for each part; a part that is whole wants nothing."""
        return [[left for piece in part if (left := self._left(piece)).samples]
                for part in self._parts]  # fmt: skip

    def request(self, piece: Piece) -> SampleRequest:
        """The wish for the samples of ``piece``."""
        seeds = tuple(self._sampling.seed(key) for key in piece.keys)
        return SampleRequest(messages=piece.cell.messages, seeds=seeds)

    def add(self, piece: Piece, place: int, completion: Completion) -> None:
        """Take the attempt at ``piece.samples[place]``."""
        key = piece.keys[place]
        line = Line(key=key, origin=self._origin(piece.cell, key), completion=completion)
        self._lines[key] = line
        self._open[self._part_of.pop(key)] -= 1
        self._journal.add(line)

    def write(self) -> bool:
        """Write the parts that are whole now, and the rest to the journal; whether there were any.

        Raises VerifierUnwell once more than ``verify.max_undecided`` of many are undecided.
        """
        first = self._next
        # In order, also when a later part is whole first: a resumed run writes the same files.
        while self._next < len(self._parts) and not self._open[self._next]:
            self._write(self._parts[self._next])
            self._next += 1
        self._journal.save()
        return self._next > first

    def _left(self, piece: Piece) -> Piece:
        wanted = zip(piece.samples, piece.keys, strict=True)
        return replace(piece, samples=tuple(s for s, key in wanted if key in self._part_of))

    def _write(self, part: Sequence[Piece]) -> None:
        attempts = self._judged(part)
        append_attempts(self._sampling.folder, attempts)
        keys = [key for piece in part for key in piece.keys]
        self._journal.fold(keys)
        for key in keys:
            del self._lines[key]
        self._have.keys.update(keys)
        self._have.statuses.update(attempt.verdict.status for attempt in attempts)
        limit, seen = self._ctx.recipe.verify.max_undecided, self._have.statuses
        if seen.total() >= ENOUGH and seen["undecided"] > limit * seen.total():
            check_undecided(self._sampling.folder, limit=limit)

    def _judged(self, part: Sequence[Piece]) -> list[Attempt]:
        """Attempts in the order of ``part``, judged in one go."""
        rows = [(piece.cell, self._lines[key]) for piece in part for key in piece.keys]
        texts = [(cell.problem, line.completion.text) for cell, line in rows]
        return [
            Attempt(
                problem_id=cell.problem.id,
                heuristic=cell.heuristic,
                sample=line.key[2],
                text=line.completion.text,
                finish=line.completion.finish,
                prompt_tokens=line.completion.prompt_tokens,
                tokens=line.completion.tokens,
                verdict=verdict,
                **asdict(line.origin),
            )
            for (cell, line), verdict in zip(rows, self._ctx.verifiers.verdicts(texts), strict=True)
        ]

    def _origin(self, cell: Cell, key: Key) -> Origin:
        return Origin(
            seed=self._sampling.seed(key),
            prompt_hash=prompt_hash(cell.messages),
            model_hash=self._sampling.model_hash,
        )
