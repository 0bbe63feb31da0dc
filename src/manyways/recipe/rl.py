"""RL, and the gate before it: ``[rl]`` and ``[gate]``."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from manyways.recipe.section import Extra, Names, Positive, Rate, Section, Share
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


class StopConfig(Section):
    """When RL ends before its last step, by its evaluations on the way."""

    when: Literal["no gain"] = "no gain"
    """``no gain``: the best evaluation so far is ``patience`` evaluations old."""

    on: Annotated[str, Field(pattern=r"pass@[1-9][0-9]*")] = "pass@1"
    """The score that is to rise: ``pass@1``, ``pass@8``, ..."""

    patience: Positive = 3
    """Evaluations without a gain."""


class RLConfig(Section):
    """GRPO. One step takes ``group_size`` attempts at each of ``prompts_per_step`` problems."""

    backend: str = "trl"
    """Who trains: ``trl``, ``verl`` or ``module:function``."""

    problems: str
    """The problem set that is trained on (docs/problems.md)."""

    limit: Positive | None = None
    """Take that many problems of the set."""

    pass_rate: Annotated[tuple[Share, Share], Field(strict=False)] | None = None
    """Train on problems alone of which ``group_size`` attempts are right this often, as
    ``[0.05, 0.95]``; the others are left out, and counted."""

    pass_rate_of: Literal["base", "start"] = "base"
    """Whose attempts: the base model's, once for all arms; or those of each arm's own start."""

    redraw: Annotated[int, Field(ge=0)] = 0
    """How often a group is drawn again in a step whose attempts earn all the same (``trl``)."""

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

    reward: Annotated[str, Field(pattern=r"^(correct|pass@[1-9][0-9]*)$")] = "correct"
    """What an attempt earns: ``correct`` 1 for a right answer; ``pass@4`` its advantage where the
    best of 4 attempts of the group counts, with ``scale_rewards = "none"``."""

    diversity: Annotated[float, Field(ge=0.0)] = 0.0
    """What a correct attempt earns more at most, for showing other heuristics than the other
    correct ones of its group; ``heuristics.labeller`` says which it shows."""

    strategies: Annotated[int, Field(ge=0)] = 0
    """Ask the attempts of a group under the pack's first so many heuristics in turn, then plainly,
    and round again; all plainly at 0. The gate and evaluations ask plainly (``trl``)."""

    beta: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the KL term that holds the policy near its start; none at 0."""

    save_every: Positive = 50
    """Steps between the checkpoints from which a killed training goes on."""

    attempts: Literal["all", "sample", "none"] = "sample"
    """Which attempts of RL are kept, with step, reward and advantage: those at 64 problems for
    ``sample``."""

    evaluate_every: Positive | None = None
    """Steps between evaluations on the way; none when left out."""

    evaluate: Names = ()
    """Problem sets of these evaluations; the split ``validation`` of ``rl.problems`` when left out.
    No benchmark of the recipe: the peak would be chosen on what it is then tested on."""

    evaluate_limit: Positive = 64
    """Take that many problems of each."""

    evaluate_attempts: Positive = 8
    """At each problem, and the largest k of pass@k on the way."""

    keep: Literal["last", "best", "all"] = "last"
    """Checkpoints that stay: the last step's, that of the best evaluation as well, or all that
    were evaluated. The best one is tested beside the last."""

    stop: StopConfig | None = None
    """End before the last step: ``{ on = "pass@8", patience = 3 }``."""

    lora: LoraConfig | None = None
    """Train adapters (docs/scale.md)."""

    verl: VerlConfig | None = None
    """Settings of the backend ``verl`` (docs/scale.md)."""

    extra: Extra = Field(default_factory=dict)
    """Further settings of TRL's ``GRPOConfig``, under its names."""

    @property
    def watched(self) -> int:
        """The k of pass@k by which the best step is chosen, and an end is found."""
        return int(self.stop.on.partition("@")[2]) if self.stop else self.evaluate_attempts

    @property
    def watched_sets(self) -> tuple[str, ...]:
        """The problem sets of evaluations on the way."""
        head, slash, _ = self.problems.partition("?")[0].rpartition("/")
        return self.evaluate or (f"{head}{slash}validation",)

    @model_validator(mode="after")
    def _watches_what_it_decides_by(self) -> Self:
        if self.evaluate_every is None and (self.stop is not None or self.keep != "last"):
            raise ValueError("stop and keep need evaluate_every: they go by evaluations on the way")
        if self.watched > self.evaluate_attempts:
            raise ValueError(
                f"stop.on = 'pass@{self.watched}' needs evaluate_attempts >= {self.watched}"
            )
        return self

    @model_validator(mode="after")
    def _rates_are_a_range(self) -> Self:
        if self.pass_rate is not None and self.pass_rate[0] >= self.pass_rate[1]:
            raise ValueError("pass_rate: give the lower rate first, [0.05, 0.95]")
        if self.backend == "verl" and (self.redraw or self.strategies):
            key = "redraw" if self.redraw else "strategies"
            raise ValueError(f"{key}: not with verl, which samples by itself")
        if self.backend == "verl" and (self.diversity or self.best_of):
            key = "diversity" if self.diversity else "reward"
            raise ValueError(f"{key}: not with verl, which judges attempts one by one")
        return self

    @property
    def best_of(self) -> int | None:
        """The k of a reward ``pass@k``; None for the plain one."""
        return int(self.reward.partition("@")[2]) if "@" in self.reward else None

    @model_validator(mode="after")
    def _earns_what_it_says(self) -> Self:
        if self.best_of is None:
            return self
        if self.best_of > self.group_size:
            raise ValueError(f"reward = '{self.reward}' needs group_size >= {self.best_of}")
        if self.scale_rewards != "none":
            raise ValueError(
                f"reward = '{self.reward}' needs scale_rewards = 'none': its advantages are scaled "
                "already, and dividing by the group's standard deviation would make them those of "
                "the plain reward again"
            )
        if self.diversity:
            raise ValueError(f"diversity: not with reward = '{self.reward}'; give one of them")
        return self

    @model_validator(mode="after")
    def _verl_can(self) -> Self:
        if self.backend == "verl":
            check_verl(self)
        return self
