"""How often is one reference taken for another one of the same set?

    python tests/verifiers/acceptance.py --pairs 100000

Draws pairs of references of one set that are spelled differently, half of them neighbours in
alphabetical order, and judges one against the other in five output forms. Prints every pair that
is called equal, to be looked at. Sets come from the folder that MANYWAYS_DATA names.
"""

import argparse
import os
import random
from collections.abc import Iterator
from pathlib import Path

from manyways.problems import load_set
from manyways.records import Problem
from manyways.verifiers.answers.spelling import squeeze, tidy
from manyways.verifiers.verdicts import Verifiers

DATA = Path(os.environ.get("MANYWAYS_DATA") or "MANYWAYS_DATA-is-not-set")
SETS = (
    "math/train", "math500/test", "olympiadbench/test", "minerva/test", "gsm8k/test",
    "dapo-math-17k/train?lang=all",
)  # fmt: skip
FORMS = (r"So \boxed{%s}.", "The answer is $%s$.", "%s", "We add.\n#### %s", "Answer: %s")
BATCH = 500


def pairs(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """(reference, another reference of its set), spelled differently."""
    draw = random.Random(seed)
    for name in SETS:
        answers = {
            squeeze(tidy(p.answer)): p.answer for p in load_set(name, data_dir=DATA).problems
        }
        ordered = [answers[key] for key in sorted(answers)]
        for i in range(count // len(SETS) + 1):
            place = draw.randrange(len(ordered))
            step = draw.randint(1, 3) if i % 2 else draw.randint(1, len(ordered) - 1)
            yield ordered[place], ordered[(place + step) % len(ordered)]


def called_equal(count: int, *, seed: int = 0) -> list[tuple[str, str, str, str]]:
    """(reference, other, form, rule) of every pair that is judged correct."""
    drawn = list(pairs(count, seed))
    found = []
    with Verifiers(workers=1, timeout=5, policy="lenient") as judge:
        for start in range(0, len(drawn), BATCH):
            asked = [
                (
                    Problem(id="accept/pair/0", question="", answer=gold),
                    form % other,
                    (gold, other, form),
                )
                for gold, other in drawn[start : start + BATCH]
                for form in FORMS
            ]
            verdicts = judge.verdicts([(problem, text) for problem, text, _ in asked])
            found += [
                (*what, verdict.rule)
                for (_, _, what), verdict in zip(asked, verdicts, strict=True)
                if verdict.status == "correct"
            ]
    return found


def main() -> None:
    """Print the pairs that are called equal."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    found = called_equal(given.pairs, seed=given.seed)
    for gold, other in dict.fromkeys((gold, other) for gold, other, _, _ in found):
        forms = [f"{form!r} by {rule}" for g, o, form, rule in found if (g, o) == (gold, other)]
        print(f"{gold!r}  {other!r}  {'; '.join(forms)}")
    print(f"{len(found)} of {given.pairs * len(FORMS)} answers called equal")


if __name__ == "__main__":
    main()
