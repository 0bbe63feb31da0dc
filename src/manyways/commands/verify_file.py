"""``manyways verify``: verify the answers in a file of any tool. ``answers`` reads the rows."""

import heapq
import itertools
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TextIO, TypedDict, Unpack, cast

from rich.progress import Progress

from manyways import trust
from manyways.commands.answers import UNANSWERED, Case, Reader, Reading
from manyways.errors import DataError, UserError
from manyways.plugins import check
from manyways.progress import ABOVE_BARS, CONSOLE, on_a_terminal, say
from manyways.records import Verdict
from manyways.reporting.words import plural
from manyways.row_files import Row, read_rows, regular
from manyways.verifiers import FUNCTIONS
from manyways.verifiers.final_answer import Policy
from manyways.verifiers.verdicts import Verifiers

_BATCH = 512
_SLOWEST = 5
_NAMES = tuple(one.name for one in fields(Verdict))


class Settings(TypedDict, total=False):
    """Settings of ``Verifiers``."""

    workers: int
    timeout: float
    allow_unsafe_code: bool


@dataclass(kw_only=True, slots=True)
class Summary:
    """The verdicts on a file so far, in the same memory for a file of any length.

    counts:  verdicts per status.
    reasons: undecided verdicts per reason.
    seconds: wall clock.
    slowest: up to five (seconds, line in the file, status), slowest first at the end.
    """

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest: list[tuple[float, int, str]] = field(default_factory=list)

    def add(self, line: int, verdict: Verdict, seconds: float) -> None:
        """Count one verdict, which took ``seconds``."""
        self.counts[verdict.status] += 1
        if verdict.status == "undecided":
            self.reasons[verdict.reason[:100]] += 1
        heapq.heappush(self.slowest, (seconds, line, verdict.status))
        if len(self.slowest) > _SLOWEST:
            heapq.heappop(self.slowest)

    @property
    def answers(self) -> int:
        """How many answers were verified."""
        return self.counts.total()

    def sentences(self) -> list[str]:
        """The summary in words, for the console."""
        counts = ", ".join(f"{count} {status}" for status, count in self.counts.items())
        said = [f"{plural(self.answers, 'answer')}: {counts or 'nothing to verify'}."]
        if self.reasons:
            said.append("Undecided: " + "; ".join(f"{n} x {r}" for r, n in self.reasons.items()))
        rate = self.answers / max(self.seconds, 1e-9)
        said.append(f"{rate:,.0f} verdicts per second ({self.seconds:.1f} s).")
        if self.slowest:
            slow = ", ".join(f"line {line} {s:.2f} s ({st})" for s, line, st in self.slowest)
            said.append(f"Slowest: {slow}.")
        return said


def verify_file(
    path: Path,
    *,
    out: Path | None = None,
    policy: Policy = "strict",
    verifier: str | None = None,
    reading: Reading | None = None,
    resume: bool = False,
    **settings: Unpack[Settings],
) -> Summary:
    """Verify every answer of ``path`` in order and write the verdicts to ``out`` as JSON lines.

    Without ``out`` the verdicts go to standard output. The summary is printed. Answers are read in
    batches, so a file of any length needs the same memory. Until all of them are verified, the
    verdicts are in ``<out>.partial``.

    verifier: replaces the verifiers that rows name; a name of the table or ``module:function``.
    reading:  how to read rows that are not ours.
    resume:   keep the verdicts in ``<out>.partial`` or ``out`` and verify the answers after them.
        File and settings must be the same as before, which is not checked.

    Raises UserError for a verifier that does not exist; DataError, with its line, for a row that
    holds no answer, and when there are more verdicts than answers.
    """
    start = time.monotonic()
    summary = Summary()
    if verifier is not None:
        trust.grant(verifier)  # the user typed it
        check(verifier, FUNCTIONS, "verifier")
    if resume and out is None:
        raise UserError("--resume needs --out: name the file whose verdicts are kept.")
    if out is not None and out.exists() and path.exists() and out.samefile(path):
        raise UserError(f"--out {out} is the file that is read: name another file.")
    kept = _kept(out) if resume and out is not None else 0
    with ExitStack() as stack:
        verifiers = stack.enter_context(Verifiers(**settings))
        reader = Reader(path, reading)
        cases = (case for row in _rows(stack, path) for case in reader.cases(row))
        sink = stack.enter_context(_sink(out, append=kept > 0))
        for batch in _batches(_after(cases, kept, path), verifier):
            for case, (verdict, seconds) in _verdicts(verifiers, batch, policy):
                summary.add(case.line, verdict, seconds)
                sink.write(json.dumps(_as_fields(case, verdict), ensure_ascii=False) + "\n")
            sink.flush()
    if kept:
        say(f"{kept} verdicts were there and are kept.")
    summary.seconds = time.monotonic() - start
    summary.slowest.sort(reverse=True)
    for sentence in summary.sentences():
        say(sentence)
    return summary


