"""How time and memory of every stage grow with attempts, problems, heuristics and workers.

    python bench/scale.py [--sizes 1000,10000,100000] [--full] [--axes] [--out FILE]

Each stage is the user's own command (`manyways select RUN` and so on) in a process of its own,
start of Python included. The run folder is synthetic (bench/synthetic/run_folder.py): pocket texts
with known verdicts, 8 heuristics, 4 arms, 3 seeds, 22 evaluated checkpoints on 2 benchmarks, 2,000
bootstrap resamples. `generate` is timed on a folder of its own whose engine has its texts ready
(bench/synthetic/canned.py): everything that the stage does beside sampling, verification included.

--full adds a million attempts. --axes varies problems, heuristics and workers at 100,000 attempts.
Exponents are slopes of log time over log attempts between the two largest sizes, the time of the
smallest size, which is start-up, taken off both.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SYNTHETIC = ROOT / "bench" / "synthetic" / "run_folder.py"
SIZES = (1_000, 10_000, 100_000)
FULL = 1_000_000
STAGES = ("generate", "select", "analyse", "report")
PARTS = {"problems": (300, 1_000, 3_125, 6_250), "heuristics": (1, 2, 4, 8)}
"""Axis -> values of one part of the size of 100,000 attempts."""
WORKERS = (1, 2)
ANSWERS = 2_000


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one process took. ``mib``: its peak memory."""

    seconds: float
    processor: float
    mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--axes", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench" / "scale.json")
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")] + [FULL] * given.full
    found: dict[str, object] = {"processors": os.cpu_count(), "attempts": []}
    for size in sizes:
        row = measured(["--attempts", str(size)])
        found["attempts"].append(row)  # type: ignore[union-attr]
        print_row(f"{row['attempts']:,} attempts", row)
    found["exponents"] = exponents(found["attempts"])  # type: ignore[arg-type]
    print(f"exponents between the two largest: {json.dumps(found['exponents'])}")
    if given.axes:
        for axis, values in PARTS.items():
            found[axis] = [along(axis, value) for value in values]
        found["workers"] = [with_workers(count) for count in WORKERS]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"written: {given.out}")


def measured(size: list[str], stages: tuple[str, ...] = STAGES) -> dict[str, object]:
    """Make a run folder and time each stage on it."""
    with tempfile.TemporaryDirectory(prefix="manyways-scale-") as folder:
        roots = {"generate": Path(folder, "asked"), "": Path(folder, "pool")}
        row: dict[str, object] = {}
        for kind, root in roots.items():
            words = [sys.executable, str(SYNTHETIC), str(root), *size]
            made = run([*words, *(["--unsampled"] if kind else [])])[1]
            row = json.loads(made)
        for stage in stages:
            root = roots.get(stage, roots[""])
            row[stage] = asdict(run([sys.executable, "-m", "manyways", stage, str(root)])[0])
        row["page_bytes"] = (roots[""] / "report.html").stat().st_size
    return row


def along(axis: str, value: int) -> dict[str, object]:
    """One point of an axis: 100,000 attempts with one part of the size changed.

    More problems have fewer samples each, so that attempts stay equal; fewer heuristics are fewer
    attempts.
    """
    size = {"problems": 3_125, "samples": 2, "heuristics": 8, "tests": 124, axis: value}
    if axis == "problems":
        size["samples"] = max(1, round(3_125 * 2 / value))
    row = measured(["--size", json.dumps(size)])
    print_row(f"{value:,} {axis}, {row['attempts']:,} attempts", row)
    return {axis: value, **row}


def with_workers(count: int) -> dict[str, object]:
    """`manyways verify` on answers that only algebra can decide, which is what workers are for."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "answers.jsonl")
        lines = ({"gold": f"(x+{i})^2", "prediction": rf"\boxed{{x^2+{2 * i}x+{i * i}}}"}
                 for i in range(1, ANSWERS + 1))  # fmt: skip
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        words = [sys.executable, "-m", "manyways", "verify", str(file)]
        cost, _ = run([*words, "--workers", str(count), "--out", str(Path(folder, "verdicts"))])
    print(f"{count} workers: {cost.seconds:.1f} s for {ANSWERS:,} answers")
    return {"workers": count, "answers": ANSWERS, "verify": asdict(cost)}


def run(command: list[str]) -> tuple[Cost, str]:
    """Run to the end; its cost and what it printed.

    This process stays small, because a child's peak memory counts what its parent held.
    """
    paths = [str(ROOT / "src"), str(ROOT / "bench"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=printed, stderr=said, env=environment)
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if child.returncode:
            raise SystemExit(f"{' '.join(command)}: {said.read()}")
        printed.seek(0)
        cost = Cost(
            seconds=round(seconds, 2),
            processor=round(used.ru_utime + used.ru_stime, 2),
            mib=round(used.ru_maxrss / 1024),
        )
        return cost, printed.read()


def exponents(rows: list[dict[str, object]]) -> dict[str, float]:
    """Stage -> slope of processor time over attempts, log-log."""
    if len(rows) < 3:
        return {}
    first, *_, low, high = rows
    slopes = {}
    for stage in STAGES:
        start, below, above = (row[stage]["processor"] for row in (first, low, high))  # type: ignore[index]
        work = max(above - start, 0.01) / max(below - start, 0.01)
        slopes[stage] = round(math.log(work) / math.log(high["attempts"] / low["attempts"]), 2)  # type: ignore[operator]
    return slopes


def print_row(what: str, row: dict[str, object]) -> None:
    """One line."""
    costs = {stage: Cost(**row[stage]) for stage in STAGES}  # type: ignore[arg-type]
    words = (
        f"{s} {c.seconds:.1f} s ({c.processor:.1f} s cpu, {c.mib} MiB)" for s, c in costs.items()
    )
    print(f"{what}: {'; '.join(words)}; page {row['page_bytes'] / 1e6:.1f} MB", flush=True)  # type: ignore[operator]


if __name__ == "__main__":
    main()
