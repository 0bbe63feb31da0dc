"""Before anything is sampled: does everything that the recipe names exist, and can it be judged?"""

from manyways.engines import ENGINES
from manyways.errors import DataError, UserError
from manyways.fingerprint import problems_hash
from manyways.plugins import resolve
from manyways.progress import say
from manyways.records import Problem
from manyways.rl import RL_BACKENDS
from manyways.stages.context import Context
from manyways.verifiers import VERIFIERS
from manyways.verifiers.selfcheck import check_references

LISTED = 3


def check_names(context: Context) -> dict[str, list[Problem]]:
    """Resolve every name in the recipe; returns the problem sets by name.

    Raises UserError or a subclass for the first one that does not exist.
    """
    recipe = context.recipe
    resolve(recipe.model.engine, ENGINES, "engine")
    resolve(recipe.rl.backend, RL_BACKENDS, "RL backend")
    if recipe.verify.verifier:
        resolve(recipe.verify.verifier, VERIFIERS, "verifier")
    _ = (context.pack, context.labeller, context.base_hash)
    sets = {
        recipe.generate.problems: context.problems(recipe.generate.problems, recipe.generate.limit),
        recipe.rl.problems: context.problems(recipe.rl.problems, recipe.rl.limit),
    }
    for name in recipe.evaluate.benchmarks:
        sets[name] = context.problems(name, recipe.evaluate.limit)
    _refuse_shared_questions(context, sets)
    return sets


def run(context: Context) -> None:
    """``check_names`` always; then, once, every reference must be accepted by its own verifier.

    Raises DataError naming the set and its first unjudgeable references.
    """
    sets = check_names(context)
    identity = {
        "problems": {name: problems_hash(problems) for name, problems in sets.items()},
        "verify": context.recipe.verify.model_dump(),
    }
    work = context.run.work("preflight", identity=identity, outputs=())
    if not work.done:
        with work:
            _check_references(context, sets)


def _check_references(context: Context, sets: dict[str, list[Problem]]) -> None:
    for name, problems in sets.items():
        checks = check_references(problems, context.judge)
        refused = [c for c in checks if not c.accepted]
        if refused:
            listed = "; ".join(f"{c.problem_id}: {c.reason}" for c in refused[:LISTED])
            raise DataError(
                f"{len(refused)} of {len(problems)} reference answers in '{name}' are not accepted "
                f"by their own verifier ({listed}): every attempt at them would count as wrong. "
                f"Fix the references or run `manyways problems check {name}` to list them all."
            )
    say("every reference answer is accepted by its own verifier")


def _refuse_shared_questions(context: Context, sets: dict[str, list[Problem]]) -> None:
    """Training on a benchmark's questions would make every score meaningless."""
    recipe = context.recipe
    training = {recipe.generate.problems, recipe.rl.problems}
    for benchmark in recipe.evaluate.benchmarks:
        asked = {_normal(p.question): p.id for p in sets[benchmark]}
        for name in training:
            shared = [p for p in sets[name] if _normal(p.question) in asked]
            if shared:
                raise UserError(
                    f"{len(shared)} training problems of '{name}' are also in the benchmark "
                    f"'{benchmark}' (first: {shared[0].id} = {asked[_normal(shared[0].question)]}):"
                    " scores would be meaningless. Choose another split or set."
                )


def _normal(question: str) -> str:
    return " ".join(question.lower().split())
