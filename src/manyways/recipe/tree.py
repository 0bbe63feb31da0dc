"""Every knob of a run: one frozen class per section, read from one strict TOML file.

What TRL offers beyond these keys goes through the ``extra`` tables to its config, but for what
these keys decide.
"""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from manyways.arms import Arm, check_arms, parse_arm
from manyways.recipe.distill import DistillConfig
from manyways.recipe.engines import ModelConfig
from manyways.recipe.pool import (
    GenerateConfig,
    HeuristicsConfig,
    PromptConfig,
    SelectConfig,
    VerifyConfig,
)
from manyways.recipe.probes import BranchConfig, ProbeConfig
from manyways.recipe.rl import GateConfig, RLConfig
from manyways.recipe.section import Names, Positive, Rate, Section
from manyways.recipe.training import LaunchConfig, MidtrainConfig, TrackingConfig

_FOLDER = re.compile(r"(?![.\s])[^/\\\x00-\x1f\x7f]{1,100}(?<!\s)")


class EvaluateConfig(Section):
    """Sampling every checkpoint on benchmarks, from the plain prompt."""

    benchmarks: Annotated[Names, Field(min_length=1)]
    """Problem sets (docs/problems.md)."""

    limit: Positive | None = None
    """Take that many problems of each."""

    attempts: Positive = 64
    """At each problem, and the largest k of pass@k."""

    temperature: Rate = 1.0
    """Of sampling."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Of sampling: the most likely tokens that have this probability together."""

    max_tokens: Positive
    """Longest attempt, in tokens."""

    part_size: Positive = 2048
    """Attempts per parquet part: what a kill can lose at most."""

    @field_validator("benchmarks")
    @classmethod
    def _distinct(cls, benchmarks: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(benchmarks)) != len(benchmarks):
            raise ValueError("a benchmark is listed twice")
        return benchmarks


class AnalyseConfig(Section):
    """From attempts to tables."""

    bootstrap: Positive = 2000
    """Resamples of every bootstrap."""

    explorer_problems: Positive = 40
    """Problems whose ways the report shows side by side."""


class Recipe(Section):
    """A whole run."""

    extends: str | None = None
    """A recipe whose keys hold where this file has none, by its path from here. Tables are joined
    key by key. Resolved when the file is read: a run's own recipe has every key."""

    name: str
    """Of the run; its folder is ``runs/NAME`` unless ``--out`` says otherwise."""

    seeds: Annotated[tuple[int, ...], Field(strict=False, min_length=1)] = (0,)
    """Training replicates of every arm, all from one pool of attempts."""

    data_dir: str | None = None
    """Folder of normalised problem sets; the Hugging Face Hub when left out."""

    arms: Annotated[Names, Field(min_length=1)]
    """What is compared: ``vanilla``, ``star``, ``heuristics-N``, ... (docs/controls.md)."""

    model: ModelConfig
    prompt: PromptConfig = PromptConfig()
    heuristics: HeuristicsConfig
    verify: VerifyConfig = VerifyConfig()
    generate: GenerateConfig
    distill: DistillConfig | None = None
    select: SelectConfig = SelectConfig()
    midtrain: MidtrainConfig
    gate: GateConfig = GateConfig()
    probe: ProbeConfig = ProbeConfig()
    branch: BranchConfig = BranchConfig()
    rl: RLConfig
    tracking: TrackingConfig = TrackingConfig()
    launch: LaunchConfig | None = None
    evaluate: EvaluateConfig
    analyse: AnalyseConfig = AnalyseConfig()

    @field_validator("extends")
    @classmethod
    def _is_resolved(cls, extends: str | None) -> str | None:
        if extends is not None:
            raise ValueError(
                "a recipe's file says what it extends: write it at the top of the file"
            )
        return extends

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

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds) or min(seeds) < 0 or max(seeds) >= 2**32:
            raise ValueError("seeds must be distinct, not negative and below 2**32")
        return seeds

    @model_validator(mode="after")
    def _arms_have_what_they_need(self) -> Self:
        check_arms(
            self.parsed_arms, heuristics=self.heuristics.count, distills=self.distill is not None
        )
        return self

    @model_validator(mode="after")
    def _peak_is_not_chosen_on_a_test(self) -> Self:
        tested = [name for name in self.rl.watched_sets if name in self.evaluate.benchmarks]
        if tested and (self.rl.evaluate_every or self.midtrain.evaluate_every):
            raise ValueError(
                f"rl.evaluate: '{tested[0]}' is a benchmark of the recipe: a step that is chosen "
                "on it cannot be tested on it. Name a validation set."
            )
        return self

    @model_validator(mode="after")
    def _can_end_on_the_way(self) -> Self:
        if self.rl.stop and (self.rl.backend == "verl" or self.model.engine != "transformers"):
            raise ValueError(
                "rl.stop: a training can end by its evaluations only where the model in training "
                "is sampled: rl.backend = 'trl' with model.engine = 'transformers'. Elsewhere its "
                "steps are evaluated when it is over: rl.keep = 'best' finds the peak."
            )
        return self

    @model_validator(mode="after")
    def _pool_engine_has_its_table(self) -> Self:
        self.model.under(self.generate.engine).check_tables()
        if self.probe.enabled and self.probe.heuristics > self.heuristics.count:
            raise ValueError(
                f"probe.heuristics: {self.probe.heuristics} are more than heuristics.count, "
                f"{self.heuristics.count}"
            )
        return self

    @property
    def parsed_arms(self) -> tuple[Arm, ...]:
        """The arms in the recipe's order."""
        return tuple(parse_arm(name) for name in self.arms)

    @property
    def data_path(self) -> Path | None:
        """Folder of normalised problem files, None for the Hub."""
        return Path(self.data_dir).expanduser() if self.data_dir else None
