"""Judge the lines of a JSONL file, whatever wrote it: ``manyways verify FILE.jsonl``.

A line is one of
- ``{"gold": "1/2", "prediction": "0.5"}``: the prediction is an answer, or a text that ends in
  one, and is read leniently; ``verifier`` and ``choices`` may be given beside it;
- ``{"problem": {...the fields of a Problem...}, "text": "..."}``: a model's text, read under the
  policy;
- ``{"prompt": "...", "tests": "...", "entry_point": "f", "completion": "..."}``: a program, in the
  field names of HumanEval (``test``) or MBPP (``test_list``, ``test_imports``), run in the sandbox.
"""

import heapq
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TextIO, cast

from rich.progress import Progress

from manyways.errors import DataError
from manyways.progress import CONSOLE, say
from manyways.records import Problem, Verdict
from manyways.verifiers.final_answer import Policy, reference
from manyways.verifiers.judge import Judge

_BATCH = 512
_SLOWEST = 5
_PROGRAM_KEYS = ("completion", "code", "solution", "text", "prediction")
_FORMS = (
    'a line is {"gold", "prediction"}, {"problem": {...}, "text"} or a program with '
    '"entry_point", "completion" and "tests".'
)
_PROBLEM_FIELDS = {field.name for field in fields(Problem)}
_VERDICT_FIELDS = tuple(field.name for field in fields(Verdict))


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A line read: ``bare`` when its text is an answer rather than a model's output."""

    line: int
    problem: Problem
    text: str
    bare: bool


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
    workers: int = 2,
    timeout: float = 5.0,
    policy: Policy = "strict",
    allow_unsafe_code: bool = False,
) -> Summary:
    """Judge every line of ``path`` in order; one verdict a line, as JSON, to ``out``.

    Verdicts go to standard output when ``out`` is None; the summary is said on the console. The
    file is read as it is judged, so its length does not matter.

    Raises DataError, naming the line, when one is not JSON or names no answer.
    """
    start = time.monotonic()
    tally = _Tally()
    with ExitStack() as stack:
        judge = stack.enter_context(
            Judge(workers=workers, timeout=timeout, allow_unsafe_code=allow_unsafe_code)
        )
        lines = _lines(stack, path)
        sink = _sink(stack, out)
        for batch in _batches(lines):
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


def _as_fields(verdict: Verdict) -> dict[str, str | None]:
    # dataclasses.asdict copies deeply: a fifth of the time of a file of integers
    return {name: getattr(verdict, name) for name in _VERDICT_FIELDS}


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


def _lines(stack: ExitStack, path: Path) -> Iterator[str]:
    """The lines of a file, with a progress bar over its bytes on standard error."""
    if not path.is_file():
        raise DataError(f"there is no file '{path}'.")
    progress = Progress(console=CONSOLE, transient=True, disable=not CONSOLE.is_terminal)
    stack.enter_context(progress)
    opened = progress.open(path, "rt", encoding="utf-8", errors="replace", description="verify")
    return iter(stack.enter_context(opened))


def _sink(stack: ExitStack, out: Path | None) -> TextIO:
    if out is None:
        return sys.stdout
    out.parent.mkdir(parents=True, exist_ok=True)
    # a lone surrogate, which JSON can hold and UTF-8 cannot, is written as its escape
    return stack.enter_context(out.open("w", encoding="utf-8", errors="backslashreplace"))


def _batches(lines: Iterator[str]) -> Iterator[list[Case]]:
    cases: list[Case] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        cases.append(_case(number, line))
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


def _case(number: int, line: str) -> Case:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError(f"line {number} is not JSON: {error}.") from None
    if not isinstance(record, dict):
        raise DataError(f"line {number} is not a JSON object: {_FORMS}")
    read = next((read for keys, read in _READERS.items() if keys <= record.keys()), None)
    if read is None:
        raise DataError(f"line {number} has the keys {', '.join(sorted(record))}; {_FORMS}")
    try:
        return read(number, record)
    except (TypeError, ValueError, KeyError) as error:
        raise DataError(f"line {number}: {error}; {_FORMS}") from None


def answer_case(number: int, record: Mapping[str, Any]) -> Case:
    """A line with ``gold`` and ``prediction``. Raises ValueError for what is no text."""
    problem = Problem(
        id=f"file/lines/{number}",
        question="",
        answer=reference(_text(record, "gold")),
        verifier=record.get("verifier", "math"),
        alternatives=tuple(record.get("alternatives", ())),
        choices=tuple(record.get("choices", ())),
    )
    return Case(line=number, problem=problem, text=_text(record, "prediction"), bare=True)


def _text_case(number: int, record: Mapping[str, Any]) -> Case:
    given = {"id": f"file/lines/{number}", "question": "", **record["problem"]}
    unknown = sorted(set(given) - _PROBLEM_FIELDS)
    if unknown:
        raise ValueError(f"a problem has no field '{unknown[0]}'")
    for name in ("alternatives", "choices"):
        if name in given:
            given[name] = tuple(given[name])
    return Case(line=number, problem=Problem(**given), text=_text(record, "text"), bare=False)


def _code_case(number: int, record: Mapping[str, Any]) -> Case:
    tests = record.get("tests") or record.get("test")
    if tests is None:
        imports, asserts = record.get("test_imports", []), record["test_list"]
        tests = "\n".join([*imports, *asserts])
    problem = Problem(
        id=str(record.get("task_id", f"file/lines/{number}")),
        question=str(record.get("prompt", "")),
        answer=str(record.get("canonical_solution", "")),
        verifier="python_tests",
        tests=tests,
        entry_point=_text(record, "entry_point"),
    )
    written = next(key for key in _PROGRAM_KEYS if key in record)
    return Case(line=number, problem=problem, text=_text(record, written), bare=False)


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record[key]
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"'{key}' is {type(value).__name__}, not text")


_READERS = {
    **{frozenset({"entry_point", key}): _code_case for key in _PROGRAM_KEYS},
    frozenset({"gold", "prediction"}): answer_case,
    frozenset({"problem", "text"}): _text_case,
}
