"""Verdicts per second beside plain Math-Verify, and what hostile answers and programs cost.

    python bench/verify.py [--out runs/bench/verify.json]

Both judge the same texts in the same run: plain Math-Verify in this process, one after the other;
ours as a run does it, with two workers (started beforehand; their start is reported apart). Problem
sets are read from the folder that MANYWAYS_DATA names; what is missing there is left out.
"""

import argparse
import json
import os
import random
import resource
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "verifiers"))

from hostile import ANSWERS, ATTACKS, RIGHT  # noqa: E402

from manyways.records import Problem  # noqa: E402
from manyways.verifiers.verdicts import Verifiers  # noqa: E402

DATA = Path(os.environ.get("MANYWAYS_DATA") or "MANYWAYS_DATA-is-not-set")
PROSE = "First we add, then we multiply, and so we get "


def integers(count: int = 4000) -> list[tuple[str, str]]:
    """Answers as GSM8K's are: half right, half wrong, some with separators, units, decimals."""
    draw = random.Random(0)
    pairs = []
    for _ in range(count):
        gold = draw.choice([draw.randint(1, 200), draw.randint(1, 200), draw.randint(1000, 90000)])
        other = gold if draw.random() < 0.5 else gold + draw.randint(1, 9)
        written = draw.choice([f"{other}", f"{other}", f"{other:,}", f"{other}.00", rf"\${other}"])
        pairs.append((str(gold), written))
    return pairs


def math500() -> list[tuple[str, str]]:
    """Every reference against itself and against the next problem's."""
    path = DATA / "math500.jsonl"
    if not path.is_file():
        return []
    golds = [json.loads(line)["answer"] for line in path.open(encoding="utf-8")]
    return [*zip(golds, golds, strict=True), *zip(golds, golds[1:] + golds[:1], strict=True)]


def plainly(pairs: list[tuple[str, str]]) -> list[bool]:
    """Math-Verify as its documentation uses it, one pair after the other."""
    import math_verify

    return [
        bool(
            math_verify.verify(
                math_verify.parse(f"\\boxed{{{gold}}}"),
                math_verify.parse(f"{PROSE}\\boxed{{{answer}}}."),
            )
        )
        for gold, answer in pairs
    ]


def cases(pairs: list[tuple[str, str]]) -> list[tuple[Problem, str]]:
    """The same pairs as problems and texts."""
    return [
        (Problem(id=f"bench/verify/{i}", question="", answer=gold), f"{PROSE}\\boxed{{{answer}}}.")
        for i, (gold, answer) in enumerate(pairs)
    ]


def warm(verifiers: Verifiers) -> float:
    """Start both workers; returns the seconds that it took."""
    start = time.perf_counter()
    verifiers.verdicts(cases([(f"x+{i}", f"{i}+x") for i in range(8)]))
    plainly([("x+1", "1+x")])
    return time.perf_counter() - start


