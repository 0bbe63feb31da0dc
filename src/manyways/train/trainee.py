"""The model in training: how it is loaded, trained and saved as an ordinary checkpoint.

After a kill, a training continues from its last whole Trainer checkpoint.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

from manyways.checkpoints import load_tokenizer, stop_ids
from manyways.errors import MissingWork
from manyways.progress import say
from manyways.rendering import end_of_turn
from manyways.tables import write_text
from manyways.train import Watch, processes
from manyways.train.packing import Flat, without_padding
from manyways.train.trainer_config import load_for_training, merged
from manyways.train.trainer_log import EvaluationCallback, StepLog, Story


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainee:
    """A model in its training dtype, and what its checkpoint needs besides weights.

    path:      the checkpoint that the training starts from.
    stops:     ids of all tokens that end a text.
    end:       id of the token that ends an assistant's turn.
    saved:     the torch dtype in which to save.
    quantized: whether the weights in memory are quantised.
    """

    path: str
    dtype: str
    model: Any
    tokenizer: "PreTrainedTokenizerBase"
    stops: tuple[int, ...]
    end: int
    saved: Any
    quantized: bool = False


def load(
    path: str,
    *,
    dtype: str,
    device: str,
    template: Mapping[str, object] | None = None,
    how: Mapping[str, object] | None = None,
) -> Trainee:
    """Load the checkpoint at ``path`` for training.

    template: switches of its chat template. how: as ``model.load``.

    Raises ModelError when it cannot be loaded or its chat template cannot teach it to stop.
    """
    tokenizer = load_tokenizer(path, template)
    model, saved = load_for_training(path, dtype=dtype, device=device, how=how)
    stops = stop_ids(model, tokenizer)
    return Trainee(
        path=path,
        dtype=dtype,
        model=model,
        tokenizer=tokenizer,
        stops=stops,
        end=end_of_turn(tokenizer, stops),
        saved=saved,
        quantized=bool(how and how.get("quantization")),
    )


def train_and_save(
    trainer: "Trainer",
    story: Story,
    trainee: Trainee,
    out: Path,
    *,
    flat: Flat = frozenset,
    watch: Watch | None = None,
) -> None:
    """Train, from the checkpoint in ``out/trainer`` if there is one; save ``out/checkpoint``.

    Adapters are merged into the saved weights. On a CPU attempts are packed into rows without
    padding (``train.packing``, which explains ``flat``).

    Each process of a distributed training calls it; one of them writes.

    Raises MissingWork when training ended early, ModelError for a loss that is not a number.
    """
    without_padding(trainer.model, flat)
    log, watching = StepLog(story), None
    if processes.is_writer():
        trainer.add_callback(log)
    if watch is not None:
        watching = EvaluationCallback(
            watch, trainer, lambda target: save(trainer, trainee, target), out
        )
        trainer.add_callback(watching)
    try:
        ended = (lambda: watching.ended) if watching else (lambda: False)
        train(trainer, out / "trainer", story.metrics, ended)
    finally:
        log.close()
    whole = _whole(trainer, trainee)
    if whole is not None:
        model = ordinary(trainee, whole).to(trainee.saved)
        save_checkpoint(model, trainee.tokenizer, out / "checkpoint", stops=trainee.stops)
    processes.wait()


def save(trainer: "Trainer", trainee: Trainee, target: Path) -> None:
    """Save the current weights while training goes on.

    Each process of a distributed training calls it; one of them writes.
    """
    unwrapped = trainer.accelerator.unwrap_model(trainer.model)
    state = (
        trainer.accelerator.get_state_dict(trainer.model_wrapped)
        if is_sharded(trainer)
        else unwrapped.state_dict()
    )
    if processes.is_writer():
        copy = unwrapped if trainee.quantized else _filled(unwrapped, trainee, state)
        model = ordinary(trainee, copy).to(trainee.saved)
        target.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(model, trainee.tokenizer, target, stops=trainee.stops)
    processes.wait()


def ordinary(trainee: Trainee, trained: Any) -> "PreTrainedModel":  # noqa: ANN401
    """The model to save. Adapters on quantised weights are merged into the unquantised weights.

    ``trained`` may be changed, unless its weights are quantised.
    """
    if not trainee.quantized:
        return merged(trained)
    from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

    model, _ = load_for_training(trainee.path, dtype=trainee.dtype, device="cpu")
    model = get_peft_model(model, trained.peft_config["default"])
    set_peft_model_state_dict(model, get_peft_model_state_dict(trained))
    return merged(model)


def is_sharded(trainer: "Trainer") -> bool:
    """Whether each process has only a part of the weights (FSDP, DeepSpeed stage 3)."""
    deepspeed = getattr(trainer.accelerator.state, "deepspeed_plugin", None)
    return bool(trainer.is_fsdp_enabled or (deepspeed and deepspeed.zero_stage == 3))


def _whole(trainer: "Trainer", trainee: Trainee) -> "PreTrainedModel | None":
    """The trained model with all weights, in the process that writes; None in other processes."""
    if not is_sharded(trainer):
        model = trainer.accelerator.unwrap_model(trainer.model)
        return model if processes.is_writer() else None
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not processes.is_writer():
        return None
    return _filled(trainer.accelerator.unwrap_model(trainer.model), trainee, state)


def _filled(unwrapped: Any, trainee: Trainee, state: Any) -> "PreTrainedModel":  # noqa: ANN401
    """A copy of the model in CPU memory, with these weights."""
    # Loaded again, because the Trainer's own model may be spread over processes.
    model, _ = load_for_training(trainee.path, dtype=trainee.dtype, device="cpu")
    adapters = getattr(unwrapped, "peft_config", None)
    if adapters:
        from peft import get_peft_model

        model = get_peft_model(model, adapters["default"])
    model.load_state_dict(state)
    return model


COMPLETE = "complete"
"""File that is written last into a Trainer checkpoint, when everything in it is on disk."""


class MarkComplete(TrainerCallback):  # type: ignore[misc]
    """Marks each Trainer checkpoint when it is complete."""

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Flush the checkpoint of this step to disk, then write the mark."""
        # Every process writes some of its files.
        processes.wait()
        if processes.is_writer():
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            _flush(folder)
            write_text(folder / COMPLETE, str(state.global_step))


def newest_complete(trainer: Path) -> Path | None:
    """The latest complete Trainer checkpoint in ``trainer``, None without one.

    Incomplete ones are deleted. Otherwise the Trainer would count them when it deletes old
    checkpoints, and could delete the only complete one.
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
    """Keep the rows up to ``step``; later steps will be measured again.

    A last line that a kill left torn is removed, too.
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
    """Run a Trainer, from its newest complete checkpoint in ``folder`` if there is one.

    metrics: a file of metrics; rows after that checkpoint are removed.
    ended:   returns whether an evaluation ended the training early.

    Raises MissingWork when it ended early for another reason.
    """
    if processes.is_writer():
        newest_complete(folder)
    # Other processes wait until the incomplete checkpoints are deleted.
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
    """Write an ordinary Hugging Face folder to ``target``, which is absent or whole.

    Its generation config has the stop tokens and no settings of sampling, so that texts end as in
    training, and who loads it chooses how to sample.
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
    """Flush all files in ``folder`` to disk."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
