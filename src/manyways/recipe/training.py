"""Mid-training, and how trainings run: adapters, trackers, processes."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from manyways.arms import Arm
from manyways.recipe.section import Extra, Names, Positive, Rate, Section, Share

Tracker = Literal["tensorboard", "trackio", "wandb"]


class LoraConfig(Section):
    """Train adapters of low rank and merge them when saving: checkpoints stay ordinary folders.

    An update of a weight is ``alpha / rank * B @ A``. (Hu et al. 2021, "LoRA", section 4.1.)
    """

    rank: Positive = 16
    """Columns of an update's first factor, rows of its second."""

    alpha: Rate = 32.0
    """Updates are multiplied by this over ``rank``."""

    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of an adapter's inputs that are left out while training."""

    target_modules: str | Names = "all-linear"
    """``all-linear`` (every linear layer but the output), or names of layers."""


class MidtrainConfig(Section):
    """SFT by TRL. Give exactly one of ``steps`` (the same for every arm) and ``epochs``."""

    steps: Positive | None = None
    """Optimizer steps."""

    epochs: Rate | None = None
    """Passes over an arm's own examples."""

    batch_size: Positive = 32
    """Examples of one step."""

    micro_batch: Positive | None = None
    """Examples in one forward and backward pass. Left out: all of a step on a GPU, at most 32 on a
    CPU."""

    learning_rate: Rate
    """Highest learning rate; falls to 0 along a line after warming up."""

    warmup: Share = 0.05
    """Share of the steps in which the learning rate rises."""

    max_length: Positive
    """Longest example, prompt and solution, in tokens; longer ones are left out and counted."""

    save_every: Positive = 50
    """Steps between the checkpoints from which a killed training goes on."""

    evaluate_every: Positive | None = None
    """Steps between evaluations on the way, of ``rl.evaluate``; none when left out."""

    lora: LoraConfig | None = None
    """Train adapters (docs/scale.md)."""

    extra: Extra = Field(default_factory=dict)
    """Further settings of TRL's ``SFTConfig``, under its names."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give exactly one of steps and epochs")
        return self

    def of(self, arm: Arm) -> Self:
        """The section as ``arm`` is trained by it: of its own length where its name gives one."""
        if arm.steps is None and arm.epochs is None:
            return self
        return self.model_copy(update={"steps": arm.steps, "epochs": arm.epochs})

    def steps_for(self, examples: float) -> int:
        """Optimizer steps: ``steps``, or as many as the epochs over ``examples`` rows take."""
        if self.steps is not None:
            return self.steps
        return max(1, round((self.epochs or 1.0) * examples / self.batch_size))


class TrackingConfig(Section):
    """Trackers that get what TRL logs; our own metrics.jsonl is written in any case.

    A training is named ``<recipe>/<arm>/seed-<s>/<stage>`` there.
    """

    report_to: Annotated[tuple[Tracker, ...], Field(strict=False)] = ()
    """Any of ``tensorboard``, ``trackio`` and ``wandb``."""

    project: str = "manyways"
    """The project's name there."""


class LaunchConfig(Section):
    """Both trainings in several processes, by ``accelerate launch``. A step stays the same step."""

    processes: Positive | None = None
    """On this machine, one for each GPU; as accelerate's file says when left out."""

    accelerate_config: str | None = None
    """A file that ``accelerate config`` wrote, for FSDP, DeepSpeed or several machines;
    data-parallel on this machine without it."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.processes is None and self.accelerate_config is None:
            raise ValueError("give processes, accelerate_config or both")
        return self
