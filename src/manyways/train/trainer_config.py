"""Settings of both TRL trainings: config, order of rows, LoRA adapters, trackers."""

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from manyways import trust
from manyways.checkpoints import load_model
from manyways.errors import ModelError, RecipeError
from manyways.plugins import install_command, nearest
from manyways.recipe.training import DECIDED, DECIDED_OF_BOTH, LoraConfig, TrackingConfig, refuse
from manyways.train import processes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Config = TypeVar("Config")

RENAMED = {"gradient_checkpointing": "activation_checkpointing"}
"""Old name -> name since transformers 5.2x. The name that the installed version has is used."""
CPU_ROWS = 32
"""The most rows in one forward pass on a CPU."""


def build_config(
    cls: type[Config],
    section: str,
    *,
    fixed: Mapping[str, object],
    defaults: Mapping[str, object],
    extra: Mapping[str, object],
) -> Config:
    """A TRL config of class ``cls``.

    fixed:    from the recipe's own keys.
    defaults: ours; ``extra`` replaces them.
    extra:    the recipe's table of further TRL settings.

    Raises RecipeError for a key that TRL does not have, that another key of the recipe sets, or
    that TRL refuses; Untrusted for one that may name code, a file or an address.
    """
    trust.require_plain(extra, f"{section}.extra")
    known = {field.name: None for field in fields(cls)}  # type: ignore[arg-type]
    names = RENAMED if known.keys() >= set(RENAMED.values()) else {v: k for k, v in RENAMED.items()}
    extra = {names.get(key, key): value for key, value in extra.items()}
    defaults = {names.get(key, key): value for key, value in defaults.items()}
    for key in extra:
        if key not in known:
            raise RecipeError(
                f"{section}.extra.{key}: {cls.__name__} has no such key.{nearest(key, known)}"
            )
        refuse(key, extra[key], section, where=f"{section}.extra.{key}")
    assert fixed.keys() <= DECIDED_OF_BOTH | DECIDED[section], "recipe.training lists them"
    try:
        config = cls(**{**defaults, **fixed, **extra})
    except (ValueError, TypeError) as error:
        raise RecipeError(f"{section}: TRL refuses these settings: {error}") from error
    # One process trains on one GPU. With more, the Trainer would silently use DataParallel.
    config._n_gpu = min(1, config.n_gpu)  # type: ignore[attr-defined]
    return config


def common(out: Path, *, steps: int, seed: int, device: str) -> dict[str, object]:
    """Settings of every training: where it writes, how long it runs, that each step is logged."""
    return {
        "output_dir": str(out / "trainer"),
        "max_steps": steps,
        "seed": seed,
        "use_cpu": device == "cpu",
        "save_strategy": "steps",
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
    }


def common_defaults(*, device: str, dtype: str) -> dict[str, object]:
    """Defaults that ``extra`` may replace.

    TRL's own defaults, bfloat16 and activation checkpointing, make training ten times slower on a
    CPU. On a GPU a model of 3B parameters fits only with them.
    """
    gpu = device != "cpu"
    return {
        "bf16": gpu and dtype != "float32",
        "activation_checkpointing": gpu,
        "report_to": "none",
        # Two, so that one is whole if a kill comes before the newest one is marked as complete.
        "save_total_limit": 2,
        "dataloader_pin_memory": gpu,
        # Several processes: to find unused parameters costs a pass over the graph in each step.
        "ddp_find_unused_parameters": False,
    }


