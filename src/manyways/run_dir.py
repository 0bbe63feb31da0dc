"""The run folder: where each stage writes, what is finished, and who may write.

A stamp is written when a piece of work is finished. Pools have stamps of their own.

RUN/
  recipe.toml  manifest.json        resolved recipe; every finished piece of work
  1-attempts/part-*.parquet        nothing else in it; .1-attempts.engine.json and others beside it
  1-rates/<set>/part-*.parquet     if validation problems are chosen by their pass rate
  2-solutions.parquet
  pools/<arm>/seed-<s>/  pools/distilled/    1 and 2 of later rounds, and of another model
  arms/<arm>/seed-<s>/3-midtrain/  4-gate.json  5-rl/
      5-rl/attempts/part-*.parquet  5-rl/steps/<step>/checkpoint
  4-rates/part-*.parquet           if RL's problems are chosen by their pass rate
  6-eval/<checkpoint>/<benchmark>/part-*.parquet    also of <arm>/seed-<s>/rl@<step>
  6-probe/  6-branch/               prefix swap, if asked for; next tokens where solutions diverge
  7-tables/*.json  report.html  report.md
  stamps/  stale/                   bookkeeping; outputs that were made under other settings
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import parse_qsl

from manyways import __version__, trust
from manyways.arms import Line
from manyways.errors import RunDirError
from manyways.fingerprint import fingerprint, versions
from manyways.records import line_name
from manyways.tables import BESIDE, beside, write_text

POOLS = "pools"
"""Folder of the pools that are not the run's own; see ``pool.training_rows``."""
PROBLEMS = "problems.json"
"""File that lists the problem sets of a run and their origin."""
NOT_JUDGED = "not_judged"
"""Key of its rows: why a benchmark is left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """The record of a finished piece of work, written last.

    Example: ``Stamp(work="midtrain/star/seed-0", identity={...}, request={...}, seconds=41.2,
    counts={"steps": 120}, outputs=("arms/star/seed-0/3-midtrain",), versions={...}, ended=...)``.

    identity: what each record of the output depends on.
    request:  how many records were asked for.
    outputs:  paths relative to the run folder.
    ended:    Unix time in seconds.
    facts:    facts that became known during the work. They do not decide whether it is done.
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
        """Its fields, as files hold them."""
        return {name: getattr(self, name) for name in self.__slots__}


def read_stamp(path: Path) -> Stamp:
    """Read one stamp. Raises OSError when there is none, ValueError when it is damaged."""
    stat = path.stat()
    return _stamp_at(path, stat.st_ino, stat.st_mtime_ns)


@lru_cache(maxsize=1 << 14)
def _stamp_at(path: Path, *_state: int) -> Stamp:
    """Cached, because every piece of work reads all stamps when it ends."""
    row = json.loads(path.read_text(encoding="utf-8"))
    try:
        return Stamp(**{**row, "outputs": tuple(row["outputs"])})
    except (KeyError, TypeError) as error:
        raise ValueError(f"'{path}' is no stamp: {error}") from error


