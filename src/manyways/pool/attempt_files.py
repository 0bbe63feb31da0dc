"""A folder of attempts: the cells asked for, the files, and a journal that survives a kill.

A file holds attempts in the order of their cells, but attempts end in any order. Until a file is
whole, its attempts are entries of the journal, without verdicts, which follow from the texts. When
a file holds an attempt, its entry is dead. The journal is written again without dead entries when
they are more than half of it, and deleted when no live entry is left.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
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
    replacing,
    write_text,
)
from manyways.verifiers.verdicts import check_health

Key = tuple[str, str, int]
"""(problem id, heuristic, sample)."""

ENGINE_FILE = "engine.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What a folder holds: the keys of its attempts, and the number of attempts by status.

    The folder's only writer reads it once and adds what it writes.
    """

    keys: set[Key]
    statuses: Counter[str]


def held(folder: Path) -> Held:
    """Read what a folder holds."""
    table = read_attempts_table(folder, ["problem_id", "heuristic", "sample", "status"])
    *key, status = (column.to_pylist() for column in table.columns)
    return Held(keys=set(zip(*key, strict=True)), statuses=Counter(status))


def engine_facts(folder: Path) -> list[Mapping[str, str | int]]:
    """The facts of the engines that wrote attempts here, one entry for each time."""
    path = beside(folder, ENGINE_FILE)
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []


def write_engine_facts(folder: Path, facts: Sequence[Mapping[str, str | int]]) -> None:
    """Write the facts of all engines that wrote attempts here."""
    write_text(beside(folder, ENGINE_FILE), json.dumps(facts, indent=1))


def counts(folder: Path, wanted: Mapping[tuple[str, str], int]) -> dict[str, float]:
    """Count attempts by status, truncated ones and tokens, among the wanted attempts.

    A folder may hold more attempts than wanted, from an earlier and larger request.

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
    """Raise VerifierUnwell when more than the share ``limit`` of the verdicts is undecided."""
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
    """Whether the prompt of some attempt has changed since it was sampled.

    now:     (problem id, heuristic) -> hash of the prompt now.
    waiting: attempts that are in no file yet, with the hashes of their prompts.
    """
    table = read_attempts_table(folder, ["problem_id", "heuristic", "prompt_hash"])
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    more = ((problem, heuristic, old) for (problem, heuristic, _), old in waiting)
    return any(
        now.get((problem, heuristic), old) != old for problem, heuristic, old in chain(rows, more)
    )


def remove_leftovers(folder: Path) -> None:
    """Delete files that a kill left half-written. Only the folder's writer may call this."""
    for name in BESIDE:
        for dots in (".", ".."):
            for left in folder.parent.glob(f"{dots}{folder.name}.{name}.*.tmp"):
                left.unlink()
    for left in folder.glob(".*.tmp"):
        left.unlink()


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """The attempts to sample at one problem under one heuristic (``PLAIN`` for none).

    Example: ``Cell(problem=p, heuristic="induction", messages=prompts.under(...), samples=4)``.
    """

    problem: Problem
    heuristic: str
    messages: tuple[Message, ...]
    samples: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How and where cells are sampled.

    run_seed:  part of each attempt's seed, besides the cell and the sample number.
    label:     name of this work in progress messages.
    part_size: the most attempts in a file (a cell is split only if it is larger).
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
    """Some samples of one cell. ``samples``: their numbers."""

    cell: Cell
    samples: tuple[int, ...]

    @property
    def keys(self) -> list[Key]:
        """The key of each sample, in order."""
        return [(self.cell.problem.id, self.cell.heuristic, sample) for sample in self.samples]


def cut(missing: Sequence[Piece], size: int) -> Iterator[list[Piece]]:
    """Divide pieces into files of at most ``size`` attempts. Only larger cells are split."""
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
"""Time between fsyncs. They guard against a power cut; a kill alone loses nothing."""
SMALL = 1 << 20
"""With fewer bytes of dead entries, the journal is not written again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Seed, prompt and model that an attempt was sampled with."""

    seed: int
    prompt_hash: str
    model_hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An entry of the journal: one attempt that ended."""

    key: Key
    origin: Origin
    completion: Completion

    def text(self) -> bytes:
        """As JSON, in one line."""
        row = {"key": self.key, **asdict(self.origin), **asdict(self.completion)}
        return json.dumps(row).encode("ascii") + b"\n"


def read_journal(folder: Path) -> Iterator[Entry]:
    """The entries of a folder's journal, up to a line that a kill or a full disk left torn."""
    for entry, _ in _whole(beside(folder, FILE)):
        yield entry


def _whole(path: Path) -> Iterator[tuple[Entry, int]]:
    """(entry, the position in the file where it ends) for each whole line."""
    if not path.is_file():
        return
    end = 0
    with path.open("rb") as stream:
        for text in stream:
            end += len(text)
            entry = _parsed(text)
            if entry is None:
                return
            yield entry, end


def _parsed(text: bytes) -> Entry | None:
    if not text.endswith(b"\n"):
        return None
    try:
        row = json.loads(text)
        problem, heuristic, sample = row.pop("key")
        origin = Origin(**{name: row.pop(name) for name in ("seed", "prompt_hash", "model_hash")})
        return Entry(key=(problem, heuristic, sample), origin=origin, completion=Completion(**row))
    except (ValueError, TypeError, KeyError):
        return None


