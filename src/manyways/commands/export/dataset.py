"""``manyways export dataset``: data of a run as a folder that ``datasets.load_dataset`` reads.

The data are the kept solutions, or the training rows of one arm. With ``--rl`` they are the
attempts that RL kept, correct and wrong, with their groups and advantages. RL was trained on these,
so they serve studies of exploration, reward hacking or off-policy learning. README.md in the folder
says what it is, what its limits are, and how to make it again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from manyways.arms import Line, parse_arm
from manyways.commands.export import (
    SourceFacts,
    export_folder,
    folder_of,
    front_matter,
    is_hub_id,
    public_recipe,
    push,
    render,
    source_facts,
)
from manyways.context import Context
from manyways.errors import DataError, MissingWork, RecipeError
from manyways.measures.yields import YieldRow
from manyways.pool.solutions import KEY, yield_rows
from manyways.pool.training_rows import check_ways, pool_of, training_rows, written_by
from manyways.progress import Meter, say
from manyways.records import PLAIN, Message, Problem, RLAttempt
from manyways.stages.generate import heuristic_prompt
from manyways.tables import (
    parts,
    read_attempts_table,
    read_rl_attempts,
    read_table,
    write_table,
    write_text,
)
from manyways.train.reward import FOLDER

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""(rows below this number, the Hub's category)."""
SHARD = 50_000
"""The most rows of one parquet file."""

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
"""The columns of the conversation. TRL's trainers read both forms."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetFacts:
    """All facts of the card. They are also kept as manyways.json.

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
    """The facts about ``table``, which has the exported solutions."""
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
    title = f"arm {facts.arm}" if facts.arm else "all kept solutions"
    tags = ("wrong-answers",) if facts.wrong else ()
    header = _header(facts, title, rows=facts.counts["solutions"], tags=tags)
    files = [{"split": "train", "path": "data/train-*.parquet"}]
    header["configs"] = [{"config_name": "default", "data_files": files}]
    if facts.source.language:
        header["language"] = [facts.source.language]
    if facts.source.hub_id:
        header["source_datasets"] = [facts.source.hub_id]
    if is_hub_id(facts.model):
        header["base_model"] = facts.model
    return front_matter(header) + render("dataset_card.md.j2", facts=facts)


def _header(
    facts: "DatasetFacts | RLFacts", title: str, *, rows: int, tags: Sequence[str]
) -> dict[str, object]:
    """The front matter of both cards."""
    header: dict[str, object] = {
        "license": facts.source.hub_licence,
        "pretty_name": f"{facts.name}: {title}",
        "task_categories": ["text-generation"],
        "size_categories": [next((name for limit, name in SIZES if rows < limit), "1M<n<10M")],
        "tags": ["manyways", "self-generated", "reasoning", "synthetic", *tags],
    }
    if facts.source.hub_licence == "other":
        header["license_name"] = "see-sources"
    return header


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    return {row["values"]: row["counts"] for row in column.value_counts().to_pylist()}


def export_dataset(
    ctx: Context,
    line: Line | None,
    *,
    out: Path | None = None,
    form: Form = "prompt-completion",
    repo: str | None = None,
    api: "HfApi | None" = None,
) -> Path:
    """Write the kept solutions, or the training rows of ``line``, and a dataset card.

    form: the columns ``prompt`` and ``completion``, or ``messages``.
    repo: push the folder there with ``api``.

    Returns the folder.

    Raises MissingWork before selection or under another pack, RecipeError for an arm without data,
    NothingToTrainOn for an empty arm, DataError when ``out`` cannot be used or the pool has changed
    since selection.
    """
    table = solutions_to_export(ctx, line)
    out = out or folder_of(ctx, line.arm if line else "pool")
    shared = public_recipe(ctx.recipe)
    facts = shared.of(facts_of(ctx, line, table, form))
    problems = _problems(ctx, table)
    with export_folder(out, asdict(facts), shared) as folder:
        rows = _rows(ctx, table, problems, form)
        _write_shards(
            rows, folder / "data", total=table.num_rows, unit="solutions", schema=schema(form)
        )
        write_text(folder / "README.md", dataset_card(facts))
    say(f"{table.num_rows} solutions in {out}; load_dataset('{out}') reads them.")
    _warn_wrong(facts)
    push(out, repo, kind="dataset", api=api)
    return out


