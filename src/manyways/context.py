"""``Context``, which every stage is given: the recipe, the run folder, and what the recipe names.

Below it are the identities that stages share: the settings that a result depends on.
"""

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import cast

from manyways import trust
from manyways.arms import Line, parse_arm
from manyways.checkpoints import checkpoint_hash, model_path
from manyways.engines import ENGINES, Engine
from manyways.errors import EngineError, MissingWork, Untrusted
from manyways.fingerprint import fingerprint
from manyways.heuristics import Layout, PromptFormat, instruction_for, load_layout, load_pack
from manyways.heuristics.labelling import LABELLERS, Labeller, PromptedTexts
from manyways.plugins import resolve
from manyways.pool.problem_sets import ProblemSets
from manyways.recipe.engines import ModelConfig
from manyways.recipe.pool import VerifyConfig
from manyways.recipe.rl import RLConfig
from manyways.recipe.section import Section
from manyways.recipe.training import MidtrainConfig
from manyways.recipe.tree import Recipe
from manyways.records import BASE, Checkpoint, Heuristic, Message, Problem
from manyways.run_dir import RunDir
from manyways.third_party import UNSAFE_CODE
from manyways.verifiers.final_answer import form_of
from manyways.verifiers.verdicts import Verifiers


@dataclass(frozen=True, kw_only=True, slots=True)
class Writer:
    """The model that writes a pool, if it is not the base model. ``seed``: the seed of the pool."""

    path: str
    hash: str
    seed: int


def place_of(model: ModelConfig) -> str:
    """The model's folder or Hub id, or its name on a server."""
    return model.path if model.remote else model_path(model.path)


def served_hash(model: ModelConfig) -> str:
    """What identifies a model on a server: its name, because nothing else is known of it."""
    return fingerprint(["served", model.path])


