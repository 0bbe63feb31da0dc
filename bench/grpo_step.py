"""Seconds of one GRPO step (8 problems x 16 attempts) on the embedded model: ours, and plain TRL.

    python bench/grpo_step.py [--repeats 5] [--steps 4] [--threads 2] [--out OUT.json]

ours   the rl stage with its own reward, labels and metrics, as a run calls it
plain  a GRPOTrainer script with the same settings and a reward of a few lines

Both start from the shipped base on the same problems. A step is from its beginning to its line in
the log; the first of each training warms up and is left out. Attempts are drawn by each side's own
generator, so their lengths differ a little: tokens a step are in the results.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as the command line does, for both

import json
import re
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import sidebyside as bench
import torch

from manyways.arms import Line
from manyways.context import Context
from manyways.recipe import load_recipe
from manyways.recipe.tree import Recipe
from manyways.run_dir import RunDir
from manyways.stages import reinforce
from manyways.train.trainer_log import quiet

RECIPE = Path(__file__).parents[1] / "recipes" / "pocket.toml"
PROMPTS, GROUP = 8, 16
BOX = re.compile(r"\\boxed\{([^{}]*)\}")


def recipe(steps: int, seed: int) -> Recipe:
    whole = load_recipe(RECIPE)
    rl = whole.rl.model_copy(
        update={"steps": steps, "prompts_per_step": PROMPTS, "group_size": GROUP}
    )
    return whole.model_copy(update={"rl": rl, "arms": ("vanilla",), "seeds": (seed,)})


def our_training(steps: int, turn: int) -> list[dict[str, Any]]:
    """The rl stage on the base itself; returns its lines of metrics, one for each step."""
    with tempfile.TemporaryDirectory() as folder:
        ctx = Context(recipe=recipe(steps, turn), run=RunDir(root=Path(folder), writer=True))
        reinforce.train(ctx, Line(arm="vanilla", seed=turn))
        ctx.close()
        told = ctx.run.arm_path("vanilla", turn, "5-rl", "metrics.jsonl").read_text()
    return [json.loads(row) for row in told.splitlines()]


def ours(steps: int) -> Any:
    def run(turn: int) -> bench.Row:
        used = time.process_time()
        rows = our_training(steps, turn)[1:]
        used = time.process_time() - used
        means = _mean([(row["seconds"], row["length"], row["reward"]) for row in rows])
        return {**means, "processor": used}

    return run


def plain(steps: int, micro: int) -> Any:
    """What someone who knows TRL writes for a CPU, with the recipe's settings."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from manyways.checkpoints import model_path
    from manyways.pocket.world import WORLDS, exercises

    path = model_path("package:manyways.pocket/base")
    rl = recipe(steps, 0).rl
    asked = [
        one for one, _ in zip(exercises(WORLDS["main"], "rl"), range(rl.limit or 400), strict=False)
    ]
    data = Dataset.from_list(
        [{"prompt": [{"role": "user", "content": e.question}], "answer": e.answer} for e in asked]
    )

    def reward(completions: list[Any], answer: list[str], **_: object) -> list[float]:
        found = [BOX.findall(turns[-1]["content"]) for turns in completions]
        return [
            float(bool(boxes) and boxes[-1].replace(" ", "") == gold.replace(" ", ""))
            for boxes, gold in zip(found, answer, strict=True)
        ]

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.rows: list[tuple[float, float, float]] = []

        def on_step_begin(self, *_: object, **__: object) -> None:
            self.began = time.monotonic()

        def on_log(self, *_: object, logs: dict[str, Any], **__: object) -> None:
            if "loss" in logs:
                seconds = time.monotonic() - self.began
                self.rows.append((seconds, logs["completions/mean_length"], logs["reward"]))

    def run(turn: int) -> bench.Row:
        tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder, quiet():
            config = GRPOConfig(
                output_dir=folder,
                max_steps=steps,
                per_device_train_batch_size=micro,
                gradient_accumulation_steps=PROMPTS * GROUP // micro,
                num_generations=GROUP,
                max_completion_length=rl.max_tokens,
                learning_rate=rl.learning_rate,
                lr_scheduler_type="constant_with_warmup",
                temperature=rl.temperature,
                loss_type=rl.loss_type,
                scale_rewards=rl.scale_rewards,
                epsilon=rl.epsilon,
                epsilon_high=rl.epsilon_high,
                beta=rl.beta,
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
            trainer = GRPOTrainer(
                model=model,
                reward_funcs=[reward],
                args=config,
                train_dataset=data,
                processing_class=tokenizer,
                callbacks=[clock],
            )
            trainer.remove_callback(PrinterCallback)
            used = time.process_time()
            trainer.train()
            used = time.process_time() - used
        return {**_mean(clock.rows[1:]), "processor": used}

    return run


def _mean(rows: list[tuple[float, float, float]]) -> bench.Row:
    count = len(rows)
    seconds, length, reward = (sum(column) / count for column in zip(*rows, strict=True))
    return {
        "seconds": seconds,
        "seconds_a_token": seconds / (length * PROMPTS * GROUP),
        "length": length,
        "reward": reward,
    }


def main() -> None:
    parser = bench.parser(__doc__, "grpo_step", 5)
    parser.add_argument("--steps", type=int, default=4, help="of each training, the first left out")
    parser.add_argument(
        "--micro", type=int, default=32, help="rows of the plain script's micro-batches"
    )
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    warnings.filterwarnings("ignore")
    ways = {"ours": ours(arguments.steps), "plain": plain(arguments.steps, arguments.micro)}
    rows = bench.take_turns(ways, arguments.repeats, warm=False)
    found = bench.ratios(rows, "seconds")
    for name, own in rows.items():
        print(
            f"{name:6} {bench.median(own, 'seconds'):.2f} s a step, "
            f"{bench.median(own, 'length'):.0f} tokens an attempt, "
            f"reward {bench.median(own, 'reward'):.2f}"
        )
    print(f"one step, ours against plain TRL: {bench.spread(found['plain'])}")
    used = bench.ratios(rows, "processor")
    print(f"processor time of the whole training: {bench.spread(used['plain'])}")
    each = bench.ratios(rows, "seconds_a_token")
    print(f"a token of it: {bench.spread(each['plain'])}")
    bench.write(
        arguments.out,
        {"machine": bench.machine(), "attempts": PROMPTS * GROUP, "steps": arguments.steps - 1,
         "plain_micro_batch": arguments.micro, "ratios": found, "processor_ratios": used,
         "a_token": each, "rows": rows},
    )  # fmt: skip


if __name__ == "__main__":
    main()