def solutions_to_export(ctx: Context, line: Line | None) -> pa.Table:
    """The solutions of ``line``, or of the whole pool, with the columns of their attempts.

    One row is one solution. Rows are ordered as in mid-training: by problem, then as in the pack.
    """
    pool = pool_of(ctx.of(line), line) if line else ctx
    run, path = pool.run, pool.solutions
    if not path.is_file():
        raise MissingWork(f"'{path}' does not exist: run `manyways select {ctx.run.root}` first.")
    solutions = read_table(path, [*KEY, "text", "status", "adherence", "kept"])
    kept = solutions.filter(solutions["kept"]).select(KEY)
    wanted = _of_line(ctx, line) if line else kept
    # The joins below do not keep the order.
    wanted = wanted.append_column("place", pa.array(range(wanted.num_rows), pa.int64()))
    check_ways(ctx, wanted["heuristic"].to_pylist())
    columns = ["prompt_tokens", "tokens", "model_hash", "answer", "rule", "seed"]
    attempts = read_attempts_table(run.path("1-attempts"), [*KEY, *columns])
    table = wanted.join(solutions, keys=KEY, join_type="inner")
    table = table.join(attempts, keys=KEY, join_type="inner").sort_by("place")
    if table.num_rows != wanted.num_rows:
        raise DataError(
            f"{wanted.num_rows} solutions were selected, but only {table.num_rows} of their "
            f"attempts are in 1-attempts: run `manyways select {ctx.run.root}` again."
        )
    return table


def _of_line(ctx: Context, line: Line) -> pa.Table:
    if not line.midtrains:
        raise RecipeError(f"arm '{line.arm}' mid-trains on nothing: there is no data to export.")
    if line.distils:
        raise RecipeError(
            f"arm '{line.arm}' trains on texts of another model. Only texts of the run's own model "
            "are exported. The other texts are in the files that [distill] names."
        )
    rows = training_rows(ctx, line)
    schema = pa.schema([(KEY[0], pa.string()), (KEY[1], pa.string()), (KEY[2], pa.int32())])
    return pa.Table.from_pylist([{key: getattr(row, key) for key in KEY} for row in rows], schema)


