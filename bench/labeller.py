"""How often the offline labeller names the heuristic of an exemplar that it has not seen.

Two ways to hold exemplars out: *by number* leaves the i-th exemplar of every heuristic out at once
(2 fits a pack); *one by one* (``--one-by-one``, a fit for every exemplar, some 10 minutes for 64
heuristics) leaves the others of all heuristics in, so that the true heuristic alone is a lesson
short. Besides: how composed texts, made of two held-out exemplars, are told from single ones.

    python bench/labeller.py [--one-by-one] [--packs polya code narrative pocket] [--out OUT.json]
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from manyways.heuristics import load_pack
from manyways.heuristics.exemplar_labeller import ExemplarLabeller
from manyways.heuristics.labelling import Guess, PromptedText
from manyways.metrics.intervals import wilson
from manyways.records import Heuristic


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packs", nargs="+", default=["polya", "code", "narrative", "pocket"])
    parser.add_argument("--one-by-one", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    results = []
    for name in arguments.packs:
        pack = load_pack(name)
        labeller = ExemplarLabeller(pack)
        results.append(row(name, "by number", len(pack), labeller.held_out()))
        if arguments.one_by_one:
            results.append(row(name, "one by one", len(pack), list(one_by_one(pack))))
        error = labeller.exemplar_error()
        print(
            f"{name:10} composed of two exemplars: found {error.found}/{error.composed}; "
            f"single ones passed {error.passed}/{error.single}",
            flush=True,
        )
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


def one_by_one(pack: Sequence[Heuristic]) -> Iterator[Guess]:
    for place, heuristic in enumerate(pack):
        for number, exemplar in enumerate(heuristic.exemplars):
            left = heuristic.exemplars[:number] + heuristic.exemplars[number + 1 :]
            seen = [*pack[:place], replace(heuristic, exemplars=left), *pack[place + 1 :]]
            test = PromptedText(
                text=exemplar.solution, heuristic=heuristic.id, problem_id=f"{place} {number}"
            )
            yield from ExemplarLabeller(seen).guesses([test])


def row(name: str, how: str, classes: int, guesses: Sequence[Guess]) -> dict[str, object]:
    n = len(guesses)
    top1 = sum(guess.heuristic == guess.ranked[0] for guess in guesses)
    top3 = sum(guess.heuristic in guess.ranked for guess in guesses)
    low, high = wilson(top1, n)
    print(
        f"{name:10} {how:10}  n {n:3}  top 1 {top1 / n:.3f} [{low:.3f}, {high:.3f}] "
        f"(chance {1 / classes:.3f})  top 3 {top3 / n:.3f} (chance {3 / classes:.3f})",
        flush=True,
    )
    return {"pack": name, "how": how, "classes": classes, "n": n, "top1": top1, "top3": top3}


if __name__ == "__main__":
    main()
