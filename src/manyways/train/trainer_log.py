"""Callbacks of a training: a row of metrics for each step, progress messages, evaluations."""

import contextlib
import json
import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from manyways.errors import ModelError
from manyways.progress import Meter, say
from manyways.records import line_name
from manyways.train import STEPS, Watch, processes

if TYPE_CHECKING:
    from transformers import Trainer

SPEAK_SECONDS = 10.0
LIBRARIES = ("accelerate", "datasets", "torch", "transformers", "trl")


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """What is logged about a training, and where.

    arm, seed, stage: the first fields of each row (``measures.curves.CurveRow``).
    metrics:  the JSON lines file of the rows.
    measure:  TRL's log of a step -> the fields of its row.
    sentence: these fields -> a sentence for progress messages.
    details:  returns further fields of the row, which are no numbers.
    """

    arm: str
    seed: int
    stage: str
    metrics: Path
    measure: Callable[[Mapping[str, float | None]], dict[str, float | None]]
    sentence: Callable[[Mapping[str, float | None]], str]
    details: Callable[[], Mapping[str, object]] = dict


class StepLog(TrainerCallback):  # type: ignore[misc]
    """Appends each step's row to metrics.jsonl, and prints progress every ten seconds."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._meter: Meter | None = None
        self._last: Mapping[str, float | None] | None = None
        self._began = self._spoke = time.monotonic()
        self._steps = self._parts = 0
        self._seconds = self._took = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Start the progress bar at the step from which training continues."""
        label = f"{self._story.stage} {line_name(self._story.arm, self._story.seed)}"
        total = state.max_steps - state.global_step
        self._meter = Meter(label, total=total, unit="steps", summary=False)
        self._meter.__enter__()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Start the step's clock."""
        self._began = time.monotonic()
        self._parts = 0

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Show that a long step goes on."""
        self._parts += 1
        if self._meter:
            number, of = self._parts, args.gradient_accumulation_steps
            self._meter.pulse(lambda: f"micro-batch {number} of {of} of the next step")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Stop the step's clock, before evaluations begin."""
        self._took = time.monotonic() - self._began

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any],
        **_: object,
    ) -> None:
        """Write the row of this step. Raises ModelError when the loss is not a number."""
        if "loss" not in logs:
            return
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise ModelError(
                f"the loss of {self._story.stage} step {state.global_step} is not a number: "
                f"training diverged. Lower {self._story.stage}.learning_rate."
            )
        seconds = self._took
        self._steps += 1
        self._seconds += seconds
        row = {**self._story.measure(logs), "loss": loss, "seconds": round(seconds, 3)}
        self._write(state.global_step, row)
        if self._meter:
            self._meter.advance()
        now = time.monotonic()
        self._last = row
        if now - self._spoke > SPEAK_SECONDS and state.global_step < state.max_steps:
            self._spoke = now
            self._speak(state, row)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Print the last step's sentence; ``rl.stop`` may have ended the training early."""
        if self._last is not None:
            story = self._story
            say(
                f"{story.stage} {line_name(story.arm, story.seed)}: {self._steps} steps in "
                f"{self._seconds:.1f} s; at the last: {story.sentence(self._last)}"
            )

    def close(self) -> None:
        """End the progress bar."""
        if self._meter:
            self._meter.__exit__(None)
            self._meter = None

    def _write(self, step: int, row: Mapping[str, float | None]) -> None:
        story = self._story
        known = {k: round(v, 6) for k, v in row.items() if v is not None and math.isfinite(v)}
        line = {"arm": story.arm, "seed": story.seed, "stage": story.stage, "step": step}
        full = {**line, **known, **story.details()}
        with story.metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(full) + "\n")

    def _speak(self, state: TrainerState, row: Mapping[str, float | None]) -> None:
        story, pace = self._story, self._seconds / self._steps
        left = pace * (state.max_steps - state.global_step)
        where = f"step {state.global_step}/{state.max_steps}"
        say(
            f"{story.stage} {line_name(story.arm, story.seed)}, {where}: "
            f"{story.sentence(row)}; {pace:.1f} s a step, about {left:.0f} s left"
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the libraries' own progress bars, logs and warnings; ours and errors stay."""
    import datasets
    import transformers

    loggers = [logging.getLogger(name) for name in LIBRARIES]
    levels = [logger.level for logger in loggers]
    bars = datasets.are_progress_bars_disabled(), transformers.logging.is_progress_bar_enabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    transformers.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            for name in LIBRARIES:
                warnings.filterwarnings("ignore", module=rf"{name}(\.|$)")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if not bars[0]:
            datasets.enable_progress_bars()
        if bars[1]:
            transformers.logging.enable_progress_bar()


class EvaluationCallback(TrainerCallback):  # type: ignore[misc]
    """Evaluates the model in training, saves checkpoints of steps, and may end the training.

    It runs before the Trainer saves its own checkpoint of the step. So a training that continues
    from that checkpoint has all evaluations up to it.

    ended: whether it has ended the training.
    """

    def __init__(
        self, watch: Watch, trainer: "Trainer", save: Callable[[Path], None], out: Path
    ) -> None:
        self._watch, self._trainer, self._save, self._out = watch, trainer, save, out
        self.ended = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Evaluate the start."""
        if state.global_step == 0:
            self._look(0)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Evaluate the step if it is due."""
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
        # Other processes wait, because their decisions depend on the results.
        processes.wait()

    def _own_noise(self) -> AbstractContextManager[None]:
        """Restore torch's random state at the end: evaluations must not change the training."""
        import torch

        device = self._trainer.accelerator.device
        noise: AbstractContextManager[None] = torch.random.fork_rng(
            [device] if device.type != "cpu" else [],
            device_type="cuda" if device.type == "cpu" else device.type,
        )
        return noise
