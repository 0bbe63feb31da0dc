"""Adaptive against fixed sampling of the pool, on the embedded world.

For each seed one fixed pool of ``--depth`` attempts at every cell (problems x 8 heuristics and
plain) is sampled and judged, each seed with problems of its own. Both policies are replayed on it:
fixed best-of-N looks at the first N attempts of each cell, adaptive goes through its rounds. With
a depth of 8 the pool holds every attempt that either can ask for, and the engine must not be opened
again; with 4, adaptive samples what it wants beyond. What counts as accepted is what selection
keeps.

Ways to spend:

fixed     best-of-N
stopping  adaptive without a budget, at most N attempts a cell: as many solutions as best-of-N
budgeted  adaptive with a token budget, at most 8 attempts a cell; the budget is what best-of-4
          costs (0.75 of it with a depth of 4), the rounds say how many cells were accepted by when
no texts, shuffled texts   budgeted, without or with the wrong questions for the model of chances
          (with a depth of 8)
told      only the attempts at cells that best-of-4 gets accepted, up to their first success: less
          than any policy that does not know the future can spend

Equal coverage is as many accepted cells, not the same cells. The price of a round in which coverage
is passed is shared out evenly over its newly accepted cells. Tokens are sampled ones. "With
prompts" adds those of prompts: once a cell for fixed, once an attempt for adaptive, whose rounds
read a prompt anew.

    python bench/adaptive.py [--full] [--pools FOLDER] [--out OUT.json]
    python bench/adaptive.py --fits     # only what a refit of the model of chances costs

Quick, a minute or two: 30 problems, one seed, depth 4. ``--full``: 60 problems, three seeds, depth
8, and a smaller pool sampled for real in all ways, timed, and compared with its replay.
``--problems``, ``--seeds``, ``--first-seed`` and ``--depth`` override these. ``--pools`` keeps the
sampled pools; what is there already is not sampled again.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from manyways.context import Context
from manyways.engines import Engine
from manyways.metrics.acceptance import fit_prior
from manyways.pool import sampling
from manyways.pool.scope import COLUMNS, wanted_attempts
from manyways.recipe.file import load_recipe
from manyways.recipe.pool import GenerateConfig
from manyways.records import Problem
from manyways.run_dir import RunDir
from manyways.stages import generate, rounds, selection
from manyways.tables import read_attempts

RECIPE = Path(__file__).parents[1] / "recipes" / "pocket.toml"
SAMPLES, BASELINE, TARGET = 8, 4, 0.6
SHALLOW = 0.75
"""Of best-of-4's tokens: enough to pass its coverage, with little to sample beyond the pool."""
REAL_PROBLEMS = 15
Row = dict[str, Any]


def main() -> None:
    arguments = parsed()
    if arguments.fits:
        time_fits()
        return
    first, depth = arguments.first_seed, arguments.depth
    real = None
    with tempfile.TemporaryDirectory() as scratch:
        pools = arguments.pools or Path(scratch)
        seeds = []
        for seed in range(first, first + arguments.seeds):
            seeds.append(measure(pools, seed, arguments.problems, depth))
            show_seed(seeds[-1])
        if arguments.full:
            real = end_to_end(Path(scratch))
    results = {"problems": arguments.problems, "samples": SAMPLES, "seeds": seeds, "real": real}
    if real is not None:
        print(f"sampled for real, {real['problems']} problems:")
        for name in ("fixed", "stopping", "budgeted"):
            print(f"  {name:9} {real[name]}")
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="everything; many minutes")
    parser.add_argument("--fits", action="store_true", help="only time refits")
    parser.add_argument("--problems", type=int, help="of each seed; default: 30, with --full 60")
    parser.add_argument("--seeds", type=int, help="default: 1, with --full 3")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--depth", type=int, choices=(BASELINE, SAMPLES))
    parser.add_argument("--pools", type=Path)
    parser.add_argument("--out", type=Path)
    found = parser.parse_args()
    found.problems = found.problems or (60 if found.full else 30)
    found.seeds = found.seeds or (3 if found.full else 1)
    found.depth = found.depth or (SAMPLES if found.full else BASELINE)
    return found


