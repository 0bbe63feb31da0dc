"""What a published problem set declares, and how it is loaded from that declaration."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from manyways.errors import DataError
from manyways.plugins import nearest
from manyways.problems import Source
from manyways.problems.hub import HubDataset, read_hub
from manyways.problems.normalised import read_records
from manyways.problems.overlap import normal
from manyways.problems.rows import Row
from manyways.records import Problem


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
            records = self._from_folder(where, source.data_dir)
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

    def _from_folder(self, where: Split, folder: Path) -> list[Row]:
        keep = where.only
        return [r for r in read_records(folder, where.stem) if keep is None or keep(r)]

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

    The same question means ``overlap.normal``: spacing and the dressing of LaTeX do not count. The
    records gain ``content``, ten hex digits of that.
    """
    first: dict[str, Row] = {}
    answers: dict[str, set[str]] = {}
    for record in records:
        text = normal(str(record["question"]))
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
