"""Composition on problems whose parts were trained apart (D4), where a run was made so.

Problem sets that know the parts of a problem list them in its tag ``operations``. The measurement
needs single parts in all training data and RL problems, and benchmarks that join them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from manyways.metrics.resampling import Resampling
from manyways.records import Problem
from manyways.results.theory import Part, PredictionRow
from manyways.stages.analysis.change import composed
from manyways.stages.analysis.contrasts import ByProblem, Policy, contrast, mean_of
from manyways.stages.analysis.expectation import Expectation, Quantity
from manyways.stages.analysis.ways import Solutions
from manyways.stages.context import Context

PART: Part = "through RL"
TAG = "operations"


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Problems that join parts which training only had one by one; or why there are none.

    joined: names as in ``Solutions.problem``.
    """

    joined: frozenset[str] = frozenset()
    why: str = ""


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
    counts = [len(problem.tags[TAG].split()) for problem in trained]
    if max(counts) > 1:
        several = sum(count > 1 for count in counts)
        return Apart(
            why=f"{several:,} of the {len(trained):,} problems trained on join several parts "
            "already; it needs training on single parts"
        )
    alone = _parts(trained)
    joined = frozenset(
        f"{name} {problem.id}"
        for name, problems in benchmarks.items()
        for problem in problems
        if len(found := set(problem.tags.get(TAG, "").split())) > 1 and found <= alone
    )
    return Apart(joined=joined, why="" if joined else "no benchmark joins the parts trained on")


def transfer_row(
    before: Policy, after: Policy, apart: Apart, settings: Resampling
) -> PredictionRow:
    """The change of composition through RL on problems that join what was trained apart."""
    name = "Change of the composition rate on problems whose parts were trained apart"
    quantity = Quantity(part=PART, name=name, proposition="D4", of=f"{after.name} − {before.name}")
    expected = Expectation(
        words="above 0, if preferences by part are shared between problems", side="above"
    )

    def rates(solutions: Solutions) -> ByProblem:
        rows = [i for i, problem in enumerate(solutions.problem) if problem in apart.joined]
        return composed(
            replace(
                solutions,
                problem=[solutions.problem[i] for i in rows],
                ways=[solutions.ways[i] for i in rows],
                correct=[solutions.correct[i] for i in rows],
            )
        )

    why = apart.why
    if not why:
        a, b = after.values(rates), before.values(rates)
        measured, seeds = contrast(name, a, b, settings)
        if measured:
            note = f"{mean_of(b):.3f} before, {mean_of(a):.3f} after"
            return quantity.row(expected, measured, seeds, note=note)
        why = "no such problem has attempts both before and after RL"
    return quantity.row(expected, None, note=f"cannot be measured here because {why}")


def _parts(problems: Iterable[Problem]) -> set[str]:
    return {part for problem in problems for part in problem.tags[TAG].split()}
