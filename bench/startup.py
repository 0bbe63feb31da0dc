"""How long a user waits before anything happens: import, help, resume of a finished run.

    python bench/startup.py [--run FOLDER] [--repeats 7] [--out FILE]

Every command in turn with an empty `python -c pass`, which is the floor. Medians and ranges of wall
clock and of processor time, the floor included. Without --run the smoke recipe is run once to
runs/bench/smoke, and finished work is what is resumed.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SMOKE = ROOT / "recipes" / "smoke.toml"
LIMITS = {"import manyways": 0.3, "manyways --help": 0.5, "resume of a finished run": 3.0}
"""Seconds that are aimed at."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=ROOT / "runs" / "bench" / "smoke")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench" / "startup.json")
    given = parser.parse_args()
    python = [sys.executable]
    cli = [*python, "-m", "manyways"]
    resume = [*cli, "run", str(given.run if given.run.exists() else SMOKE), "--out", str(given.run)]
    timed(resume)  # finishes the run, and warms the disk's cache
    commands = {
        "python -c pass": [*python, "-c", "pass"],
        "import manyways": [*python, "-c", "import manyways"],
        "manyways --help": [*cli, "--help"],
        "resume of a finished run": resume,
    }
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(given.repeats):
        for name, command in commands.items():
            samples[name].append(timed(command))
    rows = {name: summary(found) for name, found in samples.items()}
    for name, row in rows.items():
        limit = f", aim {LIMITS[name]} s" if name in LIMITS else ""
        print(f"{name}: {row['seconds']} s {row['range']}, processor {row['processor']} s{limit}")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    result = {"processors": os.cpu_count(), "repeats": given.repeats, "commands": rows}
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written: {given.out}")


def timed(command: list[str]) -> tuple[float, float]:
    """Wall clock and processor seconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def summary(found: list[tuple[float, float]]) -> dict[str, object]:
    walls, processors = zip(*found, strict=True)
    return {
        "seconds": round(statistics.median(walls), 3),
        "range": [round(min(walls), 3), round(max(walls), 3)],
        "processor": round(statistics.median(processors), 3),
    }


if __name__ == "__main__":
    main()
