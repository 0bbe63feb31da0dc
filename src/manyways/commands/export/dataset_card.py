"""The README.md of an exported dataset: what it is, what it is not, how to make it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from manyways.arms import Line, parse_arm
from manyways.commands.export.sources import SourceFacts, is_hub_id, source_facts
from manyways.commands.export.template import front_matter, render
from manyways.context import Context
from manyways.measures.yields import YieldRow
from manyways.pool.sources import pool_of, written_by
from manyways.pool.yields import yield_rows

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetFacts:
    """All that the card says, also kept as manyways.json.

    arm, seed: None for the whole pool.
    counts:    solutions, problems and tokens in the export.
    settings:  how the attempts were sampled, checked and selected.
    """

    name: str
    form: str
    arm: str | None
    seed: int | None
    counts: Mapping[str, int]
    statuses: Mapping[str, int]
    source: SourceFacts
    left_out: int
    model: str
    model_hash: Sequence[str]
    pack: str
    heuristics: int
    yields: Sequence[YieldRow]
    exported: Mapping[str, int]
    settings: Mapping[str, object]
    versions: Mapping[str, str]
    until: str = "select"

    @property
    def wrong(self) -> bool:
        """Whether the answers are wrong on purpose."""
        return self.arm is not None and parse_arm(self.arm).kind.wrong


def facts_of(ctx: Context, line: Line | None, table: pa.Table, form: str) -> DatasetFacts:
    """The facts about ``table``, the solutions that are exported."""
    recipe = ctx.recipe
    pool = pool_of(ctx, line) if line else ctx
    stamp = pool.run.stamp("generate")
    late = line is not None and line.before is not None
    return DatasetFacts(
        name=recipe.name,
        form=form,
        arm=line.arm if line else None,
        seed=line.seed if line else None,
        counts={
            "solutions": table.num_rows,
            "problems": len(table["problem_id"].unique()),
            "tokens": pc.sum(table["tokens"]).as_py() or 0,
        },
        statuses=_counted(table["status"]),
        source=source_facts(ctx, recipe.generate.problems),
        left_out=len(ctx.sets.dropped(recipe.generate.problems)),
        model=f"{recipe.model.path}, mid-trained: {written_by(ctx, line)}"
        if line and late
        else recipe.model.path,
        until="midtrain" if late else "select",
        model_hash=sorted(table["model_hash"].unique().to_pylist()),
        pack=recipe.heuristics.pack,
        heuristics=recipe.heuristics.count,
        yields=yield_rows(pool),
        exported=_counted(table["heuristic"]),
        settings={
            **recipe.generate.model_dump(exclude={"part_size"}),
            "shots": recipe.heuristics.shots,
            **recipe.select.model_dump(exclude_none=True),
            "engine": recipe.model.engine,
            "dtype": recipe.model.dtype,
            "instruction": recipe.prompt.instruction,
            "policy": recipe.verify.policy,
        },
        versions=stamp.versions if stamp else {},
    )


def dataset_card(facts: DatasetFacts) -> str:
    """The card as Markdown with YAML front matter that the Hub and ``datasets`` read."""
    header: dict[str, object] = {
        "license": facts.source.hub_licence,
        "pretty_name": f"{facts.name}: {'arm ' + facts.arm if facts.arm else 'all kept solutions'}",
        "task_categories": ["text-generation"],
        "size_categories": [_size(facts.counts["solutions"])],
        "tags": ["manyways", "self-generated", "reasoning", "synthetic"]
        + (["wrong-answers"] if facts.wrong else []),
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": "data/train-*.parquet"}],
            }
        ],
    }
    if facts.source.hub_licence == "other":
        header |= {"license_name": "see-sources"}
    if facts.source.hub_id:
        header["source_datasets"] = [facts.source.hub_id]
    if is_hub_id(facts.model):
        header["base_model"] = facts.model
    return front_matter(header) + render("dataset_card.md.j2", facts=facts)


def _size(rows: int) -> str:
    return next((name for limit, name in SIZES if rows < limit), "1M<n<10M")


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    return {row["values"]: row["counts"] for row in column.value_counts().to_pylist()}
