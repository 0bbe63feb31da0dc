"""Adaptive against fixed sampling of the pool, on the embedded world.

For each seed one fixed pool of 8 attempts at every cell (problems x 8 heuristics and plain) is
sampled and judged. It holds every attempt that either policy can ask for, so both are replayed on
it: fixed best-of-N looks at the first N attempts of each cell, adaptive goes through its rounds
with an engine that must not be opened. What counts as accepted is what selection keeps.

A smaller pool is then sampled for real in both ways, timed, and compared with its replay.

Three ways to spend:

fixed     best-of-N, N = 1 ... 8
stopping  adaptive without a budget, at most N attempts a cell: as many solutions as best-of-N
budgeted  adaptive with a token budget, at most 8 attempts a cell; the budget is what best-of-4
          costs, and the rounds say how many cells were accepted by when

Equal coverage is as many accepted cells, not the same cells. The price of a round in which coverage
is passed is shared out evenly over its newly accepted cells.

    python bench/adaptive.py [--problems 60] [--seeds 3] [--pools FOLDER] [--out OUT.json]

``--pools`` keeps the sampled pools; what is there already is not sampled again.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from manyways.engines import Engine
from manyways.recipe.file import load_recipe
from manyways.recipe.tree import GenerateConfig
from manyways.run_dir import RunDir
from manyways.stages import generate, rounds, sampling, selection
from manyways.stages.context import Context
from manyways.stages.wanted import wanted_attempts
from manyways.tables import read_attempts

RECIPE = Path(__file__).parents[1] / "recipes" / "pocket.toml"
SAMPLES, BASELINE, TARGET = 8, 4, 0.6
REAL_PROBLEMS = 15
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pools", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pools = arguments.pools or Path(scratch)
        seeds = [measure(pools, seed, arguments.problems) for seed in range(arguments.seeds)]
        real = end_to_end(Path(scratch))
    results = {"problems": arguments.problems, "samples": SAMPLES, "seeds": seeds, "real": real}
    show(results)
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


class Pool:
    """A run folder and the cells of one seed, each seed with problems of its own."""

    def __init__(self, root: Path, seed: int, problems: int, **changes: str | int | None) -> None:
        recipe = load_recipe(RECIPE)
        wanted: Row = {
            "limit": problems * (seed + 1),
            "samples": SAMPLES,
            "plain_samples": SAMPLES,
        } | changes
        section = recipe.generate.model_dump() | wanted
        recipe = recipe.model_copy(update={"generate": GenerateConfig(**section)})
        root.mkdir(parents=True, exist_ok=True)
        self.ctx = Context(recipe=recipe, run=RunDir(root=root.resolve(), writer=True))
        listed = self.ctx.problems(recipe.generate.problems, recipe.generate.limit)
        self.cells = generate.cells(self.ctx, listed[problems * seed :])
        self.how = generate.how_to_sample(self.ctx, run_seed=seed)

    def collect(self, *, closed: bool = False) -> dict[str, float]:
        """Sample by the recipe's policy; ``closed``: from attempts that are there already."""

        def engine() -> Engine:
            if closed:
                raise AssertionError("an attempt is missing: fixed is no superset")
            return self.ctx.engine(self.ctx.base_path)

        adaptive = self.ctx.recipe.generate.sampling == "adaptive"
        collect = rounds.collect if adaptive else sampling.collect
        try:
            return collect(self.ctx, engine=engine, cells=self.cells, sampling=self.how)
        finally:
            self.ctx.close()

    def accepted(self) -> dict[str, float]:
        """Cells that selection keeps a solution of, tokens, and the adherence of what is kept."""
        table = wanted_attempts(self.ctx)
        chosen = selection.select(self.ctx, table)
        kept = chosen.filter(chosen["kept"])
        adherence = [v for v in kept["adherence"].to_pylist() if v is not None]
        return {
            "attempts": table.num_rows,
            "tokens": int(np.sum(table["tokens"].to_numpy())),
            "accepted": kept.num_rows,
            "adherence": float(np.mean(adherence)) if adherence else 0.0,
        }


def measure(pools: Path, seed: int, problems: int) -> Row:
    """Every way to spend, on the fixed pool of one seed."""
    whole = Pool(pools / f"seed-{seed}", seed, problems)
    whole.collect()

    def replayed(**changes: str | int | None) -> Row:
        with tempfile.TemporaryDirectory() as folder:
            source, root = whole.ctx.run.path("1-attempts"), Path(folder)
            shutil.copytree(source, root / "1-attempts")
            pool = Pool(root, seed, problems, **changes)
            pool.collect(closed=True)
            row = pool.accepted()
            listed = root / "1-attempts" / rounds.FILE
            history = json.loads(listed.read_text()) if listed.is_file() else []
            return {**row, "rounds": history}

    fixed = {n: replayed(samples=n, plain_samples=n) for n in range(1, SAMPLES + 1)}
    stopping = {
        n: replayed(samples=n, plain_samples=n, sampling="adaptive") for n in (BASELINE, SAMPLES)
    }
    budget = int(fixed[BASELINE]["tokens"])
    budgeted = replayed(sampling="adaptive", token_budget=budget)
    return {
        "seed": seed,
        "cells": len(whole.cells),
        "fixed": {n: _short(row) for n, row in fixed.items()},
        "stopping": {n: _short(row) for n, row in stopping.items()},
        "budgeted": _short(budgeted),
        "rounds": budgeted["rounds"],
        "stopping_ratio": stopping[BASELINE]["tokens"] / budget,
        "ratios": {
            n: ratio(budgeted["rounds"], int(row["accepted"]), int(row["tokens"]))
            for n, row in fixed.items()
            if n <= BASELINE
        },
        "target_coverage": reached(budgeted["rounds"], TARGET * budget)
        / fixed[BASELINE]["accepted"],
        "more_at_equal_tokens": budgeted["accepted"] / fixed[BASELINE]["accepted"],
    }


