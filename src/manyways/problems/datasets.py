"""The published problem sets: source, licence, counts and verifier of each, and how one is loaded.

A set is read from the Hub, or in its normalised form: one JSON record a line, plain or gzipped.
Repository ids and row counts are those of the public listings. Column names are checked whenever a
set is loaded, and so are the counts. Where the rows of a set carry an identifier of their own, ids
use it; dapo-math-17k, whose copies differ in order, is numbered by content; the others by position.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from manyways.errors import DataError
from manyways.plugins import nearest
from manyways.problems import Source, normal_form, rows
from manyways.problems.rows import HubDataset, Row, read_hub
from manyways.records import Problem
from manyways.row_files import read_objects


def find(folder: Path, stem: str) -> Path | None:
    """``<stem>.jsonl`` or ``<stem>.jsonl.gz`` in ``folder``, whichever exists."""
    for path in (folder / f"{stem}.jsonl", folder / f"{stem}.jsonl.gz"):
        if path.is_file():
            return path
    return None


def read_records(folder: Path, stem: str) -> Iterator[dict[str, Any]]:
    """The records of ``<stem>.jsonl`` or ``<stem>.jsonl.gz`` in ``folder``.

    Raises DataError when neither exists or a line is not a JSON object.
    """
    path = find(folder, stem)
    if path is None:
        raise DataError(
            f"no {stem}.jsonl or {stem}.jsonl.gz in '{folder}': set data_dir (or MANYWAYS_DATA) to "
            "the folder with the normalised problem sets, or leave it out to load from the Hub."
        )
    yield from (dict(record) for _, record in read_objects(path))


class Builder(Protocol):
    """Turns a normalised record into a problem."""

    def __call__(self, record: Row, *, problem_id: str) -> Problem:
        """The problem with this id."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """One split of a set: the file in a folder, the split on the Hub, and how many rows.

    stem:     file name without ``.jsonl`` or ``.jsonl.gz``.
    hub:      split on the Hub; ``a+b`` joins.
    rows:     published number of problems.
    hub_rows: number of rows on the Hub where it is another (before repeats are merged).
    only:     which records of the file belong to this split; all when None.
    """

    stem: str
    hub: str
    rows: int
    hub_rows: int | None = None
    only: Callable[[Row], bool] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SetSpec:
    """A published problem set. Calling it loads a split: it is a ``Loader``.

    title:    name, authors and year, for tables and cards.
    licence:  as stated where the set is published.
    columns:  that must exist on the Hub.
    from_hub: Hub row -> normalised record.
    build:    normalised record -> problem.
    key:      (normalised record, its number in the split) -> last part of the id.
    merge:    repeated questions become one; those with contradicting answers are left out.
    filters:  tag -> value taken by default; ``all`` takes everything. Options of the set's name.
    """

    name: str
    title: str
    hub_id: str
    hub_config: str | None = None
    licence: str
    verifier: str
    columns: tuple[str, ...]
    splits: Mapping[str, Split]
    from_hub: Callable[[Row], dict[str, Any]]
    build: Builder
    key: Callable[[Row, int], str]
    merge: bool = False
    filters: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, split: str, source: Source) -> list[Problem]:
        """Load ``split``.

        Raises DataError for an unknown split or option, a missing column, or a number of rows
        other than published.
        """
        if split not in self.splits:
            raise DataError(f"{self.name} has no split '{split}'.{nearest(split, self.splits)}")
        for option in source.options:
            if option not in self.filters:
                hint = nearest(option, self.filters) if self.filters else " It has none."
                raise DataError(f"{self.name} has no option '{option}'.{hint}")
        records = self._records(split, source)
        if self.merge:
            records = merged(records)
        problems = [
            self.build(record, problem_id=f"{self.name}/{split}/{self.key(record, number)}")
            for number, record in enumerate(records)
        ]
        return self._chosen(problems, source.options)

    def _records(self, split: str, source: Source) -> list[Row]:
        where = self.splits[split]
        if source.data_dir:
            keep = where.only or (lambda _: True)
            records: list[Row] = [
                one for one in read_records(source.data_dir, where.stem) if keep(one)
            ]
            pinned = f" (not checked against revision {source.revision})" if source.revision else ""
            source.notes["origin"] = f"{where.stem} in {source.data_dir}{pinned}"
            _check_count(len(records), {where.rows}, f"{self.name}/{split} in {source.data_dir}")
            return records
        wanted = HubDataset(
            id=self.hub_id,
            config=self.hub_config,
            split=where.hub,
            revision=source.revision,
            columns=self.columns,
        )
        found = read_hub(wanted)
        source.notes["origin"] = found.origin
        if found.commit:
            source.notes["commit"] = found.commit
        counts = {where.rows, where.hub_rows or where.rows}
        _check_count(len(found.rows), counts, f"{self.name}/{split}: {found.origin}")
        return [_read(self.from_hub, row, f"{found.origin}, row {i}") for i, row in
                enumerate(found.rows)]  # fmt: skip

    def _chosen(self, problems: list[Problem], options: Mapping[str, str]) -> list[Problem]:
        for tag, default in self.filters.items():
            wanted = options.get(tag, default)
            if wanted == "all":
                continue
            there = {problem.tags.get(tag, "none") for problem in problems}
            unknown = set(wanted.split(",")) - there
            if unknown:
                raise DataError(
                    f"{self.name}: no problem has {tag}={','.join(sorted(unknown))}; "
                    f"there are {', '.join(sorted(there))}, and all."
                )
            problems = [p for p in problems if p.tags.get(tag, "none") in wanted.split(",")]
        return problems


def merged(records: list[Row]) -> list[Row]:
    """One record per question, in order; questions with contradicting answers are left out.

    The same question means ``problems.normal_form``: spacing and the dressing of LaTeX do not
    count. The records gain ``content``, ten hex digits of that.
    """
    first: dict[str, Row] = {}
    answers: dict[str, set[str]] = {}
    for record in records:
        text = normal_form(str(record["question"]))
        question = hashlib.sha256(text.encode()).hexdigest()[:10]
        first.setdefault(question, {**record, "content": question})
        answers.setdefault(question, set()).add(str(record["answer"]).strip())
    return [record for question, record in first.items() if len(answers[question]) == 1]


def by_number(record: Row, number: int) -> str:
    """The position within the split, ``00042``."""
    return f"{number:05d}"


def by_content(record: Row, number: int) -> str:
    """What ``merged`` adds, for sets whose copies differ in order: one question, one id."""
    return str(record["content"])


def _check_count(found: int, expected: set[int], what: str) -> None:
    if found not in expected:
        published = " or ".join(str(count) for count in sorted(expected))
        raise DataError(
            f"{what} has {found} rows, {published} are published. Replace the file, or pin the "
            "revision that had them; a changed set can be loaded as file: or hub: under its own "
            "name."
        )


def _read(from_hub: Callable[[Row], dict[str, Any]], row: Row, where: str) -> Row:
    try:
        return from_hub(row)
    except (KeyError, ValueError, TypeError, SyntaxError, IndexError, AttributeError) as error:
        raise DataError(f"{where} is not as expected: {type(error).__name__}: {error}.") from error


def _task_number(record: Row, number: int) -> str:
    """``HumanEval/12`` and ``mbpp_12`` are 00012."""
    return f"{int(str(record['task_id']).replace('_', '/').rpartition('/')[2]):05d}"


def _last_number(record: Row, number: int) -> str:
    """``aime24_60`` in the normalised file and 60 on the Hub are 00060."""
    return f"{int(str(record['id']).rpartition('_')[2]):05d}"


def _math500_key(record: Row, number: int) -> str:
    """``test/precalculus/807.json`` on the Hub and in the normalised source: precalculus-807."""
    path = str(record.get("unique_id") or record["source"]).removesuffix(".json")
    return "-".join(path.split("/")[-2:])


def _mbpp_split(low: int, high: int, hub: str, rows_: int) -> Split:
    """MBPP's usual splits are ranges of task numbers."""
    return Split(
        stem="mbpp_sanitized",
        hub=hub,
        rows=rows_,
        only=lambda record: low <= int(str(record["task_id"]).rpartition("_")[2]) <= high,
    )


