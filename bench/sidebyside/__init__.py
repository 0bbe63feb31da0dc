"""What benches share: two or more ways side by side, taking turns on whatever machine this is."""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "docs" / "results"
Row = dict[str, Any]


def take_turns(
    ways: Mapping[str, Callable[[int], Row]], repeats: int, *, warm: bool = True
) -> dict[str, list[Row]]:
    """Call each way ``repeats`` times with 1, 2, ...; the order turns round every time.

    warm: call each once before, with 0 and unmeasured.
    """
    names = list(ways)
    for name in names if warm else []:
        ways[name](0)
    rows: dict[str, list[Row]] = {name: [] for name in names}
    for turn in range(1, repeats + 1):
        for name in names if turn % 2 else names[::-1]:
            rows[name].append(ways[name](turn))
    return rows


def timed(work: Callable[[], Row]) -> Row:
    start, used = time.perf_counter(), time.process_time()
    row = work()
    return {
        **row,
        "seconds": time.perf_counter() - start,
        "processor": time.process_time() - used,
    }


def ratios(rows: Mapping[str, list[Row]], key: str, *, ours: str = "ours") -> dict[str, Row]:
    """For each other way, ``other / ours`` of ``key``, turn by turn: median, least and most."""
    found = {}
    for name, theirs in rows.items():
        if name != ours:
            each = [b[key] / a[key] for a, b in zip(rows[ours], theirs, strict=True)]
            found[name] = {
                "median": statistics.median(each),
                "least": min(each),
                "most": max(each),
                "each": each,
            }
    return found


def median(rows: list[Row], key: str) -> float:
    return float(statistics.median(row[key] for row in rows))


def spread(ratio: Row) -> str:
    return f"{ratio['median']:.2f} x [{ratio['least']:.2f}, {ratio['most']:.2f}]"


def parser(doc: str | None, name: str, repeats: int) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    made.add_argument("--repeats", type=int, default=repeats)
    made.add_argument("--threads", type=int, default=0, help="torch threads; 0: as it comes")
    made.add_argument("--out", type=Path, default=RESULTS / f"{name}.json")
    return made


def machine() -> Row:
    """What a reader has to know beside figures that are not ratios."""
    import torch
    import transformers
    import trl

    model = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "processor": model[0].partition(":")[2].strip() if model else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": [round(x, 1) for x in os.getloadavg()],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "trl": trl.__version__,
    }


def write(path: Path, results: Row) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, default=float) + "\n")
    print(f"written: {path}")