@dataclass(frozen=True)
class Context:
    """The recipe, the run folder, and what the recipe names, loaded at its first use.

    looking: the caller only reads. A problem set that untrusted code made is then read from the
        copy in the run folder.
    origin: the run's context, if this is the context of a pool or of an arm. What is loaded there
        is used here too.
    writer: for a pool that is not the run's own (``pool.training_rows``): the model that takes the
        place of the base model.
    arm: for an arm with settings of its own: its name. ``recipe`` then has these settings.
    """

    recipe: Recipe
    run: RunDir
    looking: bool = False
    origin: "Context | None" = None
    writer: Writer | None = None
    arm: str | None = None

    def of(self, line: Line) -> "Context":
        """The context in which a line is trained: its recipe has the settings of the line's arm."""
        # Contexts of arms are made and kept by the run's context, which alone knows all arms.
        run = self.origin if self.arm and self.origin else self
        if line.arm == self.arm:
            return self
        if line.arm not in run.recipe.arm:
            return run
        if line.arm not in run._of_arms:
            own = replace(run, recipe=run.recipe.of(line.arm), origin=run, arm=line.arm)
            run._of_arms[line.arm] = own
        return run._of_arms[line.arm]

    @property
    def variants(self) -> "list[Context]":
        """The run's context, and that of each arm of the recipe with settings of its own."""
        own = [arm for arm in self.recipe.arms if arm in self.recipe.arm]
        return [self, *(self.of(Line(arm=arm, seed=self.recipe.seeds[0])) for arm in own)]

    @cached_property
    def _of_arms(self) -> dict[str, "Context"]:
        """Contexts of arms by name. Each is made once, so that its problem sets are loaded once."""
        return {}

    @property
    def solutions(self) -> Path:
        """The file that selection writes: the pool's, or that of an arm with its own selection."""
        name = "2-solutions.parquet"
        return self.run.path("arms", str(self.arm), name) if self.selects else self.run.path(name)

    @property
    def selects(self) -> bool:
        """Whether this is the context of an arm with a selection of its own."""
        return self.arm is not None and bool(self.recipe.arm[self.arm].select)

    @cached_property
    def base_path(self) -> str:
        """The base model's folder or Hub id, or its name on a server."""
        if self.writer or not self.origin:
            return self.writer.path if self.writer else place_of(self.recipe.model)
        return self.origin.base_path

    @cached_property
    def base_hash(self) -> str:
        """What identifies the base model."""
        if self.writer:
            return self.writer.hash
        if self.origin:
            return self.origin.base_hash
        model = self.recipe.model
        return served_hash(model) if model.remote else checkpoint_hash(self.base_path)

    @cached_property
    def pack(self) -> tuple[Heuristic, ...]:
        """The heuristics of the run, in the pack's order."""
        if self.origin:
            # A later round may use fewer heuristics. They are the first ones of the same pack.
            return self.origin.pack[: self.recipe.heuristics.count]
        return load_pack(self.recipe.heuristics.pack, self.recipe.heuristics.count)

    @cached_property
    def labeller(self) -> Labeller:
        """Labels steps with heuristics of the pack."""
        if self.origin:
            return self.origin.labeller
        return self.labeller_named(self.recipe.heuristics.labeller)

    def labeller_named(self, name: str, attempts: PromptedTexts | None = None) -> Labeller:
        """A labeller for the pack by its name in the table, or ``module:function``.

        attempts: texts for a labeller that learns from attempts; None: the run's own.
        """
        load = cast(Callable[..., Labeller], resolve(name, LABELLERS, "labeller"))
        if not self.learns(name):
            return load(self.pack)
        from manyways.pool.labellers import lessons

        return load(self.pack, attempts=attempts or (lambda: lessons(self)))

    @staticmethod
    def learns(labeller: str) -> bool:
        """Whether the labeller of this name is fitted on attempts."""
        load = cast(Callable[..., Labeller], resolve(labeller, LABELLERS, "labeller"))
        return "attempts" in inspect.signature(load).parameters

    @cached_property
    def prompts(self) -> PromptFormat:
        """The one prompt format of the run."""
        prompt = self.recipe.prompt
        return PromptFormat(
            instruction=prompt.instruction, system=prompt.system, layout=self.layout
        )

    @cached_property
    def layout(self) -> Layout:
        """The layout of prompts under heuristics: the pack's, with the recipe's changes."""
        given = self.recipe.heuristics.model_dump(include={"place", "exemplars"}, exclude_none=True)
        return replace(load_layout(self.recipe.heuristics.pack), **given)

    @cached_property
    def verifiers(self) -> Verifiers:
        """Gives verdicts under the recipe's policy."""
        if self.origin:
            return self.origin.verifiers
        verify = self.recipe.verify
        return Verifiers(
            workers=verify.workers,
            timeout=verify.timeout,
            policy=verify.policy,
            form=form_of(self.recipe.prompt.instruction),
            allow_unsafe_code=verify.allow_unsafe_code and trust.trusts(UNSAFE_CODE),
            isolation=verify.isolation,
            image=verify.image,
        )

    def close(self) -> None:
        """Stop the verifier's workers, if any were started."""
        # Reading the property would make the verifiers only to close them.
        if "verifiers" in self.__dict__:
            self.verifiers.close()

    def problems(self, name: str, limit: int | None) -> list[Problem]:
        """The first ``limit`` problems of a set (None: all); see ``ProblemSets.take``."""
        return self.sets.take(name, limit)

    def count(self, name: str, limit: int | None) -> int:
        """How many problems ``problems`` gives, or the limit if it would need untrusted code."""
        try:
            return len(self.problems(name, limit))
        except Untrusted:
            return limit or 0

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The benchmarks of the recipe whose answers can be verified here."""
        return tuple(n for n in self.recipe.benchmarks if n not in self.not_judged)

    @cached_property
    def not_judged(self) -> dict[str, str]:
        """Benchmark whose programs cannot be run safely here -> why."""
        found: dict[str, str] = {}
        for name in self.recipe.benchmarks:
            with suppress(Untrusted):
                for one in {p.verifier for p in self.problems(name, self.recipe.evaluate.limit)}:
                    found |= {name: why} if (why := self.verifiers.why_not(one)) else {}
        return found

    @cached_property
    def sets(self) -> ProblemSets:
        """The problem sets that the recipe names."""
        if self.origin:
            return self.origin.sets
        return ProblemSets(self.recipe, self.run, looking=self.looking)

    @property
    def left_out(self) -> dict[str, object]:
        """What problems of the pool that a benchmark asks too add to an identity: their ids."""
        try:
            dropped = self.sets.dropped(self.recipe.generate.problems)
        except Untrusted:
            if not self.looking:
                raise
            return {}
        return {"left_out": fingerprint(sorted(dropped))} if dropped else {}

    def prompts_for(self, problem: Problem) -> PromptFormat:
        """The run's prompt format, asking for a program where the problem wants one."""
        wanted = instruction_for(problem, self.prompts.instruction)
        return replace(self.prompts, instruction=wanted)

    def prompt_of(self, problem_id: str) -> tuple[Message, ...]:
        """The plain prompt of a problem of the pool."""
        problem = self._pool_problems[problem_id]
        return self.prompts_for(problem).plain(problem.question)

    @cached_property
    def _pool_problems(self) -> dict[str, Problem]:
        return {p.id: p for p in self.problems(self.recipe.generate.problems, None)}

    def engine(self, path: str, config: ModelConfig | None = None) -> Engine:
        """A fresh engine over the checkpoint at ``path``; the caller closes it.

        config: which engine and how; the recipe's base model when left out.

        Raises EngineError when a server holds another model than that at ``path``.
        """
        config = config or self.recipe.model
        if config.remote and path not in (config.path, self.base_path):
            raise EngineError(
                f"a server samples only the model that it holds, not '{path}': set model.engine to "
                "one that loads checkpoints (generate.engine may stay 'http')."
            )
        cls = resolve(config.engine, ENGINES, "engine")
        return cast(Engine, cls(path, config))  # type: ignore[operator]

    @property
    def lines(self) -> list[Line]:
        """Every (arm, seed) of the recipe."""
        return [Line(arm=arm, seed=seed) for arm in self.recipe.arms for seed in self.recipe.seeds]

    def midtraining(self, line: Line) -> MidtrainConfig:
        """The line's ``[midtrain]``. A length in the arm's name (``@25``) replaces that in it."""
        return self.of(line).recipe.midtrain.of(parse_arm(line.arm))

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """Every checkpoint that the recipe makes: the base, then arm by arm and seed by seed."""
        made = (one for line in self.lines for one in line.checkpoints)
        return [BASE, *(one for one in made if one.phase in self.recipe.phases)]

    def path_of(self, checkpoint: Checkpoint) -> str:
        """The checkpoint's folder, which may not exist yet; for the base it may be a Hub id."""
        if checkpoint == BASE:
            return self.base_path
        return str(self.run.path(checkpoint.folder, "checkpoint"))


