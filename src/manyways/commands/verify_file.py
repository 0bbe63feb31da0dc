"""Judge the lines of a JSONL file, whatever wrote it: ``manyways verify FILE.jsonl``.

What a line may be stands in ``verify_lines``.
"""

import heapq
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TextIO, TypedDict, Unpack, cast

from rich.progress import Progress

from manyways.commands.verify_lines import Case, read_case
from manyways.errors import UserError
from manyways.json_lines import read_json_lines, regular
from manyways.plugins import check
from manyways.progress import CONSOLE, say
from manyways.records import Verdict
from manyways.verifiers import VERIFIERS
from manyways.verifiers.final_answer import Policy
from manyways.verifiers.judge import Judge

_BATCH = 512
_SLOWEST = 5
_NAMES = tuple(field.name for field in fields(Verdict))


class Judging(TypedDict, total=False):
    """Settings of ``Judge``."""

    workers: int
    timeout: float
    allow_unsafe_code: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What a whole file came to.

    counts:  verdicts per status.
    reasons: undecided verdicts per reason.
    seconds: wall clock.
    slowest: up to five (seconds, line number, status), slowest first.
    """

    lines: int
    counts: Mapping[str, int]
    reasons: Mapping[str, int]
    seconds: float
    slowest: tuple[tuple[float, int, str], ...]

    @property
    def rate(self) -> float:
        """Verdicts per second."""
        return self.lines / self.seconds if self.seconds else 0.0

    def sentences(self) -> list[str]:
        """The summary in words, for the console."""
        counts = ", ".join(f"{count} {status}" for status, count in self.counts.items())
        said = [f"{self.lines} lines: {counts or 'nothing to judge'}."]
        if self.reasons:
            said.append("Undecided: " + "; ".join(f"{n} x {r}" for r, n in self.reasons.items()))
        said.append(f"{self.rate:,.0f} verdicts per second ({self.seconds:.1f} s).")
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
    **judging: Unpack[Judging],
) -> Summary:
    """Judge every line of ``path`` in order; one verdict a line, as JSON, to ``out``.

    Verdicts go to standard output when ``out`` is None; the summary is said on the console. The
    file is read as it is judged, so its length does not matter. Until every line is judged,
    verdicts lie in ``<out>.partial``.

    verifier: replaces each line's own; a name of the table or ``module:function``.

    Raises UserError for a verifier that does not exist; DataError, naming the line, when one is not
    JSON or names no answer.
    """
    start = time.monotonic()
    tally = _Tally()
    if verifier is not None:
        check(verifier, VERIFIERS, "verifier")
    if out is not None and out.exists() and path.exists() and out.samefile(path):
        raise UserError(f"--out {out} is the file that is read: name another.")
    with ExitStack() as stack:
        judge = stack.enter_context(Judge(**judging))
        lines = _lines(stack, path)
        sink = stack.enter_context(_sink(out))
        for batch in _batches(lines, verifier):
            for line, (verdict, seconds) in _judged(judge, batch, policy):
                tally.add(line, verdict, seconds)
                sink.write(json.dumps(_as_fields(verdict), ensure_ascii=False) + "\n")
            sink.flush()
    summary = Summary(
        lines=sum(tally.counts.values()),
        counts=tally.counts,
        reasons=tally.reasons,
        seconds=time.monotonic() - start,
        slowest=tuple(sorted(tally.slowest, reverse=True)),
    )
    for sentence in summary.sentences():
        say(sentence)
    return summary


def _as_fields(verdict: Verdict) -> dict[str, str]:  # dataclasses.asdict costs five times as much
    return {name: getattr(verdict, name) for name in _NAMES}


class _Tally:
    """Running counts: the memory of a file of any length."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.slowest: list[tuple[float, int, str]] = []

    def add(self, line: int, verdict: Verdict, seconds: float) -> None:
        self.counts[verdict.status] += 1
        if verdict.status == "undecided":
            self.reasons[verdict.reason[:100]] += 1
        heapq.heappush(self.slowest, (seconds, line, verdict.status))
        if len(self.slowest) > _SLOWEST:
            heapq.heappop(self.slowest)


def _lines(stack: ExitStack, path: Path) -> Iterator[tuple[int, object]]:
    """The lines of a file, with a progress bar over its bytes on standard error."""
    progress = Progress(console=CONSOLE, transient=True, disable=not CONSOLE.is_terminal)
    stack.enter_context(progress)
    opened = progress.open(regular(path), "rb", description="verify")
    return read_json_lines(path, stack.enter_context(opened), strict=False)


@contextmanager
def _sink(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.is_dir():
        raise UserError(f"--out {out} is a folder: name a file in it.")
    device = out.exists() and not out.is_file()  # /dev/null, a pipe
    partial = out if device else out.with_name(f"{out.name}.partial")
    # a lone surrogate, which JSON can hold and UTF-8 cannot, is written as its escape
    with partial.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        yield stream
    if not device:
        partial.replace(out)


def _batches(lines: Iterator[tuple[int, object]], verifier: str | None) -> Iterator[list[Case]]:
    cases: list[Case] = []
    for number, record in lines:
        case = read_case(number, record)
        if verifier is not None:
            case = replace(case, problem=replace(case.problem, verifier=verifier))
        cases.append(case)
        if len(cases) == _BATCH:
            yield cases
            cases = []
    if cases:
        yield cases


def _judged(
    judge: Judge, cases: Sequence[Case], policy: Policy
) -> Iterator[tuple[int, tuple[Verdict, float]]]:
    found: dict[int, tuple[Verdict, float]] = {}
    for bare, how in ((True, "lenient"), (False, policy)):
        part = [case for case in cases if case.bare is bare]
        pairs = [(case.problem, case.text) for case in part]
        judged = judge.timed(pairs, policy=cast(Policy, how))
        found.update(zip((case.line for case in part), judged, strict=True))
    for case in cases:
        yield case.line, found[case.line]
