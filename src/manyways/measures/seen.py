"""One run as the report sees it: rows of measures, and what all figures share.

The main arm, the headline benchmark, the order of arms and their colours are defined here. Other
measures are imported where a number of theirs is needed: a figure is drawn without the others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from manyways.arms import VANILLA, Arm, main_arm
from manyways.measures import DIRECT, Finding, Kind, Measure, read_rows
from manyways.measures.benchmarks import (
    ALL,
    MEAN,
    MEANS,
    SEED_DATA,
    OfCheckpoint,
    benchmark_words,
    headline,
    means,
)
from manyways.measures.gate import GATE, GateRow
from manyways.measures.pass_at_k import PASS_AT_K
from manyways.measures.yields import YIELD
from manyways.recipe import load_recipe
from manyways.recipe.tree import Recipe
from manyways.records import PLAIN, Phase, Score
from manyways.reporting import (
    Block,
    Chart,
    Charts,
    Fold,
    Key,
    charts,
    explorer_link,
    words,
)
from manyways.run_dir import RunDir, Stamp, open_for_reading

if TYPE_CHECKING:
    from manyways.measures.composition import CompositionRow
    from manyways.measures.material import Material
    from manyways.measures.paired import PairedRow

R = TypeVar("R")
TABLES, FINDINGS = "7-tables", "findings"


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """One run, while it is analysed or afterwards.

    tables:   rows that were measured or read, by the name of their measure.
    from_run: what other rows are measured from, while the run is analysed.
    run:      the folder that other rows are read from, afterwards.
    behind:  those tables are not of what the run holds now.
    """

    name: str
    recipe: Recipe
    recipe_text: str = ""
    stamps: Sequence[Stamp] = ()
    tables: dict[str, list[Any]] = field(default_factory=dict)
    from_run: "Material | None" = None
    run: RunDir | None = None
    behind: bool = False

    def rows(self, measure: Measure[R]) -> list[R]:
        """The rows of a measure; none where nothing was measured."""
        if measure.name not in self.tables:
            if self.from_run is not None:
                self.tables[measure.name] = list(measure.measured(self))
            else:
                path = self.run.path(TABLES, f"{measure.name}.json") if self.run else None
                self.tables[measure.name] = read_rows(path, measure.row) if path else []
        return self.tables[measure.name]

    @property
    def material(self) -> "Material":
        """What measures are taken from; only while a run is analysed."""
        assert self.from_run is not None, "a finished run is read, not measured"
        return self.from_run

    @cached_property
    def findings(self) -> list[Finding]:
        """What the measures say of a finished run; nothing before it is analysed.

        They are made anew from the rows, whatever the release said that analysed the run.
        """
        if not self.tables and (self.run is None or not self.run.path(TABLES).is_dir()):
            return []
        from manyways.measures.catalogue import findings

        return list(findings(self))

    def said(self, kind: Kind) -> tuple[str, ...]:
        """The sentences of one kind."""
        return tuple(finding.sentence for finding in self.findings if finding.kind == kind)

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """The arms of the recipe."""
        return self.recipe.parsed_arms

    @cached_property
    def main(self) -> str | None:
        """The arm of the main question, where there is one."""
        arm = main_arm(self.arms)
        return arm.name if arm else None

    @property
    def lead(self) -> str:
        """The main arm, or the first one where there is none: it stands out."""
        return self.main or self.arms[0].name

    @cached_property
    def headline(self) -> str:
        """The benchmark that the answer is about."""
        from manyways.measures.four_cells import FOUR_CELLS

        return headline(
            [row.benchmark for row in self.rows(PASS_AT_K)]
            or [row.benchmark for row in self.rows(FOUR_CELLS)]
        )

    @cached_property
    def benchmarks(self) -> list[str]:
        """Benchmarks with scores, means first, then in the order of the table."""
        names = list(dict.fromkeys(row.benchmark for row in self.rows(PASS_AT_K)))
        return sorted(names, key=lambda name: MEANS.index(name) if name in MEANS else len(MEANS))

    @property
    def single_benchmarks(self) -> list[str]:
        """Those that are no mean of others."""
        return [name for name in self.benchmarks if name not in MEANS]

    @cached_property
    def choices(self) -> set[str]:
        """Single benchmarks whose answers can be guessed from their options."""
        rows = self.rows(PASS_AT_K)
        return {row.benchmark for row in rows if row.chance is not None} - set(MEANS)

    def chance(self, benchmark: str) -> dict[int, float]:
        """K -> pass@k of guessing among the options; empty where answers cannot be guessed."""
        rows = [row for row in self.rows(PASS_AT_K) if row.benchmark == benchmark]
        found = {row.k: row.chance for row in rows if row.chance is not None}
        return dict(sorted(found.items()))

    @property
    def answered_on(self) -> list[str]:
        """The single benchmarks that the headline is of."""
        return self.members(self.headline)

    def members(self, benchmark: str) -> list[str]:
        """The single benchmarks that a mean is over; of a single one itself."""
        return list(means(self.single_benchmarks, self.choices).get(benchmark, [benchmark]))

    def texts_of(self, checkpoint: str, benchmark: str) -> str:
        """A link to the attempts behind a pooled checkpoint's pass@k on a benchmark."""
        counts = (
            row.attempts
            for row in self.rows(PASS_AT_K)
            if (row.checkpoint, row.benchmark) == (checkpoint, benchmark)
        )
        where = {} if benchmark == MEAN else {"on": benchmark_words(benchmark)}
        return explorer_link(of=next(counts, None), source=checkpoint, **where)

    @cached_property
    def mechanism(self) -> str:
        """The benchmark on which the use of heuristics is shown."""
        from manyways.measures.composition import COMPOSITION

        rows = self.rows(COMPOSITION)
        names = [row.benchmark for row in rows if row.benchmark != SEED_DATA]
        return next((name for name in (ALL, self.headline) if name in names), (names or [""])[0])

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """The smallest and the largest k of the headline benchmark (one number if they agree)."""
        from manyways.measures.four_cells import FOUR_CELLS

        ks = {row.k for row in self.rows(FOUR_CELLS) if row.benchmark == self.headline}
        ks = ks or {row.k for row in self.rows(PASS_AT_K) if row.benchmark == self.headline}
        return tuple(sorted({min(ks), max(ks)})) if ks else ()

    @property
    def model(self) -> str:
        """What to call the base model in a sentence."""
        path = self.recipe.model.path
        embedded = path.startswith("package:")
        return "the small model that comes with manyways" if embedded else f"the model {path}"

    @property
    def parameters(self) -> int | None:
        """How many the base model has, where the run wrote it down."""
        works = [
            s for s in self.stamps if s.work == "generate" or s.work.startswith("evaluate/base/")
        ]
        found = (stamp.facts.get("parameters") for stamp in works)
        return next((int(size) for size in found if size), None)

    @property
    def pairs(self) -> "list[PairedRow]":
        """The paired differences."""
        from manyways.measures.paired import PAIRED

        return self.rows(PAIRED)

    def curve(self, checkpoint: str) -> dict[int, Score]:
        """K -> pass@k of a pooled checkpoint on the headline benchmark."""
        return {
            row.k: row.score
            for row in self.rows(PASS_AT_K)
            if (row.checkpoint, row.benchmark) == (checkpoint, self.headline)
        }

    def differences(self, a: str, b: str) -> "list[PairedRow]":
        """The rows a - b on the headline benchmark, smallest k first."""
        rows = [r for r in self.pairs if (r.a, r.b, r.benchmark) == (a, b, self.headline)]
        return sorted(rows, key=lambda row: row.k)

    def use(self, checkpoint: str) -> "CompositionRow | None":
        """Composition of a pooled checkpoint over all benchmarks (or the only one)."""
        from manyways.measures.composition import COMPOSITION

        rows = [r for r in self.rows(COMPOSITION) if r.checkpoint == checkpoint]
        rows = [r for r in rows if r.benchmark != SEED_DATA]
        return next((r for r in rows if r.benchmark == ALL), rows[0] if len(rows) == 1 else None)

    def seeds_of(self, checkpoint: str) -> int:
        """How many seeds a pooled checkpoint was evaluated with; those of the recipe for base."""
        rows = [row for row in self.rows(PASS_AT_K) if f"{row.arm}/{row.phase}" == checkpoint]
        seeds = {row.seed for row in rows if row.seed is not None}
        return len(seeds) or len(self.recipe.seeds)

    def gate(self, arm: str) -> list[GateRow]:
        """The gate's rows of one arm, over its seeds."""
        return [row for row in self.rows(GATE) if row.arm == arm]

    @cached_property
    def _pool_heuristics(self) -> list[str]:
        """The heuristics of the pool's prompts."""
        return [row.heuristic for row in self.rows(YIELD) if row.heuristic != PLAIN]

    @cached_property
    def heuristics(self) -> dict[str, str]:
        """Heuristic id -> name, in the order of the pool, then as they appear; not ``plain``.

        A label that no prompt asked for, as a way that the base has by itself, says so.
        """
        from manyways.measures.composition import COMPOSITION
        from manyways.measures.explorer import EXPLORER

        aside = " (not asked for)" if self._pool_heuristics else ""
        names = {row.heuristic: row.name for row in self.rows(YIELD) if row.heuristic != PLAIN}
        for row in self.rows(COMPOSITION):
            names |= {h: h + aside for h in row.shares if h != DIRECT and h not in names}
        for text in (text for row in self.rows(EXPLORER) for text in row.texts):
            there = {text.heuristic, *(h for _, h in text.steps if h)}
            names |= {h: h + aside for h in sorted(there - {*names, PLAIN, DIRECT})}
        return names

    def heuristic_name(self, heuristic: str) -> str:
        """The name to print."""
        special = {DIRECT: "Direct (no heuristic)", PLAIN: "Plain prompt"}
        return special.get(heuristic) or self.heuristics.get(heuristic, heuristic)

    def heuristic_colour(self, heuristic: str) -> str:
        """Its colour on a light page; neutral for direct, plain and what was not asked for."""
        order = self._pool_heuristics or list(self.heuristics)
        return charts.hue(order.index(heuristic)) if heuristic in order else charts.MUTED[0]

    def arm_words(self, arm: str) -> str:
        """What an arm mid-trains on, and the settings that it has of its own."""
        own = self.recipe.differs(arm)
        said = words.arm_words(arm)
        return f"{said}: {own}" if own else said

    @cached_property
    def arm_order(self) -> list[str]:
        """Arms, the main one first: it gets the first colour in every figure."""
        return sorted(self.recipe.arms, key=lambda arm: arm != self.lead)

    def at_first(self, arm: str) -> bool:
        """Whether figures with a legend show ``arm`` before anything is clicked: few arms do."""
        return len(self.arm_order) <= 4 or arm in (self.lead, VANILLA, "star")

    def of_arms(self, said: dict[str, str]) -> str:
        """What is said of each arm in a sentence: of many arms only those that figures begin with.

        said: arm -> words.
        """
        shown = [f"{arm} {text}" for arm, text in said.items() if self.at_first(arm)]
        rest = len(said) - len(shown)
        more = f"; {words.plural(rest, 'other arm')} in the tables" if shown and rest else ""
        return ", ".join(shown or [f"{arm} {text}" for arm, text in said.items()]) + more

    def first_charts(self, of_arms: dict[str, Chart], legend: tuple[Key, ...] = ()) -> list[Block]:
        """The figures of a few arms, those of the others on demand."""
        few = tuple(chart for arm, chart in of_arms.items() if self.at_first(arm))
        others = tuple(chart for arm, chart in of_arms.items() if not self.at_first(arm))
        drawn: list[Block] = [Charts(charts=few, legend=legend)] if few else []
        if others:
            title = f"The same of {words.plural(len(others), 'other arm')}"
            drawn.append(Fold(title=title, blocks=(Charts(charts=others, legend=legend),)))
        return drawn

    def arm_colour(self, arm: str, phase: Phase = "rl") -> str:
        """Its colour on a light page; neutral for the base model."""
        if phase == "base" or arm not in self.arm_order:
            return charts.INK[0]
        return charts.hue(self.arm_order.index(arm))

    def checkpoint_lines(
        self, measured: Iterable[tuple[OfCheckpoint, Score, str, str]]
    ) -> list[charts.Row]:
        """One mark for each checkpoint, in the colour and shape of its arm and phase.

        measured: (row, its score, the score in words, where a click leads or empty).
        """
        return [
            charts.Row(
                label=words.checkpoint_label(row.checkpoint),
                marks=(
                    charts.Mark(
                        score=score,
                        colour=self.arm_colour(row.arm, row.phase),
                        words=told,
                        symbol=charts.PHASE_SYMBOLS[row.phase],
                        link=link,
                    ),
                ),
            )
            for row, score, told, link in measured
        ]

    def arm_dash(self, arm: str) -> str:
        """Its line style in curves over steps: arms differ without colour, too."""
        return charts.line_style(self.arm_order.index(arm))

    def arm_symbol(self, arm: str) -> str:
        """Its marker."""
        return charts.symbol(self.arm_order.index(arm)) if arm in self.arm_order else "diamond"


def load(root: Path, *, behind: bool = False) -> Seen:
    """A finished run. Raises RunDirError when ``root`` is none."""
    run = open_for_reading(root)
    return Seen(
        name=run.root.name,
        recipe=load_recipe(run.path("recipe.toml")),
        recipe_text=run.path("recipe.toml").read_text(encoding="utf-8"),
        stamps=run.stamps(),
        run=run,
        behind=behind,
    )
