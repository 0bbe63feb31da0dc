"""How long idle OpenMP threads should spin: seconds of a training step, alone and side by side.

    python bench/threads.py [--steps 6] [--repeats 2] [--out OUT.json]

A step is the embedded base model's own: 64 documents, forward and backward, two threads (and one,
for comparison). ``alone`` is one process, ``two`` the mean of two that run at once. Every process
is fresh, since OpenMP reads its environment when torch is loaded; its first two steps warm up.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import sidebyside as bench

WAYS = {
    "spin 2000 (ours)": {"GOMP_SPINCOUNT": "2000"},
    "default": {},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "spin 20000": {"GOMP_SPINCOUNT": "20000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
CHOSEN = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
WARM = 2


def steps(count: int) -> float:
    """Median seconds of a training step in this process."""
    from manyways.commands.pocket import PROMPTS
    from manyways.heuristics import load_pack
    from manyways.pocket.build import (
        BaseCorpus,
        BuildSettings,
        _trainer,
        build_tokenizer,
        new_model,
    )
    from manyways.pocket.corpus import every_text

    settings, pack = BuildSettings(steps=1), load_pack("pocket")
    tokenizer = build_tokenizer(every_text(pack, PROMPTS, mix=settings.mix))
    corpus, model = BaseCorpus(pack, PROMPTS, tokenizer, settings), new_model(tokenizer, settings)
    collate = _trainer(model, corpus, settings, Path("unused")).data_collator
    rows, took = list(islice(iter(corpus), settings.batch * (WARM + count))), []
    for start in range(0, len(rows), settings.batch):
        began = time.perf_counter()
        for piece in range(start, start + settings.batch, settings.micro):
            model(**collate(rows[piece : piece + settings.micro])).loss.backward()
        model.zero_grad()
        took.append(time.perf_counter() - began)
    return statistics.median(took[WARM:])


def at_once(ways: dict[str, str], processes: int, count: int) -> float:
    """Mean over processes that run together."""
    kept = {key: value for key, value in os.environ.items() if key not in CHOSEN}
    words = [sys.executable, __file__, "--child", "--steps", str(count)]
    running = [
        subprocess.Popen(words, env={**kept, **ways}, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    told = [process.communicate()[0] for process in running]
    return statistics.mean(float(text.split()[-1]) for text in told)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=bench.RESULTS / "threads.json")
    given = parser.parse_args()
    if given.child:
        print(steps(given.steps))
        return
    found: dict[str, dict[str, list[float]]] = {name: {"alone": [], "two": []} for name in WAYS}
    for turn in range(given.repeats):
        for name in WAYS if turn % 2 == 0 else reversed(WAYS):
            for key, processes in (("alone", 1), ("two", 2)):
                found[name][key].append(at_once(WAYS[name], processes, given.steps))
    for name, row in found.items():
        alone, two = (statistics.median(row[key]) for key in ("alone", "two"))
        print(f"{name:18} alone {alone:.2f} s a step, two at once {two:.2f} s each")
    bench.write(given.out, {"machine": bench.machine(), "seconds": found})


if __name__ == "__main__":
    main()
