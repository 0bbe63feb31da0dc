"""Checks before a run: everything that the recipe names exists, every answer can be verified."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from manyways.checkpoints import check_quantization
from manyways.context import VERDICTS, Context, verify_identity
from manyways.engines import ENGINE_NEEDS, ENGINES
from manyways.errors import DataError, EngineError, NoIsolation, RecipeError
from manyways.fingerprint import problems_hash
from manyways.heuristics import exemplar_problem
from manyways.plugins import check, require_modules
from manyways.pool import adherence
from manyways.pool.problem_sets import kept_file, write_set
from manyways.progress import say
from manyways.recipe.engines import ModelConfig
from manyways.recipe.tree import Recipe
from manyways.records import Problem
from manyways.run_dir import NOT_JUDGED, PROBLEMS, Work, benchmark_slug
from manyways.stages import WORDS, validation, watch
from manyways.tables import write_text
from manyways.third_party import require_all
from manyways.train import RL_BACKENDS, RL_NEEDS
from manyways.train.trainer_config import check_lora, check_trackers
from manyways.verifiers import FUNCTIONS, verifier_of
from manyways.verifiers.final_answer import extract
from manyways.verifiers.selfcheck import check_references

FORMAT = 1
TRAININGS = {"midtrain", "rl"}
LISTED = 3
PLACES = "verify.isolation says where else they may run (docs/verifiers.md)."
FORMS = {"boxed": "\\boxed{...}", "hashes": "'#### ...'", "phrase": "'The answer is ...'"}


def check_names(context: Context, wanted: Collection[str] = WORDS) -> dict[str, list[Problem]]:
    """Look up every name that the ``wanted`` stages need; returns their problem sets by name.

    Problems that a benchmark asks too are not in the pool. If a benchmark cannot be read and is not
    needed by these stages, that is said, and no problem is left out for it.

    Raises UserError or a subclass for the first name that does not exist, RecipeError when the
    prompt asks for another form of answer than the exemplars show, Untrusted when the recipe names
    code, a program or a key's address that nobody trusts.
    """
    recipe = context.recipe
    require_all(recipe)
    _check_plugins(recipe)
    _check_distill(context)
    if TRAININGS & set(wanted):
        check_trackers(recipe.tracking)
    # Each of these raises an error when the thing that it loads does not exist.
    _ = (context.pack, context.labeller, context.base_hash)
    sets = {
        recipe.generate.problems: context.problems(recipe.generate.problems, recipe.generate.limit)
    }
    watched: dict[str, list[Problem]] = {}
    for name, limit in recipe.rl_problems.items() if {"gate", "rl"} & set(wanted) else ():
        # Arms may use different numbers of problems of one set; the largest number is checked.
        sets[name] = max(sets.get(name, []), context.problems(name, limit), key=len)
    for own in context.variants:
        _check_trained(own, wanted)
        if TRAININGS & set(wanted) or validation.left_out(own) is None:
            watched.update(watch.problems(own))
    benchmarks = recipe.benchmarks if "evaluate" in wanted else ()
    if benchmarks:
        _say_not_judged(context)
        for name in context.benchmarks:
            sets[name] = context.problems(name, recipe.evaluate.limit)
    sets.update(watched)
    _check_told_apart(sets, (*benchmarks, *watched))
    _check_exemplars(context, sets[recipe.generate.problems])
    for name, why in context.sets.unread.items():
        say(
            f"{name} cannot be read, so that problems which it asks too stay among those of this "
            f"run until it can ({why})"
        )
    return sets


def _check_plugins(recipe: Recipe) -> None:
    """Check that the engines and the verifier of the recipe exist."""
    for engine in (recipe.model.engine, recipe.generate.engine or recipe.model.engine):
        check(engine, ENGINES, "engine")
    if recipe.model.ray is not None:
        check(recipe.model.ray.engine, ENGINES, "engine")
    if recipe.verify.verifier:
        check(recipe.verify.verifier, FUNCTIONS, "verifier")


def _say_not_judged(context: Context) -> None:
    """Say which benchmarks are left out. Raises NoIsolation when no benchmark is left."""
    missing, total = context.not_judged, len(context.recipe.benchmarks)
    for name, why in missing.items():
        if len(missing) == total:
            raise NoIsolation(why, f"No benchmark is left without '{name}'. {PLACES}")
        say(f"{_left_out(name, why, total)} {PLACES}")


def _left_out(name: str, why: str, total: int) -> str:
    return (
        f"{name} is left out of {total} benchmarks: it is judged by running programs, and nothing "
        f"here keeps them apart ({why})."
    )


def _check_trained(context: Context, wanted: Collection[str]) -> None:
    """Check the names in the sections that arms may change."""
    recipe = context.recipe
    check(recipe.rl.backend, RL_BACKENDS, "RL backend")
    if recipe.select.judge:
        check(recipe.select.judge.engine, ENGINES, "engine")
    for model in (recipe.model, recipe.select.judge, recipe.distill and recipe.distill.model):
        if model:
            check_quantization(model.load)
    for section, lora in (("midtrain", recipe.midtrain.lora), ("rl", recipe.rl.lora)):
        if section in wanted:
            check_lora(lora, section)
    if recipe.rl.backend == "verl":
        from manyways.train.verl.overrides import check_extra

        check_extra(recipe.rl)
    adherence.identity(context)


def _check_told_apart(sets: Mapping[str, Sequence[Problem]], benchmarks: Sequence[str]) -> None:
    """Check that the folders of benchmarks and the ids of problems are unique.

    Raises RecipeError when two benchmarks share a folder, DataError when two sets share an id.
    """
    folders: dict[str, str] = {}
    for name in benchmarks:
        other = folders.setdefault(benchmark_slug(name), name)
        if other != name:
            raise RecipeError(
                f"the benchmarks '{other}' and '{name}' would share one folder in the run: rename "
                "a file, or add an option such as &name=second to one of them."
            )
    asked: dict[str, tuple[str, str]] = {}
    for name, problems in sets.items():
        for problem in problems:
            question, other = asked.setdefault(problem.id, (problem.question, name))
            if question != problem.question:
                raise DataError(
                    f"'{other}' and '{name}' give the id {problem.id} to different problems: add "
                    "&name=second (or ?name=second) to one of them."
                )


def _check_distill(context: Context) -> None:
    settings = context.recipe.distill
    if settings is not None and settings.model is not None:
        check(settings.model.engine, ENGINES, "engine")
    elif settings is not None:
        from manyways.stages import distill

        distill.check_source(Path(str(settings.attempts)))


def check_reach(context: Context, wanted: Sequence[str]) -> None:
    """Check that the engine can sample the checkpoints of the ``wanted`` stages, and the packages.

    Raises EngineError when they train a model that only a server holds, NotInstalled when a package
    is missing, RecipeError when verl is to train and its Python lacks something.
    """
    if context.recipe.model.remote and "midtrain" in wanted:
        raise EngineError(
            f"model.engine = '{context.recipe.model.engine}' samples only the model that a server "
            "holds, so nothing that is trained could be sampled. For the data alone: "
            "--until select. To train as well: generate.engine = 'http', model.engine one that "
            "loads checkpoints, model.path a checkpoint of the served model."
        )
    _check_quantized(context.recipe, wanted)
    _require_packages(context, wanted)
    if "rl" in wanted:
        _look_for_verl(context)


def _check_quantized(recipe: Recipe, wanted: Sequence[str]) -> None:
    """Raise RecipeError when quantised weights would be trained without adapters."""
    if not recipe.model.quantized:
        return
    for own in recipe.variants:
        for name, section in (("midtrain", own.midtrain), ("rl", own.rl)):
            if name in wanted and section.lora is None:
                raise RecipeError(
                    "model.load.quantization: quantised weights are not trained, adapters on them "
                    f"are: add the section [{name}.lora]."
                )


def _require_packages(context: Context, wanted: Sequence[str]) -> None:
    """Look for the packages that the ``wanted`` stages import, before the first of them runs."""
    model = context.recipe.model
    pool = model.under(context.recipe.generate.engine)
    if "generate" in wanted:
        require_modules(f"the engine '{pool.engine}'", _modules_of(pool))
    if "midtrain" in wanted:
        require_modules("mid-training", RL_NEEDS["trl"])
    if "rl" in wanted:
        for backend in dict.fromkeys(own.rl.backend for own in context.recipe.variants):
            require_modules(f"RL by {backend}", RL_NEEDS.get(backend, ()))
    if {"gate", "evaluate"} & set(wanted):
        require_modules(f"the engine '{model.engine}'", _modules_of(model))


def _modules_of(model: ModelConfig) -> list[str]:
    engines = dict.fromkeys((model.engine, model.sampler))
    return [name for one in engines for name in ENGINE_NEEDS.get(one, ())]


def plan(context: Context, sets: Mapping[str, Sequence[Problem]]) -> Work:
    """The check of the reference answers of ``sets`` as a piece of work."""
    how: dict[str, object] = {
        "format": FORMAT,
        "verify": verify_identity(context.recipe.verify),
        "verdicts": VERDICTS,
    }
    if context.verifiers.form != "boxed":
        how["form"] = context.verifiers.form
    asked = {name: problems_hash(problems) for name, problems in sets.items()}
    identity = {**how, "problems": {**_checked_before(context, how), **asked}}
    listing = context.run.path(PROBLEMS)
    kept = _kept(context, sets).values()
    return context.run.work("preflight", identity=identity, outputs=(listing, *kept))


def _checked_before(context: Context, how: Mapping[str, object]) -> dict[str, object]:
    """Sets of the recipe that an earlier run, with more stages, has checked: name -> hash."""
    recipe, stamp = context.recipe, context.run.stamp("preflight")
    if stamp is None or {k: v for k, v in stamp.identity.items() if k != "problems"} != how:
        return {}
    named = {*recipe.problem_set_names}.union(*(own.on_the_way for own in recipe.variants))
    checked = cast(dict[str, object], stamp.identity["problems"])
    return {name: found for name, found in checked.items() if name in named}


def run(context: Context, wanted: Collection[str] = WORDS) -> None:
    """Do ``check_names``; then, unless it was done before, verify every reference answer.

    Raises DataError with the set and its first references that their own verifier rejects.
    """
    sets = check_names(context, wanted)
    work = plan(context, sets)
    if not work.done:
        file = context.run.path(PROBLEMS)
        before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
        with work:
            _check_references(context, sets)
            listed = [_listing(context, name) for name in sets]
            if "evaluate" in wanted:
                listed += _listed_as_not_judged(context)
            else:
                checked = cast(dict[str, object], work.identity["problems"])
                listed += [row for row in before if row["name"] in {*checked} - {*sets}]
            write_text(file, json.dumps(listed, indent=1))
            for name, kept in _kept(context, sets).items():
                write_set(kept, context.sets.load(name))


def _listed_as_not_judged(context: Context) -> list[dict[str, object]]:
    total = len(context.recipe.benchmarks)
    return [
        {"name": name, NOT_JUDGED: _left_out(name, why, total)}
        for name, why in context.not_judged.items()
    ]


def _kept(context: Context, sets: Iterable[str]) -> dict[str, Path]:
    """Set -> the run's copy of it, for sets that reading verbs cannot or must not load again."""
    recipe = context.recipe
    found = {
        name: kept_file(context.run, recipe.problem_set(name), recipe.data_path) for name in sets
    }
    return {name: file for name, file in found.items() if file}