def read_stamps(root: Path) -> Iterator[Stamp]:
    """Every stamp of a run folder. A pool's stamps are named ``<work>/<pool>``.

    Damaged stamps are left out: their work counts as unfinished and will be done again.
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


LOCK_HELD = "MANYWAYS_LOCK_HELD_BY"
"""Variable that the process which holds the lock sets for its child processes."""


@dataclass(kw_only=True)
class Work:
    """One piece of work of a stage. Use it as a context manager while doing the work.

    On entry, outputs that were made under another ``identity`` are set aside. On exit without an
    exception, the stamp is written.

    counts, facts: the stage fills them; the stamp keeps them.
    elsewhere:     seconds of other pieces of work that were done within this one.
    seconds:       what this work took, without ``elsewhere``; known at the end.
    """

    run: "RunDir"
    name: str
    identity: Mapping[str, object]
    request: Mapping[str, object] = field(default_factory=dict)
    outputs: tuple[str, ...]
    counts: dict[str, float] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    elsewhere: float = 0.0
    seconds: float = 0.0
    _started: float = 0.0

    @property
    def hash(self) -> str:
        """The hash of its identity."""
        return fingerprint(_plain(self.identity))

    @property
    def done(self) -> bool:
        """Whether this work is finished, with this identity and request, and its outputs exist."""
        return self.why == "finished"

    @property
    def why(self) -> str:
        """``finished``, or the reason why it would run, in words."""
        stamp = self.run.stamp(self.name)
        if stamp is None:
            return "never finished"
        for label, old, new in (
            ("inputs or settings", stamp.identity, _plain(self.identity)),
            ("amount", stamp.request, _plain(self.request)),
        ):
            changed = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
            if changed:
                return f"{label} changed: {', '.join(changed)}"
        missing = [name for name in self.outputs if not (self.run.root / name).exists()]
        return f"output missing: {', '.join(missing)}" if missing else "finished"

    def __enter__(self) -> "Work":
        self.run.require_writer()
        self._started = time.monotonic()
        begun = self.run.begun(self.name)
        if begun and begun != self.hash:
            self.run.set_aside(self.outputs, begun[:8])
        # First of all: with its stamp still there, a half-made output would count as finished.
        self.run.stamp_path(self.name).unlink(missing_ok=True)
        write_text(self.run.begun_path(self.name), self.hash)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.seconds = time.monotonic() - self._started - self.elsewhere
        if kind is None:
            self.run.finish(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """How much one piece of work is, computed from the recipe.

    Example: ``Amount(work="rl/star/seed-0", stage="rl", attempts=1920, steps=30, bound=307200)``.

    work:     the name of its stamp.
    line:     the line, for a training.
    attempts: how many attempts it samples or reads.
    steps:    optimizer steps.
    bound:    the most tokens that its attempts can have together.
    ways:     whether it samples from a checkpoint that was mid-trained on heuristics.
    prompts:  which prompts it samples, as a forecast's measurements name them; empty if it samples
              nothing.
    opens:    whether it opens an engine; if False, the model is in memory already.
    """

    work: str
    stage: str
    line: Line | None = None
    attempts: int = 0
    steps: int = 0
    bound: int = 0
    ways: bool = False
    prompts: str = ""
    opens: bool = True


@dataclass(frozen=True, kw_only=True)
class RunDir:
    """A run folder.

    writer:    True in the one process that may change the folder, and in its children.
    lock_file: descriptor of the lock, for child processes to inherit.
    """

    root: Path
    writer: bool = False
    lock_file: int | None = None

    def path(self, *names: str) -> Path:
        """A path inside the run folder."""
        return self.root.joinpath(*names)

    def arm_path(self, arm: str, seed: int, *names: str) -> Path:
        """A path inside the folder of one (arm, seed)."""
        return self.root.joinpath("arms", line_name(arm, seed), *names)

    def eval_path(self, checkpoint: str, benchmark: str) -> Path:
        """Folder of the attempts of ``checkpoint`` (``star/seed-0/rl``) on ``benchmark``."""
        return self.root.joinpath("6-eval", checkpoint, benchmark_slug(benchmark))

    def work(
        self,
        name: str,
        *,
        identity: Mapping[str, object],
        outputs: tuple[Path, ...],
        request: Mapping[str, object] | None = None,
    ) -> Work:
        """Describe a piece of work; ``identity`` and ``request`` must be JSON-able."""
        return Work(
            run=self,
            name=name,
            identity=identity,
            request=request or {},
            outputs=tuple(str(path.relative_to(self.root)) for path in outputs),
        )

    def stamp_path(self, work: str) -> Path:
        """The file of the stamp of a piece of work."""
        return self.root / "stamps" / f"{_slug(work)}.json"

    def begun_path(self, work: str) -> Path:
        """The file with the identity's hash of the work that was last begun under this name."""
        return self.root / "stamps" / f"{_slug(work)}.begun"

    def begun(self, work: str) -> str:
        """The identity's hash of the work that was last begun under this name, or ``""``."""
        path = self.begun_path(work)
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def stamp(self, work: str) -> Stamp | None:
        """The stamp of a piece of work, None when it is not finished."""
        try:
            return read_stamp(self.stamp_path(work))
        except (OSError, ValueError):
            return None

    def stamps(self) -> list[Stamp]:
        """Every stamp, those of pools included, in the order in which the work ended."""
        return sorted(read_stamps(self.root), key=lambda stamp: stamp.ended)

    def finish(self, work: Work) -> None:
        """Write the stamp of ``work`` and refresh manifest.json."""
        stamp = Stamp(
            work=work.name,
            identity=_plain(work.identity),
            request=_plain(work.request),
            seconds=round(work.seconds, 3),
            counts=work.counts,
            outputs=work.outputs,
            versions=versions(),
            ended=time.time(),
            facts=work.facts,
        )
        write_text(self.stamp_path(work.name), json.dumps(stamp.row(), indent=1))
        # The file is written again whenever one of hundreds of pieces ends, so it is kept compact.
        rows = ",\n".join(json.dumps(stamp.row()) for stamp in self.stamps())
        manifest = f'{{"manyways": {json.dumps(__version__)}, "work": [\n{rows}\n]}}\n'
        write_text(self.root / "manifest.json", manifest)

    def set_aside(self, outputs: tuple[str, ...], label: str) -> None:
        """Move outputs that were made under other settings to ``stale/``. Nothing is deleted."""
        for name in outputs:
            source = self.root / name
            more = [one for one in map(partial(beside, source), BESIDE) if one.parent != source]
            # The folder is moved last: after a kill in between, the next start moves it.
            there = [one for one in (*more, source) if one.exists()]
            if there:
                # With the time the name is new, even if the same settings are set aside twice.
                target = self.root / "stale" / f"{_slug(name)}-{label}-{time.time_ns()}"
                target.parent.mkdir(exist_ok=True)
                for one in there:
                    one.rename(target.with_name(one.name.replace(source.name, target.name, 1)))

    def require_writer(self) -> None:
        """Raise RunDirError when this process may only read."""
        if not self.writer:
            raise RunDirError(f"'{self.root}' was opened for reading only.")


