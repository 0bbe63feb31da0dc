"""Every knob of a run: one frozen class per stage, read from one strict TOML file.

A knob exists only if a recipe changes it. What TRL offers beyond these goes through the ``extra``
tables unchanged.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from manyways.arms import Arm, check_arms, parse_arm
from manyways.recipe.distill import DistillConfig
from manyways.recipe.engines import ModelConfig
from manyways.recipe.probes import BranchConfig, ProbeConfig
from manyways.recipe.section import Names, Positive, Rate, Scalar, Section, Share
from manyways.recipe.training import (
    LaunchConfig,
    LoraConfig,
    MidtrainConfig,
    TrackingConfig,
)
from manyways.recipe.verl import VerlConfig, check_verl


class PromptConfig(Section):
    """See ``heuristics.prompts.PromptFormat``."""

    instruction: str = "Put your final answer within \\boxed{}."
    system: str = ""


class HeuristicsConfig(Section):
    """Which pack, how many of it (the first ``count``), exemplars shown, who labels texts."""

    pack: str = "polya"
    count: Positive = 8
    shots: Annotated[int, Field(ge=0)] = 2
    labeller: str = "exemplars"


class VerifyConfig(Section):
    """How answers are judged, everywhere in the run.

    verifier: replaces each problem's own verifier when given (a table name or module:function).
    """

    verifier: str | None = None
    policy: Literal["strict", "lenient"] = "strict"
    timeout: Rate = 5.0
    """Seconds of wall clock per answer."""
    workers: Positive = 2
    max_undecided: Share = 0.05
    allow_unsafe_code: bool = False


class GenerateConfig(Section):
    """Sampling the pool: ``samples`` attempts per (problem, heuristic), ``plain_samples`` plain.

    sampling: ``adaptive`` leaves a (problem, heuristic) once it has a solution, so that ``samples``
    and ``plain_samples`` are the most it gets; see docs/sampling.md.
    token_budget: with adaptive sampling, about how many tokens to sample in all.
    """

    problems: str
    limit: Positive | None = None
    samples: Positive = 4
    plain_samples: Positive = 4
    temperature: Rate = 1.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    max_tokens: Positive
    stop: Names = ()
    part_size: Positive = 2048
    """Attempts per parquet part: what a kill can lose at most."""
    engine: str | None = None
    """Samples the pool; ``model.engine`` when None."""
    sampling: Literal["fixed", "adaptive"] = "fixed"
    token_budget: Positive | None = None

    @model_validator(mode="after")
    def _budget_is_spent_adaptively(self) -> Self:
        if self.token_budget is not None and self.sampling == "fixed":
            raise ValueError('token_budget needs sampling = "adaptive"')
        return self


class SelectConfig(Section):
    """From attempts to solutions.

    scorer: ``labeller`` (of ``[heuristics]``), ``reward-model:<path>`` or ``judge``.
    min_adherence: least adherence of a solution. With a labeller or a judge the scale is a share.
    With a reward model it is the share of the other attempts at the problem under the heuristic
    that score lower, and there is no least one unless it is given.
    judge: the model that judges, with its engine; the base model when left out.
    judge_tokens: longest reply of the judge.
    near_duplicate: a solution is dropped when its word 3-gram Jaccard similarity with a kept one of
    the same problem is at least this.
    budget: examples of the ``budget-N`` arms; None takes all that the one-way arm has.
    """

    scorer: Annotated[str, Field(pattern=r"^(labeller|judge|reward-model:.+)$")] = "labeller"
    min_adherence: Share | None = 0.5
    near_duplicate: Share = 0.95
    budget: Positive | None = None
    judge: ModelConfig | None = None
    judge_tokens: Positive = 256

    @model_validator(mode="before")
    @classmethod
    def _no_least_rank(cls, given: object) -> object:
        if isinstance(given, dict) and str(given.get("scorer")).startswith("reward-model"):
            return {"min_adherence": None, **given}
        return given


class GateConfig(Section):
    """Is a checkpoint fit for RL? Measured on ``problems`` RL prompts x ``rl.group_size``."""

    enforce: bool = True
    problems: Positive = 48
    min_stop: Share = 0.5
    max_no_answer: Share = 0.5
    min_mixed: Share = 0.05


class RLConfig(Section):
    """GRPO. One step = ``prompts_per_step`` problems x ``group_size`` attempts."""

    backend: str = "trl"
    problems: str
    limit: Positive | None = None
    steps: Positive
    group_size: Annotated[int, Field(ge=2)] = 16
    prompts_per_step: Positive = 8
    micro_batch: Positive | None = None
    learning_rate: Rate
    warmup: Share = 0.0
    temperature: Rate = 1.0
    max_tokens: Positive
    loss_type: Literal["grpo", "dapo", "dr_grpo", "bnpo"] = "dapo"
    scale_rewards: Literal["group", "batch", "none"] = "group"
    epsilon: Rate = 0.2
    epsilon_high: Rate = 0.28
    beta: Annotated[float, Field(ge=0.0)] = 0.0
    save_every: Positive = 50
    lora: LoraConfig | None = None
    verl: VerlConfig | None = None
    extra: dict[str, Scalar] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _verl_can(self) -> Self:
        if self.backend == "verl":
            check_verl(self)
        return self


class EvaluateConfig(Section):
    """Benchmarks and attempts per problem."""

    benchmarks: Annotated[Names, Field(min_length=1)]
    limit: Positive | None = None
    attempts: Positive = 64
    temperature: Rate = 1.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    max_tokens: Positive
    part_size: Positive = 2048


class AnalyseConfig(Section):
    """Resamples of every bootstrap and how many problems the report's explorer holds."""

    bootstrap: Positive = 2000
    explorer_problems: Positive = 40


class Recipe(Section):
    """A whole run. ``seeds``: training replicates of every arm, all from one pool of attempts."""

    name: str
    seeds: Annotated[tuple[int, ...], Field(strict=False, min_length=1)] = (0,)
    data_dir: str | None = None
    arms: Annotated[Names, Field(min_length=1)]
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
        if len(set(seeds)) != len(seeds) or min(seeds) < 0:
            raise ValueError("seeds must be distinct and not negative")
        return seeds

    @model_validator(mode="after")
    def _arms_have_what_they_need(self) -> Self:
        check_arms(
            self.parsed_arms, heuristics=self.heuristics.count, distills=self.distill is not None
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
