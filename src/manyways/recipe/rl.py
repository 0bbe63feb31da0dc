"""RL, by TRL or verl, and the gate before it: ``[rl]``, ``[rl.verl]`` and ``[gate]``."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from manyways.recipe.section import (
    Extra,
    Names,
    PassRate,
    Positive,
    Rate,
    Section,
    Share,
    toml_value,
)
from manyways.recipe.training import LoraConfig

LOSSES = {"dapo": "token-mean", "grpo": "seq-mean-token-mean", "dr_grpo": "seq-mean-token-sum-norm"}
"""Our ``rl.loss_type`` -> verl's ``loss_agg_mode``."""


class VerlConfig(Section):
    """RL with verl, in a Python environment of its own.

    It uses ``nodes`` x ``gpus_per_node`` GPUs.
    """

    python: str
    """The Python interpreter of that environment."""

    nodes: Positive = 1
    """Number of machines."""

    gpus_per_node: Positive = 1
    """GPUs per machine."""

    prompt_tokens: Positive = 1024
    """Longest prompt, in tokens. Problems with a longer prompt are left out."""

    tokens_per_gpu: Positive = 16384
    """Tokens in one forward pass on a GPU, if ``rl.micro_batch`` is not given."""

    tensor_parallel: Positive = 1
    """GPUs over which vLLM splits one copy of the model."""

    gpu_memory: Share = 0.5
    """Share of the memory of a GPU that vLLM takes."""

    extra: Extra = Field(default_factory=dict)
    """Further hydra overrides, as ``"trainer.balance_batch" = false`` or in tables."""

    @property
    def overrides(self) -> dict[str, object]:
        """``extra`` as hydra has it: the path of each value with dots, lists as they are."""
        return dict(_paths("", self.extra))