def side_by_side(name: str, pairs: list[tuple[str, str]]) -> dict[str, object]:
    """One row of the comparison, with every pair on which the two disagree.

    The two take turns of a twentieth of the pairs each, so that whatever else the machine does
    falls on both.
    """
    turn = max(len(pairs) // 20, 1)
    plain: list[bool] = []
    statuses: list[str] = []
    plain_seconds = seconds = 0.0
    with Verifiers(workers=2) as verifiers:
        started = warm(verifiers)
        for first in range(0, len(pairs), turn):
            part = pairs[first : first + turn]
            start = time.perf_counter()
            plain += plainly(part)
            middle = time.perf_counter()
            statuses += [verdict.status for verdict in verifiers.verdicts(cases(part))]
            seconds += time.perf_counter() - middle
            plain_seconds += middle - start
    differences = [
        {"gold": gold, "answer": answer, "ours": status, "math_verify": theirs}
        for (gold, answer), status, theirs in zip(pairs, statuses, plain, strict=True)
        if (status == "correct") is not theirs
    ]
    row = {
        "pairs": len(pairs),
        "math_verify_per_second": round(len(pairs) / plain_seconds, 1),
        "ours_per_second": round(len(pairs) / seconds, 1),
        "ratio": round(plain_seconds / seconds, 1),
        "workers_start_seconds": round(started, 2),
        "undecided": statuses.count("undecided"),
        "different_verdicts": differences,
    }
    print(
        f"{name}: {row['ours_per_second']:,} against {row['math_verify_per_second']:,} verdicts "
        f"per second, {row['ratio']} x; {len(differences)} of {len(pairs)} verdicts differ"
    )
    for difference in differences:
        print(f"   {difference}")
    return row


def hostile_answers(timeout: float = 2.0) -> dict[str, object]:
    """Each hostile answer against a number and an expression: seconds, verdict, memory.

    ``seconds`` are the answer's own; the start of a new worker after a kill is told apart.
    """
    rows = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Verifiers(workers=2, timeout=timeout) as verifiers:
        warm(verifiers)
        for name, answer in ANSWERS.items():
            for gold in ("12", r"\frac{x+1}{2}"):
                problem = Problem(id="bench/hostile/0", question="", answer=gold)
                start = time.perf_counter()
                ((verdict, seconds),) = verifiers.timed([(problem, f"\\boxed{{{answer}}}")])
                rows.append(
                    {
                        "answer": name,
                        "gold": gold,
                        "seconds": round(seconds, 3),
                        "with_start_of_a_worker": round(time.perf_counter() - start, 3),
                        "status": verdict.status,
                        "how": verdict.reason or verdict.rule,
                    }
                )
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    slowest = max(rows, key=lambda row: row["seconds"])
    print(
        f"hostile answers: {len(rows)} verified, none correct: "
        f"{all(row['status'] != 'correct' for row in rows)}; slowest {slowest['seconds']} s "
        f"({slowest['answer']}) under a limit of {timeout} s; "
        f"{sum(row['status'] == 'undecided' for row in rows)} undecided; "
        f"this process grew by {grown:.1f} MiB"
    )
    return {"limit_seconds": timeout, "grown_mib": round(grown, 1), "rows": rows}


def hostile_programs(timeout: float = 1.0) -> list[dict[str, object]]:
    """Each hostile program: what it tries, what stops it, and what came of it."""
    from manyways.verifiers import sandbox
    from manyways.verifiers.python_tests import verify

    if sandbox.detect().kind == "none":
        print(f"hostile programs: left out, {sandbox.detect().why}")
        return []
    rows = []
    for attack in ATTACKS:
        problem = Problem(
            id="bench/program/0",
            question="",
            answer=RIGHT,
            verifier="python_tests",
            tests=attack.tests,
            entry_point="f",
        )
        start = time.perf_counter()
        verdict = verify(problem, attack.written(port=9), timeout=timeout)
        contained = verdict.status == ("correct" if attack.correct else "wrong")
        rows.append(
            {
                "program": attack.name,
                "tries": attack.tries,
                "stopped_by": attack.stopped_by,
                "outcome": "saw and reached nothing" if attack.correct else verdict.rule,
                "seconds": round(time.perf_counter() - start, 2),
                "contained": contained,
            }
        )
        print("| {program} | {tries} | {stopped_by} | {outcome} | {seconds} |".format(**rows[-1]))
    print(
        f"hostile programs: {sum(bool(row['contained']) for row in rows)} of {len(rows)} contained"
    )
    return rows


def main() -> None:
    """Run everything and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench" / "verify.json")
    options = parser.parse_args()
    result: dict[str, object] = {"processors": os.cpu_count()}
    result["integers"] = side_by_side("integers as GSM8K's", integers())
    pairs = math500()
    if pairs:
        result["math500"] = side_by_side("MATH-500, own and other reference", pairs)
    else:
        print(f"MATH-500: left out, there is no math500.jsonl in {DATA}")
    result["hostile_answers"] = hostile_answers()
    result["hostile_programs"] = hostile_programs()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
