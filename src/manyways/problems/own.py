"""A user's own problems: a file, or any dataset of the Hub, with a mapping of its columns.

``file:PATH?question=COLUMN&answer=COLUMN`` reads JSON lines (``.jsonl``), ``.json`` (a list),
``.csv``, ``.tsv`` (each may be gzipped: ``.gz``), ``.parquet`` or a folder written by
``Dataset.save_to_disk``;
``hub:OWNER/NAME?split=SPLIT&config=CONFIG&question=COLUMN&answer=COLUMN`` reads the Hub.
A column may be a path into nested values: ``answer=reward_model.ground_truth``,
``question=prompt.0.content``.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyways.errors import DataError
from manyways.plugins import nearest
from manyways.problems import Source
from manyways.problems.files import read_rows
from manyways.problems.hub import HubDataset, read_hub
from manyways.problems.rows import last_boxed, letter, with_choices
from manyways.records import Problem

COLUMNS = {
    "question": "column of the question (default: question)",
    "answer": "column of the reference answer (default: answer)",
    "id": "column of an identifier (default: the row's number)",
    "choices": "column of a list of option texts; the answer is then a letter, a text or an index",
    "alternatives": "column of a list of other right spellings of the answer",
    "tests": "column of Python tests, for verifier=python_tests",
    "entry_point": "column of the function's name, for verifier=python_tests",
    "tag": "columns to keep as tags, joined by commas",
}
SETTINGS = {
    "verifier": "math, exact, choice, python_tests or package.module:function (default: math)",
    "name": "second part of the ids (default: the name of the file, or dataset-split)",
    "extract": "boxed or hashes: the answer is the last \\boxed{} or what follows #### in it",
    "split": "split of the dataset (default for hub: train)",
    "config": "configuration of the Hub dataset",
}


def load_file(path: str, source: Source) -> list[Problem]:
    """Every problem of the file or dataset folder at ``path``, in its order.

    Raises DataError for a missing file, an unknown option, a missing column or an empty cell.
    """
    options = _checked(source.options)
    where = Path(path).expanduser()
    if not where.exists():
        raise DataError(f"file:{path}: there is no such file (paths start at {Path.cwd()}).")
    source.notes["origin"] = str(where)
    rows = read_rows(where, options.get("split"))
    stem = where.name.removesuffix(".gz").rpartition(".")[0] or where.name
    return _Mapping(options, f"file/{options.get('name', stem)}", path).problems(rows)


def load_hub(name: str, source: Source) -> list[Problem]:
    """Every problem of a split of the Hub dataset ``owner/name``.

    Raises DataError when it cannot be loaded, for an unknown option, a missing column or an empty
    cell.
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
    return _Mapping(options, f"hub/{own}", found.origin).problems(found.rows)


def _checked(options: Mapping[str, str]) -> Mapping[str, str]:
    known = COLUMNS | SETTINGS
    for key in options:
        if key not in known:
            raise DataError(f"a set of your own has no option '{key}'.{nearest(key, known)}")
    if options.get("extract", "boxed") not in ("boxed", "hashes"):
        raise DataError(f"extract is boxed or hashes, not '{options['extract']}'.")
    return options


@dataclass(frozen=True)
class _Mapping:
    """From rows to problems under the user's options."""

    options: Mapping[str, str]
    prefix: str
    where: str

    def problems(self, rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
        return [self._problem(row, number) for number, row in enumerate(rows)]

    def _problem(self, row: Mapping[str, Any], number: int) -> Problem:
        question = self._text(row, number, "question")
        answer = self._text(row, number, "answer")
        choices = self._list(row, number, "choices")
        if choices:
            question, answer = with_choices(question, choices), self._letter(answer, choices)
        elif "extract" in self.options:
            answer = self._extracted(answer, number)
        own_id = self._text(row, number, "id") if "id" in self.options else f"{number:05d}"
        tags = self.options.get("tag", "").split(",")
        return Problem(
            id=f"{self.prefix}/{re.sub(r'[^A-Za-z0-9_.-]+', '-', own_id)}",
            question=question,
            answer=answer,
            verifier=self.options.get("verifier", "choice" if choices else "math"),
            alternatives=self._list(row, number, "alternatives"),
            choices=choices,
            tests=self._optional(row, number, "tests"),
            entry_point=self._optional(row, number, "entry_point"),
            tags={tag: as_text(self._cell(row, number, tag)) for tag in tags if tag},
        )

    def _text(self, row: Mapping[str, Any], number: int, what: str) -> str:
        column = self.options.get(what, what)
        text = as_text(self._cell(row, number, column)).strip()
        if not text:
            raise DataError(f"{self.where}, row {number}: '{column}' ({what}) is empty.")
        return text

    def _optional(self, row: Mapping[str, Any], number: int, what: str) -> str:
        return self._text(row, number, what) if what in self.options else ""

    def _list(self, row: Mapping[str, Any], number: int, what: str) -> tuple[str, ...]:
        if what not in self.options:
            return ()
        value = self._cell(row, number, self.options[what])
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except json.JSONDecodeError:
                value = None
        if not isinstance(value, list | tuple):
            raise DataError(
                f"{self.where}, row {number}: '{self.options[what]}' ({what}) must be a list, or "
                "a JSON list in a text."
            )
        return tuple(as_text(item) for item in value)

    def _cell(self, row: Mapping[str, Any], number: int, column: str) -> object:
        if column in row:
            return row[column]
        value: Any = row
        for part in column.split("."):
            if isinstance(value, Mapping) and part in value:
                value = value[part]
            elif isinstance(value, list | tuple) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                raise DataError(
                    f"{self.where}, row {number}: no column '{column}'; it has "
                    f"{', '.join(map(str, row))}. Map them: ?question=COLUMN&answer=COLUMN."
                )
        return value

    def _letter(self, answer: str, choices: tuple[str, ...]) -> str:
        """A letter stays; a choice's text or its index from 0 becomes its letter."""
        if answer in choices:
            return letter(choices.index(answer))
        if answer.isascii() and answer.isdigit() and int(answer) < len(choices):
            return letter(int(answer))
        if len(answer) == 1 and "A" <= answer.upper() < letter(len(choices)):
            return answer.upper()
        raise DataError(f"{self.where}: answer '{answer}' is none of {list(choices)}.")

    def _extracted(self, answer: str, number: int) -> str:
        if self.options["extract"] == "boxed":
            found = last_boxed(answer)
        else:
            found = answer.rpartition("####")[2].strip() if "####" in answer else None
        if not found:
            raise DataError(
                f"{self.where}, row {number}: no {self.options['extract']} answer in its column."
            )
        return found


def as_text(value: object) -> str:
    """A cell as text: whole floats without ``.0``, None as nothing.

    Raises DataError for a list or a mapping, of which a part has to be named.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):  # an empty cell
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