def _paths(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _paths(f"{path}.{key}" if path else key, inner)
    elif path:
        yield path, value


def check_verl(rl: "RLConfig") -> None:
    """Raise ValueError with every setting of ``rl`` that verl does not support."""
    if rl.verl is None:
        raise ValueError(
            "backend = 'verl' needs the section [rl.verl] with python, the interpreter of an "
            "environment in which verl is installed (docs/scale.md)"
        )
    mistakes = [*_not_known_to_verl(rl), *_not_divisible(rl, rl.verl)]
    if mistakes:
        raise ValueError("; ".join(mistakes))


LOADS = "actor_rollout_ref.model.override_config"
"""verl's table of arguments for loading its model (0.9.1: ``workers/config/model.py``)."""


def check_load(load: Mapping[str, object], verl: VerlConfig) -> None:
    """Raise ValueError for a key of ``model.load`` that ``rl.verl.extra`` does not pass to verl."""
    told = {key.lstrip("+") for key in verl.overrides}
    for key, value in load.items():
        if key == "quantization":
            raise ValueError(
                "model.load.quantization: verl loads the model by itself; leave it out, or train "
                "with rl.backend = 'trl'"
            )
        if f"{LOADS}.{key}" not in told:
            raise ValueError(
                f"model.load.{key}: verl loads the model by itself and would not know of it. Tell "
                f'it as well, by rl.verl.extra."+{LOADS}.{key}" = {toml_value(value)}, or leave it '
                "out"
            )


def _not_known_to_verl(rl: "RLConfig") -> list[str]:
    rules = (
        (
            rl.loss_type not in LOSSES,
            f"loss_type = '{rl.loss_type}': verl knows {', '.join(LOSSES)}",
        ),
        (
            rl.scale_rewards == "batch",
            "scale_rewards = 'batch': verl knows only 'group' and 'none'",
        ),
        (rl.lora is not None, "lora: not with verl, whose merger leaves adapters apart"),
        (bool(rl.extra), "extra goes to TRL: settings of verl stand in rl.verl.extra"),
    )
    return [sentence for broken, sentence in rules if broken]


def _not_divisible(rl: "RLConfig", verl: VerlConfig) -> list[str]:
    """Mistakes that verl's ``validate_config`` and batching would find only after loading."""
    gpus, attempts = verl.nodes * verl.gpus_per_node, rl.prompts_per_step * rl.group_size
    share, longest = attempts // gpus, verl.prompt_tokens + rl.max_tokens
    micro = rl.micro_batch
    rules = (
        (
            attempts % gpus > 0,
            f"prompts_per_step x group_size = {attempts} attempts are not divisible by verl's "
            f"{gpus} GPUs (verl.nodes x verl.gpus_per_node)",
        ),
        (
            micro is not None and attempts % gpus == 0 and share % micro > 0,
            f"micro_batch = {micro}: it must divide {share}, the attempts of a step on one GPU",
        ),
        (
            micro is None and verl.tokens_per_gpu < longest,
            f"verl.tokens_per_gpu = {verl.tokens_per_gpu}: one attempt may have {longest} tokens "
            "(verl.prompt_tokens + max_tokens)",
        ),
        (
            gpus % verl.tensor_parallel > 0,
            f"verl.tensor_parallel = {verl.tensor_parallel}: it must divide verl's {gpus} GPUs",
        ),
    )
    return [sentence for broken, sentence in rules if broken]


class GateConfig(Section):
    """The test whether a checkpoint is fit for RL, on ``rl.group_size`` attempts per problem."""

    enforce: bool = True
    """Refuse RL from a checkpoint that is not fit. If false, only say so."""

    problems: Positive = 48
    """Number of problems of RL to attempt."""

    min_stop: Share = 0.5
    """The least share of attempts that end before ``rl.max_tokens``."""

    max_no_answer: Share = 0.5
    """The largest share of attempts that have no answer in the form that the prompt asks for."""

    min_mixed: Share = 0.05
    """The least share of groups that have both right and wrong attempts. RL learns only from
    those."""


class StopConfig(Section):
    """When RL ends before its last step, by the evaluations during training."""

    when: Literal["no gain"] = "no gain"
    """``no gain``: the best evaluation so far is ``patience`` evaluations old."""

    on: Annotated[str, Field(pattern=r"pass@[1-9][0-9]*")] = "pass@1"
    """The score that has to rise, as ``pass@1`` or ``pass@8``."""

    patience: Positive = 3
    """Evaluations without a gain."""


class RLConfig(Section):
    """GRPO. One step takes ``group_size`` attempts at each of ``prompts_per_step`` problems."""

    backend: str = "trl"
    """The trainer: ``trl``, ``verl`` or ``module:function``."""

    problems: str
    """The problem set to train on (docs/problems.md)."""

    limit: Positive | None = None
    """Number of problems to take, from the start of the set. Without it, all."""

    pass_rate: PassRate | None = None
    """Train only on problems whose pass rate is in this range, as ``[0.05, 0.95]``. The rate is
    measured on ``group_size`` attempts. Other problems are left out and counted."""

    pass_rate_of: Literal["base", "start"] = "base"
    """The model whose pass rate counts: the ``base`` model, measured once for all arms, or the
    checkpoint from which each arm's RL starts (``start``)."""

    redraw: Annotated[int, Field(ge=0)] = 0
    """How often a group is sampled again in the same step when its attempts all earn the same
    reward. Only with ``trl``."""

    redraw_at: Literal["same", "another"] = "same"
    """The problem at which a group is sampled again: the ``same`` one, or ``another`` problem of
    the set that the step does not have yet."""

    steps: Positive
    """Optimizer steps."""

    group_size: Annotated[int, Field(ge=2)] = 16
    """Attempts per problem. Each is compared with the others of its group."""

    prompts_per_step: Positive = 8
    """Problems per step."""

    micro_batch: Positive | None = None
    """Attempts per forward and backward pass. Without it: with ``trl`` all of a step on a GPU and
    at most 32 on a CPU, with ``verl`` what ``verl.tokens_per_gpu`` allows."""

    learning_rate: Rate
    """Peak learning rate. It stays constant after warmup."""

    warmup: Share = 0.0
    """Share of the steps in which the learning rate rises."""

    temperature: Rate = 1.0
    """Sampling temperature."""

    max_tokens: Positive
    """Longest attempt, in tokens."""

    loss_type: Literal["grpo", "dapo", "dr_grpo", "bnpo"] = "dapo"
    """How the losses of tokens are averaged, under the names of TRL."""

    scale_rewards: Literal["group", "batch", "none"] = "group"
    """What the advantages of a group are divided by: the standard deviation of the ``group``, that
    of the ``batch``, or nothing (``none``)."""

    epsilon: Rate = 0.2
    """Lower clip range of the probability ratio."""

    epsilon_high: Rate = 0.28
    """Upper clip range of the probability ratio."""

    reward: Annotated[str, Field(pattern=r"^(correct|pass@[1-9][0-9]*)$")] = "correct"
    """The reward of an attempt. ``correct``: 1 for a right answer. ``pass@4``: its advantage when
    the best of 4 attempts of the group counts. That needs ``scale_rewards = "none"``."""

    diversity: Annotated[float, Field(ge=0.0)] = 0.0
    """The largest bonus of a correct attempt that shows other heuristics than the other correct
    attempts of its group. ``heuristics.labeller`` says which it shows."""

    strategies: Annotated[int, Field(ge=0)] = 0
    """Number of heuristics under which the attempts of a group are prompted in turn, then once with
    the plain prompt, and so on. With 0, every prompt is plain. The gate and evaluations always use
    the plain prompt. Only with ``trl``."""

    beta: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the KL term, which holds the policy near its start. With 0, there is none."""

    save_every: Positive = 50
    """Steps between saved checkpoints. A killed training continues from the last one."""

    attempts: Literal["all", "sample", "none"] = "sample"
    """The attempts of RL that are kept, with step, reward and advantage. ``sample`` keeps those at
    64 problems."""

    evaluate_every: Positive | None = None
    """Steps between evaluations during training. Without it, there are none."""

    evaluate: Names = ()
    """The problem sets of these evaluations. Without it, the split ``validation`` of
    ``rl.problems``. A benchmark of the recipe is refused, because the best step would be chosen on
    what it is then tested on."""

    evaluate_limit: Positive = 64
    """Number of problems to take from the start of each of these sets."""

    evaluate_attempts: Positive = 8
    """Attempts per problem in these evaluations, and the largest k of their pass@k."""

    evaluate_pass_rate: PassRate | None = None
    """Evaluate only on problems of these sets whose pass rate under the base model is in this
    range, as ``[0.05, 0.95]``. The rate is measured once for all arms, on ``evaluate_attempts``
    attempts of their own. Benchmarks are never chosen in this way."""

    keep: Literal["last", "best", "all"] = "last"
    """The checkpoints that are kept: that of the ``last`` step, also that of the ``best``
    evaluation, or ``all`` that were evaluated. The best one is tested on the benchmarks beside the
    last."""

    stop: StopConfig | None = None
    """End before the last step: ``{ on = "pass@8", patience = 3 }``."""

    lora: LoraConfig | None = None
    """Train adapters (docs/scale.md)."""

    verl: VerlConfig | None = None
    """Settings of the backend ``verl`` (docs/scale.md)."""

    extra: Extra = Field(default_factory=dict)
    """Further settings of ``GRPOConfig`` of TRL, under its names."""

    @property
    def watched(self) -> int:
        """The k of pass@k that chooses the best step and decides when to stop."""
        return int(self.stop.on.partition("@")[2]) if self.stop else self.evaluate_attempts

    @property
    def watched_sets(self) -> tuple[str, ...]:
        """The problem sets of evaluations during training."""
        head, slash, _ = self.problems.partition("?")[0].rpartition("/")
        return self.evaluate or (f"{head}{slash}validation",)

    @model_validator(mode="after")
    def _watches_what_it_decides_by(self) -> Self:
        if self.evaluate_every is None and (self.stop is not None or self.keep != "last"):
            raise ValueError(
                "stop and keep need evaluate_every: they go by evaluations during training"
            )
        if self.watched > self.evaluate_attempts:
            raise ValueError(
                f"stop.on = 'pass@{self.watched}' needs evaluate_attempts >= {self.watched}"
            )
        return self

    @model_validator(mode="after")
    def _verl_samples_by_itself(self) -> Self:
        samples, rewards = "samples by itself", "rewards attempts one by one"
        for key, given, why in (
            ("redraw", self.redraw, samples),
            ("strategies", self.strategies, samples),
            ("diversity", self.diversity, rewards),
            ("reward", self.best_of, rewards),
        ):
            if self.backend == "verl" and given:
                raise ValueError(
                    f"{key}: verl {why}, so it cannot do this; remove it or use rl.backend = 'trl'"
                )
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
            raise ValueError(
                f"diversity and reward = '{self.reward}' exclude each other: give one of them"
            )
        return self

    @model_validator(mode="after")
    def _verl_can(self) -> Self:
        if self.backend == "verl":
            check_verl(self)
        return self
