"""3 midtrain: SFT of the base model on an arm's solutions. The prompt names no heuristic."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from manyways.arms import Line
from manyways.checkpoints import pick_device
from manyways.context import Context, model_hash, settings_of, training_identity, weights_identity
from manyways.errors import DataError, NothingToTrainOn
from manyways.fingerprint import content_hash, fingerprint
from manyways.pool.training_rows import TrainingRow, pool_of, training_rows, written_by
from manyways.progress import say
from manyways.recipe.training import LoraConfig
from manyways.records import Message
from manyways.rendering import IGNORE, encode, prompt_ids
from manyways.run_dir import Amount, Work
from manyways.stages import watch
from manyways.tables import write_text
from manyways.train import processes
from manyways.train.trainer_config import (
    build_config,
    close_trackers,
    common,
    common_defaults,
    in_micro_batches,
    memory_advice,
    passes,
    peft_config,
    tracker_arguments,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import SFTConfig, SFTTrainer

    from manyways.train.trainee import Trainee
    from manyways.train.trainer_log import Story

FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A training row as tokens. ``labels``: IGNORE on the prompt; the last one is a stop token."""

    input_ids: list[int]
    labels: list[int]


def plan(ctx: Context, line: Line) -> Work:
    """Mid-training of one line as a piece of work.

    Raises MissingWork when selection has not been run.
    """
    recipe = ctx.recipe
    try:
        data = _hash(training_rows(ctx, line))
    except NothingToTrainOn:
        # Not an error of the plan: `run` raises it when it is this arm's turn.
        data = "nothing"
    return ctx.run.work(
        f"midtrain/{line.name}",
        identity={
            "format": FORMAT,
            "base": model_hash(ctx, ctx.path_of(line.origin)),
            "data": data,
            "midtrain": training_identity(ctx.midtraining(line)),
            "prompt": settings_of(recipe.prompt),
            "seed": line.seed,
            "model": weights_identity(ctx, "engine"),
        },
        outputs=(_folder(ctx, line),),
    )


def run(ctx: Context, line: Line) -> None:
    """Mid-train one line, in this process or in several; a killed training is continued.

    Raises the errors of ``run_here``.
    """
    if ctx.recipe.launch is None or plan(ctx, line).done:
        run_here(ctx, line)
    else:
        from manyways.train import launch

        launch.start(ctx.recipe.launch, ctx.run, ("midtrain", line.arm, line.seed))
    watch.catch_up(ctx, line, "mid")


def amount(ctx: Context, line: Line) -> list[Amount]:
    """Its optimizer steps; 0 if they depend on the number of examples."""
    steps = ctx.midtraining(line).steps or 0
    return [
        Amount(work=f"midtrain/{line.name}", stage="midtrain", line=line, steps=steps),
        *watch.amount(ctx, line, "mid", steps=steps),
    ]


def commands(ctx: Context, line: Line) -> list[list[str]]:
    """The command lines that ``run`` would start; none if it trains in its own process."""
    if ctx.recipe.launch is None or not line.midtrains:
        return []
    from manyways.train import launch

    return [launch.command(ctx.recipe.launch, ctx.run.root, ("midtrain", line.arm, line.seed))]


def run_here(ctx: Context, line: Line) -> None:
    """Mid-train one line in this process; each process of a distributed training calls it.

    Raises NothingToTrainOn when the arm has no rows, DataError when none fits max_length,
    ModelError when the chat template cannot teach the model to stop.
    """
    work = plan(ctx, line)
    if work.done:
        say(f"midtrain {line.name}: finished earlier.")
        return
    rows = training_rows(ctx, line)
    with work:
        begun = time.time()
        _write_lineage(ctx, line, rows)
        steps = train(ctx, line, rows)
        work.counts.update(
            steps=steps, examples=len(rows), problems=len({row.problem_id for row in rows})
        )
        work.elsewhere = watch.spent(ctx, line, "mid", begun)


def sft_config(ctx: Context, line: Line, out: Path, steps: int) -> "SFTConfig":
    """TRL's SFTConfig for the recipe's ``midtrain`` section. No other place makes one.

    Raises RecipeError for keys of ``extra`` that are unknown, or that the recipe sets elsewhere.
    """
    from trl import SFTConfig

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
        defaults={
            **common_defaults(device=device, dtype=recipe.model.dtype),
            **tracker_arguments(
                recipe.tracking, name=f"{recipe.name}/{line.name}/midtrain", folder=out.parent
            ),
        },
        extra=section.extra,
    )