def _musr_split(task: str, rows_: int) -> Split:
    return Split(stem="musr", hub=task, rows=rows_, only=lambda record: record["task"] == task)


GSM8K = SetSpec(
    name="gsm8k",
    title="GSM8K: grade-school word problems (Cobbe et al. 2021)",
    hub_id="openai/gsm8k",
    hub_config="main",
    licence="MIT",
    verifier="math",
    columns=("question", "answer"),
    splits={
        "train": Split(stem="gsm8k_train", hub="train", rows=7473),
        "test": Split(stem="gsm8k_test", hub="test", rows=1319),
    },
    from_hub=rows.gsm8k_from_hub,
    build=rows.maths,
    key=by_number,
)

MATH = SetSpec(
    name="math",
    title="MATH: competition problems (Hendrycks et al. 2021)",
    hub_id="DigitalLearningGmbH/MATH-lighteval",
    licence="MIT (the problems come from competitions: redistribute with care)",
    verifier="math",
    columns=("problem", "solution", "level", "type"),
    splits={"train": Split(stem="math_train", hub="train", rows=7500)},
    from_hub=rows.math_from_hub,
    build=rows.maths,
    key=by_number,
    filters={"level": "all"},
)

MATH500 = SetSpec(
    name="math500",
    title="MATH-500: the held-out test problems of MATH (Lightman et al. 2023)",
    hub_id="HuggingFaceH4/MATH-500",
    licence="MIT",
    verifier="math",
    columns=("problem", "answer", "level", "subject", "unique_id"),
    splits={"test": Split(stem="math500", hub="test", rows=500)},
    from_hub=rows.problem_from_hub,
    build=rows.maths,
    key=_math500_key,
    filters={"level": "all"},
)

