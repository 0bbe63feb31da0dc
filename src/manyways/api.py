"""A run as tables, for notebooks. Everything here is an attribute of the package ``manyways``."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from manyways.arms import Line
from manyways.commands.export.dataset import solutions_to_export
from manyways.context import Context
from manyways.errors import MissingWork, RunDirError, UserError
from manyways.heuristics import load_pack
from manyways.metrics import pass_at_k as of_counts
from manyways.metrics.intervals import Floats
from manyways.plugins import nearest
from manyways.recipe import load_recipe
from manyways.recipe.tree import Recipe
from manyways.records import Checkpoint, Heuristic
from manyways.run_dir import RunDir, open_for_reading
from manyways.tables import ATTEMPT_SCHEMA, read_attempts_table, read_table
from manyways.verifiers.verdicts import verify

if TYPE_CHECKING:
    from datasets import Dataset

TABLES = "7-tables"


@dataclass(frozen=True)
class Run:
    """A run folder, for reading only. Every table is a ``pyarrow.Table`` of flat columns.

    Example::

        run = manyways.open("runs/pocket")
        run.scores.to_pandas().query("k == 1")
    """

    folder: RunDir

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe of the run, with every default filled in."""
        return load_recipe(self.folder.path("recipe.toml"))

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms, in the recipe's order."""
        return tuple(self.recipe.arms)

    @property
    def attempts(self) -> pa.Table:
        """The pool: a row for each attempt with its verdict (``tables.ATTEMPT_SCHEMA``).

        Raises MissingWork before anything was sampled.
        """
        return read_attempts_table(self._needed("1-attempts", "generate"))

    @property
    def solutions(self) -> pa.Table:
        """What selection decided about each attempt: kept or not, and why.

        Raises MissingWork before selection.
        """
        return read_table(self._needed("2-solutions.parquet", "select"))

    @property
    def evaluated(self) -> pa.Table:
        """The attempts at benchmarks: as ``attempts``, with ``checkpoint`` and ``benchmark``.

        ``benchmark`` is the folder's name (``pocket-test``). Raises MissingWork before evaluation.
        """
        root = self._needed("6-eval", "evaluate")
        folders = sorted({path.parent for path in root.rglob("part-*.parquet")})
        added = [("checkpoint", pa.string()), ("benchmark", pa.string())]
        found = [pa.schema([*ATTEMPT_SCHEMA, *added]).empty_table()]
        for folder in folders:
            table = read_attempts_table(folder)
            whose = [str(folder.parent.relative_to(root))] * table.num_rows
            table = table.append_column("checkpoint", pa.array(whose, pa.string()))
            names = pa.array([folder.name] * table.num_rows, pa.string())
            found.append(table.append_column("benchmark", names))
        return pa.concat_tables(found)

    @property
    def scores(self) -> pa.Table:
        """pass@k of every checkpoint on every benchmark: value, and 95% interval over problems."""
        return self.table("pass_at_k")

    @property
    def tables(self) -> tuple[str, ...]:
        """Names that ``table`` takes: one for each figure that was measured."""
        folder = self._needed(TABLES, "analyse")
        return tuple(sorted(path.stem for path in folder.glob("*.json")))

    def table(self, name: str) -> pa.Table:
        """The rows behind one figure of the report. Nested records become columns: ``score_value``.

        Raises MissingWork before analysis, UserError when there is no such table.
        """
        _text(name, "the name of a table", "one of run.tables")
        if name not in self.tables:
            raise UserError(f"no table '{name}'.{nearest(name, dict.fromkeys(self.tables))}")
        text = self.folder.path(TABLES, f"{name}.json").read_text(encoding="utf-8")
        return pa.Table.from_pylist([_flat(row) for row in json.loads(text)])

    def checkpoint(self, name: str) -> Path:
        """The folder of a trained model: ``heuristics-8/seed-0/rl``.

        Raises UserError when ``name`` is no trained checkpoint, MissingWork before it is trained.
        """
        _text(name, "the name of a checkpoint", f"such as {self.arms[-1]}/seed-0/rl here")
        try:
            inner = Checkpoint.parse(name).folder
        except ValueError as error:
            raise UserError(f"{error}. An example: {self.arms[-1]}/seed-0/rl.") from error
        return self._needed(f"{inner}/checkpoint", "midtrain or rl")

    def dataset(self, arm: str | None = None, *, seed: int = 0) -> "Dataset":
        """What ``arm`` was mid-trained on, or all kept solutions, as a ``datasets.Dataset``.

        A row for each example: problem_id, heuristic, sample, text, status, adherence and the
        columns of its attempt. Raises MissingWork before selection, RecipeError for an arm that has
        no training data.
        """
        from datasets import Dataset

        if arm is not None and _text(arm, "an arm", "one of run.arms") not in self.arms:
            raise UserError(f"the run has no arm '{arm}'.{nearest(arm, dict.fromkeys(self.arms))}")
        if arm and seed not in self.recipe.seeds:
            known = ", ".join(map(str, self.recipe.seeds))
            raise UserError(f"the run has no seed {seed!r}: give one of {known}.")
        context = Context(recipe=self.recipe, run=self.folder, looking=True)
        line = Line(arm=arm, seed=seed) if arm else None
        return Dataset(solutions_to_export(context, line).drop_columns(["place"]))

    def _needed(self, name: str, stage: str) -> Path:
        path = self.folder.path(*name.split("/"))
        if not path.exists():
            raise MissingWork(
                f"'{path}' does not exist: run `manyways {stage} {self.folder.root}` first."
            )
        return path


