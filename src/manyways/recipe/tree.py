"""Every setting of a run: one frozen class for each section, read from one strict TOML file.

Further settings of TRL go through the ``extra`` tables, except those that the keys here decide.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from manyways.arms import Arm, check_arms, parse_arm, ways_needed
from manyways.recipe.engines import ModelConfig
from manyways.recipe.pool import (
    DEFAULT_COUNT,
    BranchConfig,
    DistillConfig,
    GenerateConfig,
    HeuristicsConfig,
    ProbeConfig,
    PromptConfig,
    SelectConfig,
    VerifyConfig,
)
from manyways.recipe.rl import GateConfig, RLConfig, check_load
from manyways.recipe.section import Names, Positive, Rate, Section, laid_over, toml_value
from manyways.recipe.training import LaunchConfig, MidtrainConfig, TrackingConfig
from manyways.records import Phase
from manyways.run_dir import set_label

SECTIONS = ("rl", "midtrain", "select")
"""Sections that arms may change. Pool and evaluation are the same for all arms."""
ONE_SAMPLE = ("problems", "limit", "group_size", "temperature", "max_tokens")
"""Keys of ``[rl]`` for the base model's attempts at RL's problems, made once for all arms."""
WATCHED = ("problems", "evaluate", "evaluate_limit", "evaluate_attempts", "evaluate_pass_rate")
"""Keys of ``[rl]`` for the base model's attempts at validation problems, once for all arms."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class ArmConfig(Section):
    """Settings of one arm. Its name is the name of another arm, ``+`` and a word (docs/rl.md).

    ``[arm."vanilla+entropy"]`` with ``rl.extra.entropy_coef = 0.01`` makes an arm that differs from
    ``vanilla`` in that key alone.
    """

    base: str | None = None
    """The arm that this one changes. It is what stands before the ``+`` in the name."""

    rl: dict[str, Any] = Field(default_factory=dict)
    """The keys of ``[rl]`` that differ in this arm."""

    midtrain: dict[str, Any] = Field(default_factory=dict)
    """The keys of ``[midtrain]`` that differ in this arm."""

    select: dict[str, Any] = Field(default_factory=dict)
    """The keys of ``[select]`` that differ in this arm. Its solutions are then selected anew, from
    the same pool."""

    @property
    def given(self) -> dict[str, dict[str, Any]]:
        """Section -> the keys that this arm sets in it."""
        return {name: keys for name in SECTIONS if (keys := getattr(self, name))}

    def over(self, name: str, section: Section) -> dict[str, Any]:
        """The section ``name`` with this arm's changes, as a tree to validate."""
        given = self.given.get(name, {})
        tree = section.model_dump(mode="json", exclude_none=True)
        # Exactly one of the two may be given, so an arm that gives one removes the other.
        for one, other in (("steps", "epochs"), ("epochs", "steps")):
            if name == "midtrain" and one in given and other not in given:
                tree.pop(other, None)
        return laid_over(tree, given)


def dotted(path: tuple[object, ...]) -> str:
    """``("arm", "vanilla+entropy", "rl")`` -> ``arm."vanilla+entropy".rl``."""
    words = (str(part) for part in path)
    return ".".join(word if _BARE.fullmatch(word) else f'"{word}"' for word in words)


def leaves(tree: Mapping[str, Any], *above: str) -> Iterator[tuple[str, object]]:
    """Every value of nested tables with its key: ``("rl.extra.entropy_coef", 0.01)``."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, *above, key)
        else:
            yield dotted((*above, key)), value


_FOLDER = re.compile(r"(?![.\s])[^/\\\x00-\x1f\x7f]{1,100}(?<!\s)")


BY_STAGE = ("midtrain", "rl", "evaluate")
"""Tables that a recipe may leave out. A run then leaves out their stages."""


class EvaluateConfig(Section):
    """How every checkpoint is sampled on benchmarks, with the plain prompt."""

    benchmarks: Annotated[Names, Field(min_length=1)]
    """The problem sets to evaluate on (docs/problems.md)."""

    limit: Positive | None = None
    """Number of problems to take from the start of each set. Without it, all."""

    attempts: Positive = 64
    """Attempts per problem, and the largest k of pass@k."""

    temperature: Rate = 1.0
    """Sampling temperature."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Nucleus sampling: sample from the most likely tokens whose probabilities add up to this."""

    max_tokens: Positive
    """Longest attempt, in tokens."""

    part_size: Positive = 2048
    """Attempts per parquet file. A killed run loses at most as many."""

    @field_validator("benchmarks")
    @classmethod
    def _distinct(cls, benchmarks: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(map(set_label, benchmarks))) != len(benchmarks):
            raise ValueError("a benchmark, or the name of one, is listed twice")
        return benchmarks


