"""The user's own problems: a file, or any dataset of the Hub, with a mapping of its columns.

``file:PATH?question=COLUMN&answer=COLUMN`` reads JSON lines (``.jsonl``), ``.json`` (a list),
``.csv``, ``.tsv`` (each may be gzipped: ``.gz``), ``.parquet`` or a folder written by
``Dataset.save_to_disk`` (``row_files``);
``hub:OWNER/NAME?split=SPLIT&config=CONFIG&question=COLUMN&answer=COLUMN`` reads the Hub.
A column may be a path into nested values: ``answer=reward_model.ground_truth``,
``question=prompt.0.content``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from manyways.errors import DataError
from manyways.plugins import nearest
from manyways.problems import Source
from manyways.problems.rows import (
    HubDataset,
    called_function,
    last_boxed,
    letter,
    read_hub,
    with_choices,
)
from manyways.records import Problem
from manyways.row_files import KINDS, Row, is_missing, kind_of, read_objects, value_at
from manyways.verifiers import verifier_of
from manyways.verifiers.final_answer import reference
from manyways.verifiers.programs import defines, whole_tests

COLUMNS = {
    "question": "column of the question (default: question)",
    "answer": "column of the reference answer (default: answer)",
    "id": "column of an identifier (default: the row's number)",
    "choices": "column of a list of option texts, or their columns (A,B,C,D); the answer is then a "
    "letter, a text, a label or an index",
    "labels": "column of a list of labels of the options, which the answer then names (default: "
    "the column label beside choices=....text)",
    "alternatives": "column of a list of other right spellings of the answer",
    "tests": "column of Python tests, a text or a list; the columns test_imports and "
    "test_setup_code come before them",
    "entry_point": "column of the function's name (default: the function of the reference that the "
    "tests call)",
    "stub": "column of the code that the reference program continues (default: the question, where "
    "the reference alone is no program)",
    "tag": "columns to keep as tags, joined by commas",
}
SETTINGS = {
    "shuffle": "yes: the options in an order of their own for each problem (default: no)",
    "verifier": "math, exact, choice, python_tests or package.module:function (default: math)",
    "name": "what it is called in tables, paths and ids (default in ids: the name of the file, or "
    "dataset-split)",
    "extract": "boxed or hashes: the answer is the last \\boxed{} or what follows #### in it",
    "split": "split of the dataset (default for hub: train)",
    "config": "configuration of the Hub dataset",
}


def load_file(path: str, source: Source) -> list[Problem]:
    """Every problem of the file or dataset folder at ``path``, in its order.

    Raises DataError for a missing file, an unknown option, a missing column or an empty field.
    """
    options = _checked(source.options)
    where = Path(path).expanduser()
    if not where.exists():
        raise DataError(f"file:{path}: there is no such file (paths start at {Path.cwd()}).")
    source.notes["origin"] = str(where)
    if kind_of(where) not in (*KINDS, "dataset"):
        raise DataError(
            f"{path}: .jsonl, .json, .csv or .tsv (.gz may follow), .parquet or a dataset folder."
        )
    rows = list(read_objects(where, split=options.get("split")))
    stem = where.name.removesuffix(".gz").rpartition(".")[0] or where.name
    return _Mapping(options, f"file/{options.get('name', stem)}", path).problems(rows)


def load_hub(name: str, source: Source) -> list[Problem]:
    """Every problem of a split of the Hub dataset ``owner/name``.

    Raises DataError when it cannot be loaded, for an unknown option, a missing column or an empty
    field.
    """
    options = _checked(source.options)
    split = options.get("split", "train")
    wanted = HubDataset(
        id=name, config=options.get("config"), split=split, revision=source.revision
    )
    found = read_hub(wanted)
    source.notes["origin"] = found.origin
    if found.commit:
        source.notes["commit"] = found.commit
    own = options.get("name", f"{name.rpartition('/')[2]}-{split}")
    rows = [(Row(number, row, "row"), row) for number, row in enumerate(found.rows, start=1)]
    return _Mapping(options, f"hub/{own}", found.origin).problems(rows)


def _checked(options: Mapping[str, str]) -> Mapping[str, str]:
    known = COLUMNS | SETTINGS
    for key in options:
        if key not in known:
            raise DataError(f"a set of your own has no option '{key}'.{nearest(key, known)}")
    if options.get("shuffle", "no") not in ("yes", "no"):
        raise DataError(f"shuffle is yes or no, not '{options['shuffle']}'.")
    if options.get("extract", "boxed") not in ("boxed", "hashes"):
        raise DataError(f"extract is boxed or hashes, not '{options['extract']}'.")
    return options


@dataclass(frozen=True)
class _Mapping:
    """Turns rows into problems, by the user's options."""

    options: Mapping[str, str]
    prefix: str
    where: str

    def problems(self, rows: Sequence[tuple[Row, Mapping[str, Any]]]) -> list[Problem]:
        if rows and not self._named("choices"):
            self._check_no_options(rows[0][1])
        return [self._problem(where, row, i) for i, (where, row) in enumerate(rows)]

    def _problem(self, where: Row, row: Mapping[str, Any], number: int) -> Problem:
        try:
            return self._read(row, number)
        except (DataError, ValueError, KeyError) as error:
            words = error.args[0] if isinstance(error, KeyError) else str(error)
            raise DataError(f"{self.where}, {where.where}: {words}") from None

    def _read(self, row: Mapping[str, Any], number: int) -> Problem:
        question = self._text(row, "question")
        answer = self._text(row, "answer")
        choices = self._choices(row)
        tests = self._tests(row)
        usual = "choice" if choices else "python_tests" if tests else "math"
        verifier = self.options.get("verifier", usual)
        entry_point = ""
        if choices:
            answer = self._letter(answer, choices, self._labels(row))
            if self.options.get("shuffle") == "yes":
                choices, answer = _shuffled(question, choices, answer)
            question = with_choices(question, choices)
        elif tests:
            question = as_text(self._cell(row, self.options.get("question", "question")))
            answer, entry_point = self._program(row, question, tests)
        elif "extract" in self.options:
            answer = self._extracted(answer)
        elif verifier_of(verifier).cuts:
            answer = reference(answer)  # it may be a whole solution
        own_id = self._text(row, "id") if self._named("id") else f"{number:05d}"
        tags = self.options.get("tag", "").split(",")
        return Problem(
            id=f"{self.prefix}/{re.sub(r'[^A-Za-z0-9_.-]+', '-', own_id)}",
            question=question,
            answer=answer,
            verifier=verifier,
            alternatives=self._list(row, "alternatives"),
            choices=choices,
            tests=tests,
            entry_point=entry_point,
            tags={tag: as_text(self._cell(row, tag)) for tag in tags if tag},
        )

    def _named(self, what: str) -> bool:
        return what in self.options

    def _text(self, row: Mapping[str, Any], what: str) -> str:
        column = self.options.get(what, what)
        value = self._cell(row, column)
        if isinstance(value, list | tuple) and what == "answer":
            raise DataError(
                f"'{column}' (answer) is a list. If its items are spellings of one answer: "
                f"answer={column}.0&alternatives={column}. If all of them are the answer, write "
                "them in one text, joined by commas."
            )
        text = as_text(value).strip()
        if not text:
            how = " (null or NaN)" if is_missing(value) else ""
            raise DataError(f"'{column}' ({what}) is empty{how}: fill it, or leave the row out.")
        if what == "answer" and text.casefold() in ("nan", "null"):
            raise DataError(
                f"'{column}' (answer) is {text}, which is how an empty field is written: give the "
                "answer, or leave the row out."
            )
        return text

    def _tests(self, row: Mapping[str, Any]) -> str:
        if not self._named("tests"):
            return ""
        tests = self._cell(row, self.options["tests"])
        if not tests:
            raise DataError(f"'{self.options['tests']}' (tests) is empty.")
        return whole_tests(tests, imports=row.get("test_imports"), setup=row.get("test_setup_code"))

    def _program(self, row: Mapping[str, Any], question: str, tests: str) -> tuple[str, str]:
        """(the whole reference program, the name of the function that is asked for).

        A reference may be a whole program, or the body that follows a signature and its docstring.
        """
        written = as_text(self._cell(row, self.options.get("answer", "answer"))).strip("\n")
        stub = as_text(self._cell(row, self.options["stub"])) if self._named("stub") else question
        whole = stub.rstrip() + "\n" + written
        if self._named("entry_point"):
            name = self._text(row, "entry_point")
            continues = not defines(written, name) and defines(whole, name)
            return (whole if continues else written), name
        for program in (written, whole):
            try:
                return program, called_function(program, [tests])
            except (IndexError, SyntaxError):
                continue
        raise DataError(
            "the tests call no function of the reference program: name the column of the "
            "function's name with entry_point=COLUMN."
        )

    def _choices(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """The texts of the options, from one column with a list or from one column each."""
        columns = self.options.get("choices", "").split(",")
        if len(columns) == 1 or self.options["choices"] in row:
            return self._list(row, "choices")
        return tuple(as_text(self._cell(row, column)) for column in columns)

    def _labels(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """The data set's labels of its options; some sets number them from 1."""
        column = self.options.get("labels")
        if column is None and self.options["choices"].endswith(".text"):
            column = self.options["choices"].removesuffix("text") + "label"
            try:
                value_at(row, column)
            except KeyError:
                column = None
        return self._items(row, column, "labels") if column else ()

    def _check_no_options(self, row: Mapping[str, Any]) -> None:
        """Raise DataError if there seem to be options: unnamed, the model would not see them."""
        columns: list[str] = []
        while (name := letter(len(columns))) in row:
            columns.append(name)
        answer = row.get(self.options.get("answer", "answer"))
        if len(columns) > 1 and isinstance(answer, str) and answer.strip().upper() in columns:
            raise DataError(
                f"{self.where}: the columns {', '.join(columns)} look like the options of a "
                f"multiple choice problem: add choices={','.join(columns)}."
            )

    def _list(self, row: Mapping[str, Any], what: str) -> tuple[str, ...]:
        return self._items(row, self.options[what], what) if what in self.options else ()

    def _items(self, row: Mapping[str, Any], column: str, what: str) -> tuple[str, ...]:
        value = self._cell(row, column)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except json.JSONDecodeError:
                value = None
        if not isinstance(value, list | tuple):
            raise DataError(f"'{column}' ({what}) must be a list, or a JSON list in a text.")
        return tuple(as_text(item) for item in value)

    def _cell(self, row: Mapping[str, Any], column: str) -> Any:  # noqa: ANN401 - as in the file
        try:
            return value_at(row, column)
        except KeyError as error:
            raise DataError(f"{error.args[0]}. Map them: ?question=COLUMN&answer=COLUMN.") from None

    def _letter(self, answer: str, choices: tuple[str, ...], labels: tuple[str, ...]) -> str:
        """A letter stays; a choice's text, label or index from 0 becomes its letter."""
        for names in (labels, choices):
            if answer in names:
                return letter(names.index(answer))
        if answer.isascii() and answer.isdigit() and int(answer) < len(choices):
            return letter(int(answer))
        if len(answer) == 1 and "A" <= answer.upper() < letter(len(choices)):
            return answer.upper()
        raise DataError(f"answer '{answer}' is none of {list(choices)}.")

    def _extracted(self, answer: str) -> str:
        if self.options["extract"] == "boxed":
            found = last_boxed(answer)
        else:
            found = answer.rpartition("####")[2].strip() if "####" in answer else None
        if not found:
            raise DataError(f"no {self.options['extract']} answer in its column.")
        return found


def _shuffled(question: str, choices: tuple[str, ...], answer: str) -> tuple[tuple[str, ...], str]:
    """(the options in an order that follows from their texts, the letter of the right one)."""
    right = choices[ord(answer) - ord("A")]
    mixed = sorted(choices, key=lambda text: sha256(f"{question}\n{text}".encode()).digest())
    return tuple(mixed), letter(mixed.index(right))


def as_text(value: object) -> str:
    """A value as text: whole floats without ``.0``, missing values as ``""``.

    Raises DataError for a list or a mapping: the user has to name a part of it.
    """
    if is_missing(value):
        return ""
    if isinstance(value, bytes):
        return _decoded(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple | Mapping):
        keys = list(value) if isinstance(value, Mapping) else range(len(value))
        raise DataError(
            f"a column holds a {type(value).__name__}: name a part of it, as in "
            f"column.{next(iter(keys), 0)}."
        )
    return str(value)


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError("a column holds bytes that are not UTF-8: write it as text.") from None
