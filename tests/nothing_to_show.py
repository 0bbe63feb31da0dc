"""Runs that have no answer to give, and what a report of one must never hold."""

import contextlib
import json
import re
from pathlib import Path

import made_runs
from command_line import ROOT
from made_runs import attempt, put_evaluation

from manyways.commands.run import run_recipe
from manyways.errors import MissingWork
from manyways.measures import write_rows
from manyways.measures.gate import GateRow
from manyways.recipe import dump_recipe
from manyways.stages import analyse, report
from manyways.tables import append_attempts, write_text

SMOKE = ROOT / "recipes" / "smoke.toml"
TEST, HARD = "made_runs:load/test?count=12", "made_runs:load/hard?count=10"
SPLITS = {TEST: ("test", 12), HARD: ("hard", 10)}
DIRECT = "that makes 1\nso \\boxed{1}"


def smoke(out: Path, *changes: str) -> Path:
    """recipes/smoke.toml with changes, to its end; whatever could not go on is in its report."""
    with contextlib.suppress(MissingWork):
        run_recipe(SMOKE, out, overrides=changes, until="report", jobs=1, data_dir=None)
    return out


def nothing_correct(out: Path) -> Path:
    """A real run whose model is never right, so that nothing is trained."""
    return smoke(
        out,
        'model.engine="fake_engines:NeverRight"',
        'generate.problems="made_runs:load/seed?count=6"',
        'rl.problems="made_runs:load/rl"',
        f'evaluate.benchmarks=["{TEST}", "{HARD}"]',
        "gate.enforce=true",
    )


def one_arm(out: Path, arm: str = "heuristics-2", text: str = DIRECT) -> Path:
    """One arm that went all the way; every step of its solutions is direct."""
    ctx = made_runs.context(out, arms=(arm,))
    phases = ("rl",) if arm == "vanilla" else ("mid", "rl")
    for checkpoint in ("base", *(f"{arm}/seed-0/{phase}" for phase in phases)):
        evaluated(ctx, checkpoint, text, right=1 + checkpoint.endswith("rl"))
    outcome(ctx, arm, "complete")
    return tables(ctx)


def all_refused(out: Path) -> Path:
    """Three arms, mid-trained and evaluated; the gate lets none of them into RL."""
    ctx = made_runs.context(out)
    evaluated(ctx, "base", DIRECT, right=1)
    for arm in ctx.recipe.arms:
        why = f"gate {arm}/seed-0: not fit for RL: only 2% of groups hold both."
        if arm != "vanilla":
            evaluated(ctx, f"{arm}/seed-0/mid", "<a> x\n<b> y", right=1)
            losses = [{"step": step, "loss": 1 / step} for step in range(1, 6)]
            path = ctx.run.arm_path(arm, 0, "3-midtrain", "metrics.jsonl")
            write_text(path, "\n".join(map(json.dumps, losses)))
        folder = ctx.run.arm_path(arm, 0)
        append_attempts(folder / "4-gate", [attempt("made/rl/000", status="wrong")])
        write_rows(folder / "4-gate.json", [refused(arm, why)])
        outcome(ctx, arm, why)
    return tables(ctx)


def evaluated(ctx, checkpoint: str, text: str, *, right: int) -> None:
    """Four attempts at every problem of both benchmarks, the first ``right`` of them correct."""
    for benchmark, (split, count) in SPLITS.items():
        rows = [
            attempt(
                f"made/{split}/{i:03d}", sample=n, text=text,
                status="correct" if n < right else "wrong",
            )
            for i in range(count)
            for n in range(4)
        ]  # fmt: skip
        put_evaluation(ctx, checkpoint, benchmark, rows)


def refused(arm: str, why: str) -> GateRow:
    return GateRow(
        checkpoint="base" if arm == "vanilla" else f"{arm}/seed-0/mid", arm=arm, seed=0,
        attempts=64, stop=1.0, no_answer=0.0, undecided=0.0, passed=0.01, all_right=0.0,
        all_wrong=0.98, mixed=0.02, switch=None, effective=1.0, decision="refused", sentence=why,
    )  # fmt: skip


def outcome(ctx, arm: str, said: str) -> None:
    write_text(ctx.run.arm_path(arm, 0, "outcome.json"), json.dumps({"outcome": said}))


def tables(ctx) -> Path:
    """Analysis and report of a run made by hand."""
    write_text(ctx.run.path("recipe.toml"), dump_recipe(ctx.recipe))
    analyse.run(ctx)
    report.run(ctx)
    return ctx.run.root


WHOLE = re.compile(r'<span class="whole">([^<]*)</span>')
"""How the page keeps a name on one line."""


def page_of(root: Path) -> str:
    """The page, without what keeps names on one line."""
    return WHOLE.sub(r"\1", (root / "report.html").read_text(encoding="utf-8"))


def first_sentence(root: Path) -> str:
    """The answer, as the page prints it."""
    found = re.search(r'<p class="answer">(.*?)</p>', page_of(root), re.DOTALL)
    assert found
    return " ".join(found[1].split())


def charts(root: Path) -> dict[str, dict]:
    """The page's figures by id."""
    island = re.search(r'id="page-data">(.*?)</script>', page_of(root), re.DOTALL)
    assert island
    return json.loads(island[1])["charts"]


def empty_charts(root: Path) -> list[str]:
    """Figures without a single number to draw."""

    def drawn(trace: dict) -> bool:
        points = trace.get("x") or trace.get("link", {}).get("value")
        return bool(points)

    return [name for name, spec in charts(root).items() if not any(map(drawn, spec["data"]))]


def not_numbers(root: Path) -> list[str]:
    """Lines of the summary that print something that is no number where one belongs."""
    lines = (root / "report.md").read_text(encoding="utf-8").splitlines()
    broken = re.compile(r"(?<![\w-])[+−-]?(nan|NaN|inf|None|null|undefined)(?![\w-])")
    ours = (line for line in lines if " = " not in line)
    return [line for line in ours if broken.search(line)]
