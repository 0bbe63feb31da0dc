"""``manyways export dataset --rl``: the attempts that RL kept, step by step, as a dataset.

One row for each attempt, wrong ones included: with groups and advantages it is what the steps of RL
were trained on, for whoever looks at exploration, reward hacking or off-policy learning.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from manyways.arms import Line
from manyways.commands.export.dataset import SHARD, size_of
from manyways.commands.export.folder import (
    HubApi,
    SourceFacts,
    folder_of,
    front_matter,
    public,
    push,
    render,
    source_facts,
    writing,
)
from manyways.context import Context
from manyways.errors import MissingWork
from manyways.progress import say
from manyways.records import PLAIN, Message, Problem, RLAttempt
from manyways.stages.generate import heuristic_prompt
from manyways.tables import parts, read_rl_attempts, read_table, write_table, write_text
from manyways.train.reward import FOLDER

_TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMA = pa.schema(
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
    """All that the card says, also kept as manyways.json.

    lines: ``arm/seed-0`` -> attempts. kept: ``rl.attempts`` of the recipe.
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
    api: HubApi | None = None,
) -> Path:
    """Write what RL of ``lines`` kept, and a dataset card; returns the folder.

    Raises MissingWork when nothing was kept, DataError when ``out`` cannot be used.
    """
    there = [line for line in lines if parts(_folder(ctx, line))]
    if not there:
        raise MissingWork(
            f"RL of {', '.join(line.name for line in lines)} has kept no attempts: run it with "
            "rl.attempts = 'sample' or 'all'."
        )
    out = out or folder_of(ctx, "rl")
    shared = public(ctx.recipe)
    facts = shared.of(_facts(ctx, there))
    with writing(out, asdict(facts), shared) as folder:
        _write(_rows(ctx, there), folder / "data", facts.attempts)
        write_text(folder / "README.md", rl_card(facts))
    say(f"{facts.attempts} attempts of RL in {out}; load_dataset('{out}') reads them.")
    push(out, repo, kind="dataset", api=api)
    return out


def rl_card(facts: RLFacts) -> str:
    """The card as Markdown with YAML front matter that the Hub and ``datasets`` read."""
    header: dict[str, object] = {
        "license": facts.source.hub_licence,
        "pretty_name": f"{facts.name}: attempts of RL",
        "task_categories": ["text-generation"],
        "size_categories": [size_of(facts.attempts)],
        "tags": ["manyways", "self-generated", "reasoning", "synthetic", "rollouts"],
    }
    if facts.source.hub_licence == "other":
        header["license_name"] = "see-sources"
    return front_matter(header) + render("rl_card.md.j2", facts=facts)


def _facts(ctx: Context, lines: Sequence[Line]) -> RLFacts:
    tables = {
        line.name: [read_table(part, ["problem_id", "step"]) for part in parts(_folder(ctx, line))]
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


def _folder(ctx: Context, line: Line) -> Path:
    return ctx.run.path(line.rl.folder, FOLDER)


def _write(rows: Iterator[dict[str, object]], folder: Path, total: int) -> None:
    folder.mkdir(parents=True)
    shards = -(-total // SHARD)
    for number in range(shards):
        path = folder / f"train-{number:05d}-of-{shards:05d}.parquet"
        write_table(path, pa.Table.from_pylist(list(islice(rows, SHARD)), schema=SCHEMA))


def _rows(ctx: Context, lines: Sequence[Line]) -> Iterator[dict[str, object]]:
    heuristics = {heuristic.id: heuristic for heuristic in ctx.pack}
    for line in lines:
        own = ctx.of(line)
        rl = own.recipe.rl
        problems = {problem.id: problem for problem in own.problems(rl.problems, rl.limit)}
        for one in read_rl_attempts(_folder(ctx, line)):
            problem, heuristic = problems[one.attempt.problem_id], one.attempt.heuristic
            asked = (
                own.prompts_for(problem).plain(problem.question)
                if heuristic == PLAIN
                else heuristic_prompt(own, heuristics[heuristic], problem)
            )
            yield _row(line, problem, asked, one)


def _row(
    line: Line, problem: Problem, asked: Sequence[Message], one: RLAttempt
) -> dict[str, object]:
    attempt = one.attempt
    return {
        "prompt": [{"role": turn.role, "content": turn.content} for turn in asked],
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