class Pool:
    """A run folder and the cells of one seed, each seed with problems of its own."""

    def __init__(
        self, root: Path, seed: int, problems: int, texts: str = "own", **changes: str | int | None
    ) -> None:
        recipe = load_recipe(RECIPE)
        wanted: Row = {
            "problems": f"pocket/seed?count={problems * (seed + 1)}",
            "limit": problems * (seed + 1),
            "samples": SAMPLES,
            "plain_samples": SAMPLES,
        } | changes
        section = recipe.generate.model_dump() | wanted
        recipe = recipe.model_copy(update={"generate": GenerateConfig(**section)})
        root.mkdir(parents=True, exist_ok=True)
        self.ctx = Context(recipe=recipe, run=RunDir(root=root.resolve(), writer=True))
        listed = self.ctx.problems(recipe.generate.problems, recipe.generate.limit)
        mine = listed[problems * seed :]
        seen = dict(zip([problem.id for problem in mine], questions(mine, texts), strict=True))
        # Prompts stay what they are: only the model of chances reads a cell's question.
        self.cells = [
            replace(cell, problem=replace(cell.problem, question=seen[cell.problem.id]))
            for cell in generate.cells(self.ctx, mine)
        ]
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
        table = wanted_attempts(self.ctx, [*COLUMNS, "prompt_tokens"])
        chosen = selection.select(self.ctx, table)
        kept = chosen.filter(chosen["kept"])
        adherence = [v for v in kept["adherence"].to_pylist() if v is not None]
        return {
            "attempts": table.num_rows,
            "tokens": int(np.sum(table["tokens"].to_numpy())),
            "accepted": kept.num_rows,
            "adherence": float(np.mean(adherence)) if adherence else 0.0,
            "prompt_tokens": float(np.mean(table["prompt_tokens"].to_numpy())),
        }

    def told(self) -> int:
        """Tokens up to the first success at the cells that get accepted, none at others."""
        table = wanted_attempts(self.ctx)
        chosen = selection.select(self.ctx, table)
        names = zip(table["problem_id"].to_pylist(), table["heuristic"].to_pylist(), strict=True)
        fit = [
            kept or why.startswith("not the ")
            for kept, why in zip(
                chosen["kept"].to_pylist(), chosen["reason"].to_pylist(), strict=True
            )
        ]
        spent: dict[tuple[str, str], int] = {}
        solved: set[tuple[str, str]] = set()
        for name, count, good in zip(names, table["tokens"].to_pylist(), fit, strict=True):
            if name not in solved:
                spent[name] = spent.get(name, 0) + count
                solved |= {name} if good else set()
        return sum(spent[name] for name in solved)


def questions(problems: Sequence[Problem], texts: str) -> list[str]:
    """What the model of chances may read: the problems' own questions, none, or others'."""
    own = [problem.question for problem in problems]
    if texts == "shuffled":
        return [own[i] for i in np.random.default_rng(0).permutation(len(own))]
    return own if texts == "own" else [""] * len(own)


def measure(pools: Path, seed: int, problems: int, depth: int) -> Row:
    """Every way to spend, on the fixed pool of one seed."""
    whole = Pool(pools / f"seed-{seed}", seed, problems, samples=depth, plain_samples=depth)
    whole.collect()
    source = whole.ctx.run.path("1-attempts")

    def replayed(**changes: str | int | None) -> Row:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            shutil.copytree(source, root / "1-attempts")
            pool = Pool(root, seed, problems, **changes)
            pool.collect(closed=depth == SAMPLES)
            listed = root / "1-attempts" / rounds.FILE
            history = json.loads(listed.read_text()) if listed.is_file() else []
            for part in (root / "1-attempts").glob("part-*"):
                shutil.copy(part, source)
            return {**pool.accepted(), "rounds": history}

    fixed = {n: replayed(samples=n, plain_samples=n) for n in range(1, depth + 1)}
    stopping = {
        n: replayed(samples=n, plain_samples=n, sampling="adaptive") for n in {BASELINE, depth}
    }
    least = {"samples": BASELINE, "plain_samples": BASELINE}
    tokens, accepted = int(fixed[BASELINE]["tokens"]), fixed[BASELINE]["accepted"]
    how: Row = {
        "sampling": "adaptive",
        "token_budget": tokens if depth == SAMPLES else int(SHALLOW * tokens),
    }
    budgeted = replayed(**how)
    # What questions are worth is asked of deep pools alone: it triples the rounds.
    blind = {"no texts": "none", "shuffled texts": "shuffled"} if depth == SAMPLES else {}
    return {
        "seed": seed,
        "cells": len(whole.cells),
        "fixed": {n: _short(row) for n, row in fixed.items()},
        "stopping": {n: _short(row) for n, row in stopping.items()},
        "budgeted": _short(budgeted),
        "rounds": budgeted["rounds"],
        "stopping_ratio": stopping[BASELINE]["tokens"] / tokens,
        "told_ratio": Pool(source.parent, seed, problems, **least).told() / tokens,
        "ratios": {
            n: ratio(budgeted["rounds"], int(row["accepted"]), int(row["tokens"]))
            for n, row in fixed.items()
            if n <= BASELINE
        },
        "without": {
            name: ratio(replayed(**how, texts=texts)["rounds"], int(accepted), tokens)
            for name, texts in blind.items()
        },
        "with_prompts": with_prompts(budgeted, fixed[BASELINE], len(whole.cells)),
        "target_coverage": reached(budgeted["rounds"], TARGET * tokens) / accepted,
    }


