"""Stamps: written when a piece of work is whole, of the run and of its pools."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

POOLS = "pools"
"""Folder of the pools that are not the run's own; see ``pool.sources``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """Written last, when a piece of work is whole.

    Example: ``Stamp(work="midtrain/star/seed-0", identity={...}, request={...}, seconds=41.2,
    counts={"steps": 120}, outputs=("arms/star/seed-0/3-midtrain",), versions={...}, ended=...)``.

    identity: what each record depends on. request: how much of it is wanted.
    facts: found out while working, and part of neither.
    """

    work: str
    identity: dict[str, object]
    request: dict[str, object]
    seconds: float
    counts: dict[str, float]
    outputs: tuple[str, ...]
    versions: dict[str, str]
    ended: float
    facts: dict[str, str] = field(default_factory=dict)

    def row(self) -> dict[str, object]:
        """What a file holds of it."""
        return {name: getattr(self, name) for name in self.__slots__}


def read_stamp(path: Path) -> Stamp:
    """One stamp. Raises OSError where there is none, ValueError where it is damaged."""
    stat = path.stat()
    return _stamp_at(path, stat.st_ino, stat.st_mtime_ns)


@lru_cache(maxsize=1 << 14)
def _stamp_at(path: Path, *_state: int) -> Stamp:
    """Read once: every piece of work reads all stamps when it ends. New stamps are new files."""
    row = json.loads(path.read_text(encoding="utf-8"))
    try:
        return Stamp(**{**row, "outputs": tuple(row["outputs"])})
    except (KeyError, TypeError) as error:
        raise ValueError(f"'{path}' is no stamp: {error}") from error


def read_stamps(root: Path) -> Iterator[Stamp]:
    """Every stamp of a run folder; those of a pool under ``<work>/<pool>``.

    Work whose stamp is damaged is not finished: it will be done again.
    """
    for _, stamp in _whole(root.glob("stamps/*.json")):
        yield stamp
    for path, stamp in _whole((root / POOLS).glob("**/stamps/*.json")):
        pool = path.parents[1].relative_to(root / POOLS).as_posix()
        outputs = tuple(f"{POOLS}/{pool}/{output}" for output in stamp.outputs)
        yield replace(stamp, work=f"{stamp.work}/{pool}", outputs=outputs)


def _whole(paths: Iterable[Path]) -> Iterator[tuple[Path, Stamp]]:
    for path in sorted(paths):
        with contextlib.suppress(OSError, ValueError):
            yield path, read_stamp(path)
