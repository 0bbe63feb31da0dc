"""Read answers from any file, for ``manyways verify`` and ``manyways passk``.

A row of ours is one of
- ``{"gold": "1/2", "prediction": "0.5"}``: the prediction is an answer, or a text that ends in
  one. It is read leniently. ``verifier``, ``choices`` and ``alternatives`` may stand beside it.
- ``{"problem": {...the fields of a Problem...}, "text": "..."}``: a model's text, read under the
  policy.
- ``{"prompt": "...", "tests": "...", "entry_point": "f", "completion": "..."}``: a program, in the
  field names of HumanEval (``test``) or MBPP (``test_list``, ``test_imports``,
  ``test_setup_code``). It runs in the sandbox.

``FORMATS`` has the rows of other tools, which are told by name or by their keys. Any other file is
read by the names of its columns. A prediction that is null or NaN is no answer.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from manyways.errors import DataError, UserError
from manyways.plugins import nearest
from manyways.progress import say
from manyways.records import Problem, Verdict
from manyways.row_files import Row, is_missing, value_at
from manyways.verifiers import VERIFIERS
from manyways.verifiers.final_answer import reference
from manyways.verifiers.programs import whole_tests

Record = Mapping[str, Any]

UNANSWERED = Verdict(status="no_answer", rule="none")
"""The verdict on a prediction that is null."""
_PROGRAM_KEYS = ("completion", "code", "solution", "text", "prediction")
_TEST_KEYS = ("tests", "test", "test_list")
_NAME_KEYS = ("problem", "problem_id", "task_id", "id", "question", "prompt")
_GOLD_KEYS = ("answer", "gold", "ground_truth", "expected_answer", "reference", "solution")
_PROBLEM_FIELDS = {field.name for field in fields(Problem)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How to read a file whose rows are not ours.

    format: a name of ``FORMATS``.
    prediction, gold, problem: columns that replace those of the format. A dotted path reaches into
        nested values.
    """

    format: str | None = None
    prediction: str | None = None
    gold: str | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One answer to verify.

    line:    number of its row, from 1.
    text:    None if there is no answer.
    bare:    whether the text is an answer, not the output of a model.
    name:    which problem was attempted, None if the row does not say.
    attempt: number of the text in its row, from 1; 0 if a row holds one text.
    """

    line: int
    problem: Problem
    text: str | None
    bare: bool = False
    name: str | None = None
    attempt: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """What another tool writes.

    keys:    sets of keys. A row that has all keys of one set is of this format.
    texts:   the model's texts in a row.
    gold:    the reference of a row.
    name:    which problem a row is about.
    several: whether a row may hold several texts.
    """

    title: str
    keys: tuple[frozenset[str], ...]
    texts: Callable[[Record], list[Any]]
    gold: Callable[[Record], Any]
    name: Callable[[Record], Any]
    several: bool = False


def _responses(record: Record) -> list[Any]:
    """The repeats of the one request of an lm-eval row. Several requests are scored options."""
    responses = record["resps"]
    if isinstance(responses, list) and len(responses) == 1:
        texts = responses[0] if isinstance(responses[0], list) else responses
        if texts and all(text is None or isinstance(text, str) for text in texts):
            return list(texts)
    raise ValueError(
        "'resps' holds log-likelihoods of options and no texts: lm-eval has scored them itself"
    )


def _turn(record: Record, roles: tuple[str, ...]) -> Any:  # noqa: ANN401 - as in the file
    """The last turn of one of ``roles`` in a conversation, None if there is none."""
    turns = record["conversations"] if "conversations" in record else record["messages"]
    said = [
        turn.get("value", turn.get("content"))
        for turn in turns
        if turn.get("from", turn.get("role")) in roles
    ]
    return said[-1] if said else None


def _first(record: Record, keys: tuple[str, ...]) -> Any:  # noqa: ANN401 - as in the file
    found = next((record[key] for key in keys if record.get(key) is not None), None)
    if found is None:
        raise ValueError(f"none of the keys {', '.join(keys)}: name a column with --gold")
    return found


FORMATS: dict[str, Format] = {
    "lm-eval": Format(
        title="samples of lm-eval (--log_samples)",
        keys=(frozenset({"doc_id", "resps", "target"}),),
        texts=_responses,
        gold=lambda record: record["target"],
        name=lambda record: record["doc_id"],
        several=True,
    ),
    "verl": Format(
        title="rollouts of verl (trainer.rollout_data_dir, or main_generation)",
        keys=(frozenset({"input", "output", "gts"}), frozenset({"responses", "reward_model"})),
        texts=lambda r: [r["output"]] if "output" in r else list(r["responses"]),
        gold=lambda r: r["gts"] if "gts" in r else r["reward_model"]["ground_truth"],
        name=lambda r: r.get("input"),
        several=True,
    ),
    "nemo-skills": Format(
        title="generations of NeMo-Skills (output*.jsonl)",
        keys=(frozenset({"generation", "expected_answer"}),),
        texts=lambda record: [record["generation"]],
        gold=lambda record: record["expected_answer"],
        name=lambda record: next((record[k] for k in _NAME_KEYS if record.get(k)), None),
    ),
    "open-r1": Format(
        title="a data set of open-r1 (generations, answer)",
        keys=(frozenset({"generations", "answer"}),),
        texts=lambda record: list(record["generations"]),
        gold=lambda record: record["answer"],
        name=lambda record: record.get("uuid", record.get("problem")),
        several=True,
    ),
    "sharegpt": Format(
        title="conversations (ShareGPT's from and value, or role and content)",
        keys=(frozenset({"conversations"}), frozenset({"messages"})),
        texts=lambda record: [_turn(record, ("gpt", "assistant", "model", "chatgpt"))],
        gold=lambda record: _first(record, _GOLD_KEYS),
        name=lambda record: _turn(record, ("human", "user")),
    ),
}
FORMS = (
    'a row is {"gold", "prediction"}, {"problem": {...}, "text"}, a program with "entry_point", '
    f'"completion" and "tests", or what {", ".join(FORMATS)} write; of any other table name the '
    "columns with --prediction and --gold."
)


class Reader:
    """Reads the rows of one file as cases.

    once:  leave out rows that repeat the texts of an earlier row. lm-eval writes the samples of a
        task once for each of its filters.
    forms: the forms of a row, for error messages.
    """

    def __init__(
        self, path: Path, reading: Reading | None = None, *, once: bool = False, forms: str = FORMS
    ) -> None:
        self._forms = forms
        self._path, self._how, self._once = path, reading or Reading(), once
        self._format = _named(self._how.format)
        self._filter: object = None
        if (self._how.prediction is None) != (self._how.gold is None) and self._format is None:
            raise UserError("--prediction and --gold go together: give both, or add --format.")

    def cases(self, row: Row) -> list[Case]:
        """The answers in a row. Raises DataError, with its place, if it has no known form."""
        record = row.value
        try:
            if not isinstance(record, Mapping):
                raise TypeError("not a JSON object")
            if self._format is None and self._how.gold is None:
                if "gold" in record and "prediction" in record:  # the usual form first, for speed
                    return [answer_case(row.number, record)]
                read = next((read for keys, read in _READERS if keys <= record.keys()), None)
                if read is not None:
                    return [read(row.number, record)]
            return list(self._foreign(row.number, record))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            words = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise DataError(f"{self._path}, {row.where}: {words}; {self._forms}") from None

    def _foreign(self, number: int, record: Record) -> Iterator[Case]:
        if self._format is None and self._how.gold is None:
            self._format = self._format_of(record)
        way = self._format
        if self._once and way is FORMATS["lm-eval"]:
            self._filter = self._filter or record.get("filter")
            if record.get("filter") != self._filter:
                return
        texts, gold = self._columns(record)
        if texts is None:
            assert way is not None  # without a format, both columns are named
            texts = way.texts(record)
        problem = Problem(
            id=f"file/lines/{number}", question="", answer=reference(_text({"gold": gold}, "gold"))
        )
        several = way is not None and way.several and self._how.prediction is None
        for attempt, text in enumerate(texts, start=1):
            yield Case(
                line=number,
                problem=problem,
                text=None if is_missing(text) else _text({"prediction": text}, "prediction"),
                bare=way is None,
                name=self._name(number, record),
                attempt=attempt if several else 0,
            )

    def _columns(self, record: Record) -> tuple[list[Any] | None, Any]:
        """(texts, reference). The texts are None if the format has to read them."""
        how, way = self._how, self._format
        if way is not None and how.prediction is None and how.gold is None:
            lacking = min((keys - record.keys() for keys in way.keys), key=len)
            if lacking:
                raise ValueError(f"no {' and '.join(map(repr, sorted(lacking)))}")
        texts = None if how.prediction is None else [self._value(how.prediction, record)]
        gold = way.gold(record) if how.gold is None and way else self._value(how.gold, record)
        return texts, gold

    def _format_of(self, record: Record) -> Format:
        for name, way in FORMATS.items():
            if any(keys <= record.keys() for keys in way.keys):
                say(f"{self._path}: read as {way.title}, as with --format {name}.")
                return way
        raise ValueError(f"the keys are {', '.join(sorted(map(str, record)))}")

    def _name(self, number: int, record: Record) -> str | None:
        if self._how.problem is not None:
            return str(self._value(self._how.problem, record))
        if self._format is not None:
            name = self._format.name(record)
            return f"row {number}" if name is None else str(name)
        return _name(record)

    def _value(self, column: str | None, record: Record) -> Any:  # noqa: ANN401 - as in the file
        try:
            return value_at(record, column or "")
        except KeyError as error:
            raise ValueError(error.args[0]) from None


def answer_case(number: int, record: Record) -> Case:
    """The case of a row with ``gold`` and ``prediction``. Raises ValueError if one is no text."""
    problem = Problem(
        id=f"file/lines/{number}",
        question="",
        answer=reference(_text(record, "gold")),
        verifier=_verifier(record),
        alternatives=_texts(record, "alternatives"),
        choices=_texts(record, "choices"),
    )
    return Case(
        line=number,
        problem=problem,
        text=_answer(record, "prediction"),
        bare=True,
        name=_name(record),
    )


def _text_case(number: int, record: Record) -> Case:
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
    name = record["problem"].get("id") or given["question"] or None
    return Case(line=number, problem=Problem(**given), text=_answer(record, "text"), name=name)


def _code_case(number: int, record: Record) -> Case:
    tests = next((record[key] for key in _TEST_KEYS if record.get(key)), None)
    if tests is None:
        raise ValueError(f"a program has no {' or '.join(map(repr, _TEST_KEYS))}")
    problem = Problem(
        id=str(record.get("task_id", f"file/lines/{number}")),
        question=str(record.get("prompt", "")),
        answer=str(record.get("canonical_solution", "")),
        verifier="python_tests",
        tests=whole_tests(
            tests, imports=record.get("test_imports"), setup=record.get("test_setup_code")
        ),
        entry_point=_text(record, "entry_point"),
    )
    written = next(key for key in _PROGRAM_KEYS if key in record)
    return Case(line=number, problem=problem, text=_answer(record, written), name=_name(record))


def _named(name: str | None) -> Format | None:
    if name is None or name in FORMATS:
        return FORMATS.get(name or "")
    raise UserError(f"there is no format '{name}'.{nearest(name, FORMATS)}")


def _name(record: Record) -> str | None:
    """Which problem a row is about, None if it does not say."""
    for key in _NAME_KEYS:
        name = record.get(key)
        if isinstance(name, str | int) and not isinstance(name, bool):
            return str(name)
    return None


def _verifier(record: Record) -> str:
    """The verifier that a row names. Only our own, as a file must not say which code runs."""
    name = record.get("verifier", "math")
    if not isinstance(name, str):
        raise ValueError(f"'verifier' is {type(name).__name__}, not text")
    if name not in VERIFIERS:
        raise ValueError(
            f"'verifier' is '{name}': a row can name {', '.join(VERIFIERS)}. Give a verifier of "
            "your own for all rows on the command line: manyways verify --verifier module:function"
        )
    return name


def _texts(record: Record, key: str) -> tuple[str, ...]:
    if key not in record:
        return ()
    values = record[key]
    if not isinstance(values, list | tuple):
        raise ValueError(f"'{key}' is {type(values).__name__}, not a list of texts")
    return tuple(_text({key: value}, key) for value in values)


def _answer(record: Record, key: str) -> str | None:
    return None if is_missing(record[key]) else _text(record, key)


def _text(record: Record, key: str) -> str:
    value = record[key]
    if isinstance(value, str):
        return value
    if is_missing(value):
        raise ValueError(f"'{key}' is empty (null or NaN): a reference is needed")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"'{key}' is {type(value).__name__}, not text")


_READERS: tuple[tuple[frozenset[str], Callable[[int, Record], Case]], ...] = (
    *((frozenset({"entry_point", key}), _code_case) for key in _PROGRAM_KEYS),
    (frozenset({"problem", "text"}), _text_case),
)
