"""Mid-training, and how trainings run: adapters, trackers, processes, and keys for TRL."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from manyways.arms import Arm
from manyways.errors import RecipeError
from manyways.recipe.section import Extra, Names, Positive, Rate, Section, Share

Tracker = Literal["tensorboard", "trackio", "wandb"]


class LoraConfig(Section):
    """Train low-rank adapters and merge them into the weights of each saved checkpoint.

    An update of a weight is ``alpha / rank * B @ A`` (Hu et al. 2021, "LoRA", section 4.1).
    """

    rank: Positive = 16
    """The rank of an update: columns of its first factor, rows of its second."""

    alpha: Rate = 32.0
    """The scale of an update, which is multiplied by ``alpha / rank``."""

    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the inputs of an adapter that are dropped in training."""

    target_modules: str | Names = "all-linear"
    """The layers that have adapters: ``all-linear`` (every linear layer but the output), or a list
    of names."""


class MidtrainConfig(Section):
    """SFT with TRL. Give exactly one of ``steps`` (the same for every arm) and ``epochs``."""

    steps: Positive | None = None
    """Optimizer steps."""

    epochs: Rate | None = None
    """Passes over the examples of the arm."""

    batch_size: Positive = 32
    """Examples per step."""

    micro_batch: Positive | None = None
    """Examples per forward and backward pass. Without it: all of a step on a GPU, at most 32 on a
    CPU."""

    learning_rate: Rate
    """Peak learning rate. It falls linearly to 0 after warmup."""

    warmup: Share = 0.05
    """Share of the steps in which the learning rate rises."""

    max_length: Positive
    """Longest example in tokens, prompt and solution together. Longer ones are left out and
    counted."""

    save_every: Positive = 50
    """Steps between saved checkpoints. A killed training continues from the last one."""

    evaluate_every: Positive | None = None
    """Steps between evaluations during training, on the sets of ``rl.evaluate``. Without it, there
    are none."""

    lora: LoraConfig | None = None
    """Train adapters (docs/scale.md)."""

    extra: Extra = Field(default_factory=dict)
    """Further settings of ``SFTConfig`` of TRL, under its names."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give exactly one of steps and epochs")
        return self

    def of(self, arm: Arm) -> Self:
        """The section for ``arm``: a length in the arm's name replaces ``steps`` and ``epochs``."""
        if arm.steps is None and arm.epochs is None:
            return self
        return self.model_copy(update={"steps": arm.steps, "epochs": arm.epochs})

    def steps_for(self, examples: float) -> int:
        """Optimizer steps: ``steps``, or those of ``epochs`` over ``examples`` rows."""
        if self.steps is not None:
            return self.steps
        return max(1, round((self.epochs or 1.0) * examples / self.batch_size))


class TrackingConfig(Section):
    """Trackers that receive what TRL logs. manyways also writes its own metrics.jsonl.

    A training is named ``<recipe>/<arm>/seed-<s>/<stage>`` in a tracker.
    """

    report_to: Annotated[tuple[Tracker, ...], Field(strict=False)] = ()
    """The trackers: any of ``tensorboard``, ``trackio`` and ``wandb``."""

    project: str = "manyways"
    """The name of the project in a tracker."""


class LaunchConfig(Section):
    """Run both trainings in several processes, with ``accelerate launch``.

    The number of rows in a step does not change.
    """

    processes: Positive | None = None
    """Processes on this machine, one for each GPU. Without it, as the file of accelerate says."""

    accelerate_config: str | None = None
    """A file that ``accelerate config`` wrote, for FSDP, DeepSpeed or several machines. Without it,
    training is data-parallel on this machine."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.processes is None and self.accelerate_config is None:
            raise ValueError("give processes, accelerate_config or both")
        return self


_EVALUATES = (
    "TRL has no rows to evaluate here. For evaluations during training set rl.evaluate_every and "
    "midtrain.evaluate_every (docs/rl.md)"
)
_LOADED = "the model is loaded before TRL has it. How it is loaded stands in model.load"
CANNOT = {
    "do_eval": _EVALUATES,
    "eval_strategy": _EVALUATES,
    "eval_on_start": _EVALUATES,
    "load_best_model_at_end": _EVALUATES,
    "model_init_kwargs": _LOADED,
    "chat_template_path": "one chat template serves every stage: save it with the checkpoint",
    "chat_template_kwargs": "one place serves every stage: model.chat_template_kwargs",
    "report_to": "trackers are named in one place, tracking.report_to",
    "resume_from_checkpoint": "a killed training goes on by itself when the run is started again",
}
"""Keys of TRL that cannot work in our trainings -> why, and what to use instead."""
DECIDED = {
    "midtrain": {
        "dataset_kwargs",
        "learning_rate",
        "max_length",
        "packing",
        "train_sampling_strategy",
    },
    "rl": {
        "beta",
        "epsilon",
        "epsilon_high",
        "learning_rate",
        "loss_type",
        "max_completion_length",
        "num_generations",
        "scale_rewards",
        "shuffle_dataset",
        "temperature",
    },
}
"""Keys of TRL that the recipe's own keys set, in one of the two trainings."""
# Keys of TRL that the recipe's own keys set in both trainings.
DECIDED_OF_BOTH = {
    "disable_tqdm",
    "gradient_accumulation_steps",
    "logging_nan_inf_filter",
    "logging_steps",
    "logging_strategy",
    "max_steps",
    "output_dir",
    "per_device_train_batch_size",
    "save_steps",
    "save_strategy",
    "seed",
    "use_cpu",
    "warmup_steps",
}


def refuse(key: str, value: object, section: str, *, where: str) -> None:
    """Raise RecipeError for a key of TRL that cannot work here, or that other keys set."""
    if key in CANNOT and value not in (False, "no"):
        raise RecipeError(f"{where}: {CANNOT[key]}.")
    if key in DECIDED[section] | DECIDED_OF_BOTH:
        raise RecipeError(f"{where}: decided by the recipe's own keys; remove it from extra.")
