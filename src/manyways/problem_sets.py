"""The problem sets of a run: loaded once, training kept apart from what is evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from manyways.errors import DataError
from manyways.problems import ProblemSet, load_set
from manyways.problems.overlap import normal
from manyways.recipe.tree import Recipe
from manyways.records import Problem


@dataclass(frozen=True)
class ProblemSets:
    """Loads the sets that a recipe names; every set is read at most once."""

    recipe: Recipe
    _loaded: dict[str, ProblemSet] = field(default_factory=dict)
    _usable: dict[str, list[Problem]] = field(default_factory=dict)

    def load(self, name: str) -> ProblemSet:
        """The whole set, as it is at its source."""
        if name not in self._loaded:
            self._loaded[name] = load_set(name, data_dir=self.recipe.data_path)
        return self._loaded[name]

    def take(self, name: str, limit: int | None) -> list[Problem]:
        """The first ``limit`` problems, with the recipe's verifier where it names one.

        A training set comes without the questions that a benchmark of the recipe asks too (exact
        overlap in the sense of ``problems.overlap``).

        Raises DataError when nothing is left.
        """
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
        """Problem of a training set -> the benchmark problem that asks the same.

        Raises DataError when the set is itself a benchmark of the recipe.
        """
        recipe = self.recipe
        if name not in (recipe.generate.problems, recipe.rl.problems):
            return {}
        if name in recipe.evaluate.benchmarks:
            raise DataError(
                f"'{name}' is both trained on and a benchmark: scores would be meaningless. "
                "Choose another split for one of them."
            )
        asked = {
            normal(problem.question): problem.id
            for benchmark in recipe.evaluate.benchmarks
            for problem in self.load(benchmark).problems
        }
        texts = ((p.id, normal(p.question)) for p in self.load(name).problems)
        return {problem: asked[text] for problem, text in texts if text in asked}