VERDICTS = 1
"""Version of the verifiers, raised by hand when a text may get another verdict than before."""
SAMPLER = ("path", "batch_tokens", "http", "vllm", "ray", "load")
"""Keys of ``[model]`` that do not change what the model computes: where it is, how it samples."""


def settings_of(section: Section, *immaterial: str) -> dict[str, object]:
    """The keys of a section that a result depends on: all keys but ``immaterial``.

    Keys that do not matter are named, not those that do: if one is forgotten, work is done again,
    and a stale result is never kept. Keys at their default are left out, so that finished work
    stays finished when a release adds a key.
    """
    unknown = set(immaterial) - set(type(section).model_fields)
    assert not unknown, f"no such key: {unknown}"
    return section.model_dump(mode="json", exclude=set(immaterial), exclude_defaults=True)


def verify_identity(verify: VerifyConfig) -> dict[str, object]:
    """The settings that verdicts depend on, without where and in how many processes they run."""
    return settings_of(verify, "workers", "max_undecided", "isolation", "image")


def model_hash(ctx: Context, path: str) -> str:
    """The hash of the checkpoint at ``path``.

    Raises MissingWork when ``path`` is a folder of this run that does not exist yet.
    """
    if path == ctx.base_path:
        return ctx.base_hash
    # A relative path may be a Hub id; a folder of the run is always absolute.
    if Path(path).is_absolute() and not (Path(path) / "config.json").is_file():
        raise MissingWork(f"there is no checkpoint in '{path}' yet: run the stage that makes it.")
    return _hash(path, _state(Path(path)))


@lru_cache(maxsize=64)
def _hash(path: str, _state: tuple[tuple[str, int, int], ...]) -> str:
    """Cached, because a checkpoint has gigabytes and is hashed for every benchmark."""
    return checkpoint_hash(path)


def _state(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of each file; nothing for a Hub id."""
    if not folder.is_dir():
        return ()
    stats = [(file.name, file.stat()) for file in folder.iterdir()]
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats))


def sampling_identity(ctx: Context, engine: str | None = None) -> dict[str, object]:
    """The settings that attempts and their verdicts depend on in every stage.

    engine: the engine that samples; None: ``model.engine``.
    """
    recipe = ctx.recipe
    return {
        **recipe.model.under(engine).identity,
        "prompt": settings_of(recipe.prompt),
        "verify": verify_identity(recipe.verify),
        "verdicts": VERDICTS,
    }


def weights_identity(ctx: Context, *immaterial: str) -> dict[str, object]:
    """The keys of ``[model]`` that a computation depends on, besides the checkpoint's files.

    immaterial: further keys that do not matter to this computation.
    """
    model = ctx.recipe.model
    return {**settings_of(model, *SAMPLER, *immaterial), **model.loaded}


def training_identity(section: MidtrainConfig | RLConfig) -> dict[str, object]:
    """The keys of a training's section that its checkpoint depends on.

    Left out are the keys that say what is saved and where verl's interpreter is.
    """
    kept = ("attempts", "keep") if isinstance(section, RLConfig) else ()
    found = settings_of(section, "save_every", *kept)
    if isinstance(verl := found.get("verl"), dict):
        verl.pop("python", None)
    return found
