"""Mid-training, and how trainings run: adapters, trackers, processes."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from manyways.arms import Arm
from manyways.recipe.section import Names, Positive, Rate, Scalar, Section, Share

Tracker = Literal["tensorboard", "trackio", "wandb"]


class LoraConfig(Section):
    """Train adapters of low rank and merge them when saving: checkpoints stay ordinary folders.

    An update of a weight is ``alpha / rank * B @ A``. (Hu et al. 2021, "LoRA", section 4.1.)

    target_modules: ``all-linear`` (every linear layer but the output), or names of layers.
    """

    rank: Positive = 16
    alpha: Rate = 32.0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    target_modules: str | Names = "all-linear"


class MidtrainConfig(Section):
    """TRL SFT. Exactly one of ``steps`` (equal steps across arms) and ``epochs``."""

    steps: Positive | None = None
    epochs: Rate | None = None
    batch_size: Positive = 32
    micro_batch: Positive | None = None
    learning_rate: Rate
    warmup: Share = 0.05
    max_length: Positive
    save_every: Positive = 50
    lora: LoraConfig | None = None
    extra: dict[str, Scalar] = Field(default_factory=dict)

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
    project: str = "manyways"


class LaunchConfig(Section):
    """Both trainings in several processes, by ``accelerate launch``. A step stays the same step.

    processes: on this machine, one for each GPU. Left out, accelerate's file says how many.
    accelerate_config: a file that ``accelerate config`` wrote, for FSDP, DeepSpeed or several
        machines; data-parallel on this machine without it.
    """

    processes: Positive | None = None
    accelerate_config: str | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.processes is None and self.accelerate_config is None:
            raise ValueError("give processes, accelerate_config or both")
        return self
