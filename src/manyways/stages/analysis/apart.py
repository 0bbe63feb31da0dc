"""Which problems join parts that training only had one by one (theory D4), where a run has them.

Problem sets that know the parts of a problem list them in its tag ``operations``. The measurement
needs single parts in all training data and RL problems, and benchmarks that join them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from manyways.records import Problem
from manyways.stages.context import Context

TAG = "operations"


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Problems that join parts which training only had one by one; or why there are none.

    joined: problem (as in ``Solutions.problem``) -> the operations of its parts.
    alone:  problem of one part -> its operation.
    taught: the same of the problems trained on, by their ids.
    """

    joined: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    alone: Mapping[str, str] = field(default_factory=dict)
    taught: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    @property
    def by_part(self) -> Mapping[str, str]:
        """Every problem of one part -> its operation; empty where benchmarks ask none alone."""
        return {**self.taught, **self.alone} if self.alone else {}


def parts_apart(ctx: Context) -> Apart:
    """Look at the tags of everything that the run trains on and evaluates."""
    recipe = ctx.recipe
    trained = [
        *ctx.problems(recipe.generate.problems, recipe.generate.limit),
        *ctx.problems(recipe.rl.problems, recipe.rl.limit),
    ]
    benchmarks = {
        name: ctx.problems(name, recipe.evaluate.limit) for name in recipe.evaluate.benchmarks
    }
    return found_apart(trained, benchmarks)


def found_apart(trained: Sequence[Problem], benchmarks: Mapping[str, Sequence[Problem]]) -> Apart:
    """As ``parts_apart``, on problems in hand."""
    if not all(problem.tags.get(TAG) for problem in trained):
        return Apart(why=f"the problem sets do not say which parts a problem has (tag '{TAG}')")
    several = sum(len(_parts(problem)) > 1 for problem in trained)
    if several:
        return Apart(
            why=f"{several:,} of the {len(trained):,} problems trained on join several parts "
            "already; it needs training on single parts"
        )
    known = {part for problem in trained for part in _parts(problem)}
    asked = {
        f"{name} {problem.id}": parts
        for name, problems in benchmarks.items()
        for problem in problems
        if (parts := _parts(problem)) and known.issuperset(parts)
    }
    joined = {name: parts for name, parts in asked.items() if len(set(parts)) > 1}
    alone = {name: parts[0] for name, parts in asked.items() if len(parts) == 1}
    return Apart(
        joined=joined,
        alone=alone,
        taught={problem.id: _parts(problem)[0] for problem in trained},
        why="" if joined else "no benchmark joins the parts trained on",
    )


def _parts(problem: Problem) -> tuple[str, ...]:
    return tuple(problem.tags.get(TAG, "").split())
