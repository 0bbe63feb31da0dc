"""Vendi score of very many texts, embedding included, beside the n x n kernel.

    python bench/vendi.py [--texts 114000] [--out FILE]

Texts of 3 to 8 sentences at a problem each (bench/verify_file.py makes them). Ours goes through
the d x d matrix and streams the texts; the alternative is the usual way, all cosine similarities in
an n x n matrix and its eigenvalues, on texts embedded by the same function, and only as large as
memory and patience allow. Each in a process of its own, taking turns; ratios are of processor time,
and peak memory is the process's.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
ALTERNATIVE = (1_000, 2_000, 4_000)
"""Numbers of texts that both are given."""
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=114_000)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench" / "vendi.json")
    parser.add_argument("--child", choices=list(WAYS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measured(WAYS[given.child], given.texts)))
        return
    found = {"processors": os.cpu_count(), "compared": [compared(n) for n in ALTERNATIVE]}
    found["ours"] = child("dual", given.texts)
    words = "ours, {texts:,} texts: {seconds} s, processor {processor} s, {mib} MiB, score {score}"
    print(words.format(**found["ours"]))
    found["kernel_gib"] = round(given.texts**2 * 8 / 2**30, 1)
    print(f"the kernel of {given.texts:,} texts alone: {found['kernel_gib']} GiB")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    print(f"written: {given.out}")


def compared(texts: int) -> dict[str, object]:
    """Both on the same texts, in turns."""
    pairs = [(child("kernel", texts), child("dual", texts)) for _ in range(REPEATS)]
    ratios = [float(kernel["processor"]) / float(dual["processor"]) for kernel, dual in pairs]
    kernel, dual = pairs[-1]
    row = {
        "texts": texts,
        "ratio": round(statistics.median(ratios), 2),
        "ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
        "kernel": kernel,
        "dual": dual,
        "scores_differ_by": abs(float(kernel["score"]) - float(dual["score"])),
    }
    print(
        f"{texts:,} texts: kernel / ours {row['ratio']} {row['ratio_range']}, "
        f"{kernel['mib']} against {dual['mib']} MiB, scores differ by "
        f"{row['scores_differ_by']:.1e}"
    )
    return row


def child(way: str, texts: int) -> dict[str, object]:
    """One measurement in a process of its own."""
    words = [sys.executable, __file__, "--child", way, "--texts", str(texts)]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def measured(way: Callable[[Sequence[str]], float], count: int) -> dict[str, object]:
    """Time embedding and score; texts are there before, as they are when a run is analysed."""
    from verify_file import texts

    made = [json.loads(line)["prediction"] for line in texts(count)]
    start, used = time.perf_counter(), time.process_time()
    score = way(made)
    return {
        "texts": count,
        "seconds": round(time.perf_counter() - start, 2),
        "processor": round(time.process_time() - used, 2),
        "score": score,
        "mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def dual(texts: Sequence[str]) -> float:
    """As `manyways diversity` does it."""
    from manyways.metrics.diversity import embed, vendi_scores

    return vendi_scores(texts, range(len(texts)), embed).pooled[0]


def kernel(texts: Sequence[str]) -> float:
    """By the definition: K = X X^T / n and its eigenvalues."""
    import numpy as np

    from manyways.metrics.diversity import embed

    x = embed(texts)
    values = np.linalg.eigvalsh(x @ x.T / len(x))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


WAYS = {"dual": dual, "kernel": kernel}

if __name__ == "__main__":
    main()
