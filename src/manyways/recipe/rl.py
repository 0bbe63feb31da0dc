"""RL, and the gate before it: ``[rl]`` and ``[gate]``."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from manyways.recipe.section import Positive, Rate, Scalar, Section, Share
from manyways.recipe.training import LoraConfig
from manyways.recipe.verl import VerlConfig, check_verl


class GateConfig(Section):
    """Is a checkpoint fit for RL? Measured on ``rl.group_size`` attempts at RL's problems."""

    enforce: bool = True
    """Refuse RL from a checkpoint that is not fit; else only say so."""

    problems: Positive = 48
    """How many of RL's problems are attempted."""

    min_stop: Share = 0.5
    """Least share of attempts that end by themselves."""

    max_no_answer: Share = 0.5
    """Largest share of attempts that hold no answer in the prompt's form."""

    min_mixed: Share = 0.05
    """Least share of groups with right and wrong attempts: RL learns from those alone."""


class RLConfig(Section):
    """GRPO. One step takes ``group_size`` attempts at each of ``prompts_per_step`` problems."""

    backend: str = "trl"
    """Who trains: ``trl``, ``verl`` or ``module:function``."""

    problems: str
    """The problem set that is trained on (docs/problems.md)."""

    limit: Positive | None = None
    """Take that many problems of the set."""

    steps: Positive
    """Optimizer steps."""

    group_size: Annotated[int, Field(ge=2)] = 16
    """Attempts at a problem, which are compared with one another."""

    prompts_per_step: Positive = 8
    """Problems of one step."""

    micro_batch: Positive | None = None
    """Attempts in one forward and backward pass. Left out: with ``trl`` all of a step on a GPU and
    at most 32 on a CPU, with ``verl`` what ``verl.tokens_per_gpu`` allows."""

    learning_rate: Rate
    """Highest learning rate; constant after warming up."""

    warmup: Share = 0.0
    """Share of the steps in which the learning rate rises."""

    temperature: Rate = 1.0
    """Of sampling."""

    max_tokens: Positive
    """Longest attempt, in tokens."""

    loss_type: Literal["grpo", "dapo", "dr_grpo", "bnpo"] = "dapo"
    """How losses of tokens are averaged, under TRL's names."""

    scale_rewards: Literal["group", "batch", "none"] = "group"
    """What a group's advantages are divided by: its standard deviation, the batch's, nothing."""

    epsilon: Rate = 0.2
    """Clip range of the probability ratio, downwards."""

    epsilon_high: Rate = 0.28
    """Clip range upwards."""

    beta: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the KL term that holds the policy near its start; none at 0."""

    save_every: Positive = 50
    """Steps between the checkpoints from which a killed training goes on."""

    attempts: Literal["all", "sample", "none"] = "sample"
    """Which attempts of RL are kept, with step, reward and advantage: those at 64 problems for
    ``sample``."""

    lora: LoraConfig | None = None
    """Train adapters (docs/scale.md)."""

    verl: VerlConfig | None = None
    """Settings of the backend ``verl`` (docs/scale.md)."""

    extra: dict[str, Scalar] = Field(default_factory=dict)
    """Further settings of TRL's ``GRPOConfig``, under its names."""

    @model_validator(mode="after")
    def _verl_can(self) -> Self:
        if self.backend == "verl":
            check_verl(self)
        return self