def in_micro_batches(batch: int, micro: int | None, key: str, *, device: str) -> dict[str, object]:
    """Settings for optimizer steps of ``batch`` rows, in which each process does ``micro`` at once.

    Without ``micro``: a process's whole share on a GPU; at most ``CPU_ROWS`` on a CPU, which fit
    into its caches.

    Raises RecipeError when ``batch`` cannot be divided by the processes, or their share by
    ``micro``.
    """
    several = processes.count()
    if batch % several:
        raise RecipeError(
            f"launch.processes = {several}: it must divide {batch}, the rows of one step, so that "
            "a step is the same whatever the number of processes."
        )
    share = batch // several
    if micro is None and device == "cpu":
        micro = max(size for size in range(1, CPU_ROWS + 1) if share % size == 0)
    size = min(micro or share, share)
    if share % size:
        of = "the rows of one step" if several == 1 else "one process's rows of a step"
        raise RecipeError(f"{key} = {size}: it must divide {share}, {of}.")
    return {"per_device_train_batch_size": size, "gradient_accumulation_steps": share // size}


def passes(count: int, total: int, seed: int) -> list[int]:
    """``total`` indices below ``count``: shuffled passes over all of them, the last one cut off.

    All steps are planned beforehand, so every optimizer step has the same number of rows, and the
    order after a resume is the same as without one.
    """
    order: list[int] = []
    rng = random.Random(seed)
    while len(order) < total:
        order += rng.sample(range(count), count)
    return order[:total]


def load_for_training(
    path: str, *, dtype: str, device: str, how: Mapping[str, object] | None = None
) -> tuple[Any, Any]:
    """(the model in its training dtype, the dtype in which to save it).

    how: as ``model.load``; quantised weights are not trained, so they keep their own dtype.

    Weights are trained in float32 unless bfloat16 is asked for, because the steps of RL are smaller
    than the resolution of bfloat16. On a GPU with ``dtype = "auto"`` the dtype of ``path`` is
    saved, else the dtype of the training.
    """
    import torch

    if how and how.get("quantization"):
        quantized: Any = load_model(path, dtype="auto", device=processes.own(device), how=how)
        return quantized, torch.bfloat16 if dtype == "bfloat16" else quantized.dtype
    model: Any = load_model(path, dtype="auto", device="cpu", how=how)
    came = model.dtype
    wanted = torch.bfloat16 if dtype == "bfloat16" else torch.float32
    saved = wanted if device == "cpu" or dtype != "auto" else came
    # With several processes, the Trainer moves the model to the GPU of its process.
    return model.to(wanted).to(device if processes.count() == 1 else "cpu"), saved


@contextmanager
def memory_advice(key: str) -> Iterator[None]:
    """Turn an out-of-memory error of the GPU into a ModelError that names the recipe's ``key``."""
    import torch

    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise ModelError(f"training does not fit the GPU's memory: set or lower {key}.") from error


def check_lora(lora: LoraConfig | None, section: str) -> None:
    """Raise RecipeError when the recipe asks for LoRA and peft is not installed."""
    if lora is not None and find_spec("peft") is None:
        raise RecipeError(
            f"{section}.lora needs the package peft, which is not installed: "
            f"{install_command('peft')} (or remove the table)."
        )


def peft_config(lora: LoraConfig | None, section: str) -> Any:  # noqa: ANN401
    """TRL's argument ``peft_config``: None, or a ``peft.LoraConfig``.

    Adapters begin at random; TRL sets its seed before it makes them.

    Raises RecipeError when peft is not installed.
    """
    if lora is None:
        return None
    check_lora(lora, section)
    import peft

    targets = lora.target_modules
    return peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )


def merged(model: Any) -> "PreTrainedModel":  # noqa: ANN401
    """The transformers model itself; adapters, if it has any, are merged into its weights."""
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    return model


def check_trackers(tracking: TrackingConfig) -> None:
    """Raise RecipeError when a tracker that the recipe names is not installed."""
    for name in tracking.report_to:
        if find_spec(name) is None:
            raise RecipeError(
                f"tracking.report_to names {name}, which is not installed: "
                f"{install_command(name)} (or take it out)."
            )


def tracker_arguments(tracking: TrackingConfig, *, name: str, folder: Path) -> dict[str, object]:
    """Fields of TrainingArguments for the trackers. Sets variables that tensorboard and wandb read.

    name:   name of the training, ``<recipe>/<arm>/seed-<s>/<stage>``.
    folder: folder for the files of tensorboard and wandb. It is not in the Trainer's folder, which
        is deleted at the end.

    Raises RecipeError when a tracker is not installed.
    """
    check_trackers(tracking)
    if not tracking.report_to:
        return {"report_to": "none"}
    if "tensorboard" in tracking.report_to:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(
            folder / "tensorboard" / name.rpartition("/")[2]
        )
    if "wandb" in tracking.report_to:
        os.environ["WANDB_PROJECT"] = tracking.project
        os.environ["WANDB_DIR"] = str(folder)
    return {"report_to": list(tracking.report_to), "run_name": name, "project": tracking.project}


def close_trackers(tracking: TrackingConfig) -> None:
    """End wandb's run. The Trainer leaves it open, and the next training would write to it."""
    if "wandb" in tracking.report_to:
        import wandb

        wandb.finish()