def _short(row: Row) -> Row:
    each = row["tokens"] / max(row["accepted"], 1)
    return {key: value for key, value in row.items() if key != "rounds"} | {"tokens_each": each}


def ratio(history: list[Row], accepted: int, tokens: int) -> float | None:
    """Tokens until ``accepted`` cells were, over ``tokens``; None when it never came to that."""
    spent, have = _path(history)
    return float(np.interp(accepted, have, spent)) / tokens if have[-1] >= accepted else None


def reached(history: list[Row], tokens: float) -> float:
    """Accepted cells once ``tokens`` were spent."""
    spent, have = _path(history)
    return float(np.interp(tokens, spent, have))


def _path(history: list[Row]) -> tuple[list[int], list[int]]:
    most = np.maximum.accumulate([0, *(row["accepted"] for row in history)])
    return [0, *(row["tokens"] for row in history)], [int(n) for n in most]


def end_to_end(scratch: Path) -> Row:
    """A small pool sampled for real in both ways, against each other and against the replay."""
    rows: Row = {"problems": REAL_PROBLEMS}
    texts: dict[str, dict[tuple[str, str, int], str]] = {}
    least: Row = {"samples": BASELINE, "plain_samples": BASELINE}
    for name in ("fixed", "stopping", "budgeted"):
        changes: Row = {} if name == "fixed" else {"sampling": "adaptive"}
        if name == "budgeted":
            changes["token_budget"] = int(TARGET * rows["fixed"]["tokens"])
        pool = Pool(scratch / name, 0, REAL_PROBLEMS, **least, **changes)
        start = time.monotonic()
        pool.collect()
        seconds = time.monotonic() - start
        rows[name] = _short(pool.accepted()) | {"seconds": round(seconds, 1)}
        folder = pool.ctx.run.path("1-attempts")
        found = {(a.problem_id, a.heuristic, a.sample): a.text for a in read_attempts(folder)}
        texts[name] = found
        if name != "fixed":
            same = sum(text == texts["fixed"][key] for key, text in found.items())
            rows[name] |= {"same_texts": same}
            rows[name]["as_replayed"] = replay(scratch, name, pool.ctx) == set(found)
    return rows


def replay(scratch: Path, name: str, real: Context) -> set[tuple[str, str, int]]:
    """The attempts that the policy of ``real`` asks for on the fixed pool."""
    root = scratch / f"{name}-replayed"
    shutil.copytree(scratch / "fixed" / "1-attempts", root / "1-attempts")
    settings = real.recipe.generate.model_dump(
        include={"samples", "plain_samples", "sampling", "token_budget"}
    )
    pool = Pool(root, 0, REAL_PROBLEMS, **settings)
    pool.collect(closed=True)
    table = wanted_attempts(pool.ctx)
    return set(
        zip(*(table[key].to_pylist() for key in ("problem_id", "heuristic", "sample")), strict=True)
    )


def show(results: Row) -> None:
    for row in results["seeds"]:
        print(f"seed {row['seed']}, {row['cells']} cells: accepted, tokens, tokens each, adherence")
        lines = {f"fixed best-of-{n}": one for n, one in row["fixed"].items()}
        lines |= {f"stopping, at most {n}": one for n, one in row["stopping"].items()}
        lines["budgeted"] = row["budgeted"]
        for name, one in lines.items():
            print(
                f"  {name:20} {one['accepted']:4} {one['tokens']:7} {one['tokens_each']:6.0f} "
                f"{one['adherence']:.2f}"
            )
        ratios = ", ".join(
            f"best-of-{n} {'not reached' if r is None else format(r, '.2f')}"
            for n, r in row["ratios"].items()
        )
        print(f"  tokens at equal coverage, budgeted / fixed: {ratios}")
        print(f"  the same, stopping / fixed best-of-{BASELINE}: {row['stopping_ratio']:.2f}")
        print(
            f"  accepted / best-of-{BASELINE}'s: {row['target_coverage']:.2f} at {TARGET} of its "
            f"tokens, {row['more_at_equal_tokens']:.2f} at all of them"
        )
    print(f"sampled for real, {results['real']['problems']} problems:")
    for name in ("fixed", "stopping", "budgeted"):
        print(f"  {name:9} {results['real'][name]}")


if __name__ == "__main__":
    main()
