"""Lists the third-party code that a recipe names: modules, programs, and keys sent elsewhere.

``trust`` refuses each of these right before it is used. With this list, a run can ask for all of
them before it begins, and a verb that only reads can say what it did not use.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from manyways import trust
from manyways.engines import ENGINES
from manyways.errors import RecipeError, Untrusted
from manyways.heuristics.labelling import LABELLERS
from manyways.plugins import is_third_party
from manyways.problems import PROBLEM_SETS, split_name
from manyways.progress import say
from manyways.recipe import load_recipe
from manyways.recipe.engines import ModelConfig
from manyways.recipe.tree import Recipe, dotted
from manyways.run_dir import RunDir
from manyways.train import RL_BACKENDS
from manyways.verifiers import FUNCTIONS

UNSAFE_CODE = "verify.allow_unsafe_code"
ON = "true"
Named = tuple[str, str]
"""(key of the recipe, what it names)."""


def names(recipe: Recipe) -> list[Named]:
    """Everything that needs trust: in the recipe's order, then what arms add in their settings."""
    found = _names(recipe)
    for arm in recipe.arm:
        own = (named for named in _names(recipe.of(arm)) if named not in found)
        found += [(f"{dotted(('arm', arm))}.{key}", name) for key, name in own]
    return found


def _names(recipe: Recipe) -> list[Named]:
    found: list[Named] = []
    for section, model in _models(recipe):
        found += _of_model(section, model)
    for key, name in _problem_sets(recipe):
        found += _of_problems(key, name)
    plugins: tuple[tuple[str, str | None, Mapping[str, str]], ...] = (
        ("generate.engine", recipe.generate.engine, ENGINES),
        ("heuristics.labeller", recipe.heuristics.labeller, LABELLERS),
        ("verify.verifier", recipe.verify.verifier, FUNCTIONS),
        ("verify.isolation", recipe.verify.isolation, {}),
        ("rl.backend", recipe.rl.backend, RL_BACKENDS),
    )
    found += [(key, name) for key, name, table in plugins if name and is_third_party(name, table)]
    for section, table in (
        ("midtrain.extra", recipe.midtrain.extra),
        ("rl.extra", recipe.rl.extra),
    ):
        found += [(f"{section}.{key}", _shown(value)) for key, value in trust.acting(table)]
    if recipe.verify.allow_unsafe_code:
        found.append((UNSAFE_CODE, ON))
    if recipe.launch is not None and recipe.launch.accelerate_config is not None:
        found.append(("launch.accelerate_config", recipe.launch.accelerate_config))
    if recipe.rl.backend == "verl" and recipe.rl.verl is not None:
        found.append(("rl.verl.python", recipe.rl.verl.python))
    return list(dict.fromkeys(found))


def require_all(recipe: Recipe) -> None:
    """Raise Untrusted with everything in ``recipe`` that needs trust and does not have it."""
    if listed := _listed(recipe):
        raise Untrusted(
            f"the recipe names what is not part of manyways: {listed}. manyways uses nothing "
            f"like that without your consent. {trust.FIX}."
        )


def say_unused(recipe: Recipe) -> None:
    """Say in one sentence which untrusted code a verb that only reads does not use."""
    if listed := _listed(recipe):
        say(f"Not used, because this command only looks (--trust uses it): {listed}.")


def recipe_looked_at(run: RunDir) -> Recipe | None:
    """The recipe of a run folder, after ``say_unused``; None if this version cannot read it."""
    with suppress(RecipeError):
        recipe = load_recipe(run.path("recipe.toml"))
        say_unused(recipe)
        return recipe
    return None


def _listed(recipe: Recipe) -> str:
    return ", ".join(f"{key} = '{name}'" for key, name in names(recipe) if not _trusts(key, name))


def _trusts(key: str, name: str) -> bool:
    """Whether the key or what it names is trusted. ``true`` is no name that could be trusted."""
    return trust.trusts(key) or (name != ON and trust.trusts(name))


def _shown(value: object) -> str:
    return ON if value is True else str(value)


def _models(recipe: Recipe) -> Iterator[tuple[str, ModelConfig]]:
    yield "model", recipe.model
    if recipe.select.judge is not None:
        yield "select.judge", recipe.select.judge
    if recipe.distill is not None and recipe.distill.model is not None:
        yield "distill.model", recipe.distill.model


def _of_model(section: str, model: ModelConfig) -> Iterator[Named]:
    engines = [("engine", model.engine)]
    if model.ray is not None:
        engines.append(("ray.engine", model.ray.engine))
    for key, name in engines:
        if is_third_party(name, ENGINES):
            yield f"{section}.{key}", name
    for name, table in (("vllm", model.vllm), ("load", model.load)):
        for key, value in trust.acting(table):
            yield f"{section}.{name}.{key}", _shown(value)
    if model.ray is not None and model.ray.elsewhere:
        yield f"{section}.ray.address", model.ray.address
    server = model.http
    if server is not None and server.api_key_env and trust.leaves_machine(server.url):
        yield f"{section}.http.url with the key in {server.api_key_env}", server.url


def _problem_sets(recipe: Recipe) -> Iterator[Named]:
    yield "generate.problems", recipe.generate.problems
    if recipe.rl.there:
        yield "rl.problems", recipe.rl.problems
    for name in recipe.on_the_way:
        yield "rl.evaluate", name
    for name in map(recipe.problem_set, recipe.benchmarks):
        yield "evaluate.benchmarks", name


def _of_problems(key: str, name: str) -> Iterator[Named]:
    loader, _, options = split_name(name)
    if is_third_party(loader, PROBLEM_SETS):
        yield key, loader
    if is_third_party(verifier := options.get("verifier", ""), FUNCTIONS):
        yield f"{key} (verifier)", verifier
