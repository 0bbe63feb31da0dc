"""Seconds of one GRPO step: ours, and plain TRL.

    python bench/grpo_step.py [--repeats 5] [--steps 4] [--threads 2] [--out OUT.json]
    python bench/grpo_step.py --tokenizer FOLDER

ours   the rl stage with its own reward, labels and metrics, as a run calls it
plain  a GRPOTrainer script with the same settings and a reward of a few lines

Without a tokenizer: 8 problems x 16 attempts on the embedded model, whose own answers are verified.
With one: a Qwen2 of 0.5B with random weights (``sampling_real``), GSM8K questions. Its answers mean
nothing, so half of the problems pay by a coin that is thrown with the text, which makes mixed
groups of them, and the others pay nothing.

Both start from the same weights and problems. A step is from its beginning to its line in the log;
the first of each training warms up and is left out. Attempts are drawn by each side's own
generator, so their lengths differ a little: tokens a step are in the results.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as the command line does, for both

import argparse
import json
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import coin
import sampling_real
import sidebyside as bench
import torch

from manyways import trust
from manyways.arms import Line
from manyways.checkpoints import model_path
from manyways.context import Context
from manyways.heuristics import PromptFormat
from manyways.pocket.world import WORLDS, exercises
from manyways.problems import load_problems
from manyways.recipe import load_recipe
from manyways.recipe.tree import Recipe
from manyways.run_dir import RunDir
from manyways.stages import reinforce
from manyways.train.trainer_log import quiet

RECIPE = Path(__file__).parents[1] / "recipes" / "pocket.toml"
BOX = re.compile(r"\\boxed\{([^{}]*)\}")
REAL = """
name = "grpo-step"
arms = ["vanilla"]
data_dir = "{data}"
[model]
path = "{path}"
dtype = "float32"
[heuristics]
pack = "polya"
count = 1
labeller = "exemplars"
[generate]
problems = "gsm8k/train"
max_tokens = 128
[verify]
verifier = "coin:verify"
[rl]
problems = "gsm8k/train"
limit = 64
steps = 1
prompts_per_step = 2
group_size = 8
micro_batch = {micro}
learning_rate = 1e-6
max_tokens = 128
attempts = "none"
"""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What both ways train on.

    recipe:    of ours, before steps and seed are set.  path: the checkpoint.
    questions: text and reference answer of each problem.
    form:      how ours asks them.
    pays:      the plain script's reward of (text, question, reference).
    """

    recipe: Recipe
    path: str
    questions: Sequence[tuple[str, str]]
    form: PromptFormat
    pays: Callable[[str, str, str], bool]

    @property
    def attempts(self) -> int:
        """Attempts of one step."""
        assert self.recipe.rl
        return self.recipe.rl.prompts_per_step * self.recipe.rl.group_size

    def at(self, steps: int, seed: int) -> Recipe:
        rl = self.recipe.rl.model_copy(update={"steps": steps})
        return self.recipe.model_copy(update={"rl": rl, "arms": ("vanilla",), "seeds": (seed,)})


def pocket() -> Job:
    whole = load_recipe(RECIPE)
    rl = whole.rl.model_copy(update={"prompts_per_step": 8, "group_size": 16})

    def pays(text: str, _: str, gold: str) -> bool:
        boxes = BOX.findall(text)
        return bool(boxes) and boxes[-1].replace(" ", "") == gold.replace(" ", "")

    drawn = islice(exercises(WORLDS["main"], "rl"), rl.limit or 400)
    return Job(
        recipe=whole.model_copy(update={"rl": rl}),
        path=str(model_path("package:manyways.pocket/base")),
        questions=[(one.question, one.answer) for one in drawn],
        form=PromptFormat(instruction=whole.prompt.instruction or ""),
        pays=pays,
    )


