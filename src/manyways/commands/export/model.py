"""``manyways export model``: a checkpoint of a run as a Hugging Face folder with a model card."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
from huggingface_hub.repocard_data import EvalResult, eval_results_to_model_index
from huggingface_hub.utils import yaml_dump  # type: ignore[attr-defined]

from manyways.arms import Line, parse_arm
from manyways.commands.export import (
    OF_TRAINING,
    PublicRecipe,
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
from manyways.errors import MissingWork, RecipeError
from manyways.measures import read_rows
from manyways.measures.gate import GateRow
from manyways.measures.pass_at_k import PASS_AT_K, PassRow
from manyways.measures.seen import load
from manyways.progress import say
from manyways.records import BASE
from manyways.stages import analyse
from manyways.tables import write_text

if TYPE_CHECKING:
    from huggingface_hub import HfApi

OUR_BASE = "package:manyways.pocket/base"

LEADERBOARDS = {"gsm8k/test": "gsm8k"}
"""Benchmark that the Hub has a leaderboard for -> the task in the ``eval.yaml`` of its repository.

The Hub refuses a task that is not there, so only these are written."""

Stage = Literal["mid", "rl"]
"""After mid-training, or after RL."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFacts:
    """All facts of the card. They are also kept as manyways.json.

    trained:     counts of mid-training and RL (steps, examples, attempts), as far as they are done.
    scores:      pass@k of this checkpoint.
    base_scores: pass@k of the base model.
    pooled:      pass@k of the arm over all seeds.
    """

    name: str
    checkpoint: str
    arm: str
    seed: int
    stage: str
    seeds: Sequence[int]
    base: str
    base_hash: str
    seed_problems: SourceFacts
    rl_problems: SourceFacts
    midtrain: Mapping[str, object]
    rl: Mapping[str, object]
    trained: Mapping[str, Mapping[str, float]]
    gate: str
    scores: Sequence[PassRow]
    base_scores: Sequence[PassRow]
    pooled: Sequence[PassRow]
    benchmarks: Sequence[SourceFacts]
    findings: Sequence[str]
    sampling: Mapping[str, object]
    versions: Mapping[str, str]

    @property
    def line(self) -> Line:
        """The line that trained the checkpoint."""
        return Line(arm=self.arm, seed=self.seed)

    @property
    def wrong(self) -> bool:
        """Whether it was mid-trained on wrong answers, on purpose."""
        return parse_arm(self.arm).kind.wrong

    @property
    def rows(self) -> list[tuple[PassRow, PassRow | None, PassRow | None]]:
        """(score, the base model's, the arm's over all seeds) by benchmark and k."""
        base = {(row.benchmark, row.k): row for row in self.base_scores}
        pooled = {(row.benchmark, row.k): row for row in self.pooled}
        keys = ((row, (row.benchmark, row.k)) for row in self.scores)
        return [(row, base.get(key), pooled.get(key)) for row, key in keys]


def facts_of(ctx: Context, line: Line, stage: str) -> ModelFacts:
    """The facts about one checkpoint of a run."""
    recipe = ctx.recipe.of(line.arm)
    seen = load(ctx.run.root)
    scores = seen.rows(PASS_AT_K)
    gate = read_rows(ctx.run.arm_path(line.arm, line.seed, "4-gate.json"), GateRow)
    works = {"mid-training": f"midtrain/{line.name}", "RL": f"rl/{line.name}"}
    stamps = {name: ctx.run.stamp(work) for name, work in works.items()}
    if stage == "mid":
        stamps["RL"] = None
    first = next((stamp for stamp in stamps.values() if stamp), None)
    pool = ctx.run.stamp("generate")
    name = f"{line.name}/{stage}"
    return ModelFacts(
        name=recipe.name,
        checkpoint=name,
        arm=line.arm,
        seed=line.seed,
        stage=stage,
        seeds=recipe.seeds,
        base=recipe.model.path,
        base_hash=str(pool.identity.get("model", "not known")) if pool else "not known",
        seed_problems=source_facts(ctx, recipe.generate.problems),
        rl_problems=source_facts(ctx, recipe.rl.problems),
        midtrain=recipe.midtrain.model_dump(exclude={"save_every"}, exclude_none=True),
        rl=recipe.rl.model_dump(exclude={"save_every"}, exclude_none=True) if stamps["RL"] else {},
        trained={work: stamp.counts for work, stamp in stamps.items() if stamp},
        gate=gate[0].sentence if gate else "",
        scores=[row for row in scores if row.checkpoint == name],
        base_scores=[row for row in scores if row.checkpoint == "base"],
        pooled=[row for row in scores if row.checkpoint == f"{line.arm}/{stage}"],
        benchmarks=[source_facts(ctx, name) for name in recipe.benchmarks],
        findings=[*seen.said("main"), *seen.said("caution")],
        sampling=recipe.evaluate.model_dump(include={"attempts", "temperature", "top_p",
                                                     "max_tokens"}),
        versions=first.versions if first else {},
    )  # fmt: skip