DAPO = SetSpec(
    name="dapo-math-17k",
    title="DAPO-Math-17k: competition problems with integer answers (Yu et al. 2025)",
    hub_id="open-r1/DAPO-Math-17k-Processed",
    hub_config="all",
    licence="Apache-2.0",
    verifier="math",
    columns=("prompt", "solution"),
    splits={"train": Split(stem="dapo_math_17k", hub="train", rows=17243, hub_rows=17398)},
    from_hub=rows.dapo_from_hub,
    build=rows.maths,
    key=by_content,
    merge=True,
    filters={"lang": "en"},
)

AIME24 = SetSpec(
    name="aime24",
    title="AIME 2024, I and II (Mathematical Association of America)",
    hub_id="HuggingFaceH4/aime_2024",
    licence="none stated; the normalised copy comes from an MIT repository",
    verifier="math",
    columns=("id", "problem", "answer"),
    splits={"test": Split(stem="aime24", hub="train", rows=30)},
    from_hub=rows.aime_from_hub,
    build=rows.maths,
    key=_last_number,
)

AIME25 = SetSpec(
    name="aime25",
    title="AIME 2025, I and II (Mathematical Association of America)",
    hub_id="math-ai/aime25",
    licence="none stated; the normalised copy comes from an Apache-2.0 repository",
    verifier="math",
    columns=("problem", "answer"),
    splits={"test": Split(stem="aime25", hub="test", rows=30)},
    from_hub=rows.aime_from_hub,
    build=rows.maths,
    key=by_number,
)

AMC23 = SetSpec(
    name="amc23",
    title="AMC 12 2023: the 40 problems edited to integer answers",
    hub_id="math-ai/amc23",
    licence="none stated; the normalised copy comes from an MIT repository",
    verifier="math",
    columns=("question", "answer"),
    splits={"test": Split(stem="amc23", hub="test", rows=40)},
    from_hub=rows.question_from_hub,
    build=rows.maths,
    key=by_number,
)

MINERVA = SetSpec(
    name="minerva",
    title="Minerva Math: 272 undergraduate questions of MIT courses (Lewkowycz et al. 2022)",
    hub_id="math-ai/minervamath",
    licence="none stated; the normalised copy comes from MIT repositories",
    verifier="math",
    columns=("question", "answer"),
    splits={"test": Split(stem="minerva", hub="test", rows=272)},
    from_hub=rows.as_it_is,
    build=rows.maths,
    key=by_number,
)

OLYMPIADBENCH = SetSpec(
    name="olympiadbench",
    title="OlympiadBench, OE_TO_maths_en_COMP (He et al. 2024)",
    hub_id="math-ai/olympiadbench",
    licence="MIT",
    verifier="math",
    columns=("id", "question", "final_answer"),
    splits={"test": Split(stem="olympiadbench", hub="test", rows=674)},
    from_hub=rows.olympiadbench_from_hub,
    build=rows.maths,
    key=_last_number,
)

HUMANEVAL = SetSpec(
    name="humaneval",
    title="HumanEval: Python functions from docstrings (Chen et al. 2021)",
    hub_id="openai/openai_humaneval",
    licence="MIT",
    verifier="python_tests",
    columns=("task_id", "prompt", "canonical_solution", "test", "entry_point"),
    splits={"test": Split(stem="humaneval", hub="test", rows=164)},
    from_hub=rows.as_it_is,
    build=rows.humaneval,
    key=_task_number,
)

MBPP = SetSpec(
    name="mbpp",
    title="MBPP, sanitized: basic Python problems (Austin et al. 2021)",
    hub_id="google-research-datasets/mbpp",
    hub_config="sanitized",
    licence="CC-BY-4.0 (as the dataset card states it)",
    verifier="python_tests",
    columns=("task_id", "prompt", "code", "test_imports", "test_list"),
    splits={
        "test": _mbpp_split(11, 510, "test", 257),
        "train": _mbpp_split(601, 974, "train", 120),
        "validation": _mbpp_split(511, 600, "validation", 43),
        "prompt": _mbpp_split(2, 10, "prompt", 7),
        "all": _mbpp_split(2, 974, "prompt+test+validation+train", 427),
    },
    from_hub=rows.mbpp_from_hub,
    build=rows.mbpp,
    key=_task_number,
)

MUSR = SetSpec(
    name="musr",
    title="MuSR: multistep reasoning over stories (Sprague et al. 2024)",
    hub_id="TAUR-Lab/MuSR",
    licence="MIT (code repository); CC-BY-4.0 is quoted for the dataset card",
    verifier="choice",
    columns=("narrative", "question", "choices", "answer_index"),
    splits={
        "murder": _musr_split("murder_mysteries", 250),
        "object": _musr_split("object_placements", 256),
        "team": _musr_split("team_allocation", 250),
    },
    from_hub=rows.musr_from_hub,
    build=rows.musr,
    key=by_number,
)

ALL = (
    GSM8K, MATH, MATH500, DAPO, AIME24, AIME25, AMC23, MINERVA, OLYMPIADBENCH, HUMANEVAL, MBPP,
    MUSR,
)  # fmt: skip