def real(folder: Path, tokenizer: str, micro: int) -> Job:
    """The shape of a real model, in ``folder``."""
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    path = sampling_real.build(folder / "model", tokenizer, torch.float32)
    text = folder / "recipe.toml"
    data = os.environ.get("MANYWAYS_DATA", "")
    text.write_text(REAL.format(path=path, micro=micro, data=data))
    trust.grant_recipe(text)
    recipe = load_recipe(text)
    problems = load_problems("gsm8k/train", data_dir=recipe.data_path, limit=recipe.rl.limit)
    return Job(
        recipe=recipe,
        path=path,
        questions=[(one.question, one.answer or "") for one in problems],
        form=PromptFormat(),
        pays=lambda text, question, _: coin.pays(question, text),
    )


def our_training(job: Job, steps: int, turn: int) -> list[dict[str, Any]]:
    """The rl stage on the base itself; returns its lines of metrics, one for each step."""
    with tempfile.TemporaryDirectory() as folder:
        ctx = Context(recipe=job.at(steps, turn), run=RunDir(root=Path(folder), writer=True))
        reinforce.train(ctx, Line(arm="vanilla", seed=turn))
        ctx.close()
        told = ctx.run.arm_path("vanilla", turn, "5-rl", "metrics.jsonl").read_text()
    return [json.loads(row) for row in told.splitlines()]


def ours(job: Job, steps: int) -> Any:
    def run(turn: int) -> bench.Row:
        used = time.process_time()
        rows = our_training(job, steps, turn)[1:]
        used = time.process_time() - used
        means = _mean(job, [(row["seconds"], row["length"], row["reward"]) for row in rows])
        return {**means, "processor": used, "mixed": sum(row["mixed"] for row in rows) / len(rows)}

    return run


def plain(job: Job, steps: int, micro: int) -> Any:
    """What someone who knows TRL writes for a CPU, with the recipe's settings."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    rl = job.recipe.rl
    data = Dataset.from_list(
        [
            {
                "prompt": [asdict(message) for message in job.form.plain(question)],
                "question": question,
                "answer": gold,
            }
            for question, gold in job.questions
        ]
    )

    def reward(
        completions: list[Any], question: list[str], answer: list[str], **_: object
    ) -> list[float]:
        return [
            float(job.pays(turns[-1]["content"], asked, gold))
            for turns, asked, gold in zip(completions, question, answer, strict=True)
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
        tokenizer = AutoTokenizer.from_pretrained(job.path, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(job.path, dtype=torch.float32)
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder, quiet():
            config = GRPOConfig(
                output_dir=folder,
                max_steps=steps,
                per_device_train_batch_size=micro,
                gradient_accumulation_steps=job.attempts // micro,
                num_generations=rl.group_size,
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
        return {**_mean(job, clock.rows[1:]), "processor": used}

    return run


def _mean(job: Job, rows: list[tuple[float, float, float]]) -> bench.Row:
    count = len(rows)
    seconds, length, reward = (sum(column) / count for column in zip(*rows, strict=True))
    return {
        "seconds": seconds,
        "seconds_a_token": seconds / (length * job.attempts),
        "length": length,
        "reward": reward,
    }


def main() -> None:
    parser = bench.parser(__doc__, "grpo_step", 5)
    parser.add_argument("--steps", type=int, default=4, help="of each training, the first left out")
    parser.add_argument("--micro", type=int, default=0, help="rows of a micro-batch; 0: 32, or 8")
    parser.add_argument("--tokenizer", help="a checkpoint with a chat template: the real shape")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as name:
        micro = arguments.micro or (8 if arguments.tokenizer else 32)
        job = real(Path(name), arguments.tokenizer, micro) if arguments.tokenizer else pocket()
        compare(job, micro, arguments)


def compare(job: Job, micro: int, arguments: argparse.Namespace) -> None:
    ways = {"ours": ours(job, arguments.steps), "plain": plain(job, arguments.steps, micro)}
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
        {"machine": bench.machine(), "attempts": job.attempts, "steps": arguments.steps - 1,
         "micro_batch": micro, "real_shape": bool(arguments.tokenizer),
         "mixed": coin.SHARE if arguments.tokenizer else None, "ratios": found,
         "processor_ratios": used, "a_token": each, "rows": rows},
    )  # fmt: skip


if __name__ == "__main__":
    main()
