"""Attempts of RL are kept as every other attempt is: parquet parts, whole groups, none lost.

A part is on disk before the Trainer's checkpoint of its last step counts, and a training that goes
on from a checkpoint forgets what came after it, so a killed training leaves the same rows.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from manyways.fingerprint import prompt_hash
from manyways.records import Attempt, Message, RLAttempt
from manyways.tables import append_rl_attempts, drop_rl_attempts_after
from manyways.train.reward import Scored

PART_SIZE = 2048
"""Attempts that wait for the next checkpoint at most."""


class AttemptLog(TrainerCallback):  # type: ignore[misc]
    """Takes what the reward function scored and writes it.

    wanted:     ids of the problems whose attempts are kept.
    ask:        an attempt's prompt.
    start:      hash of the checkpoint that the training starts from.
    stops:      tokens that end a text.
    advantages: those of the last batch, as the trainer computed them, in the order of its attempts.
    """

    def __init__(
        self,
        folder: Path,
        *,
        wanted: frozenset[str],
        ask: Callable[[Scored], tuple[Message, ...]],
        start: str,
        stops: Sequence[int],
        advantages: Callable[[], Sequence[float]],
    ) -> None:
        self._folder, self._wanted, self._ask = folder, wanted, ask
        self._start, self._stops, self._advantages = start, frozenset(stops), advantages
        self._pending: tuple[int, Sequence[Scored]] | None = None
        self._rows: list[RLAttempt] = []

    def take(self, step: int, batch: Sequence[Scored]) -> None:
        """Take the attempts of a step, of all processes: groups of ``group_size`` neighbours."""
        self._settle()
        self._pending = (step, batch)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Forget the steps that are about to be taken again."""
        drop_rl_attempts_after(self._folder, state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Note the step's advantages."""
        self._settle()
        if len(self._rows) >= PART_SIZE:
            self._write()

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Write before the checkpoint counts."""
        self._write()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Write the rest."""
        self._settle()
        self._write()

    def _settle(self) -> None:
        """The batch that was taken last becomes rows; the trainer knows its advantages by now."""
        if self._pending is None:
            return
        (step, batch), self._pending = self._pending, None
        told = list(self._advantages())
        # Of another length they belong to another batch: better none than wrong ones.
        advantages = told if len(told) == len(batch) else [None] * len(batch)
        for scored, advantage in zip(batch, advantages, strict=True):
            if scored.problem.id in self._wanted:
                self._rows.append(self._row(step, scored, advantage))

    def _row(self, step: int, scored: Scored, advantage: float | None) -> RLAttempt:
        return RLAttempt(
            attempt=Attempt(
                problem_id=scored.problem.id,
                heuristic=scored.heuristic,
                sample=scored.place,
                seed=scored.seed,
                text=scored.text,
                finish="stop" if scored.ids[-1:] and scored.ids[-1] in self._stops else "length",
                prompt_tokens=scored.prompt_tokens,
                tokens=len(scored.ids),
                prompt_hash=prompt_hash(self._ask(scored)),
                model_hash=self._start,
                verdict=scored.verdict,
            ),
            step=step,
            group=scored.group,
            reward=scored.reward,
            advantage=advantage,
        )

    def _write(self) -> None:
        if self._rows:
            append_rl_attempts(self._folder, self._rows)
            self._rows = []
