"""The lines that ``manyways verify`` reads.

A line is one of
- ``{"gold": "1/2", "prediction": "0.5"}``: the prediction is an answer, or a text that ends in
  one, and is read leniently; ``verifier`` and ``choices`` may be given beside it;
- ``{"problem": {...the fields of a Problem...}, "text": "..."}``: a model's text, read under the
  policy;
- ``{"prompt": "...", "tests": "...", "entry_point": "f", "completion": "..."}``: a program, in the
  field names of HumanEval (``test``) or MBPP (``test_list``, ``test_imports``), run in the sandbox.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from manyways.errors import DataError
from manyways.records import Problem
from manyways.verifiers import VERIFIERS
from manyways.verifiers.final_answer import reference
from manyways.verifiers.programs import whole_tests

_PROGRAM_KEYS = ("completion", "code", "solution", "text", "prediction")
_TEST_KEYS = ("tests", "test", "test_list")
_FORMS = (
    'a line is {"gold", "prediction"}, {"problem": {...}, "text"} or a program with '
    '"entry_point", "completion" and "tests".'
)
_PROBLEM_FIELDS = {field.name for field in fields(Problem)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A line read: ``bare`` when its text is an answer rather than a model's output."""

    line: int
    problem: Problem
    text: str
    bare: bool


def read_case(number: int, record: object) -> Case:
    """Line ``number`` of a file. Raises DataError, naming it, when it is none of the kinds."""
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
        verifier=_verifier(record),
        alternatives=_texts(record, "alternatives"),
        choices=_texts(record, "choices"),
    )
    return Case(line=number, problem=problem, text=_text(record, "prediction"), bare=True)


def _text_case(number: int, record: Mapping[str, Any]) -> Case:
    if not isinstance(record["problem"], dict):
        raise ValueError("'problem' is not an object")
    given = {"id": f"file/lines/{number}", "question": "", **record["problem"]}
    unknown = sorted(set(given) - _PROBLEM_FIELDS)
    if unknown:
        raise ValueError(f"a problem has no field '{unknown[0]}'")
    for name in given.keys() - {"tags"}:
        many = name in ("alternatives", "choices")
        given[name] = _texts(given, name) if many else _text(given, name)
    if not isinstance(given.get("tags", {}), dict):
        raise ValueError("'tags' is not an object")
    given["verifier"] = _verifier(given)
    return Case(line=number, problem=Problem(**given), text=_text(record, "text"), bare=False)


def _code_case(number: int, record: Mapping[str, Any]) -> Case:
    tests = next((record[key] for key in _TEST_KEYS if record.get(key)), None)
    if tests is None:
        raise ValueError(f"a program has no {' or '.join(map(repr, _TEST_KEYS))}")
    tests = whole_tests(
        tests, imports=record.get("test_imports"), setup=record.get("test_setup_code")
    )
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


def _verifier(record: Mapping[str, Any]) -> str:
    """By its name in the table alone: a file of someone else's must not say what code runs."""
    name = record.get("verifier", "math")
    if not isinstance(name, str):
        raise ValueError(f"'verifier' is {type(name).__name__}, not text")
    if name not in VERIFIERS:
        raise ValueError(
            f"'verifier' is '{name}': a line names {', '.join(VERIFIERS)}. One of your own is for "
            "all lines and stands on the command line: manyways verify --verifier module:function"
        )
    return name


def _texts(record: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = record.get(key, ())
    if not isinstance(values, list | tuple):
        raise ValueError(f"'{key}' is {type(values).__name__}, not a list of texts")
    return tuple(_text({key: value}, key) for value in values)


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
