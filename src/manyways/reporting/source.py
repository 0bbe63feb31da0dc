"""Everything that a report is made from, read from a run folder, and how it is looked up."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

from manyways.arms import main_arm
from manyways.recipe.file import load_recipe
from manyways.recipe.tree import Recipe
from manyways.records import Phase
from manyways.reporting import palette
from manyways.results import tables as results
from manyways.results.scores import MEAN, headline
from manyways.results.tables import read_rows
from manyways.run_dir import open_for_reading
from manyways.stamps import Stamp

SEED_DATA = "seed data"
"""The benchmark name under which the kept solutions themselves are described."""

DIRECT, PLAIN = "direct", "plain"


class _OfCheckpoint(Protocol):
    @property
    def checkpoint(self) -> str: ...


R = TypeVar("R", bound=_OfCheckpoint)


@dataclass(frozen=True, kw_only=True)
class Source:
    """The recipe, the stamps and the result tables of one run; absent tables are empty."""

    name: str
    recipe: Recipe
    recipe_text: str
    stamps: list[Stamp]
    pass_at_k: list[results.PassRow]
    averages: list[results.AverageRow]
    majority: list[results.MajorityRow]
    rates: list[results.RateRow]
    four_cells: list[results.FourCells]
    paired: list[results.PairedRow]
    composition: list[results.CompositionRow]
    labeller: list[results.LabellerRow]
    yields: list[results.YieldRow]
    diversity: list[results.DiversityRow]
    gate: list[results.GateRow]
    curves: list[results.CurveRow]
    arms: list[results.ArmRow]
    costs: list[results.CostRow]
    predictions: list[results.PredictionRow]
    probe: list[results.ProbeRow]
    openings: list[results.OpeningRow]
    token_modes: list[results.TokenModesRow]
    explorer: list[results.ExplorerRow]
    findings: list[results.Finding]

    @cached_property
    def main_arm(self) -> str:
        """The arm of the main question; the first arm where no arm mid-trains."""
        arms = self.recipe.parsed_arms
        return (main_arm(arms) or arms[0]).name

    @cached_property
    def benchmarks(self) -> list[str]:
        """Benchmarks with scores, ``mean`` first, then in the order of the table."""
        names = list(dict.fromkeys(row.benchmark for row in self.pass_at_k))
        return sorted(names, key=lambda name: name != MEAN)

    @cached_property
    def headline(self) -> str:
        """The benchmark of the first screen."""
        return headline([row.benchmark for row in self.four_cells] or self.benchmarks)

    @cached_property
    def mechanism(self) -> str:
        """The benchmark on which the use of heuristics is shown."""
        names = [row.benchmark for row in self.composition if row.benchmark != SEED_DATA]
        return next((name for name in ("all", self.headline) if name in names), (names or [""])[0])

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """The smallest and the largest k of the headline benchmark (one number if they agree)."""
        ks = {row.k for row in self.four_cells if row.benchmark == self.headline}
        ks = ks or {row.k for row in self.pass_at_k if row.benchmark == self.headline}
        return tuple(sorted({min(ks), max(ks)})) if ks else ()

    @cached_property
    def heuristics(self) -> dict[str, str]:
        """Heuristic id -> name, in the order of the pool, then as they appear; not ``plain``."""
        names = {row.heuristic: row.name for row in self.yields if row.heuristic != PLAIN}
        for row in self.composition:
            names |= {h: h for h in row.shares if h != DIRECT and h not in names}
        for text in (text for row in self.explorer for text in row.texts):
            seen = {text.heuristic, *(h for _, h in text.steps if h)}
            names |= {h: h for h in sorted(seen - {*names, PLAIN, DIRECT})}
        return names

    def heuristic_name(self, heuristic: str) -> str:
        """The name to print."""
        special = {DIRECT: "Direct (no heuristic)", PLAIN: "Plain prompt"}
        return special.get(heuristic) or self.heuristics.get(heuristic, heuristic)

    def heuristic_colour(self, heuristic: str) -> str:
        """Its colour on a light page; neutral for direct and plain."""
        order = list(self.heuristics)
        return palette.hue(order.index(heuristic)) if heuristic in order else palette.MUTED[0]

    @cached_property
    def arm_order(self) -> list[str]:
        """Arms, the main one first: it gets the first colour in every figure."""
        return sorted(self.recipe.arms, key=lambda arm: arm != self.main_arm)

    def at_first(self, arm: str) -> bool:
        """Whether figures with a legend show ``arm`` before anything is clicked: few arms do."""
        return len(self.arm_order) <= 4 or arm in (self.main_arm, "vanilla", "star")

    def arm_colour(self, arm: str, phase: Phase = "rl") -> str:
        """Its colour on a light page; neutral for the base model."""
        if phase == "base" or arm not in self.arm_order:
            return palette.INK[0]
        return palette.hue(self.arm_order.index(arm))

    def arm_symbol(self, arm: str) -> str:
        """Its marker."""
        return palette.symbol(self.arm_order.index(arm)) if arm in self.arm_order else "diamond"


def load_source(root: Path) -> Source:
    """Read a run folder. Raises RunDirError when ``root`` is none."""
    run = open_for_reading(root)
    tables: dict[str, Any] = {
        "yields" if stem == "yield" else stem: read_rows(run.path("7-tables", f"{stem}.json"), row)
        for stem, row in results.TABLES.items()
    }
    return Source(
        name=run.root.name,
        recipe=load_recipe(run.path("recipe.toml")),
        recipe_text=run.path("recipe.toml").read_text(encoding="utf-8"),
        stamps=run.stamps(),
        **tables,
    )


def prefer_pooled(rows: Iterable[R], key: Callable[[R], Hashable]) -> list[R]:
    """Where a row pooled over seeds exists beside those of single seeds, only the pooled one."""
    groups: dict[Hashable, list[R]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    chosen = []
    for group in groups.values():
        chosen += [row for row in group if "/seed-" not in row.checkpoint] or group
    return chosen
