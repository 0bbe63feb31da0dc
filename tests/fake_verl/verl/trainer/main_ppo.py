"""A training as verl's is seen from outside: overrides in; log, attempts and checkpoints out.

Order within a step, names and places are those of ``verl/trainer/ppo/v1/trainer_base.py`` (0.9.0).
FAKE_VERL is JSON: ``die_at`` and ``exit_at`` (steps, the first time that they are reached),
``sleep`` (seconds before every step).
"""

import importlib.util
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from pyarrow import parquet

LOG = "ray_kwargs.ray_init.runtime_env.env_vars.VERL_FILE_LOGGER_PATH"
TRACKER = "latest_checkpointed_iteration.txt"


def read(words: list[str]) -> dict[str, str]:
    """``key=value`` words in hydra's grammar; values stay text."""
    found = {}
    for word in words:
        key, _, value = word.partition("=")
        if value.startswith("'"):
            value = value[1:-1].replace("\\'", "'").replace("\\\\", "\\")
        found[key.lstrip("+")] = value
    return found


def reward(path: str):
    spec = importlib.util.spec_from_file_location("custom_module", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.compute_score


def attempts(rows: list[dict], count: int, step: int) -> list[tuple[dict, str]]:
    """The first group all right, the second mixed; more and more right with the steps."""
    found = []
    for place, row in enumerate(rows):
        right = count if place == 0 else min(step, count - 1)
        answer = row["reward_model"]["ground_truth"]
        found += [(row, f"\\boxed{{{answer}}}")] * right
        found += [(row, "\u2028 \\boxed{-1}")] * (count - right)
    return found


def save(config: dict[str, str], step: int) -> None:
    """Sharded by rank in one process: one shard, the model's configuration beside it."""
    root, base = (
        Path(config[k]) for k in ("trainer.default_local_dir", "actor_rollout_ref.model.path")
    )
    actor = root / f"global_step_{step}" / "actor"
    (actor / "huggingface").mkdir(parents=True)
    (actor / "fsdp_config.json").write_text('{"FSDP_version": 1, "world_size": 1}')
    shutil.copy(base / "model.safetensors", actor / "model_world_size_1_rank_0.pt")
    for file in base.glob("*.json"):
        shutil.copy(file, actor / "huggingface")
    config_file = actor / "huggingface" / "config.json"
    config_file.write_text(json.dumps(json.loads(config_file.read_text()) | {"steps_taken": step}))
    (actor.parent / "data.pt").write_bytes(b"")
    (root / TRACKER).write_text(str(step))


def take(config: dict[str, str], step: int, score) -> dict[str, float]:
    """One step: attempts, verdicts, checkpoint, dump; gives its metrics."""
    size, count = (int(config[k]) for k in ("data.train_batch_size", "actor_rollout_ref.rollout.n"))
    rows = parquet.read_table(config["data.train_files"]).to_pylist()
    made = attempts(rows[(step - 1) * size : step * size], count, step)
    given = [
        score(
            data_source=row["data_source"], solution_str=text,
            ground_truth=row["reward_model"]["ground_truth"], extra_info=row["extra_info"],
        )
        for row, text in made
    ]  # fmt: skip
    if step % int(config["trainer.save_freq"]) == 0 or step == int(
        config["trainer.total_training_steps"]
    ):
        save(config, step)
    dump = Path(config["trainer.rollout_data_dir"])
    dump.mkdir(exist_ok=True)
    with (dump / f"{step}.jsonl").open("w") as stream:
        for i, ((row, text), one) in enumerate(zip(made, given, strict=True)):
            line = {"input": row["prompt"][0]["content"], "output": text, "score": one["score"],
                    "step": step, "uid": f"{i // count}_{i % count}_0"}  # fmt: skip
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    scores = [one["score"] for one in given]
    return {
        "actor/entropy": 1.0 / step, "actor/pg_loss": 0.01 * step, "actor/grad_norm": 0.5,
        "perf/mfu/actor": 0.4, "training/global_step": step, "training/epoch": 0,
        "critic/score/mean": sum(scores) / len(scores), "critic/score/max": max(scores),
        "critic/rewards/mean": sum(scores) / len(scores), "response_length/mean": 12.0,
        "response_length/clip_ratio": 0.125, "perf/time_per_step": 2.5,
    }  # fmt: skip


def main() -> None:
    config, habits = read(sys.argv[1:]), json.loads(os.environ.get("FAKE_VERL", "{}"))
    root = Path(config["trainer.default_local_dir"])
    root.mkdir(parents=True, exist_ok=True)
    begin = int((root / TRACKER).read_text()) if (root / TRACKER).exists() else 0
    score = reward(config["reward.custom_reward_function.path"])
    with Path(config[LOG]).open("wb", buffering=0) as log:
        for step in range(begin + 1, int(config["trainer.total_training_steps"]) + 1):
            time.sleep(habits.get("sleep", 0))
            metrics = take(config, step, score)
            log.write(json.dumps({"step": step, "data": metrics}).encode() + b"\n")
            words = " - ".join([f"step:{step}", *(f"{k}:{v}" for k, v in metrics.items())])
            print(f"(TaskRunnerV1 pid={os.getpid()}) {words}", flush=True)
            if begin == 0 and step == habits.get("die_at"):
                os.kill(os.getpid(), signal.SIGKILL)
            if begin == 0 and step == habits.get("exit_at"):
                raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")


if __name__ == "__main__":
    main()
