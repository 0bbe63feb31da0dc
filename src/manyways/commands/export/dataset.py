"""``manyways export dataset``: kept solutions as a folder that ``datasets.load_dataset`` reads.

Its README.md says what it is, what it is not, and how to make it again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from manyways.arms import Line, parse_arm
from manyways.commands.export.folder import (
    HubApi,
    SourceFacts,
    folder_of,
    front_matter,
    is_hub_id,
    public,
    push,
    render,
    source_facts,
    writing,
)
from manyways.context import Context
from manyways.errors import DataError, MissingWork, RecipeError
from manyways.measures.yields import YieldRow
from manyways.pool.solutions import yield_rows
from manyways.pool.training_rows import check_ways, pool_of, training_rows, written_by
from manyways.progress import Meter, say
from manyways.records import PLAIN, Problem
from manyways.tables import read_attempts_table, read_table, write_table, write_text

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

KEY = ["problem_id", "heuristic", "sample"]
SHARD = 50_000
"""Rows of one parquet file, at most."""

_TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_FACTS = [
    ("problem_id", pa.string()),
    ("question", pa.string()),
    ("reference", pa.string()),
    ("heuristic", pa.string()),
    ("heuristic_name", pa.string()),
    ("sample", pa.int32()),
    ("status", pa.string()),
    ("answer", pa.string()),
    ("rule", pa.string()),
    ("verifier", pa.string()),
    ("adherence", pa.float64()),
    ("generation_prompt_tokens", pa.int32()),
    ("completion_tokens", pa.int32()),
    ("model_hash", pa.string()),
    ("seed", pa.int64()),
]


Form = Literal["prompt-completion", "messages"]
"""How the conversation is laid out, both as TRL's trainers read it."""


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
        "size_categories": [size_of(facts.counts["solutions"])],
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
    if facts.source.language:
        header["language"] = [facts.source.language]
    if facts.source.hub_id:
        header["source_datasets"] = [facts.source.hub_id]
    if is_hub_id(facts.model):
        header["base_model"] = facts.model
    return front_matter(header) + render("dataset_card.md.j2", facts=facts)


def size_of(rows: int) -> str:
    """The Hub's word for that many rows."""
    return next((name for limit, name in SIZES if rows < limit), "1M<n<10M")


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    return {row["values"]: row["counts"] for row in column.value_counts().to_pylist()}


def export_dataset(
    ctx: Context,
    line: Line | None,
    *,
    out: Path | None = None,
    form: Form = "prompt-completion",
    repo: str | None = None,
    api: HubApi | None = None,
) -> Path:
    """Write the kept solutions, or the training rows of ``line``, and a dataset card.

    form: ``prompt`` and ``completion`` columns, or one ``messages`` column; both conversational.
    repo: push there with ``api``; nothing is pushed without it.

    Returns the folder.

    Raises MissingWork before selection or under another pack, RecipeError for an arm without data,
    NothingToTrainOn for an empty arm, DataError when ``out`` cannot be used or the pool has changed
    since selection.
    """
    table = chosen(ctx, line)
    out = out or folder_of(ctx, line.arm if line else "pool")
    shared = public(ctx.recipe)
    facts = shared.of(facts_of(ctx, line, table, form))
    with writing(out, asdict(facts), shared) as folder:
        _write_shards(ctx, table, form, folder / "data")
        write_text(folder / "README.md", dataset_card(facts))
    say(f"{table.num_rows} solutions in {out}; load_dataset('{out}') reads them.")
    _warn_wrong(facts)
    push(out, repo, kind="dataset", api=api)
    return out


def chosen(ctx: Context, line: Line | None) -> pa.Table:
    """The solutions of ``line`` (of the whole pool for None) with what is known of each attempt.

    Ordered as in mid-training: by problem, then by the pack's order. One row for each solution.
    """
    pool = pool_of(ctx.of(line), line) if line else ctx
    run, path = pool.run, pool.solutions
    if not path.is_file():
        raise MissingWork(f"'{path}' does not exist: run `manyways select {ctx.run.root}` first.")
    solutions = read_table(path, [*KEY, "text", "status", "adherence", "kept"])
    kept = solutions.filter(solutions["kept"]).select(KEY)
    wanted = _of_line(ctx, line) if line else kept
    # The joins below do not keep an order.
    wanted = wanted.append_column("place", pa.array(range(wanted.num_rows), pa.int64()))
    check_ways(ctx, wanted["heuristic"].to_pylist())
    columns = ["prompt_tokens", "tokens", "model_hash", "answer", "rule", "seed"]
    attempts = read_attempts_table(run.path("1-attempts"), [*KEY, *columns])
    table = wanted.join(solutions, keys=KEY, join_type="inner")
    table = table.join(attempts, keys=KEY, join_type="inner").sort_by("place")
    if table.num_rows != wanted.num_rows:
        raise DataError(
            f"{wanted.num_rows} solutions were selected, but {table.num_rows} of their attempts "
            f"are in 1-attempts: run `manyways select {ctx.run.root}` again."
        )
    return table