def _as_fields(case: Case, verdict: Verdict) -> dict[str, str | int]:
    """The fields of a verdict. If a row may hold several texts, line and attempt come first."""
    found = {name: getattr(verdict, name) for name in _NAMES}  # asdict costs five times as much
    return {"line": case.line, "attempt": case.attempt, **found} if case.attempt else found


def _rows(stack: ExitStack, path: Path) -> Iterator[Row]:
    """The rows of a file, with a progress bar over its bytes on standard error."""
    progress = Progress(
        console=CONSOLE,
        transient=True,
        disable=not on_a_terminal(sys.stderr),
        redirect_stdout=ABOVE_BARS,
    )
    stack.enter_context(progress)
    opened = progress.open(regular(path), "rb", description="verify")
    return read_rows(path, stack.enter_context(opened), strict=False)


def _partial(out: Path) -> Path:
    return out.with_name(f"{out.name}.partial")


def _kept(out: Path) -> int:
    """Move the verdicts to ``<out>.partial``, without a torn last line, and count them."""
    partial = _partial(out)
    if not partial.exists() and out.is_file():
        shutil.copyfile(out, partial)
    if not partial.exists():
        return 0
    count = whole = 0
    with partial.open("rb+") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                break
            count, whole = count + 1, whole + len(line)
        stream.truncate(whole)
    return count


def _after(cases: Iterator[Case], kept: int, path: Path) -> Iterator[Case]:
    """The answers after the first ``kept``."""
    passed = sum(1 for _ in itertools.islice(cases, kept))
    if passed < kept:
        raise DataError(
            f"{path} has {passed} answers, but --out holds {kept} verdicts, so they are not of "
            "this file. Name another --out, or leave out --resume."
        )
    return cases


@contextmanager
def _sink(out: Path | None, *, append: bool) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.is_dir():
        raise UserError(f"--out {out} is a folder: name a file in it.")
    device = out.exists() and not out.is_file()  # /dev/null, a pipe
    partial = out if device else _partial(out)
    # A lone surrogate is written as its escape, because JSON can hold it and UTF-8 cannot.
    written = partial.open(mode="a" if append else "w", encoding="utf-8", errors="backslashreplace")
    with cast(TextIO, written) as stream:
        yield stream
    if not device:
        partial.replace(out)


def _batches(found: Iterator[Case], verifier: str | None) -> Iterator[list[Case]]:
    while cases := list(itertools.islice(found, _BATCH)):
        if verifier is not None:
            cases = [
                replace(case, problem=replace(case.problem, verifier=verifier)) for case in cases
            ]
        yield cases


def _verdicts(
    verifiers: Verifiers, cases: Sequence[Case], policy: Policy
) -> Iterator[tuple[Case, tuple[Verdict, float]]]:
    found: dict[int, tuple[Verdict, float]] = {}
    for bare, how in ((True, "lenient"), (False, policy)):
        part = [i for i, case in enumerate(cases) if case.bare is bare and case.text is not None]
        pairs = [(cases[i].problem, cases[i].text or "") for i in part]
        found.update(zip(part, verifiers.timed(pairs, policy=cast(Policy, how)), strict=True))
    for i, case in enumerate(cases):
        yield case, found.get(i, (UNANSWERED, 0.0))
