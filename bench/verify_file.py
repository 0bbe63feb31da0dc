"""How long `manyways verify` takes over a file of GSM8K-like texts, start included.

    python bench/verify_file.py [--lines 100000]

Texts of a few sentences that end in a box, a phrase or a `####` line; half of the answers are
wrong. Processor time says what an idle machine would take: the fast path decides every answer, so
that the command is one process.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SENTENCES = (
    "First we compute {a} + {b} = {c}. ",
    "Each box holds {a} items, so {b} boxes hold {c}. ",
    "She pays ${a} for the first and ${b} for the second, ${c} in all. ",
)


def texts(lines: int) -> Iterator[str]:
    """One JSON line an answer, the same ones every time."""
    draw = random.Random(0)
    for _ in range(lines):
        gold = draw.choice([draw.randint(1, 200), draw.randint(1, 200), draw.randint(1000, 90000)])
        other = gold if draw.random() < 0.5 else gold + draw.randint(1, 9)
        body = "".join(
            draw.choice(SENTENCES).format(
                a=draw.randint(1, 99), b=draw.randint(1, 99), c=draw.randint(1, 999)
            )
            for _ in range(draw.randint(3, 8))
        )
        spelled = draw.choice(
            [f"{other}", f"{other:,}", f"{other}.00", rf"\${other}", rf"{other} \text{{ dollars}}"]
        )
        end = draw.choice(
            [
                rf"\boxed{{{spelled}}}",
                rf"The answer is $\boxed{{{spelled}}}$.",
                f"#### {other}",
                f"The answer is {other}.",
            ]
        )
        yield json.dumps({"gold": str(gold), "prediction": body + end}) + "\n"


def main() -> None:
    """Run the command once and print its own summary and what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "answers.jsonl")
        with file.open("w", encoding="utf-8") as written:  # never whole: a child's peak memory
            written.writelines(texts(options.lines))  # counts what its parent held
        command = [sys.executable, "-m", "manyways", "verify", str(file)]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--out", str(Path(folder, "verdicts.jsonl"))],
            check=True,
            capture_output=True,
            text=True,
        )
        wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print((done.stdout + done.stderr).strip())
    print(
        f"wall clock {wall:.1f} s, processor time {used.ru_utime + used.ru_stime:.1f} s, "
        f"at most {used.ru_maxrss / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
