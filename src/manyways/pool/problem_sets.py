"""The problem sets that a recipe names. Training sets lose the questions that benchmarks ask."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from manyways import trust
from manyways.errors import DataError, Untrusted, UserError
from manyways.fingerprint import fingerprint
from manyways.plugins import is_third_party
from manyways.problems import PROBLEM_SETS, PUBLISHED, ProblemSet, load_set, normal_form, split_name
from manyways.progress import say
from manyways.recipe.tree import Recipe
from manyways.records import Problem
from manyways.run_dir import RunDir, benchmark_slug, set_label
from manyways.tables import write_text

FOLDER = "problems"
"""Folder in a run with copies of the sets that come from a file or from code outside manyways.

Verbs that must not run such code read it, and so does another machine that has no such file.
"""


@dataclass(frozen=True)
class ProblemSets:
    """Loads the sets that a recipe names, each at most once.

    run:     has copies of the sets of files and of third-party code.
    looking: the caller only reads and must not run such code.
    unread:  label of a set whose questions could not be compared -> why.
    """

    recipe: Recipe
    run: RunDir
    looking: bool = False
    unread: dict[str, str] = field(default_factory=dict)
    _loaded: dict[str, ProblemSet] = field(default_factory=dict)
    _usable: dict[str, list[Problem]] = field(default_factory=dict)
    _dropped: dict[str, Mapping[str, str]] = field(default_factory=dict)
    _failed: dict[str, UserError] = field(default_factory=dict)

    def load(self, name: str) -> ProblemSet:
        """The whole set, from its source.

        It is read from the run's copy if its source does not exist here, or if ``looking`` and the
        code that made it is not trusted.

        Raises Untrusted when the code is not trusted and the run has no copy.
        """
        name = self.recipe.problem_set(name)
        if name in self._failed:
            raise self._failed[name]
        if name not in self._loaded:
            try:
                self._loaded[name] = self._read(name)
            except Untrusted:
                raise
            except UserError as error:
                # Kept, so that an unreachable server is not waited for a second time.
                self._failed[name] = error
                raise
        return self._loaded[name]

    def _read(self, name: str) -> ProblemSet:
        data_dir = self.recipe.data_path
        file = kept_file(self.run, name, data_dir)
        if file is None or not file.is_file():
            return load_set(name, data_dir=data_dir)
        loader, where, _ = split_name(name)
        if is_third_party(loader, PROBLEM_SETS):
            keeps = self.looking and not trust.trusts(loader)
            return read_set(file) if keeps else load_set(name, data_dir=data_dir)
        source = Path(where).expanduser() if loader == "file" else data_dir
        if source is not None and source.exists():
            return load_set(name, data_dir=data_dir)
        say(f"'{source}' is not on this machine: {name} is read from the run's own copy.")
        return read_set(file)

    def take(self, name: str, limit: int | None) -> list[Problem]:
        """The first ``limit`` problems, with the recipe's verifier if it names one.

        Questions that a benchmark of the recipe also asks are left out of a training set (exact
        overlap, see ``problems.overlap``). A validation set also loses those of training sets.

        Raises DataError when no problem is left.
        """
        name = self.recipe.problem_set(name)
        if name not in self._usable:
            dropped = self.dropped(name)
            override = self.recipe.verify.verifier
            kept = [p for p in self.load(name).problems if p.id not in dropped]
            if not kept:
                raise DataError(
                    f"all {len(dropped)} problems of '{name}' are asked by a benchmark of the "
                    "recipe too: train on another split or set."
                )
            kept = [replace(p, verifier=override) for p in kept] if override else kept
            self._usable[name] = kept
        return self._usable[name][:limit]

    def dropped(self, name: str) -> Mapping[str, str]:
        """Problem that is left out -> the benchmark problem with the same question.

        For a validation set it may also be a problem that is trained on.

        Raises DataError when a training set is itself a benchmark of the recipe.
        """
        name = self.recipe.problem_set(name)
        if name not in self._dropped:
            self._dropped[name] = self._drop(name)
        return self._dropped[name]

    def _drop(self, name: str) -> Mapping[str, str]:
        recipe = self.recipe
        if any(name in one.on_the_way for one in recipe.variants):
            return self._asked_elsewhere(name)
        if name not in self._trained_on():
            return {}
        if name in map(recipe.problem_set, recipe.benchmarks):
            raise DataError(
                f"'{name}' is both trained on and a benchmark: scores would be meaningless. "
                "Choose another split for one of them."
            )
        return self._asked_in(recipe.benchmarks, name)

    def _asked_elsewhere(self, name: str) -> Mapping[str, str]:
        """Problem of a validation set -> the training or benchmark problem with its question."""
        recipe = self.recipe
        others = (*self._trained_on(), *map(recipe.problem_set, recipe.benchmarks))
        if name in others:
            raise DataError(
                f"rl.evaluate: '{name}' is trained on or a benchmark: a step that is chosen on it "
                "would be chosen by what it has seen or is tested on. Name a validation set."
            )
        return self._asked_in(others, name)

    def _trained_on(self) -> list[str]:
        return [self.recipe.generate.problems, *self.recipe.rl_problems]

    def _asked_in(self, others: Iterable[str], name: str) -> Mapping[str, str]:
        """Problem of the set ``name`` -> the problem of ``others`` with the same question."""
        asked = {
            normal_form(problem.question): problem.id
            for other in others
            for problem in self._readable(other)
        }
        texts = ((p.id, normal_form(p.question)) for p in self.load(name).problems)
        return {problem: asked[text] for problem, text in texts if text in asked}

    def _readable(self, name: str) -> Sequence[Problem]:
        """The problems of a set; none if it cannot be read, which its own stage will report."""
        try:
            return self.load(name).problems
        except Untrusted:
            raise
        except UserError as error:
            self.unread[set_label(name)] = str(error)
            return ()


def kept_file(run: RunDir, name: str, data_dir: Path | None) -> Path | None:
    """The run's copy of the set ``name``; None for a set that every machine can load."""
    loader = split_name(name)[0]
    of_folder = data_dir is not None and loader in PUBLISHED
    if not (loader == "file" or of_folder or is_third_party(loader, PROBLEM_SETS)):
        return None
    return run.path(FOLDER, f"{benchmark_slug(name)}-{fingerprint([name])[:8]}.json")


def write_set(path: Path, loaded: ProblemSet) -> None:
    """Write a copy of a whole set, with its provenance."""
    row = {**loaded.provenance(), "problems": [one.fields() for one in loaded.problems]}
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps(row, ensure_ascii=False))


def read_set(path: Path) -> ProblemSet:
    """Read a set that ``write_set`` wrote."""
    row = json.loads(path.read_text(encoding="utf-8"))
    facts = {key: row[key] for key in ("name", "total", "fingerprint", "origin", "commit")}
    return ProblemSet(**facts, problems=tuple(map(Problem.of, row["problems"])))