def _of_line(ctx: Context, line: Line) -> pa.Table:
    if not line.midtrains:
        raise RecipeError(f"arm '{line.arm}' mid-trains on nothing: there is no data to export.")
    if line.distils:
        raise RecipeError(
            f"arm '{line.arm}' trains on another model's texts: they are where [distill] says, and "
            "only what this run's own model wrote is exported."
        )
    rows = training_rows(ctx, line)
    schema = pa.schema([(KEY[0], pa.string()), (KEY[1], pa.string()), (KEY[2], pa.int32())])
    return pa.Table.from_pylist([{key: getattr(row, key) for key in KEY} for row in rows], schema)


def _write_shards(ctx: Context, table: pa.Table, form: Form, folder: Path) -> None:
    problems = _problems(ctx, table)
    shards = max(1, -(-table.num_rows // SHARD))
    with Meter("export", total=table.num_rows, unit="solutions") as meter:
        for number in range(shards):
            part = table.slice(number * SHARD, SHARD)
            rows = list(_rows(ctx, part, problems, form))
            path = folder / f"train-{number:05d}-of-{shards:05d}.parquet"
            write_table(path, pa.Table.from_pylist(rows, schema=schema(form)))
            meter.advance(part.num_rows)


def _problems(ctx: Context, table: pa.Table) -> dict[str, Problem]:
    """The problems of the solutions, by id. Raises DataError when the recipe names others now."""
    generate = ctx.recipe.generate
    problems = {p.id: p for p in ctx.problems(generate.problems, generate.limit)}
    gone = [name for name in table["problem_id"].unique().to_pylist() if name not in problems]
    if gone:
        limit = f" within generate.limit = {generate.limit}" if generate.limit else ""
        raise DataError(
            f"problems that were sampled are not in '{generate.problems}'{limit} any more, "
            f"'{gone[0]}' for one ({len(gone)} in all): set what changed in "
            f"{ctx.run.path('recipe.toml')} back, or run `manyways run {ctx.run.root}`, which "
            "samples the new ones."
        )
    return problems


def schema(form: Form) -> pa.Schema:
    """Columns of the exported files."""
    talk = ["messages"] if form == "messages" else ["prompt", "completion"]
    return pa.schema([*((name, _TURNS) for name in talk), *_FACTS])


def _rows(
    ctx: Context, table: pa.Table, problems: Mapping[str, Problem], form: Form
) -> Iterator[dict[str, object]]:
    names = {heuristic.id: heuristic.name for heuristic in ctx.pack} | {PLAIN: ""}
    same = ("problem_id", "heuristic", "sample", "status", "answer", "rule", "adherence", "seed",
            "model_hash")  # fmt: skip
    for row in table.to_pylist():
        problem = problems[row["problem_id"]]
        prompt = [asdict(m) for m in ctx.prompts_for(problem).plain(problem.question)]
        completion = [{"role": "assistant", "content": row["text"]}]
        talk = (
            {"messages": prompt + completion}
            if form == "messages"
            else {"prompt": prompt, "completion": completion}
        )
        yield {
            **talk,
            **{name: row[name] for name in same},
            "question": problem.question,
            "reference": problem.answer,
            "verifier": problem.verifier,
            "heuristic_name": names[row["heuristic"]],
            "generation_prompt_tokens": row["prompt_tokens"],
            "completion_tokens": row["tokens"],
        }


def _warn_wrong(facts: DatasetFacts) -> None:
    if facts.arm and parse_arm(facts.arm).kind.wrong:
        say("Every answer in this arm is WRONG, on purpose: it is a control, not training data.")