def _check_exemplars(context: Context, problems: Sequence[Problem]) -> None:
    """Check that exemplars end in the answer format that the prompt asks for.

    Attempts imitate exemplars, so an answer that is not read there would not be read in attempts.
    The check is for verifiers that extract a final answer, before the pool is sampled.

    Raises RecipeError when an exemplar ends in another form.
    """
    recipe, form = context.recipe, context.verifiers.form
    cut = any(verifier_of(problem.verifier).cuts for problem in problems)
    if not cut or recipe.verify.policy != "strict" or context.run.stamp("generate"):
        return
    for heuristic in context.pack:
        for number, exemplar in enumerate(heuristic.exemplars[: recipe.heuristics.shots]):
            cuts = verifier_of(exemplar_problem(heuristic, number).verifier).cuts
            if cuts and extract(exemplar.solution, policy="strict", form=form) is None:
                raise RecipeError(
                    f"prompt.instruction asks for {FORMS[form]}, but the exemplars of "
                    f"'{recipe.heuristics.pack}' ({heuristic.id}, exemplar {number + 1}) end in "
                    "another form, which attempts would imitate: none of them would be read. "
                    "Change prompt.instruction or the pack, or set verify.policy = 'lenient'."
                )


def _look_for_verl(context: Context) -> None:
    """Check verl's environment, unless every checkpoint that it would train exists."""
    waiting = [ln for ln in context.lines if not Path(context.path_of(ln.rl)).exists()]
    settings = [context.of(line).recipe.rl for line in waiting]
    verl = next((rl.verl for rl in settings if rl.backend == "verl" and rl.verl), None)
    if verl is None:
        return
    from manyways.train.verl import environment

    found = environment.check(verl)
    if found.version not in ("", environment.VERSION):
        say(
            f"verl {found.version} is installed in that environment; the settings that it is given "
            f"were checked against {environment.VERSION}"
        )


def _listing(context: Context, name: str) -> dict[str, object]:
    """The origin of a set, and which of its problems are left out because a benchmark has them."""
    dropped = context.sets.dropped(name)
    if dropped:
        say(f"{name}: {len(dropped)} problems left out, because a benchmark asks the same.")
    return {**context.sets.load(name).provenance(), "left_out": dict(dropped)}


def _check_references(context: Context, sets: dict[str, list[Problem]]) -> None:
    for name, problems in sets.items():
        checks = check_references(problems, context.verifiers)
        refused = [c for c in checks if not c.accepted]
        if refused:
            listed = "; ".join(f"{c.problem_id}: {c.reason}" for c in refused[:LISTED])
            raise DataError(
                f"{len(refused)} of {len(problems)} reference answers in '{name}' are not accepted "
                f"by their own verifier ({listed}): every attempt at them would count as wrong. "
                f"Fix the references or run `manyways problems check {name}` to list them all."
            )
    say("every reference answer is accepted by its own verifier")
