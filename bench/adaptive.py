"""Adaptive against fixed sampling of the pool, on the embedded world.

For each seed one fixed pool of four attempts at every cell (problems x 8 heuristics and plain) is
sampled and verified, each seed with problems of its own. Both policies are replayed on it: fixed
best-of-N looks at the first N attempts of each cell, adaptive goes through its rounds, at most four
attempts a cell. The pool holds every attempt that either can ask for, so the engine must not be
opened again. What counts as accepted is what selection keeps.

Tokens are sampled ones. "With prompts" adds those of prompts: once a cell for fixed, once an
attempt for adaptive, whose rounds read a prompt anew.

    python bench/adaptive.py [--problems 30] [--seeds 1] [--first-seed 0] [--out OUT.json]
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from manyways.context import Context
from manyways.engines import Engine
from manyways.pool import adaptive as adaptively
from manyways.pool import sampling, solutions
from manyways.pool.solutions import requested_attempts
from manyways.recipe import load_recipe
from manyways.recipe.pool import GenerateConfig
from manyways.run_dir import RunDir
from manyways.stages import generate
from manyways.tables import parts, read_table

RECIPE = Path(__file__).parents[1] / "recipes" / "pocket.toml"
MOST = 4
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=30, help="of each seed")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        rows.append(measure(seed, arguments.problems))
        show(rows[-1])
    if arguments.out:
        results = {"problems": arguments.problems, "seeds": rows}
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


class Pool:
    """A run folder and the cells of one seed, each seed with problems of its own."""

    def __init__(self, root: Path, seed: int, problems: int, **changes: str | int) -> None:
        recipe = load_recipe(RECIPE)
        wanted: Row = {
            "problems": f"pocket/seed?count={problems * (seed + 1)}",
            "limit": problems * (seed + 1),
        } | changes
        section = recipe.generate.model_dump() | wanted
        recipe = recipe.model_copy(update={"generate": GenerateConfig(**section)})
        root.mkdir(parents=True, exist_ok=True)
        self.ctx = Context(recipe=recipe, run=RunDir(root=root.resolve(), writer=True))
        listed = self.ctx.problems(recipe.generate.problems, recipe.generate.limit)
        self.cells = generate.cells(self.ctx, listed[problems * seed :])
        self.how = generate.how_to_sample(self.ctx, run_seed=seed)

    def collect(self, *, closed: bool = False) -> None:
        """Sample by the recipe's policy; ``closed``: from attempts that are there already."""

        def engine() -> Engine:
            if closed:
                raise AssertionError("an attempt is missing: fixed is no superset")
            return self.ctx.engine(self.ctx.base_path)

        adaptive = self.ctx.recipe.generate.sampling == "adaptive"
        collect = adaptively.collect if adaptive else sampling.collect
        try:
            collect(self.ctx, engine=engine, cells=self.cells, sampling=self.how)
        finally:
            self.ctx.close()

    def accepted(self) -> Row:
        """Cells that selection keeps a solution of, tokens, and the adherence of what is kept."""
        table = requested_attempts(self.ctx)
        chosen = solutions.select(self.ctx, table, {})
        kept = chosen.filter(chosen["kept"])
        adherence = [v for v in kept["adherence"].to_pylist() if v is not None]
        tokens = int(np.sum(table["tokens"].to_numpy()))
        return {
            "attempts": table.num_rows,
            "tokens": tokens,
            "accepted": kept.num_rows,
            "adherence": float(np.mean(adherence)) if adherence else 0.0,
            "prompt_tokens": float(np.mean(self._prompt_tokens(table))),
            "tokens_each": tokens / max(kept.num_rows, 1),
        }

    def _prompt_tokens(self, table: pa.Table) -> list[int]:
        """Tokens of the prompt of each row: it is the same for all samples of a cell."""
        pool = [row for part in parts(self.ctx.run.path("1-attempts")) for row in rows_of(part)]
        tokens = {(problem, heuristic): count for problem, heuristic, count in pool}
        names = zip(*(table[key].to_pylist() for key in ("problem_id", "heuristic")), strict=True)
        return [tokens[name] for name in names]


def rows_of(part: Path) -> list[tuple[str, str, int]]:
    """Problem, heuristic and prompt tokens of each attempt in a file."""
    table = read_table(part)
    columns = (table[key].to_pylist() for key in ("problem_id", "heuristic", "prompt_tokens"))
    return list(zip(*columns, strict=True))


def measure(seed: int, problems: int) -> Row:
    """Both policies on the fixed pool of one seed."""
    with tempfile.TemporaryDirectory() as scratch:
        most: Row = {"samples": MOST, "plain_samples": MOST}
        whole = Pool(Path(scratch, "pool"), seed, problems, **most)
        whole.collect()

        def replayed(**changes: str | int) -> Row:
            root = Path(tempfile.mkdtemp(dir=scratch))
            shutil.copytree(whole.ctx.run.path("1-attempts"), root / "1-attempts")
            pool = Pool(root, seed, problems, **changes)
            pool.collect(closed=True)
            return pool.accepted()

        fixed = {n: replayed(samples=n, plain_samples=n) for n in range(1, MOST + 1)}
        adaptive = replayed(**most, sampling="adaptive")
    cells, best = len(whole.cells), fixed[MOST]
    read_once = best["tokens"] + cells * best["prompt_tokens"]
    read_anew = adaptive["tokens"] + adaptive["attempts"] * adaptive["prompt_tokens"]
    return {
        "seed": seed,
        "cells": cells,
        "fixed": fixed,
        "adaptive": adaptive,
        "ratio": adaptive["tokens"] / best["tokens"],
        "with_prompts": read_anew / read_once,
    }


def show(row: Row) -> None:
    print(f"seed {row['seed']}, {row['cells']} cells: accepted, tokens, tokens each, adherence")
    lines = {f"fixed best-of-{n}": one for n, one in row["fixed"].items()}
    for name, one in {**lines, f"adaptive, at most {MOST}": row["adaptive"]}.items():
        print(
            f"  {name:20} {one['accepted']:4} {one['tokens']:7} {one['tokens_each']:6.0f} "
            f"{one['adherence']:.2f}"
        )
    print(f"  tokens, adaptive / fixed best-of-{MOST}: {row['ratio']:.2f}")
    print(f"  the same with prompts: {row['with_prompts']:.2f}")


if __name__ == "__main__":
    main()