class AnalyseConfig(Section):
    """How tables are computed from attempts."""

    bootstrap: Positive = 2000
    """Resamples of every bootstrap."""

    explorer_problems: Positive = 40
    """Number of problems whose solutions the report shows side by side."""


class Sections(Section):
    """The sections that an arm may change."""

    rl: RLConfig = Field(default_factory=RLConfig.left_out)
    midtrain: MidtrainConfig = Field(default_factory=MidtrainConfig.left_out)
    select: SelectConfig = SelectConfig()


class Recipe(Section):
    """The keys of a whole run."""

    extends: str | None = None
    """The recipe that this one builds on, by its path from this file. Its keys hold where this file
    gives none, and sections are joined by key. The recipe that a run keeps is already joined."""

    unset: Names = ()
    """Keys to remove from the recipe in ``extends``, as ``["rl.lora"]``."""

    name: str
    """The name of the run. Its folder is ``runs/NAME`` unless ``--out`` names another one."""

    seeds: Annotated[tuple[int, ...], Field(strict=False, min_length=1)] = (0,)
    """Random seeds. Every arm is trained once for each seed, all from one pool of attempts."""

    data_dir: str | None = None
    """A folder of normalised problem sets. Without it, sets come from the Hugging Face Hub."""

    arms: Annotated[Names, Field(min_length=1)]
    """The arms that the run compares, as ``vanilla``, ``star`` or ``heuristics-N``
    (docs/controls.md)."""

    arm: dict[str, ArmConfig] = Field(default_factory=dict)
    """Settings of single arms."""

    model: ModelConfig
    prompt: PromptConfig = PromptConfig()
    heuristics: HeuristicsConfig = HeuristicsConfig()
    verify: VerifyConfig = VerifyConfig()
    generate: GenerateConfig
    distill: DistillConfig | None = None
    select: SelectConfig = SelectConfig()
    midtrain: MidtrainConfig = Field(default_factory=MidtrainConfig.left_out)
    gate: GateConfig = GateConfig()
    probe: ProbeConfig = ProbeConfig()
    branch: BranchConfig = BranchConfig()
    rl: RLConfig = Field(default_factory=RLConfig.left_out)
    tracking: TrackingConfig = TrackingConfig()
    launch: LaunchConfig | None = None
    evaluate: EvaluateConfig = Field(default_factory=EvaluateConfig.left_out)
    analyse: AnalyseConfig = AnalyseConfig()

    @model_validator(mode="before")
    @classmethod
    def _as_many_ways_as_arms_need(cls, given: object) -> object:
        if not isinstance(given, dict) or not isinstance(given.get("heuristics"), dict):
            return given
        names = [name for name in given.get("arms") or () if isinstance(name, str)]
        table = {"count": ways_needed(names, least=DEFAULT_COUNT), **given["heuristics"]}
        return {**given, "heuristics": table}

    @field_validator("extends")
    @classmethod
    def _is_resolved(cls, extends: str | None) -> str | None:
        if extends is not None:
            raise ValueError("write it at the top of the file; --set cannot give it")
        return extends

    @field_validator("unset")
    @classmethod
    def _is_taken_out(cls, unset: tuple[str, ...]) -> tuple[str, ...]:
        if unset:
            raise ValueError("only a recipe's file that extends another one can have it")
        return unset

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not _FOLDER.fullmatch(name):
            raise ValueError(
                "the run's folder is named after it: 1 to 100 characters without slashes, no dot "
                "and no space first (--out says where the folder is)"
            )
        return name

    @field_validator("arms")
    @classmethod
    def _known_arms(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            parse_arm(name)
        if len(set(names)) != len(names):
            raise ValueError("an arm is listed twice")
        return names

    @field_validator("arms", mode="before")
    @classmethod
    def _is_a_list(cls, given: object) -> object:
        if isinstance(given, dict):
            raise ValueError(
                'list the names of arms here; the settings of a single one stand in [arm."NAME"]'
            )
        return given

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds) or min(seeds) < 0 or max(seeds) >= 2**32:
            raise ValueError("seeds must be distinct, not negative and below 2**32")
        return seeds

    @model_validator(mode="after")
    def _trains_what_it_goes_on_from(self) -> Self:
        if self.rl.there and not self.midtrain.there:
            trained = next((arm.name for arm in self.parsed_arms if arm.midtrains), None)
            if trained:
                raise ValueError(
                    f"[midtrain] is missing: '{trained}' is mid-trained before RL. For the data "
                    "alone leave out [rl] and [evaluate], too"
                )
        if self.midtrain.evaluate_every and not self.rl.there:
            raise ValueError(
                "midtrain.evaluate_every: the sets are those of [rl], which is missing"
            )
        return self

    @model_serializer(mode="wrap")
    def _as_given(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the sections that the recipe lacks."""
        found: dict[str, Any] = write(self)
        return {k: v for k, v in found.items() if k not in BY_STAGE or getattr(self, k).there}

    @model_validator(mode="after")
    def _arms_have_what_they_need(self) -> Self:
        check_arms(
            self.parsed_arms, heuristics=self.heuristics.count, distills=self.distill is not None
        )
        return self

    @model_validator(mode="after")
    def _settings_belong_to_an_arm(self) -> Self:
        for name in self.arm:
            _check_arm(self, name)
        for arm in self.parsed_arms:
            if arm.label and arm.name not in self.arm:
                raise ValueError(
                    f"arms: '{arm.name}' has no settings: write a section [arm.\"{arm.name}\"] "
                    f"with what differs from '{arm.parent}', as rl.extra.entropy_coef = 0.01"
                )
        return self

    @model_validator(mode="after")
    def _peak_is_not_chosen_on_a_test(self) -> Self:
        tested = [name for name in self.on_the_way if set_label(name) in self.benchmarks]
        if tested:
            raise ValueError(
                f"rl.evaluate: '{tested[0]}' is a benchmark of the recipe: a step that is chosen "
                "on it cannot be tested on it. Name a validation set."
            )
        return self

    @model_validator(mode="after")
    def _verl_is_told_how_to_load(self) -> Self:
        if self.rl.backend == "verl" and self.rl.verl is not None:
            check_load(self.model.load, self.rl.verl)
        return self

    @model_validator(mode="after")
    def _can_end_early(self) -> Self:
        if self.rl.stop and (self.rl.backend == "verl" or self.model.engine != "transformers"):
            raise ValueError(
                "rl.stop: a training can end by its evaluations only where the model in training "
                "is sampled: rl.backend = 'trl' with model.engine = 'transformers'. Elsewhere its "
                "steps are evaluated when it is over: rl.keep = 'best' finds the peak."
            )
        return self

    @model_validator(mode="after")
    def _pool_engine_has_its_section(self) -> Self:
        self.model.under(self.generate.engine).check_sections()
        most, probed = self.heuristics.count, self.probe.heuristics * self.probe.enabled
        for key, ways in (("rl.strategies", self.rl.strategies), ("probe.heuristics", probed)):
            if ways > most:
                raise ValueError(f"{key}: {ways} are more than heuristics.count, {most}")
        return self

    def of(self, arm: str) -> Self:
        """The recipe with the settings of ``arm``, or unchanged for an arm without settings.

        Raises ValidationError for settings that are not valid, with keys as ``rl.steps``.
        """
        settings = self.arm.get(arm)
        if settings is None:
            return self
        tree = {name: settings.over(name, getattr(self, name)) for name in settings.given}
        found = Sections.model_validate(tree)
        return self.model_copy(update={name: getattr(found, name) for name in settings.given})

    @property
    def variants(self) -> "tuple[Recipe, ...]":
        """The recipe itself, then the recipe of each arm that has settings of its own."""
        return (self, *(self.of(arm) for arm in self.arms if arm in self.arm))

    @property
    def hands_on(self) -> bool:
        """Whether it has an ``extra`` table for TRL or a ``vllm`` table with keys in it."""
        judge, other = self.select.judge, self.distill.model if self.distill else None
        tables = [model.vllm for model in (self.model, judge, other) if model is not None]
        tables += [one.extra for own in self.variants for one in (own.midtrain, own.rl)]
        return any(tables)

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Problem sets that checkpoints are evaluated on, by their labels in tables and paths.

        Empty without ``[evaluate]``.
        """
        return tuple(map(set_label, self.evaluate.benchmarks)) if self.evaluate.there else ()

    def problem_set(self, name: str) -> str:
        """The full name of a problem set of the recipe, given its label or its name."""
        evaluated = self.evaluate.benchmarks if self.evaluate.there else ()
        return next((one for one in evaluated if name in (one, set_label(one))), name)

    @property
    def rl_problems(self) -> dict[str, int | None]:
        """Problem set of RL -> the largest limit over all arms; None: no limit."""
        every = [one.rl for one in self.variants if one.rl.there]
        names = dict.fromkeys(rl.problems for rl in every)
        limits = {name: [rl.limit for rl in every if rl.problems == name] for name in names}
        return {
            name: None if None in found else max(filter(None, found))
            for name, found in limits.items()
        }

    @property
    def problem_set_names(self) -> tuple[str, ...]:
        """The sets of the pool, of RL and of the benchmarks, by their labels."""
        return (self.generate.problems, *self.rl_problems, *self.benchmarks)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The trainings that the recipe has a section for."""
        trainings: tuple[tuple[Phase, Section], ...] = (("mid", self.midtrain), ("rl", self.rl))
        return tuple(phase for phase, section in trainings if section.there)

    @property
    def on_the_way(self) -> tuple[str, ...]:
        """The problem sets of evaluations during training; empty without such evaluations."""
        watches = self.rl.evaluate_every or self.midtrain.evaluate_every
        return self.rl.watched_sets if watches else ()

    def differs(self, arm: str) -> str:
        """The settings of an arm as text: ``rl.extra.entropy_coef = 0.01``; empty without any."""
        given = self.arm[arm].given if arm in self.arm else {}
        return ", ".join(f"{key} = {toml_value(value)}" for key, value in leaves(given))

    @property
    def parsed_arms(self) -> tuple[Arm, ...]:
        """The arms in the recipe's order."""
        return tuple(parse_arm(name) for name in self.arms)

    @property
    def data_path(self) -> Path | None:
        """Folder of normalised problem files, None for the Hub."""
        return Path(self.data_dir).expanduser() if self.data_dir else None


def _check_arm(recipe: Recipe, name: str) -> None:
    """Raise ValueError if the section of an arm has an invalid name, base or key."""
    settings, key = recipe.arm[name], dotted(("arm", name))
    try:
        arm = parse_arm(name)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    if not arm.label:
        raise ValueError(
            f"{key}: settings of its own make another arm: name it '{name}+WORD' here and in arms; "
            f"'{name}' stays what it is"
        )
    if missing := [one for one in settings.given if not getattr(recipe, one).there]:
        raise ValueError(f"{key}.{missing[0]}: the recipe has no [{missing[0]}] to differ from")
    if settings.base not in (None, arm.parent):
        raise ValueError(
            f"{key}.base: '{settings.base}' is not what the name says, '{arm.parent}': name the "
            f"arm '{settings.base}+{arm.label}', or leave base out"
        )
    if not settings.given:
        raise ValueError(
            f"{key}: nothing is set, so the arm would be '{arm.parent}' again: set a key, or "
            "remove the section"
        )
    if arm.kind.foreign and settings.select:
        raise ValueError(
            f"{key}.select: attempts of another model are selected once, for all arms: set it in "
            "[select]"
        )


def _check_watched_alike(recipe: Recipe, own: Recipe) -> None:
    """Raise ValueError when an arm would choose other validation problems than the recipe."""
    if own.rl.evaluate_pass_rate is recipe.rl.evaluate_pass_rate is None:
        return
    _check_alike(
        recipe, own, WATCHED,
        why="with rl.evaluate_pass_rate the rates of validation problems are measured once for all "
        "arms: set it for all of them in [rl]",
    )  # fmt: skip


def _check_alike(recipe: Recipe, own: Recipe, keys: Sequence[str], *, why: str) -> None:
    """Raise ValueError when an arm has another value of one of ``keys`` in [rl]."""
    for key in keys:
        if getattr(own.rl, key) != getattr(recipe.rl, key):
            raise ValueError(f"rl.{key}: {why}")


def check_arm(recipe: Recipe, name: str) -> None:
    """Check the settings of one arm together with the rest of the recipe.

    Raises ValidationError or ValueError, with keys as ``rl.steps``.
    """
    own = recipe.of(name)
    Recipe.model_validate(own.model_dump(mode="json", exclude_none=True))
    _check_watched_alike(recipe, own)
    if own.rl.pass_rate is None or own.rl.pass_rate_of != "base":
        return
    _check_alike(
        recipe, own, ONE_SAMPLE,
        why="with rl.pass_rate of the base its rates are measured once for all arms: set it for "
        "all of them in [rl], or rl.pass_rate_of = 'start' for this one",
    )  # fmt: skip