def model_card(facts: ModelFacts) -> str:
    """The card as Markdown with YAML front matter that the Hub reads."""
    header: dict[str, object] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["manyways", "reasoning", facts.arm, "grpo" if facts.stage == "rl" else "sft"],
    }
    if facts.base == OUR_BASE:
        header["license"] = "apache-2.0"
    if is_hub_id(facts.base):
        header["base_model"] = facts.base
    sets = (facts.seed_problems.hub_id, facts.rl_problems.hub_id)
    if any(sets):
        header["datasets"] = sorted({name for name in sets if name})
    if facts.seed_problems.language and facts.seed_problems.language == facts.rl_problems.language:
        header["language"] = [facts.seed_problems.language]
    if results := _model_index(facts):
        name = f"{facts.name} {facts.checkpoint}"
        header["model-index"] = eval_results_to_model_index(name, results)
    return front_matter(header) + render("model_card.md.j2", facts=facts)


def _model_index(facts: ModelFacts) -> list[EvalResult]:
    """Every score, in the form that the Hub and other tools read from a card."""
    hub = {one.name: one.hub_id for one in facts.benchmarks}
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=hub.get(row.benchmark) or row.benchmark,
            dataset_name=row.benchmark,
            metric_type=f"pass@{row.k}",
            metric_name=f"pass@{row.k}, 95% interval {row.score.low:.3f} to {row.score.high:.3f}",
            metric_value=round(row.score.value, 4),
        )
        for row in facts.scores
        if row.benchmark != "mean"
    ]


def eval_results(facts: ModelFacts) -> dict[str, str]:
    """``.eval_results/NAME.yaml`` -> its text: pass@1 in percent, for leaderboards of the Hub.

    Benchmarks that were evaluated with a limit are left out, because their scores do not compare.
    Source: https://huggingface.co/docs/hub/eval-results
    """
    whole = {one.name: one for one in facts.benchmarks}
    files = {}
    for row in facts.scores:
        task, source = LEADERBOARDS.get(row.benchmark), whole.get(row.benchmark)
        if row.k != 1 or task is None or source is None or row.score.n != source.problems:
            continue
        entry = EvalResultEntry(
            dataset_id=str(source.hub_id),
            task_id=task,
            value=round(100 * row.score.value, 2),
            dataset_revision=source.commit,
            notes=f"pass@1 of {row.attempts} attempts a problem at temperature "
            f"{facts.sampling['temperature']}, 95% interval {100 * row.score.low:.1f} to "
            f"{100 * row.score.high:.1f}",
        )
        text = str(yaml_dump(eval_result_entries_to_yaml([entry])))
        files[f".eval_results/{task}.yaml"] = text
    return files


def export_model(
    ctx: Context,
    line: Line,
    *,
    stage: Stage = "rl",
    out: Path | None = None,
    repo: str | None = None,
    api: "HfApi | None" = None,
) -> Path:
    """Copy a checkpoint and add a card. ``AutoModelForCausalLM.from_pretrained`` loads the folder.

    repo: push the folder there with ``api``.

    Returns the folder.

    Raises MissingWork when the run has no such checkpoint, DataError when ``out`` cannot be used.
    """
    source = checkpoint_of(ctx, line, stage)
    out = out or folder_of(ctx, f"{line.name.replace('/', '-')}-{stage}")
    shared = public_recipe(ctx.recipe)
    analyse.say_behind(ctx, "this card")
    facts = shared.of(facts_of(ctx, line, stage))
    with export_folder(out, asdict(facts), shared) as folder:
        for file in sorted(source.iterdir()):
            if file.is_file() and file.name not in OF_TRAINING:
                _copy(file, folder / file.name, shared)
        write_text(folder / "README.md", model_card(facts))
        for name, text in eval_results(facts).items():
            write_text(folder / name, text)
    say(f"{facts.checkpoint} in {out}; AutoModelForCausalLM.from_pretrained('{out}') loads it.")
    push(out, repo, kind="model", api=api)
    return out


def _copy(file: Path, to: Path, shared: PublicRecipe) -> None:
    changed = shared.checkpoint_file(file)
    if changed is None:
        shutil.copy2(file, to)
    else:
        to.write_bytes(changed)


def checkpoint_of(ctx: Context, line: Line, stage: Stage) -> Path:
    """The folder of a trained checkpoint.

    Raises RecipeError for vanilla before RL, MissingWork if the run has no such checkpoint.
    """
    if stage == "mid" and not line.midtrains:
        raise RecipeError(f"arm '{line.arm}' has no mid-training: give --stage rl.")
    path = Path(ctx.path_of(line.mid if stage == "mid" else line.rl))
    if not (path / "config.json").is_file():
        there = [
            one.name for one in ctx.checkpoints if one != BASE and Path(ctx.path_of(one)).exists()
        ]
        raise MissingWork(
            f"'{ctx.run.root}' has no checkpoint {line.name}/{stage}. Its checkpoints are: "
            f"{', '.join(there) or 'none yet'}."
        )
    return path
