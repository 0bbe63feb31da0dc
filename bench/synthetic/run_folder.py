"""A finished-looking run folder of any size, written by the project's own writers.

The pool, the evaluations and the gate are attempts with pocket texts whose verdicts are known, as
some arithmetic is made to slip. Nothing is sampled and nothing is trained.

    python bench/synthetic/run_folder.py OUT --attempts 100000
"""

import argparse
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from manyways.fingerprint import attempt_seed
from manyways.pocket.corpus import composed_solution
from manyways.pocket.ways import SIGNS, WAYS
from manyways.pocket.world import WORLDS, Exercise, exercises
from manyways.recipe import dump_recipe
from manyways.recipe.tree import Recipe
from manyways.records import PLAIN, Attempt, Verdict
from manyways.run_dir import RunDir
from manyways.tables import append_attempts, write_text

HEURISTICS = tuple(SIGNS)
ARMS = ("vanilla", "star", "random", "heuristics-8")
SEEDS = (0, 1, 2)
BENCHMARKS = ("test", "harder")
ATTEMPTS = 8
"""Evaluation attempts per problem."""
POOL = 18 / 32
"""Share of the attempts that are the pool's, with 8 heuristics, plain prompts and 2 samples."""
PART = 2048
GATE = (16, 8)
"""Problems and attempts at each of the gate."""
STEPS = 200
"""Logged steps of mid-training and of RL."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of everything. ``problems``: of the pool; ``tests``: of each benchmark."""

    problems: int
    samples: int
    heuristics: int
    tests: int

    @property
    def pool(self) -> int:
        """Attempts of the pool."""
        return self.problems * (self.heuristics + 1) * self.samples

    @property
    def evaluated(self) -> int:
        """Attempts of all evaluations."""
        return len(checkpoints(self.heuristics)) * len(BENCHMARKS) * self.tests * ATTEMPTS

    @property
    def attempts(self) -> int:
        """Of the pool and the evaluations together."""
        return self.pool + self.evaluated