def open(path: str | Path) -> Run:  # noqa: A001 - read as manyways.open
    """Open a run folder for reading. Raises RunDirError when ``path`` is no run folder."""
    if not isinstance(path, str | PathLike) or not isinstance(fspath(path), str):
        raise RunDirError(f"a run folder is a path, such as 'runs/pocket', not {_shown(path)}.")
    return Run(open_for_reading(Path(path)))


def heuristic_pack(pack: str | Path = "polya") -> tuple[Heuristic, ...]:
    """The heuristics of a pack, by name or file. Raises DataError when there is no such pack."""
    name = str(pack) if isinstance(pack, Path) else pack
    return load_pack(_text(name, "a heuristic pack", "its name, such as 'polya', or a .toml path"))


def pass_at_k(attempts_P: ArrayLike, correct_P: ArrayLike, k: int) -> Floats:
    """Unbiased pass@k of every problem, (P,): see ``metrics.pass_at_k.pass_at_k``.

    Raises UserError when a count or k is no whole number, or outside 0 <= correct <= attempts and
    k >= 1.
    """
    try:
        for given in (attempts_P, correct_P, k):
            if not np.array_equal(np.mod(given, 1), np.zeros(np.shape(given))):
                raise ValueError(f"{_shown(given)} is no whole number")
        return of_counts.pass_at_k(attempts_P, correct_P, int(k))
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(
            "pass_at_k takes the numbers of attempts and of correct ones, as many of either, and "
            f"one k, all whole and k at least 1: {error}."
        ) from error


def reward(completions: Sequence[Any], answer: Sequence[str], **_: object) -> list[float]:
    r"""1.0 for each completion whose final answer is right, else 0.0: a reward function for TRL.

    completions: texts, or conversations whose last message is the completion.
    answer:      the data set's column of reference answers, one for each completion.

    The final answer is extracted by the lenient policy. Raises UserError for anything else.

    >>> reward(["so it is \\boxed{4}", "5"], answer=["4", "4"])
    [1.0, 0.0]
    """
    for name, given in (("completions", completions), ("answer", answer)):
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise UserError(f"{name} is a list of texts, not {_shown(given)}: give it as a list.")
    texts, golds = [_completion(one) for one in completions], list(answer)
    if len(texts) != len(golds):
        raise UserError(
            f"{len(texts)} completions and {len(golds)} answers: give one answer for each."
        )
    verdicts = [verify(gold, text) for gold, text in zip(golds, texts, strict=True)]
    return [float(verdict.status == "correct") for verdict in verdicts]


def _completion(one: object) -> str:
    """The text of a completion; a last message that only calls a tool has none."""
    if isinstance(one, Sequence) and not isinstance(one, str):
        with suppress(TypeError, LookupError):
            one = one[-1]["content"] or ""
    return _text(one, "a completion", "or messages with 'role' and 'content'")


def _text(value: object, what: str, example: str) -> str:
    if isinstance(value, str):
        return value
    raise UserError(f"{what} is a text, {example}, not {_shown(value)}.")


def _shown(value: object) -> str:
    return f"{type(value).__name__} {repr(value)[:60]}"


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{inner}": found for inner, found in _flat(value).items()}
        else:
            flat[name] = value
    return flat