def train(ctx: Context, line: Line, rows: Sequence[TrainingRow] | None = None) -> int:
    """Train and save ``checkpoint``; returns the number of optimizer steps.

    Each process of a distributed training calls it. It writes no stamp.

    rows: the line's training rows, if the caller has read them already.
    """
    from manyways.train.trainee import load, train_and_save
    from manyways.train.trainer_log import quiet

    model, out = ctx.recipe.model, _folder(ctx, line)
    with quiet(), memory_advice("midtrain.micro_batch"):
        start = ctx.path_of(line.origin)
        device = pick_device(model.device)
        trainee = load(
            start, dtype=model.dtype, device=device, template=model.chat_template_kwargs,
            how=model.load,
        )  # fmt: skip
        made = examples(
            training_rows(ctx, line) if rows is None else rows,
            trainee.tokenizer,
            lambda row: ctx.prompt_of(row.problem_id),
            trainee.end,
        )
        made = fitting(made, ctx.recipe.midtrain.max_length, line)
        steps = ctx.midtraining(line).steps_for(len(made))
        if not (out / "checkpoint").exists():
            config = sft_config(ctx, line, out, steps)
            trainer = _trainer(trainee, made, config, ctx.recipe.midtrain.lora)
            watched = watch.watch(ctx, line, "mid", steps=steps)
            train_and_save(trainer, _story(line, out), trainee, out, watch=watched)
            close_trackers(ctx.recipe.tracking)
    if processes.is_writer():
        shutil.rmtree(out / "trainer", ignore_errors=True)
    return steps


def examples(
    rows: Sequence[TrainingRow],
    tokenizer: "PreTrainedTokenizerBase",
    ask: Callable[[TrainingRow], tuple[Message, ...]],
    end: int,
) -> list[Example]:
    """Rows as tokens: the prompt ``ask(row)`` as engines send it, the solution, the token ``end``.

    The solution follows the *generation* prompt, as when it was sampled. It is not rendered as a
    turn, because templates trim texts, rewrite them, or add white space after the stop token.
    """
    made = []
    for row in rows:
        ids, prompt = prompt_ids(tokenizer, ask(row))
        whole = encode(tokenizer, prompt + row.text)
        # A tokenizer may merge characters of prompt and answer into one token; sampling never does.
        answer = whole[len(ids) :] if whole[: len(ids)] == ids else encode(tokenizer, row.text)
        labels = [IGNORE] * len(ids) + [*answer, end]
        made.append(Example(input_ids=[*ids, *answer, end], labels=labels))
    return made


def fitting(made: Sequence[Example], max_length: int, line: Line) -> list[Example]:
    """The examples of at most ``max_length`` tokens. Says how many are left out.

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


def _folder(ctx: Context, line: Line) -> Path:
    return ctx.run.path(line.mid.folder)


def _trainer(
    trainee: "Trainee", made: Sequence[Example], config: "SFTConfig", lora: LoraConfig | None
) -> "SFTTrainer":
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTTrainer

    share = config.per_device_train_batch_size * config.gradient_accumulation_steps
    order = passes(len(made), config.max_steps * share * processes.count(), config.seed)
    trainer = SFTTrainer(
        model=trainee.model,
        args=config,
        train_dataset=Dataset.from_list([asdict(example) for example in made]).select(order),
        processing_class=trainee.tokenizer,
        peft_config=peft_config(lora, "midtrain"),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _story(line: Line, out: Path) -> "Story":
    from manyways.train.trainer_log import Story

    return Story(
        arm=line.arm,
        seed=line.seed,
        stage="midtrain",
        metrics=out / "metrics.jsonl",
        measure=lambda logs: {"entropy": logs.get("entropy")},
        sentence=lambda row: f"loss {row['loss']:.3f}",
    )


def _write_lineage(ctx: Context, line: Line, rows: Sequence[TrainingRow]) -> None:
    """Write data.jsonl: each training text, and which attempt of the pool it was.

    Its fields ``written_by`` and ``model`` name the model that wrote the text and its hash; except
    for distilled arms it is the model that is trained. ``pool`` is the hash of the pool's identity.
    """
    pool = pool_of(ctx, line)
    stamp = pool.run.stamp("generate")
    made_by = {
        "pool": fingerprint(stamp.identity) if stamp else None,
        "model": pool.base_hash,
        "written_by": written_by(ctx, line),
    }
    lines = [json.dumps({**asdict(row), **made_by}, ensure_ascii=False) for row in rows]
    write_text(_folder(ctx, line) / "data.jsonl", "".join(f"{row}\n" for row in lines))


def _hash(rows: Sequence[TrainingRow]) -> str:
    return content_hash(
        part for row in rows for part in (row.problem_id, row.question, row.heuristic, row.text)
    )