def size_of(attempts: int) -> Size:
    """About ``attempts``: a problem of the pool for every 32, 18 at each, the rest evaluated."""
    each = len(checkpoints(8)) * len(BENCHMARKS) * ATTEMPTS
    tests = max(2, round(attempts * (1 - POOL) / each))
    return Size(problems=max(2, attempts // 32), samples=2, heuristics=8, tests=tests)


def arms(heuristics: int) -> list[str]:
    """The arms of the recipe, the widest one as wide as the pack."""
    return [arm.replace("-8", f"-{heuristics}") for arm in ARMS]


def checkpoints(heuristics: int) -> list[str]:
    """Names of what is evaluated."""
    lines = [f"{arm}/seed-{seed}" for arm in arms(heuristics) for seed in SEEDS]
    trained = [f"{line}/mid" for line in lines if not line.startswith("vanilla")]
    return ["base", *trained, *(f"{line}/rl" for line in lines)]


def make(root: Path, size: Size, *, sampled: bool = True) -> None:
    """Write the run folder; the recipe and the problems alone when nothing is ``sampled``."""
    root = root.resolve()
    run = RunDir(root=root, writer=True)
    questions = root.with_suffix(".jsonl")
    pool = list(islice(exercises(WORLDS["main"], "seed"), size.problems))
    lines = (json.dumps({"question": e.question, "answer": e.answer}) for e in pool)
    write_text(questions, "".join(f"{line}\n" for line in lines))
    write_text(run.path("recipe.toml"), dump_recipe(recipe(questions, size, sampled=sampled)))
    if not sampled:
        return
    ids = [f"file/{root.name}/{i:05d}" for i in range(size.problems)]
    write(run.path("1-attempts"), pool_attempts(ids, pool, size))
    for split in BENCHMARKS:
        asked = list(islice(exercises(WORLDS["main"], split), size.tests))
        ids = [f"pocket/{split}/{i:05d}" for i in range(size.tests)]
        for name in checkpoints(size.heuristics):
            folder = run.eval_path(name, benchmark(split, size))
            write(folder, evaluation(ids, asked, skill(name), seed=name))
    put_training(run, size)


def benchmark(split: str, size: Size) -> str:
    """Its name in the recipe."""
    return f"pocket/{split}?count={size.tests}"


def recipe(problems: Path, size: Size, *, sampled: bool) -> Recipe:
    """The recipe that such a folder could come from."""
    engine = "transformers" if sampled else "synthetic.canned:Canned"
    return Recipe.model_validate(
        {
            "name": "synthetic",
            "arms": arms(size.heuristics),
            "seeds": SEEDS,
            "model": {"path": "package:manyways.pocket/base", "engine": engine},
            "prompt": {"instruction": ""},
            "heuristics": {
                "pack": "pocket", "count": size.heuristics, "shots": 1, "labeller": "pocket",
            },
            "generate": {
                "problems": f"file:{problems}", "samples": size.samples,
                "plain_samples": size.samples, "max_tokens": 160,
            },
            "midtrain": {"steps": STEPS, "learning_rate": 2e-4, "max_length": 512},
            "rl": {
                "problems": "pocket/rl", "steps": STEPS, "learning_rate": 1e-4,
                "max_tokens": 160, "group_size": GATE[1],
            },
            "evaluate": {
                "benchmarks": [benchmark(split, size) for split in BENCHMARKS],
                "attempts": ATTEMPTS, "max_tokens": 200,
            },
        }
    )  # fmt: skip


def write(folder: Path, attempts: Iterator[Attempt]) -> None:
    """In parts, as a stage would."""
    while part := list(islice(attempts, PART)):
        append_attempts(folder, part)


def pool_attempts(ids: Sequence[str], pool: Sequence[Exercise], size: Size) -> Iterator[Attempt]:
    """Plain attempts, then heuristic by heuristic, as the stage orders them."""
    draw = random.Random("pool")
    for way in (PLAIN, *HEURISTICS[: size.heuristics]):
        for problem, exercise in zip(ids, pool, strict=True):
            for sample in range(size.samples):
                followed = way if draw.random() < 0.8 else draw.choice(HEURISTICS)
                ways = [_applying(followed, part.kind) for part in exercise.parts]
                key = (problem, way, sample)
                yield attempt(key, *text_of(exercise, ways, draw, right=0.4), seed=0)


def evaluation(
    ids: Sequence[str], asked: Sequence[Exercise], right: float, *, seed: str
) -> Iterator[Attempt]:
    """Attempts in which every part may be done in a way of its own."""
    draw = random.Random(seed)
    for problem, exercise in zip(ids, asked, strict=True):
        ease = min(0.95, max(0.02, draw.gauss(right, 0.25)))
        for sample in range(ATTEMPTS):
            ways = [_applying(draw.choice((*HEURISTICS, PLAIN)), part.kind)
                    for part in exercise.parts]  # fmt: skip
            found = text_of(exercise, ways, draw, right=ease)
            yield attempt((problem, PLAIN, sample), *found, seed=0)


def skill(name: str) -> float:
    """Higher after RL, and the more so the wider the arm."""
    kind = re.split("[/-]", name, maxsplit=1)[0]
    wide = ("base", "vanilla", "star", "random", "heuristics").index(kind)
    return 0.15 + 0.04 * wide + (0.1 if name.endswith("/rl") else 0.0)


def text_of(
    exercise: Exercise, ways: Sequence[str | None], draw: random.Random, *, right: float
) -> tuple[str, Verdict]:
    """A solution with its verdict; wrong ones have a number changed and box another answer."""
    text, fate = composed_solution(exercise, ways), draw.random()
    if fate < right:
        return text, Verdict(status="correct", answer=exercise.answer, rule="boxed/text")
    body, _, _ = text.rpartition("\n")
    words = body.split(" ")
    places = [i for i, word in enumerate(words) if word.rstrip(".,").isdigit()]
    slip = draw.choice(places)
    words[slip] = f"{draw.randint(2, 999)}{words[slip].lstrip('0123456789')}"
    if fate < right + 0.04:
        return " ".join(words), Verdict(status="no_answer")
    if fate < right + 0.045:
        return " ".join(words), Verdict(status="undecided", reason="timeout")
    answer = str(draw.randint(2, 999))
    text = " ".join(words) + f"\nAnswer: \\boxed{{{answer}}}"
    return text, Verdict(status="wrong", answer=answer, rule="boxed/integer")


def attempt(key: tuple[str, str, int], text: str, verdict: Verdict, *, seed: int) -> Attempt:
    """The record."""
    return Attempt(
        problem_id=key[0],
        heuristic=key[1],
        sample=key[2],
        seed=attempt_seed(seed, *key),
        text=text,
        finish="length" if verdict.status == "no_answer" else "stop",
        prompt_tokens=90,
        tokens=len(text) // 3,
        prompt_hash="0123456789abcdef",
        model_hash="fedcba9876543210",
        verdict=verdict,
    )


def put_training(run: RunDir, size: Size) -> None:
    """Curves, gate and outcome of every line."""
    count, group = GATE
    asked = list(islice(exercises(WORLDS["main"], "rl"), count))
    ids = [f"pocket/rl/{i:05d}" for i in range(count)]
    draw = random.Random("curves")
    for arm in arms(size.heuristics):
        for seed in SEEDS:
            logs = {"5-rl": ("reward", "entropy", "composed", "length", "mixed")}
            if arm != "vanilla":
                logs["3-midtrain"] = ("loss", "entropy")
            for folder, names in logs.items():
                rows = [{"step": step, **{name: draw.random() for name in names}}
                        for step in range(1, STEPS + 1)]  # fmt: skip
                path = run.arm_path(arm, seed, folder, "metrics.jsonl")
                write_text(path, "".join(f"{json.dumps(row)}\n" for row in rows))
            found = evaluation(ids, asked, skill(f"{arm}/mid"), seed=f"gate {arm} {seed}")
            write(run.arm_path(arm, seed, "4-gate"), (a for a in found if a.sample < group))
            row = {"arm": arm, "seed": seed, "outcome": "complete"}
            write_text(run.arm_path(arm, seed, "outcome.json"), json.dumps(row))


def _applying(way: str, kind: str) -> str | None:
    return way if way in WAYS and kind in WAYS[way] else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--attempts", type=int, default=10_000)
    parser.add_argument("--size", type=json.loads, help="JSON of all four parts of a size.")
    parser.add_argument("--unsampled", action="store_true", help="Recipe and problems alone.")
    given = parser.parse_args()
    size = Size(**given.size) if given.size else size_of(given.attempts)
    make(given.out, size, sampled=not given.unsampled)
    print(json.dumps({**asdict(size), "pool": size.pool, "attempts": size.attempts}))


if __name__ == "__main__":
    main()
