"""Runs generate whole, then in another folder kills it again and again until it is done.

Prints one JSON line. A process of its own, so that it can fork before any thread exists.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import made_runs
from tiny_models import build_llama

from manyways.stages import generate
from manyways.tables import parts, read_attempts

KILLS = 6


def context(root: Path, model: Path):
    return made_runs.context(
        root,
        pack=("a", "b"),
        model={"path": str(model)},
        evaluate={"benchmarks": ["made_runs:load/test"]},
        generate={
            "problems": "made_runs:load/seed?count=5", "samples": 6, "plain_samples": 4,
            "max_tokens": 30, "part_size": 4,
        },
    )  # fmt: skip


def run_in_child(root: Path, model: Path) -> int:
    child = os.fork()
    if child == 0:
        generate.run(context(root, model))
        os._exit(0)
    return child


def kill_soon(child: int, folder: Path, luck: random.Random) -> int:
    """Kill ``child`` once it has written 0, 1 or 2 more parts, and a moment later."""
    wanted = len(parts(folder)) + luck.randint(0, 2)
    while len(parts(folder)) < wanted:
        time.sleep(0.001)
    time.sleep(luck.uniform(0, 0.1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return sum(1 for _ in read_attempts(folder))


def main(folder: Path) -> None:
    # Imported once, before forking.
    import pandas  # noqa: F401

    import manyways.engines.transformers  # noqa: F401

    model = build_llama(folder / "model", eos_bias=0.7)
    os.waitpid(run_in_child(folder / "whole", model), 0)
    luck, killed = random.Random(0), folder / "killed"
    held = [
        kill_soon(run_in_child(killed, model), killed / "1-attempts", luck) for _ in range(KILLS)
    ]
    _, code = os.waitpid(run_in_child(killed, model), 0)
    assert code == 0
    whole = list(read_attempts(folder / "whole" / "1-attempts"))
    resumed = list(read_attempts(killed / "1-attempts"))
    files = [
        [p.read_bytes() for p in parts(folder / r / "1-attempts")] for r in ("whole", "killed")
    ]
    same = whole == resumed and files[0] == files[1]
    print(json.dumps({"kills": KILLS, "held": held, "attempts": len(whole), "same": same}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
