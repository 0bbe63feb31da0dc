"""Records as parquet files. A folder of attempts gets new files; no file is ever rewritten.

Every file is written under another name first and then renamed, so it is absent or whole.
"""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from manyways.errors import DataError
from manyways.records import Attempt, RLAttempt, Solution, Verdict

ATTEMPT_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("heuristic", pa.string()),
        ("sample", pa.int32()),
        ("seed", pa.int64()),
        ("text", pa.string()),
        ("finish", pa.string()),
        ("prompt_tokens", pa.int32()),
        ("tokens", pa.int32()),
        ("prompt_hash", pa.string()),
        ("model_hash", pa.string()),
        ("status", pa.string()),
        ("answer", pa.string()),
        ("rule", pa.string()),
        ("reason", pa.string()),
    ]
)
"""One row per attempt; the last four columns are its verdict."""

RL_SCHEMA = pa.schema(
    [
        *ATTEMPT_SCHEMA,
        ("step", pa.int32()),
        ("group", pa.int32()),
        ("reward", pa.float64()),
        ("advantage", pa.float64()),
    ]
)
"""One row per attempt of RL: the columns of an attempt, then the other fields of ``RLAttempt``."""

SOLUTION_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("heuristic", pa.string()),
        ("sample", pa.int32()),
        ("text", pa.string()),
        ("status", pa.string()),
        ("adherence", pa.float64()),
        ("kept", pa.bool_()),
        ("reason", pa.string()),
        ("wrong_pool", pa.bool_()),
    ]
)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a parquet file so that it is absent or whole, even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_text(path: Path, text: str) -> None:
    """Write a text file so that it is the old one or the whole new one, even after a power cut.

    A device or a pipe is written to directly: renaming a file to /dev/null would replace it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file() and not path.is_dir():
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
        return
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # JSON may hold a lone surrogate, which UTF-8 cannot; it is written as its escape.
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


BESIDE = ("engine.json", "ended.jsonl", "rounds.json", "asked.parquet")
"""Files that belong to a folder of attempts and hold none; ``beside`` gives their paths."""


def beside(folder: Path, name: str) -> Path:
    """A file that belongs to a folder of attempts and lies next to it: ``.<folder>.<name>``.

    Libraries that read a folder of parquet files refuse other files in it, even hidden ones. A file
    that an earlier version wrote inside stays there.
    """
    inside = folder / f".{name}"
    return inside if inside.is_file() else folder.with_name(f".{folder.name}.{name}")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to. Afterwards the file is flushed to disk and renamed to ``path``."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        # Without this a power cut could leave the new name on an empty file.
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # there only when the disk was full


def append_attempts(folder: Path, attempts: Sequence[Attempt]) -> Path:
    """Write one more file to ``folder``; returns its path."""
    return _append(folder, attempts_table(attempts))


def append_rl_attempts(folder: Path, rows: Sequence[RLAttempt]) -> Path:
    """Write one more file of attempts of RL to ``folder``; returns its path."""
    columns = {name: [getattr(row, name) for row in rows] for name in RL_SCHEMA.names[-4:]}
    table = attempts_table(row.attempt for row in rows)
    whole = dict(zip(table.column_names, table.columns, strict=True)) | columns
    return _append(folder, pa.table(whole, schema=RL_SCHEMA))


def _append(folder: Path, table: pa.Table) -> Path:
    # The highest number plus one, not the count: a file may have been removed.
    number = 1 + max((int(part.stem.split("-")[1]) for part in parts(folder)), default=-1)
    path = folder / f"part-{number:05d}.parquet"
    write_table(path, table)
    return path


def parts(folder: Path) -> list[Path]:
    """The parquet files of ``folder`` in the order in which they were written."""
    return sorted(folder.glob("part-*.parquet"))


def attempts_table(attempts: Iterable[Attempt]) -> pa.Table:
    """Attempts as one table in ATTEMPT_SCHEMA."""
    rows = list(attempts)
    columns = {name: [getattr(row, name) for row in rows] for name in ATTEMPT_SCHEMA.names[:-4]}
    columns |= {
        name: [getattr(row.verdict, name) for row in rows] for name in ATTEMPT_SCHEMA.names[-4:]
    }
    return pa.table(columns, schema=ATTEMPT_SCHEMA)


def read_table(
    path: Path, columns: list[str] | None = None, *, where: str | None = None
) -> pa.Table:
    """Read one parquet file.

    where: name of a boolean column; only rows in which it is true are read.

    ``pq.read_table`` is not used, because it imports pandas, which takes longer than most tables.

    Raises DataError for a file that is damaged.
    """
    try:
        return _read(pq.ParquetFile(path), columns, where)
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(
            f"'{path}' is damaged: {error} Put a copy back, or move it away and run the stage that "
            "wrote it again: what is missing is made anew."
        ) from error


def _read(file: pq.ParquetFile, columns: list[str] | None, where: str | None) -> pa.Table:
    if where is None:
        return file.read(columns)
    groups = []
    for number in range(file.num_row_groups):
        group = file.read_row_group(number, None if columns is None else [*columns, where])
        kept = group.filter(group[where])
        groups.append(kept if columns is None else kept.select(columns))
    return pa.concat_tables(groups) if groups else file.read(columns)


def read_attempts_table(folder: Path, columns: list[str] | None = None) -> pa.Table:
    """All files of ``folder`` as one table (empty when there are none)."""
    tables = [read_table(part, columns) for part in parts(folder)]
    schema = (
        ATTEMPT_SCHEMA if columns is None else pa.schema([ATTEMPT_SCHEMA.field(c) for c in columns])
    )
    return pa.concat_tables([schema.empty_table(), *tables])


def count_correct(
    folder: Path, samples: int, heuristic: str | None = None
) -> dict[str, tuple[int, int]]:
    """Problem -> (attempts, correct attempts) among its first ``samples``.

    An undecided attempt is not correct.

    heuristic: count only attempts under this heuristic; None: all in ``folder``.
    """
    table = read_attempts_table(folder, ["problem_id", "sample", "status", "heuristic"])
    if heuristic is not None:
        table = table.filter(pc.equal(table["heuristic"], heuristic))
    table = table.drop_columns("heuristic")
    found: dict[str, tuple[int, int]] = {}
    for problem, sample, status in zip(*(c.to_pylist() for c in table.columns), strict=True):
        if sample < samples:
            tried, right = found.get(problem, (0, 0))
            found[problem] = (tried + 1, right + (status == "correct"))
    return found


def read_attempts(folder: Path, problem_id: str | None = None) -> Iterator[Attempt]:
    """Yield the attempts in ``folder``, file by file; with ``problem_id`` those at one problem."""
    yield from map(_attempt, _rows(folder, problem_id))


def _rows(folder: Path, problem_id: str | None) -> Iterator[dict[str, Any]]:
    for part in parts(folder):
        table = read_table(part)
        if problem_id is not None:
            table = table.filter(pc.equal(table["problem_id"], problem_id))
        yield from table.to_pylist()


def _attempt(row: dict[str, Any]) -> Attempt:
    verdict = Verdict(**{key: row.pop(key) for key in ("status", "answer", "rule", "reason")})
    return Attempt(**row, verdict=verdict)


def read_rl_attempts(folder: Path, problem_id: str | None = None) -> Iterator[RLAttempt]:
    """Yield the attempts of RL in ``folder``, by step; with ``problem_id`` those at one problem."""
    for row in _rows(folder, problem_id):
        beside = {key: row.pop(key) for key in RL_SCHEMA.names[-4:]}
        yield RLAttempt(attempt=_attempt(row), **beside)


def drop_rl_attempts_after(folder: Path, step: int) -> None:
    """Delete the attempts of steps after ``step``, which are about to be taken again."""
    for part in parts(folder):
        table = read_table(part)
        kept = table.filter(pc.less_equal(table["step"], step))
        if not kept.num_rows:
            part.unlink()
        elif kept.num_rows < table.num_rows:
            write_table(part, kept)


def solutions_table(solutions: Iterable[Solution]) -> pa.Table:
    """Solutions as one table in SOLUTION_SCHEMA."""
    return pa.Table.from_pylist([asdict(s) for s in solutions], schema=SOLUTION_SCHEMA)


def read_solutions(path: Path) -> list[Solution]:
    """All solutions, kept and dropped, of a ``2-solutions.parquet``."""
    return [Solution(**row) for row in read_table(path).to_pylist()]