class Journal:
    """The journal of one folder, for its only writer. Use as a context manager.

    Example: ``with Journal(folder, have=keys) as journal: journal.add(entry); journal.save()``.
    """

    def __init__(
        self, folder: Path, *, have: Collection[Key], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``have``: attempts that files hold already."""
        self._path, self._clock = beside(folder, FILE), clock
        self._live: dict[Key, bytes] = {}
        self._there: dict[Key, Entry] = {}
        self._size = self._dead = 0
        for entry, end in _whole(self._path):
            self._dead += end - self._size
            self._size = end
            if entry.key not in have:
                self._there[entry.key] = entry
                self._live[entry.key] = entry.text()
        self._dead -= sum(map(len, self._live.values()))
        self._waiting: dict[Key, bytes] = {}
        self._synced = clock()
        self._file: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        """Write waiting entries and close the file; a journal without live entries is deleted."""
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

    def find(self, key: Key) -> Entry | None:
        """The entry of an attempt that an earlier run left, None without one."""
        return self._there.get(key)

    def add(self, entry: Entry) -> None:
        """Add an attempt; ``save`` writes it."""
        # If it was sampled again, it replaces the entry that an earlier run left.
        self.fold([entry.key])
        self._live[entry.key] = self._waiting[entry.key] = entry.text()

    def save(self) -> None:
        """Write the entries that were added since the last call and are in no file.

        Raises OSError when the disk is full. Who opens the journal next ignores a torn line.
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
        """Drop the entries of attempts that a file holds now; unwritten ones are never written."""
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
            # Cut off a line that a kill left torn: the next line would be unreadable.
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
        view = memoryview(text)
        while view:
            view = view[os.write(self._file, view) :]

    def _rewrite(self) -> None:
        """Write the file again with live entries only, and rename it, so that a kill loses none."""
        kept = b"".join(text for key, text in self._live.items() if key not in self._waiting)
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if kept:
            with replacing(self._path) as temporary:
                temporary.write_bytes(kept)
        else:
            self._path.unlink(missing_ok=True)
        self._size, self._dead = len(kept), 0


ENOUGH = 200
"""While sampling goes on, the undecided share is checked from this many attempts on."""


class Saver:
    """Takes attempts as they end. Writes each file when it and all files before it are whole.

    Until then the journal holds the attempts. Entries that a stopped run left are taken over.
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
        """``have``: what the folder holds; the files that are written are added to it."""
        self._ctx, self._sampling, self._journal = ctx, sampling, journal
        self._have = have
        self._parts = list(parts)
        self._entries: dict[Key, Entry] = {}
        self._next = 0
        self._part_of: dict[Key, int] = {}
        for number, part in enumerate(self._parts):
            for piece in part:
                for key in piece.keys:
                    entry = journal.find(key)
                    if entry and entry.origin == self._origin(piece.cell, key):
                        self._entries[key] = entry
                    else:
                        self._part_of[key] = number
        self._open = Counter(self._part_of.values())
        self.taken_over = len(self._entries)

    def wanted(self) -> list[list[Piece]]:
        """The pieces to sample for each file; none for a file that is whole."""
        return [[left for piece in part if (left := self._left(piece)).samples]
                for part in self._parts]  # fmt: skip

    def request(self, piece: Piece) -> SampleRequest:
        """The engine's request for the samples of ``piece``."""
        seeds = tuple(self._sampling.seed(key) for key in piece.keys)
        return SampleRequest(messages=piece.cell.messages, seeds=seeds)

    def add(self, piece: Piece, place: int, completion: Completion) -> None:
        """Take the attempt at ``piece.samples[place]``."""
        key = piece.keys[place]
        entry = Entry(key=key, origin=self._origin(piece.cell, key), completion=completion)
        self._entries[key] = entry
        self._open[self._part_of.pop(key)] -= 1
        self._journal.add(entry)

    def write(self) -> bool:
        """Write whole files, and other attempts to the journal. Returns whether a file was written.

        Raises VerifierUnwell when more than ``verify.max_undecided`` of many are undecided.
        """
        first = self._next
        # In order, even if a later file is whole first, so that a resumed run writes equal files.
        while self._next < len(self._parts) and not self._open[self._next]:
            self._write(self._parts[self._next])
            self._next += 1
        self._journal.save()
        return self._next > first

    def _left(self, piece: Piece) -> Piece:
        wanted = zip(piece.samples, piece.keys, strict=True)
        return replace(piece, samples=tuple(s for s, key in wanted if key in self._part_of))

    def _write(self, part: Sequence[Piece]) -> None:
        attempts = self._verified(part)
        append_attempts(self._sampling.folder, attempts)
        keys = [key for piece in part for key in piece.keys]
        self._journal.fold(keys)
        for key in keys:
            del self._entries[key]
        self._have.keys.update(keys)
        self._have.statuses.update(attempt.verdict.status for attempt in attempts)
        limit, seen = self._ctx.recipe.verify.max_undecided, self._have.statuses
        if seen.total() >= ENOUGH and seen["undecided"] > limit * seen.total():
            check_undecided(self._sampling.folder, limit=limit)

    def _verified(self, part: Sequence[Piece]) -> list[Attempt]:
        """The attempts of one file in order, with verdicts."""
        rows = [(piece.cell, self._entries[key]) for piece in part for key in piece.keys]
        texts = [(cell.problem, entry.completion.text) for cell, entry in rows]
        verdicts = self._ctx.verifiers.verdicts(texts)
        return [
            Attempt(
                problem_id=cell.problem.id,
                heuristic=cell.heuristic,
                sample=entry.key[2],
                text=entry.completion.text,
                finish=entry.completion.finish,
                prompt_tokens=entry.completion.prompt_tokens,
                tokens=entry.completion.tokens,
                verdict=verdict,
                **asdict(entry.origin),
            )
            for (cell, entry), verdict in zip(rows, verdicts, strict=True)
        ]

    def _origin(self, cell: Cell, key: Key) -> Origin:
        return Origin(
            seed=self._sampling.seed(key),
            prompt_hash=prompt_hash(cell.messages),
            model_hash=self._sampling.model_hash,
        )
