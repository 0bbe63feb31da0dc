"""Trainings: the interface of an RL backend, the table of backends, and what trainings share."""

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
"""name -> modules that it imports here; ``manyways doctor`` says which are missing.

Not verl, which runs in an environment of its own: see ``rl.verl.environment``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """A wish for attempts by the model as it is now, one for each prompt.

    Example: ``Rollout(model=..., prompts=((5, 7), (5, 7)), seeds=(17, 99), stop_ids=(2,), pad_id=0,
    max_tokens=64, temperature=1.0, top_p=1.0)`` wants two attempts at the same prompt.

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
"""Samples: token ids of each attempt in order, the stop token included where there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """Evaluation on the way, as a training sees it. Every process asks the same questions.

    every: steps between looks; the start (step 0) and the last step are looked at as well.
    look:  samples from the model in training, which is in evaluation mode, with its tokenizer;
           called by the process that writes. None where only saved checkpoints can be sampled.
    saves: whether the checkpoint of a step, that has been looked at, is to be saved.
    tidy:  called by the process that writes after saving, with the step: deletes what is not kept.
    ends:  whether training ends with this step.
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
    messages: a problem's prompt, the same as in every other stage.
    roll:     samples the attempts; without it the backend uses its own generation.
    arm, seed: the line; ``seed`` orders the problems and seeds the attempts.
    device:   ``cpu`` or ``cuda``.
    dtype:    of the weights in training: ``auto`` (float32), ``float32`` or ``bfloat16``.
    template: switches of the chat template, for every prompt.
    load:     how the weights are loaded, as ``model.load``.
    verify:   how a backend that judges by itself does it.
    form:     of the final answer, as the prompt asks for it: for such a backend, too.
    watch:    evaluation on the way; None without.
    strategy: (problem, place in its group) -> heuristic and prompt of an attempt, where attempts of
              one group are asked in different ways; None where all are asked by ``messages``.
    tracking: the recipe's ``tracking`` section; ``name`` is what trackers call this training.
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
    """Trains a checkpoint on problems; survives SIGKILL and continues from what lies in ``out``."""

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