@contextlib.contextmanager
def open_for_writing(root: Path) -> Iterator[RunDir]:
    """Create or open a run folder as its only writer, until the context ends.

    The kernel releases the lock when the process ends, even when it is killed.

    Raises RunDirError when another process holds the lock; Untrusted when a link in the folder
    leads out of it and nobody trusts it: the sender of a folder could choose a file to overwrite.
    """
    root = root.resolve()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"cannot create the run folder '{root}': {error.strerror}"
        raise RunDirError(f"{why}. `manyways run RECIPE --out DIR` takes another.") from error
    # A child inherits the lock of its parent; taking it a second time would fail.
    if os.environ.get(LOCK_HELD) == str(root):
        yield RunDir(root=root, writer=True)
        return
    for link in _links_out(root):
        leads = link.resolve()
        trust.require(f"'{link}' is a link to '{leads}', outside the run folder", str(leads))
    with (root / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise RunDirError(
                f"'{root}' is being written to by process {lock.read().strip() or 'unknown'}: "
                "wait for it, stop it, or choose another --out."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield RunDir(root=root, writer=True, lock_file=lock.fileno())


def _links_out(root: Path) -> Iterator[Path]:
    """Symbolic links anywhere in ``root`` (a resolved path) that lead out of it."""
    for folder, folders, files in os.walk(root):
        links = (Path(folder, name) for name in (*folders, *files))
        yield from (one for one in links if one.is_symlink() and root not in one.resolve().parents)


LISTED = 5
"""The most run folders that an error lists."""


def open_for_reading(root: Path) -> RunDir:
    """Open a run folder without the right to write. Raises RunDirError when it is none."""
    if not (root / "recipe.toml").is_file():
        here = sorted(str(one.parent) for one in Path("runs").glob("*/recipe.toml"))
        listed = (
            f"Here are {', '.join(here[:LISTED])}." if here else "There are none in runs/ here."
        )
        raise RunDirError(
            f"'{root}' is not a run folder: it has no recipe.toml. {listed} "
            "`manyways run RECIPE` makes one."
        )
    return RunDir(root=root.resolve())


def set_label(name: str) -> str:
    """The name of a problem set in tables and paths: its option ``name``, or the name as it is.

    ``file:data/test.jsonl?question=q&name=mine`` -> ``mine``.
    """
    path, _, query = name.partition("?")
    given = dict(parse_qsl(query)).get("name", "") if path.startswith(("file:", "hub:")) else ""
    return given or name


def not_judged(run: RunDir) -> list[str]:
    """A sentence for each benchmark that the run left out and that was not evaluated since."""
    path = run.path(PROBLEMS)
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    done = {stamp.work.rpartition("/")[2] for stamp in run.stamps()}
    return [
        row[NOT_JUDGED]
        for row in rows
        if NOT_JUDGED in row and benchmark_slug(row["name"]) not in done
    ]


def benchmark_slug(benchmark: str) -> str:
    """A benchmark's name for folders: ``pocket/test?count=9`` -> ``pocket-test-count-9``."""
    label = set_label(benchmark)
    return "-".join("".join(c if c.isalnum() else " " for c in label).split()) or "set"


def _slug(name: str) -> str:
    return name.replace("/", "__")


def _plain(value: Mapping[str, object]) -> dict[str, object]:
    # JSON turns tuples into lists, so a new identity must pass through it to equal a stored one.
    plain: dict[str, object] = json.loads(json.dumps(value, sort_keys=True, default=str))
    return plain
