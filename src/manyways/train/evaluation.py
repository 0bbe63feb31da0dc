"""Evaluation on the way, as a TRL callback: the Trainer knows when, ``Watch`` knows what."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from manyways.train import Watch, processes

if TYPE_CHECKING:
    from transformers import Trainer

STEPS = "steps"
"""In the folder of a training: checkpoints of steps, ``steps/50/checkpoint``."""


class EvaluationCallback(TrainerCallback):  # type: ignore[misc]
    """Looks at the model in training, saves steps, and ends the training where it is told to.

    It comes before the Trainer's own checkpoint of the step, so a training that goes on from there
    has been looked at up to there.

    ended: whether it ended the training.
    """

    def __init__(
        self, watch: Watch, trainer: "Trainer", save: Callable[[Path], None], out: Path
    ) -> None:
        self._watch, self._trainer, self._save, self._out = watch, trainer, save, out
        self.ended = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Look at the start."""
        if state.global_step == 0:
            self._look(0)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Look where it is due."""
        step = state.global_step
        if step % self._watch.every and step != state.max_steps:
            return
        self._look(step)
        target = self._out / STEPS / str(step) / "checkpoint"
        if self._watch.saves(step) and not target.exists():
            with self._own_noise():
                self._save(target)
        if processes.is_writer():
            self._watch.tidy(step)
        if step != state.max_steps and self._watch.ends(step):
            self.ended = control.should_training_stop = True

    def _look(self, step: int) -> None:
        if processes.is_writer() and self._watch.look is not None:
            model = self._trainer.accelerator.unwrap_model(self._trainer.model)
            trains = model.training
            model.eval()
            try:
                with self._own_noise():
                    self._watch.look(step, model, self._trainer.processing_class)
            finally:
                model.train(trains)
        # The others decide by what was found.
        processes.wait()

    def _own_noise(self) -> AbstractContextManager[None]:
        """What is drawn inside does not change what the training draws: a copy draws weights."""
        import torch

        device = self._trainer.accelerator.device
        noise: AbstractContextManager[None] = torch.random.fork_rng(
            [device] if device.type != "cpu" else [],
            device_type="cuda" if device.type == "cpu" else device.type,
        )
        return noise