def _write_shards(
    rows: Iterator[dict[str, object]], folder: Path, *, total: int, unit: str, schema: pa.Schema
) -> None:
    """Write ``total`` rows in files of ``SHARD``, named as ``datasets`` names them."""
    folder.mkdir(parents=True)
    shards = max(1, -(-total // SHARD))
    with Meter("export", total=total, unit=unit) as meter:
        for number in range(shards):
            shard = pa.Table.from_pylist(list(islice(rows, SHARD)), schema=schema)
            write_table(folder / f"train-{number:05d}-of-{shards:05d}.parquet", shard)
            meter.advance(shard.num_rows)


def _problems(ctx: Context, table: pa.Table) -> dict[str, Problem]:
    """The problems of the solutions, by id. Raises DataError if the recipe no longer has them."""
    generate = ctx.recipe.generate
    problems = {p.id: p for p in ctx.problems(generate.problems, generate.limit)}
    gone = [name for name in table["problem_id"].unique().to_pylist() if name not in problems]
    if gone:
        limit = f" within generate.limit = {generate.limit}" if generate.limit else ""
        raise DataError(
            f"sampled problems ({len(gone)}) are no longer in '{generate.problems}'{limit}, for "
            f"example '{gone[0]}': undo the change in {ctx.run.path('recipe.toml')}, or run "
            f"`manyways run {ctx.run.root}`, which samples the new problems."
        )
    return problems


def schema(form: Form) -> pa.Schema:
    """The columns of the exported files."""
    talk = ["messages"] if form == "messages" else ["prompt", "completion"]
    return pa.schema([*((name, _TURNS) for name in talk), *_FACTS])


def _rows(
    ctx: Context, table: pa.Table, problems: Mapping[str, Problem], form: Form
) -> Iterator[dict[str, object]]:
    names = {heuristic.id: heuristic.name for heuristic in ctx.pack} | {PLAIN: ""}
    same = ("problem_id", "heuristic", "sample", "status", "answer", "rule", "adherence", "seed",
            "model_hash")  # fmt: skip
    for row in (row for batch in table.to_batches(1024) for row in batch.to_pylist()):
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
        say("Every answer in this arm is WRONG on purpose. It is a control, not training data.")


RL_SCHEMA = pa.schema(
    [
        ("prompt", _TURNS),
        ("completion", _TURNS),
        ("arm", pa.string()),
        ("training_seed", pa.int64()),
        ("step", pa.int32()),
        ("group", pa.int32()),
        ("sample", pa.int32()),
        ("reward", pa.float64()),
        ("advantage", pa.float64()),
        ("problem_id", pa.string()),
        ("question", pa.string()),
        ("reference", pa.string()),
        ("heuristic", pa.string()),
        ("status", pa.string()),
        ("answer", pa.string()),
        ("rule", pa.string()),
        ("verifier", pa.string()),
        ("finish", pa.string()),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        ("start_hash", pa.string()),
        ("seed", pa.int64()),
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RLFacts:
    """All facts of the card. They are also kept as manyways.json.

    lines: ``arm/seed-0`` -> attempts.
    kept:  ``rl.attempts`` of the recipe.
    """

    name: str
    lines: Mapping[str, int]
    steps: int
    problems: int
    kept: str
    group_size: int
    model: str
    source: SourceFacts

    @property
    def attempts(self) -> int:
        """Rows of the dataset."""
        return sum(self.lines.values())


def export_rl(
    ctx: Context,
    lines: Sequence[Line],
    *,
    out: Path | None = None,
    repo: str | None = None,
    api: "HfApi | None" = None,
) -> Path:
    """Write the attempts that RL of ``lines`` kept, and a dataset card. Returns the folder.

    Raises MissingWork when nothing was kept, DataError when ``out`` cannot be used.
    """
    there = [line for line in lines if parts(_kept_in(ctx, line))]
    if not there:
        raise MissingWork(
            f"RL of {', '.join(line.name for line in lines)} has kept no attempts: set "
            "rl.attempts = 'sample' or 'all' and run it."
        )
    out = out or folder_of(ctx, "rl")
    shared = public_recipe(ctx.recipe)
    facts = shared.of(_rl_facts(ctx, there))
    with export_folder(out, asdict(facts), shared) as folder:
        rows = _rl_rows(ctx, there)
        _write_shards(
            rows, folder / "data", total=facts.attempts, unit="attempts", schema=RL_SCHEMA
        )
        write_text(folder / "README.md", rl_card(facts))
    say(f"{facts.attempts} attempts of RL in {out}; load_dataset('{out}') reads them.")
    push(out, repo, kind="dataset", api=api)
    return out


def rl_card(facts: RLFacts) -> str:
    """The card as Markdown with YAML front matter that the Hub and ``datasets`` read."""
    header = _header(facts, "attempts of RL", rows=facts.attempts, tags=("rollouts",))
    return front_matter(header) + render("rl_card.md.j2", facts=facts)


def _rl_facts(ctx: Context, lines: Sequence[Line]) -> RLFacts:
    tables = {
        line.name: [read_table(part, ["problem_id", "step"]) for part in parts(_kept_in(ctx, line))]
        for line in lines
    }
    whole = pa.concat_tables([table for mine in tables.values() for table in mine])
    rl = ctx.recipe.of(lines[0].arm).rl
    return RLFacts(
        name=ctx.recipe.name,
        lines={name: sum(table.num_rows for table in mine) for name, mine in tables.items()},
        steps=pc.max(whole["step"]).as_py(),
        problems=len(whole["problem_id"].unique()),
        kept=rl.attempts,
        group_size=rl.group_size,
        model=ctx.recipe.model.path,
        source=source_facts(ctx, rl.problems),
    )


def _kept_in(ctx: Context, line: Line) -> Path:
    return ctx.run.path(line.rl.folder, FOLDER)


def _rl_rows(ctx: Context, lines: Sequence[Line]) -> Iterator[dict[str, object]]:
    heuristics = {heuristic.id: heuristic for heuristic in ctx.pack}
    for line in lines:
        own = ctx.of(line)
        rl = own.recipe.rl
        problems = {problem.id: problem for problem in own.problems(rl.problems, rl.limit)}
        for one in read_rl_attempts(_kept_in(ctx, line)):
            problem, heuristic = problems[one.attempt.problem_id], one.attempt.heuristic
            prompt = (
                own.prompts_for(problem).plain(problem.question)
                if heuristic == PLAIN
                else heuristic_prompt(own, heuristics[heuristic], problem)
            )
            yield _rl_row(line, problem, prompt, one)


def _rl_row(
    line: Line, problem: Problem, prompt: Sequence[Message], one: RLAttempt
) -> dict[str, object]:
    attempt = one.attempt
    return {
        "prompt": [asdict(turn) for turn in prompt],
        "completion": [{"role": "assistant", "content": attempt.text}],
        "arm": line.arm,
        "training_seed": line.seed,
        **{name: getattr(one, name) for name in ("step", "group", "reward", "advantage")},
        "sample": attempt.sample,
        "problem_id": problem.id,
        "question": problem.question,
        "reference": problem.answer,
        "verifier": problem.verifier,
        "heuristic": attempt.heuristic,
        **{name: getattr(attempt.verdict, name) for name in ("status", "answer", "rule")},
        "finish": attempt.finish,
        "prompt_tokens": attempt.prompt_tokens,
        "completion_tokens": attempt.tokens,
        "start_hash": attempt.model_hash,
        "seed": attempt.seed,
    }
