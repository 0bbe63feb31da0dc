"""A run folder with made-up result tables of realistic size and shape, for tests of the report."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from manyways.measures import write_rows
from manyways.measures.arms import ArmRow
from manyways.measures.averages import AverageRow, MajorityRow
from manyways.measures.catalogue import MEASURES, sections
from manyways.measures.composition import CompositionRow
from manyways.measures.costs import CostRow
from manyways.measures.curves import CurveRow
from manyways.measures.diversity import DiversityRow
from manyways.measures.explorer import ExplorerRow, ExplorerText
from manyways.measures.four_cells import FourCells
from manyways.measures.gate import GateRow
from manyways.measures.labeller import LabellerRow
from manyways.measures.openings import OpeningRow, Point
from manyways.measures.paired import PairedRow
from manyways.measures.pass_at_k import PassRow
from manyways.measures.predictions import PredictionRow
from manyways.measures.probe import ProbeRow
from manyways.measures.rates import RateRow
from manyways.measures.seen import Seen
from manyways.measures.token_modes import TokenModesRow
from manyways.measures.yields import YieldRow
from manyways.recipe import dump_recipe, parse_recipe
from manyways.records import Phase, Score
from manyways.reporting.page import render_html, render_markdown
from manyways.run_dir import open_for_writing
from manyways.tables import write_text

HEURISTICS = {
    "decomposing": "Decomposing and recombining",
    "working-backwards": "Working backwards",
    "specialisation": "Specialisation",
    "symmetry": "Symmetry",
    "guess-and-check": "Guess and check",
    "analogy": "Analogy",
    "auxiliary-element": "Auxiliary element",
    "figure": "Draw a figure",
}
ARMS = ("vanilla", "star", "heuristics-8")
BENCHMARKS = ("pocket/test", "pocket/harder", "pocket/ood-story")
KS = (1, 2, 4, 8, 16)
LEVEL = {"pocket/test": 0.42, "pocket/harder": 0.2, "pocket/ood-story": 0.29, "mean": 0.3}
GAIN: dict[tuple[str, Phase], float] = {
    ("vanilla", "rl"): 0.05,
    ("star", "mid"): -0.02,
    ("star", "rl"): 0.04,
    ("heuristics-8", "mid"): 0.0,
    ("heuristics-8", "rl"): 0.17,
}
DROPS = ("near duplicate", "does not follow its heuristic", "not the best of its cell")


def recipe_tree(arms: Sequence[str], seeds: Sequence[int]) -> dict[str, object]:
    """A recipe as parsed TOML."""
    return {
        "name": "pocket-study",
        "arms": list(arms),
        "seeds": list(seeds),
        "model": {"path": "package:manyways.pocket/base"},
        "heuristics": {"pack": "pocket", "labeller": "pocket"},
        "generate": {"problems": "pocket/seed", "max_tokens": 160},
        "midtrain": {"steps": 120, "learning_rate": 2e-4, "max_length": 320},
        "rl": {"problems": "pocket/rl", "steps": 150, "learning_rate": 6e-5, "max_tokens": 160},
        "evaluate": {"benchmarks": list(BENCHMARKS), "max_tokens": 160, "attempts": 16},
    }


def page(seen: Seen) -> str:
    """The HTML report."""
    return render_html(seen.name, seen.recipe, sections(seen))


def summary(seen: Seen) -> str:
    """The Markdown report."""
    return render_markdown(seen.name, sections(seen))


def write_run(
    root: Path,
    *,
    arms: Sequence[str] = ARMS,
    seeds: Sequence[int] = (0,),
    tables: Sequence[str] | None = None,
) -> Path:
    """Write a run folder; ``tables`` names the result tables to write, all when None."""
    root.mkdir(parents=True, exist_ok=True)
    write_text(root / "recipe.toml", dump_recipe(parse_recipe(recipe_tree(arms, seeds), "test")))
    made = make_tables(arms, seeds)
    for name in made if tables is None else tables:
        write_rows(root / "7-tables" / f"{name}.json", made[name])
    with open_for_writing(root) as run:
        for work in (
            "generate",
            "select",
            *(f"midtrain/{arm}/seed-{s}" for arm in arms for s in seeds),
        ):
            with run.work(work, identity={"model": "a1b2", "work": work}, outputs=()):
                pass
    return root


def make_tables(arms: Sequence[str], seeds: Sequence[int]) -> dict[str, list[object]]:
    """Rows of every table: of those that have none here, the example of their measure."""
    rng = Random(7)
    examples = MEASURES if {"heuristics-8", "star"} <= set(arms) else ()
    return {measure.name: list(measure.example()) for measure in examples} | {
        "pass_at_k": list(pass_rows(arms, seeds)),
        "averages": list(average_rows(arms, seeds)),
        "majority": list(majority_rows(arms, seeds)),
        "rates": list(rate_rows(arms, seeds)),
        "four_cells": list(four_cells(arms)),
        "paired": list(paired_rows(arms)),
        "composition": list(composition_rows(arms)),
        "labeller": list(labeller_rows()),
        "yield": list(yield_rows(rng)),
        "diversity": list(diversity_rows()),
        "gate": list(gate_rows(arms, seeds)),
        "curves": list(curve_rows(rng, arms, seeds)),
        "arms": list(arm_rows(arms, seeds)),
        "costs": list(cost_rows(arms, seeds)),
        "predictions": list(prediction_rows()),
        "probe": [probe_row()],
        "openings": list(opening_rows(arms)),
        "token_modes": list(token_mode_rows(arms)),
        "explorer": [explorer_row(rng, number, arms) for number in range(40)],
    }


def score(name: str, value: float, n: int = 120, *, low: float = 0.0) -> Score:
    half = 1.96 * math.sqrt(max(value * (1 - value), 0.01) / n)
    return Score(name=name, value=value, low=max(value - half, low), high=value + half, n=n)


def pass_value(arm: str, phase: Phase, benchmark: str, k: int) -> float:
    start = LEVEL[benchmark] + GAIN.get((arm, phase), 0.0) * (1 if benchmark != "mean" else 0.9)
    reach = 0.32 if arm == "heuristics-8" else 0.22 if phase == "rl" else 0.27
    return min(start + reach * (1 - 0.72 ** math.log2(k) if k > 1 else 0.0), 0.99)


def checkpoints(
    arms: Sequence[str], seeds: Sequence[int]
) -> Iterator[tuple[str, str, int | None, Phase]]:
    yield "base", "base", None, "base"
    for arm in arms:
        for phase in ("mid", "rl"):
            if arm == "vanilla" and phase == "mid":
                continue
            for seed in seeds:
                yield f"{arm}/seed-{seed}/{phase}", arm, seed, phase
            if len(seeds) > 1:
                yield f"{arm}/{phase}", arm, None, phase


def pass_rows(arms: Sequence[str], seeds: Sequence[int]) -> Iterator[PassRow]:
    for name, arm, seed, phase in checkpoints(arms, seeds):
        for benchmark in (*BENCHMARKS, "mean"):
            for k in KS:
                value = pass_value(arm, phase, benchmark, k)
                yield PassRow(
                    checkpoint=name, arm=arm, seed=seed, phase=phase, benchmark=benchmark, k=k,
                    attempts=16,
                    score=score(f"pass@{k}", value, 360 if benchmark == "mean" else 120),
                )  # fmt: skip


def average_rows(arms: Sequence[str], seeds: Sequence[int]) -> Iterator[AverageRow]:
    for row in pass_rows(arms, seeds):
        if row.k == 1:
            yield AverageRow(
                checkpoint=row.checkpoint, arm=row.arm, seed=row.seed, phase=row.phase,
                benchmark=row.benchmark, least=16, most=16, score=row.score, error=0.006,
            )  # fmt: skip


def majority_rows(arms: Sequence[str], seeds: Sequence[int]) -> Iterator[MajorityRow]:
    for row in pass_rows(arms, seeds):
        value = 0.6 * row.score.value + 0.4 * pass_value(row.arm, row.phase, row.benchmark, 1)
        yield MajorityRow(
            checkpoint=row.checkpoint, arm=row.arm, seed=row.seed, phase=row.phase,
            benchmark=row.benchmark, k=row.k, attempts=16,
            score=score(f"maj@{row.k}", value, row.score.n),
        )  # fmt: skip


def rate_rows(arms: Sequence[str], seeds: Sequence[int]) -> Iterator[RateRow]:
    for name, arm, _, phase in checkpoints(arms, seeds):
        for benchmark in (*BENCHMARKS, "mean"):
            correct = pass_value(arm, phase, benchmark, 1)
            yield RateRow(
                checkpoint=name, benchmark=benchmark, attempts=1920, correct=correct,
                wrong=0.96 - correct, no_answer=0.03, undecided=0.01, truncated=0.025,
                mean_tokens=61.4,
            )  # fmt: skip


def four_cells(arms: Sequence[str]) -> Iterator[FourCells]:
    for arm in arms:
        if arm == "vanilla":
            continue
        for benchmark in (*BENCHMARKS, "mean"):
            for k in (KS[0], KS[-1]):

                def cell(arm: str, phase: Phase, benchmark: str = benchmark, k: int = k) -> Score:
                    return score(f"pass@{k}", pass_value(arm, phase, benchmark, k), 360)

                yield FourCells(
                    arm=arm, benchmark=benchmark, k=k, base=cell("base", "base"),
                    mid=cell(arm, "mid"), rl_only=cell("vanilla", "rl"), mid_rl=cell(arm, "rl"),
                )  # fmt: skip


def paired_rows(arms: Sequence[str]) -> Iterator[PairedRow]:
    trained = [arm for arm in arms if arm != "vanilla"]
    pairs = [(f"{arm}/rl", "vanilla/rl") for arm in trained if "vanilla" in arms]
    pairs += [(f"{arm}/rl", "base") for arm in arms]
    pairs += [(f"{arm}/mid", "base") for arm in trained]
    pairs += [("heuristics-8/rl", "star/rl")] if {"heuristics-8", "star"} <= set(arms) else []
    for a, b in pairs:
        for benchmark in ("mean", *BENCHMARKS):
            for k in (KS[0], KS[-1]):
                value = value_of(a, benchmark, k) - value_of(b, benchmark, k)
                yield PairedRow(
                    a=a, b=b, benchmark=benchmark, k=k, p=0.0004 if value > 0.05 else 0.31,
                    difference=Score(
                        name="difference", value=value, low=value - 0.045, high=value + 0.045, n=120
                    ),
                    seeds=Score(
                        name="over seeds", value=value, low=value - 0.09, high=value + 0.09, n=3
                    ),
                )  # fmt: skip


def value_of(checkpoint: str, benchmark: str, k: int) -> float:
    if checkpoint == "base":
        return pass_value("base", "base", benchmark, k)
    arm, phase = checkpoint.split("/")
    return pass_value(arm, "rl" if phase == "rl" else "mid", benchmark, k)


def composition_rows(arms: Sequence[str]) -> Iterator[CompositionRow]:
    spots: list[tuple[str, str, Phase, str, float]] = [
        ("base", "base", "base", benchmark, 0.01) for benchmark in (*BENCHMARKS, "all")
    ]
    for arm in arms:
        many = arm.startswith("heuristics")
        if many:
            spots.append((f"{arm}/mid", arm, "mid", "seed data", 0.0))
        for benchmark in (*BENCHMARKS, "all"):
            if arm != "vanilla":
                spots.append((f"{arm}/mid", arm, "mid", benchmark, 0.22 if many else 0.02))
            spots.append((f"{arm}/rl", arm, "rl", benchmark, 0.47 if many else 0.01))
    for name, arm, phase, benchmark, composed in spots:
        yield composition_row(name, arm, phase, benchmark, composed=composed)


def composition_row(
    name: str, arm: str, phase: Phase, benchmark: str, *, composed: float
) -> CompositionRow:
    many = arm.startswith("heuristics")
    strength = [5, 4, 3, 0.6, 1.6, 0.8, 0.5, 0.2] if phase == "rl" else [1.6] * 8
    total = 0.62 if many and phase == "rl" else 0.5 if many else 0.05
    shares = {h: total * s / sum(strength) for h, s in zip(HEURISTICS, strength, strict=True)}
    ids = list(HEURISTICS)
    pairs = {
        f"{ids[i]} > {ids[j]}": round(400 * composed * strength[i] * strength[j] / 10)
        for i in range(5) for j in range(5) if i != j
    }  # fmt: skip
    return CompositionRow(
        checkpoint=name, arm=arm, phase=phase, benchmark=benchmark,
        composed=score("composed", composed, 360),
        solutions=5760,
        composed_correct=score("composed", min(composed * 1.2, 1.0), 300),
        corrected=score("corrected", min(composed * 1.1, 1.0), 360),
        switch=score("switch", composed * 0.8, 350) if composed else None,
        effective=6.4 if many else 1.4, shares={**shares, "direct": 1 - total},
        pairs={pair: n for pair, n in pairs.items() if n},
        drift=Score(name="drift", value=0.021, low=0.012, high=0.03, n=120) if many else None,
    )  # fmt: skip


def labeller_rows() -> Iterator[LabellerRow]:
    ids = list(HEURISTICS)
    for what, right in (("held-out exemplars", 2), ("prompted attempts", 40)):
        found = {h: {h: right, ids[i - 1]: right // 2} for i, h in enumerate(ids)}
        attempts = what == "prompted attempts"
        yield LabellerRow(
            what=what, labeller="exemplars", classes=8, texts=12 * right,
            accuracy=score("accuracy", 0.67, 12 * right), top3=score("top 3", 0.9, 12 * right),
            confusion=found,
            sensitivity=None if attempts else score("sensitivity", 0.7, 16),
            specificity=None if attempts else score("specificity", 0.9, 16),
        )  # fmt: skip


def yield_rows(rng: Random) -> Iterator[YieldRow]:
    for i, (heuristic, name) in enumerate([*HEURISTICS.items(), ("plain", "Plain prompt")]):
        correct = 620 - 45 * i if heuristic != "plain" else 330
        kept = correct // 4
        drops = {DROPS[0]: 30 + rng.randrange(20), DROPS[1]: 12 * i}
        yield YieldRow(
            heuristic=heuristic, name=name, attempts=1600, correct=correct, no_answer=60,
            undecided=8, truncated=40, kept=kept, problems=round(correct / 4.2), tokens=1600 * 70,
            adherence=0.92,
            dropped={**drops, DROPS[2]: correct - kept - sum(drops.values())},
        )  # fmt: skip


def diversity_rows() -> Iterator[DiversityRow]:
    for what, value in (
        ("data of star", 6.2), ("data of heuristics-8", 13.8),
        ("attempts of base", 6.6), ("attempts of heuristics-8/rl", 11.9),
    ):  # fmt: skip
        yield DiversityRow(
            what=what, texts=812, distinct_3=0.34, embedder="words and word pairs, 256 dimensions",
            vendi=Score(name="vendi", value=value, low=value - 0.4, high=value + 0.4, n=812),
        )  # fmt: skip


def gate_rows(arms: Sequence[str], seeds: Sequence[int]) -> Iterator[GateRow]:
    for arm in arms:
        for seed in seeds:
            many = arm.startswith("heuristics")
            yield GateRow(
                checkpoint="base" if arm == "vanilla" else f"{arm}/seed-{seed}/mid", arm=arm,
                seed=seed, attempts=768, stop=0.985, no_answer=0.02, undecided=0.004, passed=0.31,
                all_right=0.08, all_wrong=0.22 if many else 0.4, mixed=0.7 if many else 0.52,
                switch=0.19 if many else 0.008, effective=6.4 if many else 1.3, decision="fit",
                sentence="98.5% of attempts stop, 31% are correct and 70% of groups are mixed.",
            )  # fmt: skip


def curve_rows(rng: Random, arms: Sequence[str], seeds: Sequence[int]) -> Iterator[CurveRow]:
    for arm in arms:
        many = arm.startswith("heuristics")
        for seed in seeds:
            for step in range(10, 121, 10):
                if arm != "vanilla":
                    loss = 0.9 * math.exp(-step / 60) + 0.3 + rng.gauss(0, 0.02)
                    yield CurveRow(arm=arm, seed=seed, stage="midtrain", step=step, loss=loss)
            for step in range(1, 151):
                done = 1 - math.exp(-step / 60)
                mixed = 0.6 + 0.15 * many - 0.1 * done + rng.gauss(0, 0.06)
                yield CurveRow(
                    arm=arm, seed=seed, stage="rl", step=step,
                    reward=0.3 + (0.25 if many else 0.08) * done + rng.gauss(0, 0.035),
                    mixed=mixed, all_right=0.1, all_wrong=max(0.9 - mixed, 0.0),
                    entropy=(0.55 if many else 0.3) * (1 - 0.5 * done) + rng.gauss(0, 0.01),
                    length=58 + 10 * many * done + rng.gauss(0, 1.5), truncated=0.02, undecided=0.0,
                    composed=(0.22 + 0.27 * done if many else 0.01) + abs(rng.gauss(0, 0.02)),
                    seconds=1.9,
                )  # fmt: skip


def arm_rows(arms: Sequence[str], seeds: Sequence[int]) -> Iterator[ArmRow]:
    for arm in arms:
        for seed in seeds:
            many = arm.startswith("heuristics")
            examples = 0 if arm == "vanilla" else 1108 if many else 330
            yield ArmRow(
                arm=arm, seed=seed, examples=examples, problems=400 if examples else 0,
                ways=2.8 if many else 1.0 if examples else 0.0,
                midtrain_steps=120 if examples else 0, rl_steps=150, outcome="complete",
            )  # fmt: skip


def cost_rows(arms: Sequence[str], seeds: Sequence[int]) -> Iterator[CostRow]:
    yield CostRow(work="generate", seconds=96.4, attempts=14400, tokens=1008000)
    for arm in arms:
        for seed in seeds:
            name = f"{arm}/seed-{seed}"
            if arm != "vanilla":
                yield CostRow(work=f"midtrain/{name}", seconds=24.1, attempts=0, tokens=0)
            yield CostRow(work=f"rl/{name}", seconds=301.0, attempts=19200, tokens=1200000)
            yield CostRow(work=f"evaluate/{name}", seconds=61.0, attempts=5760, tokens=350000)


def probe_row() -> ProbeRow:
    ids = list(HEURISTICS)[:3]
    gap = Score(name="swapped", value=0.12, low=0.03, high=0.2, n=30)
    return ProbeRow(
        model="base", heuristics=ids, attempts=1080,
        matrix=[[score("success", 0.2 + 0.1 * (i != j), 30) for j in range(3)] for i in range(3)],
        complementarity=gap, dependence=gap,
        covariance=Score(name="cov", value=-0.08, low=-0.13, high=-0.02, n=30),
    )  # fmt: skip


def opening_rows(arms: Sequence[str]) -> Iterator[OpeningRow]:
    for arm in arms:
        for number, heuristic in enumerate([*list(HEURISTICS)[:3], "direct"]):
            moved = (0.12, -0.05, 0.0, -0.07)[number]
            change = Score(name="change", value=moved, low=moved - 0.03, high=moved + 0.03, n=1900)
            yield OpeningRow(
                arm=arm, heuristic=heuristic, change=change, seeds=None, push=change,
                expected="rises, as its covariance is above 0" if moved > 0 else "unknown",
                outcome="agrees" if moved > 0 else "cannot tell",
                course=[
                    Point(step=step, share=score("opens", 0.25 + moved * step / 150, 960))
                    for step in range(15, 151, 15)
                ],
            )  # fmt: skip


def token_mode_rows(arms: Sequence[str]) -> Iterator[TokenModesRow]:
    for name, arm, seed, phase in checkpoints(arms, (0,)):
        if seed is None or "/" in name:
            modes = Score(name="modes", value=2.4, low=2.1, high=2.7, n=44)
            yield TokenModesRow(
                checkpoint=name.replace("/seed-0", ""), arm=arm, phase=phase, modes=modes,
                seeds=None, above=modes, known=score("known", 0.7, 44), shared=5.2,
            )  # fmt: skip


def prediction_rows() -> Iterator[PredictionRow]:
    for part, outcome, value in (
        ("before RL", "agrees", 0.2), ("before RL", "no sign expected", 3.5),
        ("through RL", "disagrees", -0.3), ("between arms", "cannot tell", 0.004),
    ):  # fmt: skip
        measured = Score(name="x", value=value, low=value - 0.1, high=value + 0.1, n=120)
        yield PredictionRow(
            part=part, quantity=f"Quantity that {outcome}", proposition="D2", of="heuristics-8/rl",
            measured=None if outcome == "cannot tell" else measured, seeds=measured,
            expected="above 0", outcome=outcome, note="1 against 2",
        )  # fmt: skip


def explorer_row(rng: Random, number: int, arms: Sequence[str]) -> ExplorerRow:
    a, b, c = rng.randint(12, 79), rng.randint(12, 79), rng.randint(3, 9)
    question = (
        f"A hall has {a} rows of {b} chairs. How many chairs are there? Then: {c} times a number "
        f"plus {b} is {c * 14 + b}. Find the number."
    )
    texts = [explorer_text(rng, i, a=a, b=b, arms=arms) for i in range(30)]
    return ExplorerRow(
        problem_id=f"pocket/seed/{number:05d}",
        question=question,
        answer=f"{a * b}, 14",
        texts=texts,
        problems="pocket/seed",
        attempts=352,
    )


def explorer_text(rng: Random, number: int, *, a: int, b: int, arms: Sequence[str]) -> ExplorerText:
    pool = number < 18
    heuristic = list(HEURISTICS)[number % 8] if number < 16 else "plain"
    source = "pool" if pool else rng.choice(["base", *(f"{arm}/seed-0/rl" for arm in arms)])
    right = rng.random() < 0.6
    tens, ones = b // 10 * 10, b % 10
    split = f"Part 1, product: split {b} as {tens} and {ones}: {a} * {tens} = {a * tens}, {a} * {ones} = {a * ones}, {a * tens} + {a * ones} = {a * b}."  # noqa: E501
    back = f"Part 2, unknown: from the end: {56 + b} - {b} = 56, 56 / 4 = 14."
    steps: list[tuple[str, str | None]] = {
        "decomposing": [(split, "decomposing"), ("Part 2, unknown: 14.", None)],
        "working-backwards": [(f"Part 1, product: {a * b}.", None), (back, "working-backwards")],
        "plain": [(split, "decomposing"), (back, "working-backwards")]
        if source.startswith("heuristics")
        else [(f"Part 1, product: {a * b}.", None), ("Part 2, unknown: 14.", None)],
    }.get(heuristic, [(f"A figure shows it: {a * b}.", heuristic), ("Part 2: 14.", None)])
    value = a * b if right else a * b + 10
    return ExplorerText(
        source=source, heuristic=heuristic, status="correct" if right else "wrong",
        answer=f"{value}, 14", kept=pool and right and number < 12,
        note="best of 3 correct" if pool and right else "",
        steps=[*steps, (f"The answer is \\boxed{{{value}, 14}}.", None)],
    )  # fmt: skip
