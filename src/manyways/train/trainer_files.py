"""Files of a training that survive a kill: Trainer checkpoints, metrics, the final checkpoint."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from transformers import (
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from manyways.errors import MissingWork
from manyways.progress import say
from manyways.tables import write_text
from manyways.train import processes

COMPLETE = "complete"
"""Written last into a Trainer checkpoint, once everything in it is on disk."""


class MarkComplete(TrainerCallback):  # type: ignore[misc]
    """Marks each Trainer checkpoint when it is whole."""

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Flush the checkpoint of this step to disk, then write the mark."""
        # Every process writes a part of it.
        processes.wait()
        if processes.is_writer():
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            _flush(folder)
            write_text(folder / COMPLETE, str(state.global_step))


def newest_complete(trainer: Path) -> Path | None:
    """The latest whole Trainer checkpoint in ``trainer``; those that a kill cut short are deleted.

    They have to go: the Trainer counts them when it deletes old ones, and could so delete the only
    whole one.
    """
    whole: dict[int, Path] = {}
    for folder in trainer.glob("checkpoint-*"):
        if (folder / COMPLETE).is_file():
            whole[int(folder.name.split("-")[1])] = folder
        else:
            shutil.rmtree(folder)
    return whole[max(whole)] if whole else None


def step_of(checkpoint: Path | None) -> int:
    """The optimizer step at which a Trainer checkpoint was written, 0 for None."""
    return int(checkpoint.name.split("-")[1]) if checkpoint else 0


def rewind_metrics(path: Path, step: int) -> None:
    """Keep the rows up to ``step``: later ones are about to be measured again.

    A last line that a kill cut short goes too.
    """
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if row["step"] <= step:
            kept.append(line)
    write_text(path, "".join(f"{line}\n" for line in kept))


def train(
    trainer: Trainer,
    folder: Path,
    metrics: Path | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> None:
    """Run a Trainer, from its newest whole checkpoint in ``folder`` where there is one.

    metrics: its rows after that checkpoint are dropped: they are about to be measured again.
    ended:   whether it was told to end before its last step.

    Raises MissingWork when it ended before its last step.
    """
    if processes.is_writer():
        newest_complete(folder)
    # The others must not see what is being deleted.
    processes.wait()
    found = newest_complete(folder)
    if metrics and processes.is_writer():
        rewind_metrics(metrics, step_of(found))
    if found:
        say(f"continuing from step {step_of(found)}")
    trainer.add_callback(MarkComplete())
    trainer.train(resume_from_checkpoint=str(found) if found else None)
    done, wanted = trainer.state.global_step, trainer.args.max_steps
    if done != wanted and not ended():
        raise MissingWork(f"training ended after step {done} of {wanted}: run it again.")


def save_checkpoint(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    target: Path,
    *,
    stops: tuple[int, ...],
) -> None:
    """An ordinary Hugging Face folder at ``target``: either absent or whole.

    Its generation config names every stop token and nothing else, so that whoever loads the folder
    stops where we did and samples as it wishes.
    """
    model.generation_config = GenerationConfig(
        eos_token_id=list(stops) if len(stops) > 1 else stops[0],
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    _flush(partial)
    partial.rename(target)


def _flush(folder: Path) -> None:
    """Have everything in ``folder`` on disk."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
