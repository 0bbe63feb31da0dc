"""Trainings: the interface of an RL backend, and the table of backends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from manyways.recipe.pool import VerifyConfig
from manyways.recipe.rl import RLConfig
from manyways.recipe.training import TrackingConfig
from manyways.records import Message, Problem

if TYPE_CHECKING:
    from manyways.train.reward import StepReward

RL_BACKENDS: dict[str, str] = {
    "trl": "manyways.train.trl:train",
    "verl": "manyways.train.verl.backend:train",
}
"""name -> ``module:function`` of type Backend."""

RL_NEEDS: dict[str, tuple[str, ...]] = {"trl": ("torch", "trl", "accelerate")}
"""name -> modules that it imports here; ``manyways doctor`` says which are missing. verl runs in an
environment of its own; see ``train.verl.environment``."""


STEPS = "steps"
"""Folder of the checkpoints of steps, in the folder of a training: ``steps/50/checkpoint``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """A request for attempts of the model in training, one for each prompt.

    Example: ``Rollout(model=..., prompts=((5, 7), (5, 7)), seeds=(17, 99), stop_ids=(2,), pad_id=0,
    max_tokens=64, temperature=1.0, top_p=1.0)`` asks for two attempts at the same prompt.

    model:   the transformers model in training, in evaluation mode.
    prompts: token ids; equal prompts are neighbours.
    seeds:   63-bit, one for each attempt.
    """

    model: Any
    prompts: tuple[tuple[int, ...], ...]
    seeds: tuple[int, ...]
    stop_ids: tuple[int, ...]
    pad_id: int
    max_tokens: int
    temperature: float
    top_p: float


Roller = Callable[[Rollout], list[list[int]]]
"""Samples: returns the token ids of each attempt in order, including the stop token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """Evaluations during a training. Every process calls the same functions.

    every: steps between evaluations; the start (step 0) and the last step are evaluated, too.
    look:  (step, model, tokenizer): evaluates the model, which is in evaluation mode. Only the
           process that writes calls it. None if only saved checkpoints can be sampled.
    saves: step -> whether to save the checkpoint of this step; called after ``look``.
    tidy:  (step): deletes checkpoints that are not kept. Only the process that writes calls it.
    ends:  step -> whether the training ends with this step.
    """

    every: int
    look: Callable[[int, Any, Any], None] | None
    saves: Callable[[int], bool]
    tidy: Callable[[int], None]
    ends: Callable[[int], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class RLSettings:
    """How to train, apart from the checkpoint, the problems and the reward.

    config:   the recipe's ``rl`` section.
    messages: problem -> its plain prompt, the same as in every other stage.
    roll:     samples the attempts; None: the backend uses its own generation.
    arm, seed: the line; ``seed`` orders the problems and seeds the attempts.
    device:   ``cpu`` or ``cuda``.
    dtype:    dtype of the weights in training: ``auto`` (float32), ``float32`` or ``bfloat16``.
    template: switches of the chat template, for every prompt.
    load:     arguments for loading the weights, as in ``model.load``.
    verify:   for a backend that runs the verifier itself: the settings.
    form:     for such a backend: the form of the final answer that the prompt asks for.
    watch:    evaluations during training; None without.
    strategy: (problem, place in its group) -> (heuristic, prompt) of an attempt, if attempts of one
              group have different prompts; None if all have that of ``messages``.
    tracking: the recipe's ``tracking`` section; ``name`` is the training's name in trackers.
    """

    config: RLConfig
    messages: Callable[[Problem], tuple[Message, ...]]
    arm: str
    seed: int
    device: str
    dtype: str = "auto"
    template: Mapping[str, object] = field(default_factory=dict)
    load: Mapping[str, object] = field(default_factory=dict)
    roll: Roller | None = field(default=None)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    name: str = "rl"
    verify: VerifyConfig = field(default_factory=VerifyConfig)
    form: str = "boxed"
    watch: Watch | None = None
    strategy: Callable[[Problem, int], tuple[str, tuple[Message, ...]]] | None = None


class Backend(Protocol):
    """Trains a checkpoint on problems. After a kill, another call continues from ``out``."""

    def __call__(
        self,
        checkpoint: str,
        problems: Sequence[Problem],
        *,
        reward: "StepReward",
        settings: RLSettings,
        out: Path,
    ) -> Path:
        """Returns the trained checkpoint's folder, ``out/checkpoint``."""
        ...