def with_prompts(budgeted: Row, fixed: Row, cells: int) -> float | None:
    """The ratio at equal coverage with prompts counted, read anew for every adaptive attempt."""
    spent, have = _path(budgeted["rounds"])
    if have[-1] < fixed["accepted"]:
        return None
    attempts = np.cumsum([0, *(row["cells"] for row in budgeted["rounds"])])
    sampled, asked = (np.interp(fixed["accepted"], have, of) for of in (spent, attempts))
    adaptive = sampled + asked * budgeted["prompt_tokens"]
    return float(adaptive / (fixed["tokens"] + cells * fixed["prompt_tokens"]))


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


def time_fits(problems: int = 1000, passes: int = 24) -> None:
    """Processor seconds of every refit while cells of made-up chances are tried, best first."""
    random = np.random.default_rng(0)
    x_PF = random.normal(size=(problems, 32)) / np.sqrt(32)
    for heuristics in (8, 64):
        rate_PH = 1 / (1 + np.exp(2 - 3 * x_PF @ random.normal(size=(32, heuristics))))
        tried_PH, accepted_PH = np.zeros(rate_PH.shape, int), np.zeros(rate_PH.shape, bool)
        prior, seconds = None, []
        for _ in range(passes):
            chance_PH = random.random(rate_PH.shape)
            if prior is not None:
                chance_PH = prior.chance(tried_PH, accepted_PH)
            ranked = np.argsort(np.where(accepted_PH, 0, -chance_PH), axis=None)
            chosen = np.unravel_index(ranked[: rate_PH.size // 16], rate_PH.shape)
            tried_PH[chosen] += 1
            accepted_PH[chosen] |= random.random(len(chosen[0])) < rate_PH[chosen]
            start = time.process_time()
            prior = fit_prior(tried_PH, accepted_PH, x_PF, start=prior)
            seconds.append(time.process_time() - start)
        print(
            f"{problems} problems x {heuristics}: a refit takes {np.median(seconds):.3f} CPU "
            f"seconds (median of {passes}), at most {max(seconds):.3f}"
        )


def show_seed(row: Row) -> None:
    print(f"seed {row['seed']}, {row['cells']} cells: accepted, tokens, tokens each, adherence")
    lines = {f"fixed best-of-{n}": one for n, one in row["fixed"].items()}
    lines |= {f"stopping, at most {n}": one for n, one in row["stopping"].items()}
    lines["budgeted"] = row["budgeted"]
    for name, one in lines.items():
        print(
            f"  {name:20} {one['accepted']:4} {one['tokens']:7} {one['tokens_each']:6.0f} "
            f"{one['adherence']:.2f}"
        )
    ratios = ", ".join(f"best-of-{n} {_said(r)}" for n, r in row["ratios"].items())
    print(f"  tokens at equal coverage, budgeted / fixed: {ratios}")
    others = {"stopping": row["stopping_ratio"], **row["without"], "told": row["told_ratio"]}
    others["budgeted, with prompts"] = row["with_prompts"]
    listed = ", ".join(f"{name} {_said(r)}" for name, r in others.items())
    print(f"  the same against best-of-{BASELINE}: {listed}")
    print(
        f"  accepted / best-of-{BASELINE}'s, at {TARGET} of its tokens: "
        f"{row['target_coverage']:.2f}"
    )


def _said(value: float | None) -> str:
    return "not reached" if value is None else format(value, ".2f")


if __name__ == "__main__":
    main()
