"""Runs adaptive generate whole, then in another folder kills it again and again until it is done.

Prints one JSON line. A process of its own, so that it can fork before any thread exists.
"""

import contextlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import fake_engines
import sampled_runs

from manyways.stages import generate
from manyways.tables import parts, read_attempts

KILLS = 4


class SlowEngine(fake_engines.UnevenEngine):
    """Slow enough for a kill to land in the middle."""

    def by_chance(self, number, way, seed):
        time.sleep(0.002)
        return super().by_chance(number, way, seed)


def run_in_child(root: Path) -> int:
    child = os.fork()
    if child == 0:
        fake_engines.SlowEngine = SlowEngine
        settings = {
            "problems": "made_runs:load/seed?count=6", "sampling": "adaptive",
            "token_budget": 240, "part_size": 3,
        }  # fmt: skip
        ctx = sampled_runs.context(root, engine="SlowEngine", generate=settings)
        generate.run(ctx)
        ctx.close()
        os._exit(0)
    return child


def kill_soon(child: int, folder: Path, luck: random.Random) -> int:
    """Kill ``child`` once it has written 0 to 3 more parts, and a moment later."""
    wanted = len(parts(folder)) + luck.randint(0, 3)
    while len(parts(folder)) < wanted and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.001)
    time.sleep(luck.uniform(0, 0.03))
    with contextlib.suppress(ProcessLookupError, ChildProcessError):  # it may be done
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return sum(1 for _ in read_attempts(folder))


def main(root: Path) -> None:
    # Imported once, before forking.
    import pandas  # noqa: F401
    import scipy.optimize  # noqa: F401

    os.waitpid(run_in_child(root / "whole"), 0)
    luck, killed = random.Random(0), root / "killed"
    held = [kill_soon(run_in_child(killed), killed / "1-attempts", luck) for _ in range(KILLS)]
    _, code = os.waitpid(run_in_child(killed), 0)
    assert code == 0
    whole, resumed = (
        {path.name: path.read_bytes() for path in (root / name / "1-attempts").glob("[!.]*")}
        for name in ("whole", "killed")
    )
    for files in (whole, resumed):
        files.pop("engine.json")  # says how often an engine was opened
    attempts = sum(1 for _ in read_attempts(root / "whole" / "1-attempts"))
    same = whole == resumed and {"asked.parquet", "rounds.json"} < set(whole)
    print(json.dumps({"held": held, "attempts": attempts, "same": same}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
