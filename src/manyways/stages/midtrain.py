"""3 mid-train: solutions become a checkpoint. Ordinary SFT; the heuristic is never named."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyways.checkpoints import load_tokenizer, pick_device
from manyways.errors import DataError, NothingToTrainOn
from manyways.fingerprint import content_hash, fingerprint
from manyways.progress import say
from manyways.records import Message
from manyways.rl.handover import encode, end_of_turn, prompt_ids, stop_ids
from manyways.run_dir import Work
from manyways.stages.context import Context, Line
from manyways.stages.selection import TrainingRow, training_rows
from manyways.tables import write_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTConfig, SFTTrainer

    from manyways.rl.trainer_log import Story

IGNORE = -100
"""The label of a token without loss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A training row as tokens; ``labels`` is IGNORE on the prompt and ends in a stop token."""

    input_ids: list[int]
    labels: list[int]


def plan(ctx: Context, line: Line) -> Work:
    """Mid-training of one line, described by all that its result depends on.

    Raises MissingWork when selection has not been run.
    """
    recipe = ctx.recipe
    try:
        data = _hash(training_rows(ctx, line))
    except NothingToTrainOn:
        data = "nothing"
    return ctx.run.work(
        f"midtrain/{line.name}",
        identity={
            "base": ctx.base_hash,
            "data": data,
            "midtrain": recipe.midtrain.model_dump(exclude={"save_every"}),
            "prompt": recipe.prompt.model_dump(),
            "seed": line.seed,
            "model": [recipe.model.dtype, recipe.model.device],
        },
        outputs=(ctx.run.arm_path(line.arm, line.seed, "3-midtrain"),),
    )


def run(ctx: Context, line: Line) -> None:
    """Mid-train one line; continues where a killed run stopped.

    Raises NothingToTrainOn when the arm has no rows, DataError when none fits max_length,
    ModelError when the chat template cannot teach the model to stop.
    """
    work = plan(ctx, line)
    if work.done:
        say(f"midtrain {line.name}: finished before")
        return
    rows = training_rows(ctx, line)
    out = ctx.run.arm_path(line.arm, line.seed, "3-midtrain")
    with work:
        _write_lineage(ctx, rows, out / "data.jsonl")
        steps = _train(ctx, line, rows, out)
        work.counts.update(
            steps=steps, examples=len(rows), problems=len({row.problem_id for row in rows})
        )


def examples(
    rows: Sequence[TrainingRow],
    tokenizer: "PreTrainedTokenizerBase",
    ask: Callable[[TrainingRow], tuple[Message, ...]],
    end: int,
) -> list[Example]:
    """Rows as tokens: the prompt ``ask(row)`` as engines send it, the solution, the token ``end``.

    The solution is put after the *generation* prompt, where its tokens were once sampled, and not
    rendered as a turn: templates trim, rewrite, or add white space after the stop token.
    """
    made = []
    for row in rows:
        ids, prompt = prompt_ids(tokenizer, ask(row))
        whole = encode(tokenizer, prompt + row.text)
        # A tokenizer may merge across the boundary; sampling never does.
        answer = whole[len(ids) :] if whole[: len(ids)] == ids else encode(tokenizer, row.text)
        labels = [IGNORE] * len(ids) + [*answer, end]
        made.append(Example(input_ids=[*ids, *answer, end], labels=labels))
    return made


def fitting(made: Sequence[Example], max_length: int, line: Line) -> list[Example]:
    """The examples of at most ``max_length`` tokens; how many are longer is said.

    Raises DataError when none fits.
    """
    kept = [example for example in made if len(example.input_ids) <= max_length]
    longest = max(len(example.input_ids) for example in made)
    if not kept:
        raise DataError(
            f"midtrain.max_length = {max_length}: all {len(made)} examples of {line.name} are "
            f"longer (up to {longest} tokens). Raise it."
        )
    if len(kept) < len(made):
        say(
            f"midtrain {line.name}: {len(made) - len(kept)} of {len(made)} examples are longer "
            f"than midtrain.max_length = {max_length} (up to {longest} tokens) and are left out"
        )
    return kept


def sft_config(ctx: Context, line: Line, out: Path, steps: int) -> "SFTConfig":
    """The one place where the recipe's ``midtrain`` section becomes TRL's SFTConfig.

    Raises RecipeError for keys of ``extra`` that are unknown or decided elsewhere.
    """
    from trl import SFTConfig

    from manyways.rl.trainer_config import build_config, common, common_defaults, in_micro_batches

    recipe = ctx.recipe
    section = recipe.midtrain
    device = pick_device(recipe.model.device)
    fixed = {
        **common(out, steps=steps, seed=line.seed, device=device),
        **in_micro_batches(
            section.batch_size, section.micro_batch, "midtrain.micro_batch", device=device
        ),
        "save_steps": section.save_every,
        "learning_rate": section.learning_rate,
        "warmup_steps": round(section.warmup * steps),
        # Rows come as tokens, in order, and none is longer than midtrain.max_length.
        "max_length": None,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "train_sampling_strategy": "sequential",
        "packing": False,
    }
    return build_config(
        SFTConfig,
        "midtrain",
        fixed=fixed,
        defaults=common_defaults(device=device, dtype=recipe.model.dtype),
        extra=section.extra,
    )


def _train(ctx: Context, line: Line, rows: Sequence[TrainingRow], out: Path) -> int:
    """Train and save ``out/checkpoint``; returns the number of optimizer steps."""
    from manyways.rl.trainer_config import load_for_training, memory_advice
    from manyways.rl.trainer_files import save_checkpoint
    from manyways.rl.trainer_files import train as train_resumably
    from manyways.rl.trainer_log import StepLog, quiet

    recipe = ctx.recipe
    tokenizer: Any = load_tokenizer(ctx.base_path)
    with quiet(), memory_advice("midtrain.micro_batch"):
        model, saved = load_for_training(
            ctx.base_path, dtype=recipe.model.dtype, device=pick_device(recipe.model.device)
        )
        stops = stop_ids(model, tokenizer)
        made = examples(
            rows,
            tokenizer,
            lambda row: ctx.prompt_of(row.problem_id),
            end_of_turn(tokenizer, stops),
        )
        made = fitting(made, recipe.midtrain.max_length, line)
        steps = _steps(ctx, len(made))
        if not (out / "checkpoint").exists():
            log = StepLog(_story(line, out))
            config = sft_config(ctx, line, out, steps)
            trainer = _trainer(model, tokenizer, made, config)
            trainer.add_callback(log)
            try:
                train_resumably(trainer, out / "trainer", out / "metrics.jsonl")
            finally:
                log.close()
            save_checkpoint(model.to(saved), tokenizer, out / "checkpoint", stops=stops)
    shutil.rmtree(out / "trainer", ignore_errors=True)
    return steps


def _trainer(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    made: Sequence[Example],
    config: "SFTConfig",
) -> "SFTTrainer":
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTTrainer

    from manyways.rl.trainer_config import passes

    rows = config.per_device_train_batch_size * config.gradient_accumulation_steps
    order = passes(len(made), config.max_steps * rows, config.seed)
    trainer = SFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list([asdict(example) for example in made]).select(order),
        processing_class=tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _steps(ctx: Context, count: int) -> int:
    """Optimizer steps: the recipe's, or as many as its epochs over ``count`` rows take."""
    section = ctx.recipe.midtrain
    if section.steps is not None:
        return section.steps
    return max(1, round((section.epochs or 1.0) * count / section.batch_size))


def _story(line: Line, out: Path) -> "Story":
    from manyways.rl.trainer_log import Story

    return Story(
        arm=line.arm,
        seed=line.seed,
        stage="midtrain",
        metrics=out / "metrics.jsonl",
        measure=lambda logs: {"entropy": logs.get("entropy")},
        sentence=lambda row: f"loss {row['loss']:.3f}",
    )


def _write_lineage(ctx: Context, rows: Sequence[TrainingRow], path: Path) -> None:
    """data.jsonl: the texts trained on, and the attempt of the pool that each one was.

    model: hash of the model that wrote it, which is the one that is trained. pool: what every
    attempt of the pool depends on.
    """
    pool = ctx.run.stamp("generate")
    made_by = {"pool": fingerprint(pool.identity) if pool else None, "model": ctx.base_hash}
    lines = [json.dumps({**asdict(row), **made_by}, ensure_ascii=False) for row in rows]
    write_text(path, "".join(f"{line}\n" for line in lines))


def _hash(rows: Sequence[TrainingRow]) -> str:
    return content_hash(
        part for row in rows for part in (row.problem_id, row.question, row.heuristic, row.text)
    )
