"""Tokens per second of mid-training on the embedded model: ours, and plain TRL on the same data.

    python bench/midtrain.py [--repeats 5] [--steps 9] [--problems 120] [--out OUT.json]

ours      the mid-train stage's trainer
plain     an SFTTrainer script: prompt and completion, loss on the completion, TRL's own padding
grouped   the same with ``train_sampling_strategy="group_by_length"``

The data are the pocket world's own solutions, one for each problem and heuristic that applies, as
an arm with many ways has them. All take batches of 32. Tokens are those of prompts and completions,
padding not counted, so that more tokens per second is less time for the same data. ``fed`` is how
many tokens go through the model for one of these: above 1 is padding, below 1 is shared prompts.
The first three steps warm up and are left out.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as the command line does, for all

import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import sidebyside as bench
import torch
from transformers import PrinterCallback, TrainerCallback

from manyways.arms import Line
from manyways.checkpoints import model_path
from manyways.context import Context
from manyways.heuristics import PromptFormat, load_pack
from manyways.pocket.corpus import solution
from manyways.pocket.ways import WAYS
from manyways.pocket.world import WORLDS, exercises
from manyways.pool.training_rows import TrainingRow
from manyways.recipe import load_recipe
from manyways.run_dir import RunDir
from manyways.stages import midtrain
from manyways.stages.midtrain import examples
from manyways.train.packing import without_padding
from manyways.train.trainee import load
from manyways.train.trainer_log import quiet

RECIPE = Path(__file__).parents[1] / "recipes" / "pocket.toml"
MODEL = model_path("package:manyways.pocket/base")
BATCH, MICRO, WARM = 32, 32, 3


def data(problems: int) -> list[TrainingRow]:
    rows = []
    asked = zip(range(problems), exercises(WORLDS["main"], "seed"), strict=False)
    for number, exercise in asked:
        kinds = {part.kind for part in exercise.parts}
        ways = [h.id for h in load_pack("pocket", 8) if kinds & set(WAYS[h.id])]
        for way in ways:
            rows.append(
                TrainingRow(
                    problem_id=f"pocket/seed/{number:05d}",
                    question=exercise.question,
                    heuristic=way,
                    sample=0,
                    text=solution(exercise, way),
                )
            )
    return rows


class Clock(TrainerCallback):
    """Seconds, tokens and positions fed of the steps after the warm-up."""

    def __init__(self, fed: "Fed") -> None:
        self.fed = fed
        self.seconds = 0.0
        self.tokens = 0.0
        self.loss = 0.0
        self._last = (0.0, 0.0)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: object) -> None:
        if "loss" not in logs:
            return
        now, tokens = time.perf_counter(), logs["num_tokens"]
        if state.global_step > WARM:
            self.seconds += now - self._last[0]
            self.tokens += tokens - self._last[1]
        else:
            self.fed.count = 0
        self._last, self.loss = (now, tokens), logs["loss"]


class Fed:
    """Counts the positions that go through the model's layers."""

    def __init__(self, model: Any) -> None:
        self.count = 0
        model.get_decoder().layers[0].register_forward_pre_hook(self._see, with_kwargs=True)

    def _see(self, _: object, args: Any, kwargs: Any) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        self.count += hidden.shape[0] * hidden.shape[1]


def finished(trainer: Any, clock: Clock) -> bench.Row:
    trainer.add_callback(clock)
    trainer.remove_callback(PrinterCallback)
    with quiet():
        trainer.train()
    return {
        "tokens": clock.tokens,
        "seconds": clock.seconds,
        "seconds_a_token": clock.seconds / clock.tokens,
        "fed": clock.fed.count / clock.tokens,
        "loss": clock.loss,
    }


def our_trainer(rows: list[TrainingRow], turn: int, steps: int, folder: Path) -> tuple[Any, Fed]:
    """The mid-train stage's own trainer of one line, ready to train."""
    ctx = Context(recipe=load_recipe(RECIPE), run=RunDir(root=folder, writer=True))
    form = PromptFormat(instruction="")
    trainee = load(MODEL, dtype="float32", device="cpu")
    made = examples(rows, trainee.tokenizer, lambda row: form.plain(row.question), trainee.end)
    config = midtrain.sft_config(ctx, Line(arm="heuristics-8", seed=turn), folder, steps)
    trainer = midtrain._trainer(trainee, made, config, None)
    without_padding(trainer.model)
    return trainer, Fed(trainee.model)


def ours(rows: list[TrainingRow], steps: int) -> Any:
    def run(turn: int) -> bench.Row:
        with tempfile.TemporaryDirectory() as folder, quiet():
            trainer, fed = our_trainer(rows, turn, steps, Path(folder))
            return finished(trainer, Clock(fed))

    return run


def plain(rows: list[TrainingRow], steps: int, strategy: str) -> Any:
    """What someone who knows TRL writes for a CPU, with the recipe's settings."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    section = load_recipe(RECIPE).midtrain
    pairs = Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": row.question}],
                "completion": [{"role": "assistant", "content": row.text}],
            }
            for row in rows
        ]
    )

    def run(turn: int) -> bench.Row:
        tokenizer = AutoTokenizer.from_pretrained(MODEL)
        model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
        with tempfile.TemporaryDirectory() as folder, quiet():
            config = SFTConfig(
                output_dir=folder,
                max_steps=steps,
                per_device_train_batch_size=MICRO,
                gradient_accumulation_steps=BATCH // MICRO,
                learning_rate=section.learning_rate,
                max_length=section.max_length,
                completion_only_loss=True,
                train_sampling_strategy=strategy,
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                dataloader_pin_memory=False,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                seed=turn,
            )
            trainer = SFTTrainer(
                model=model, args=config, train_dataset=pairs, processing_class=tokenizer
            )
            return finished(trainer, Clock(Fed(model)))

    return run


def main() -> None:
    parser = bench.parser(__doc__, "midtrain", 5)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--problems", type=int, default=120)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    warnings.filterwarnings("ignore")
    rows = data(arguments.problems)
    ways = {
        "ours": ours(rows, arguments.steps),
        "plain": plain(rows, arguments.steps, "random"),
        "grouped": plain(rows, arguments.steps, "group_by_length"),
    }
    found = bench.take_turns(ways, arguments.repeats)
    print(f"{len(rows)} solutions of {arguments.problems} problems")
    for name, own in found.items():
        print(
            f"{name:8} {1 / bench.median(own, 'seconds_a_token'):7.0f} tokens/s, "
            f"fed {bench.median(own, 'fed'):.2f} of a token, loss {bench.median(own, 'loss'):.3f}"
        )
    ratios = bench.ratios(found, "seconds_a_token")
    for name, ratio in ratios.items():
        print(f"ours against {name}: {bench.spread(ratio)}")
    bench.write(
        arguments.out,
        {"machine": bench.machine(), "examples": len(rows), "batch": BATCH, "ratios": ratios,
         "rows": found},
    )  # fmt: skip


if __name__ == "__main__":
    main()
