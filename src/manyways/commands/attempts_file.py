"""Judged attempts from anywhere: a JSONL file of one attempt a line, or folders of parquet parts.

A line is one of
- ``{"problem": "p1", "correct": true}``, with ``"answer": "12"`` (or null) where a majority is
  wanted;
- ``{"problem": "p1", "gold": "1/2", "prediction": "0.5"}``: judged here, as ``manyways verify``
  does; ``verifier``, ``choices`` and ``alternatives`` may be given beside it.

Lines come in any order, and problems may have any number of attempts. A parquet folder is one that
``manyways evaluate`` (or ``generate``) wrote, or any folder above such ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyways.commands.verify_lines import answer_case
from manyways.errors import DataError
from manyways.json_lines import read_json_lines
from manyways.progress import Meter
from manyways.records import Problem
from manyways.tables import read_attempts_table
from manyways.verifiers.answers.votes import vote_of
from manyways.verifiers.judge import Judge

BATCH = 512
FORMS = (
    'a line is {"problem": "p1", "correct": true} or '
    '{"problem": "p1", "gold": "1/2", "prediction": "0.5"}.'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedAttempt:
    """One attempt as far as scores need it.

    Example: ``JudgedAttempt(problem="p1", status="correct", vote="1/2")``.

    vote:      what it answered, None for no answer (``verifiers.spelling``).
    votes:     whether ``vote`` is known at all; without, there is no majority.
    truncated: None where it is not known.
    """

    problem: str
    status: str
    vote: str | None = None
    votes: bool = True
    truncated: bool | None = None


def read_sources(path: Path, *, workers: int) -> dict[str, list[JudgedAttempt]]:
    """Name of each file or folder -> its attempts, in order.

    Raises DataError when there is nothing, or, naming the line, when one cannot be read.
    """
    if str(path) != "-" and path.is_dir():
        folders = sorted({part.parent for part in path.rglob("part-*.parquet")})
        folders = [folder for folder in folders if "stale" not in folder.relative_to(path).parts]
        if not folders:
            raise DataError(f"'{path}' holds no attempts: there is no part-*.parquet below it.")
        return {_name(folder, path): _of_folder(folder) for folder in folders}
    found = _of_file(path, workers)
    if not found:
        raise DataError(f"'{path}' holds no attempts: {FORMS}")
    return {path.name: found}


def _name(folder: Path, below: Path) -> str:
    return str(folder.relative_to(below)) if folder != below else folder.name


def _of_folder(folder: Path) -> list[JudgedAttempt]:
    table = read_attempts_table(folder, ["problem_id", "status", "answer", "rule", "finish"])
    return [
        JudgedAttempt(
            problem=problem,
            status=status,
            # Of a program the rule says so; of an option, that a letter was read.
            vote=vote_of(answer, "choice" if rule.endswith("/letter") else "math"),
            votes=not rule.startswith("tests/"),
            truncated=finish == "length",
        )
        for problem, status, answer, rule, finish in zip(
            *(column.to_pylist() for column in table.columns), strict=True
        )
    ]


def _of_file(path: Path, workers: int) -> list[JudgedAttempt]:
    records = list(_records(path))
    with Judge(workers=workers, policy="lenient") as judge, Meter(
        "passk", total=len(records), unit="attempts"
    ) as meter:  # fmt: skip
        found: list[JudgedAttempt] = []
        for start in range(0, len(records), BATCH):
            batch = records[start : start + BATCH]
            found += _judged(batch, judge)
            meter.advance(len(batch))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """A line read: judged already, or with what is to be judged."""

    attempt: JudgedAttempt
    asked: tuple[Problem, str] | None = None


def _records(path: Path) -> Iterator[_Line]:
    for number, record in read_json_lines(path):
        try:
            yield _line(number, record)
        except (ValueError, TypeError) as error:
            raise DataError(f"{path}, line {number}: {error}; {FORMS}") from None


def _line(number: int, record: object) -> _Line:
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    name = record.get("problem", record.get("problem_id"))
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise ValueError("no 'problem' that says which problem was attempted (a text or a number)")
    if "correct" in record:
        return _Line(attempt=_stated(str(name), record))
    if not {"gold", "prediction"} <= record.keys():
        raise ValueError(f"the keys are {', '.join(sorted(map(str, record)))}")
    if record["prediction"] is None:
        return _Line(attempt=JudgedAttempt(problem=str(name), status="no_answer"))
    case = answer_case(number, record)
    attempt = JudgedAttempt(problem=str(name), status="undecided")
    return _Line(attempt=attempt, asked=(case.problem, case.text))


def _stated(name: str, record: Mapping[str, Any]) -> JudgedAttempt:
    correct = record["correct"]
    if correct not in (0, 1):
        raise ValueError(f"'correct' is {correct!r}, not true or false (or 1 or 0)")
    answer = record.get("answer")
    if answer is not None and not isinstance(answer, str | int | float):
        raise ValueError("'answer' is no text")
    return JudgedAttempt(
        problem=name,
        status="correct" if correct else "wrong",
        vote=None if answer is None else vote_of(str(answer)),
        votes="answer" in record,
    )


def _judged(lines: Sequence[_Line], judge: Judge) -> list[JudgedAttempt]:
    pairs = [line.asked for line in lines if line.asked]
    verdicts = iter(judge.verdicts(pairs) if pairs else [])
    found = []
    for line in lines:
        if line.asked is None:
            found.append(line.attempt)
            continue
        problem, verdict = line.asked[0], next(verdicts)
        found.append(
            JudgedAttempt(
                problem=line.attempt.problem,
                status=verdict.status,
                vote=vote_of(verdict.answer, problem.verifier, problem.choices),
                votes=problem.verifier != "python_tests",
            )
        )
    return found
