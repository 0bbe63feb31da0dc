"""Both trainings of the smoke recipe: in one process, in two, and in two with kills on the way.

Prints a table of the curves, then one JSON line.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import psutil
from waiting import eventually

from manyways.tables import read_attempts, read_rl_attempts

RECIPE = Path(__file__).parents[2] / "recipes" / "smoke.toml"
HOLDING = Path(__file__).parents[1] / "holding"
SET = [
    'arms=["heuristics-2"]',
    "midtrain.save_every=1",
    "rl.group_size=16",
    "rl.prompts_per_step=8",
    "rl.evaluate_every=2",
    "rl.evaluate_limit=4",
    "rl.evaluate_attempts=2",
    'rl.keep="all"',
]
FOLDERS = {"midtrain": "3-midtrain", "rl": "5-rl"}


def manyways(*words: str, wait: bool = True, hold: str = "") -> subprocess.Popen[bytes]:
    """Start a command. hold: pattern of the file that its processes write and then stand still."""
    paths = os.pathsep.join([str(HOLDING), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": paths, "HOLD_AT": hold} if hold else None
    command = [sys.executable, "-m", "manyways", *words]
    process = subprocess.Popen(command, stdout=sys.stderr, env=env)
    if wait and process.wait() != 0:
        raise SystemExit(f"{words} ended with {process.returncode}")
    return process


def line(root: Path, stage: str) -> Path:
    return root / "arms" / "heuristics-2" / "seed-0" / FOLDERS[stage]


def outcome(root: Path, stage: str) -> dict[str, object]:
    rows = [json.loads(x) for x in (line(root, stage) / "metrics.jsonl").read_text().splitlines()]
    weights = (line(root, stage) / "checkpoint" / "model.safetensors").read_bytes()
    return {
        "rows": [{k: v for k, v in row.items() if k != "seconds"} for row in rows],
        "weights": hashlib.sha256(weights).hexdigest(),
        "attempts": [asdict(row) for row in read_rl_attempts(line(root, stage) / "attempts")],
        "on the way": {
            step.name: [one.text for one in read_attempts(next(step.iterdir()))]
            for step in sorted(root.glob("6-eval/*/seed-0/rl@*"))
            if stage == "rl"
        },
        "steps": sorted(step.name for step in line(root, stage).glob("steps/*")),
    }


def processes(root: Path) -> list[psutil.Process]:
    """All that train in ``root``, and what launched them."""
    every = psutil.process_iter(["cmdline"])
    return [p for p in every if {"line-stage", str(root)} <= {*(p.info["cmdline"] or ())}]


def rank(root: Path, number: int) -> psutil.Process:
    """One of the processes that train in ``root``."""
    launcher = "accelerate.commands.launch"
    trains = [p for p in processes(root) if launcher not in p.info["cmdline"]]
    [found] = [p for p in trains if p.environ()["RANK"] == str(number)]
    return found


def kill_in_training(root: Path, stage: str, whom: str) -> int:
    """Start a training, SIGKILL ``rank`` 1 or the ``parent`` between its first two checkpoints."""
    process = manyways(stage, str(root), wait=False, hold="*/trainer/checkpoint-2/complete")
    while not list((line(root, stage) / "trainer").glob("checkpoint-1/complete")):
        if process.poll() is not None:
            raise SystemExit(f"{stage} ended with {process.returncode} before it was killed")
        time.sleep(0.05)
    os.kill(process.pid if whom == "parent" else rank(root, 1).pid, signal.SIGKILL)
    return process.wait()


def main(folder: Path) -> None:
    start = folder / "start"
    overrides = [word for one in SET for word in ("--set", one)]
    manyways("run", str(RECIPE), "--out", str(start), *overrides, "--until", "select")
    one, two, killed = (folder / name for name in ("one", "two", "killed"))
    for root in (one, two, killed):
        shutil.copytree(start, root)
    for root in (two, killed):
        with (root / "recipe.toml").open("a") as stream:
            stream.write("\n[launch]\nprocesses = 2\n")
    for root in (one, two):
        for stage in FOLDERS:
            manyways(stage, str(root))
    codes = {"rank": kill_in_training(killed, "midtrain", "rank")}
    manyways("midtrain", str(killed))
    codes["parent"] = kill_in_training(killed, "rl", "parent")
    eventually(lambda: not processes(killed))
    left = [process.pid for process in processes(killed)]
    manyways("rl", str(killed))
    found = {
        root.name: {stage: outcome(root, stage) for stage in FOLDERS} for root in (one, two, killed)
    }
    print("stage     step  one: loss  reward   two: loss  reward")
    for stage in FOLDERS:
        for a, b in zip(found["one"][stage]["rows"], found["two"][stage]["rows"], strict=True):
            values = [f"{x.get(k, float('nan')):9.6f}" for x in (a, b) for k in ("loss", "reward")]
            print(f"{stage:9} {a['step']:4}  " + " ".join(values))
    print(json.dumps({**found, "codes": codes, "left_over": left}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
