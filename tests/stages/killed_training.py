"""Mid-trains and does RL whole; then in another folder is killed while a checkpoint is written.

Given a number after the folder, with LoRA of that rank. Prints one JSON line. A process of its
own, so that it can fork before any thread exists.
"""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import made_runs
import torch
from lucky import LuckyVerifiers
from tiny_models import build_llama

from manyways.arms import Line
from manyways.context import Context
from manyways.measures.difficulty import of_validation
from manyways.stages import evaluate, midtrain, reinforce, selection, validation
from manyways.tables import read_attempts, read_rl_attempts

PROBLEMS = 6


def context(root: Path, model: Path) -> Context:
    lora = {"lora": {"rank": int(sys.argv[2]), "dropout": 0.1}} if sys.argv[2:] else {}
    ctx = made_runs.context(
        root,
        pack=("a", "b"),
        arms=("vanilla", "heuristics-2"),
        model={"path": str(model), "device": "cpu"},
        generate={"problems": f"made_runs:load/seed?count={PROBLEMS}"},
        midtrain={"steps": 6, "batch_size": 4, "save_every": 2, "max_length": 300,
                  "learning_rate": 1e-3, "warmup": 0.5, "evaluate_every": 3} | lora,
        rl={"problems": "made_runs:load/rl?count=5", "steps": 6, "group_size": 8,
            "prompts_per_step": 2, "max_tokens": 12, "save_every": 2, "learning_rate": 1e-3,
            "evaluate_every": 1, "evaluate": ["made_runs:load/valid?count=4"], "keep": "all",
            "evaluate_attempts": 4, "evaluate_pass_rate": [0.1, 0.9],
            "strategies": 2, "diversity": 0.5} | lora,
    )  # fmt: skip
    ctx.__dict__["verifiers"] = LuckyVerifiers()
    return ctx


def fill(root: Path, model: Path) -> None:
    """A pool and its selection, and validation problems of the right difficulty."""
    ctx = context(root, model)
    made_runs.put_pool(
        ctx,
        [
            made_runs.attempt(
                f"made/seed/{i:03d}", way, text=f"<{way}> {way * i} is \\boxed{{{i}}}"
            )
            for i in range(PROBLEMS)
            for way in ("a", "b")
        ],
    )
    selection.run(ctx)
    validation.run(ctx)


def in_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a child; returns its exit code, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        try:
            work()
        except BaseException:  # noqa: BLE001  the parent sees the exit code
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_while_saving_step(step: int) -> None:
    """From now on, SIGKILL in the middle of the Trainer checkpoint of ``step``."""
    save = torch.save

    def last_words(data: object, path: object, *args: object, **kwargs: object) -> None:
        if f"checkpoint-{step}/" in str(path) and "scheduler" in str(path):
            os.kill(os.getpid(), signal.SIGKILL)
        save(data, path, *args, **kwargs)

    torch.save = last_words


def outcome(folder: Path) -> dict[str, object]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    weights = (folder / "checkpoint" / "model.safetensors").read_bytes()
    return {
        "rows": [{k: v for k, v in row.items() if k != "seconds"} for row in rows],
        "attempts": [asdict(row) for row in read_rl_attempts(folder / "attempts")],
        "weights": hashlib.sha256(weights).hexdigest(),
        "steps": {
            step.parent.name: hashlib.sha256((step / "model.safetensors").read_bytes()).hexdigest()
            for step in sorted(folder.glob("steps/*/checkpoint"))
        },
        "left": sorted(path.name for path in folder.iterdir()),
    }


def on_the_way(root: Path, line: Line, phase: str) -> dict[str, list[object]]:
    """Step -> what was sampled there."""
    found = {}
    for step in sorted(root.glob(f"6-eval/{line.name}/{phase}@*")):
        [inside] = (one for one in step.iterdir() if one.is_dir())
        rows = [asdict(one) for one in read_attempts(inside)]
        found[step.name] = [{k: v for k, v in row.items() if k != "model_hash"} for row in rows]
    return found


def last(ctx: Context, line: Line, phase: str) -> list[object]:
    """What an evaluation of the checkpoint samples at the problems of the way."""
    [name], recipe = ctx.recipe.rl.watched_sets, ctx.recipe
    changes = {
        "rl": recipe.rl.model_copy(update={"evaluate_every": None, "keep": "last"}),
        "midtrain": recipe.midtrain.model_copy(update={"evaluate_every": None}),
        "evaluate": recipe.evaluate.model_copy(update={"benchmarks": (name,), "attempts": 4}),
    }
    other = Context(recipe=recipe.model_copy(update=changes), run=ctx.run)
    other.__dict__["verifiers"] = LuckyVerifiers()
    checkpoint = line.rl if phase == "rl" else line.mid
    evaluate.run(other, checkpoint)
    chosen = {problem.id for problem in of_validation(ctx, name).in_range().problems}
    rows = [asdict(one) for one in read_attempts(ctx.run.eval_path(checkpoint.name, name))]
    return [
        {k: v for k, v in row.items() if k != "model_hash"}
        for row in rows
        if row["problem_id"] in chosen
    ]


def main(folder: Path) -> None:
    # Imported once, before forking.
    import trl  # noqa: F401

    model = build_llama(folder / "model")
    runs = {
        "midtrain": (midtrain.run, Line(arm="heuristics-2", seed=3), "3-midtrain"),
        "rl": (reinforce.run, Line(arm="vanilla", seed=3), "5-rl"),
    }
    found: dict[str, object] = {}
    for root in (folder / "whole", folder / "killed"):
        fill(root, model)
    for name, (run, line, sub) in runs.items():
        whole, killed = (context(folder / r, model) for r in ("whole", "killed"))
        codes = [in_child(lambda run=run, ctx=whole, line=line: run(ctx, line))]
        for step in (2, 4):
            codes.append(
                in_child(
                    lambda run=run, ctx=killed, line=line, step=step: (
                        die_while_saving_step(step), run(ctx, line))
                )
            )  # fmt: skip
        out = killed.run.arm_path(line.arm, line.seed, sub)
        trainer = sorted(path.name for path in (out / "trainer").glob("checkpoint-*"))
        codes.append(in_child(lambda run=run, ctx=killed, line=line: run(ctx, line)))
        phase = "rl" if name == "rl" else "mid"
        found[name] = {
            "curves": [on_the_way(folder / r, line, phase) for r in ("whole", "killed")],
            "last": last(whole, line, phase),
            "codes": codes,
            "trainer": trainer,
            "whole": outcome(whole.run.arm_path(line.arm, line.seed, sub)),
            "killed": outcome(out),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
