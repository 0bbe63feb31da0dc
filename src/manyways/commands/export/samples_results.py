"""The ``results_<date>.json`` of the lm-evaluation-harness for one checkpoint of a run."""

import re
from collections.abc import Sequence
from datetime import datetime

from manyways import __version__
from manyways.commands.export.samples import (
    FILTER,
    Asking,
    Task,
    generation_settings,
    hashed,
    mean_and_error,
)
from manyways.commands.export.sources import source_facts
from manyways.context import Context
from manyways.fingerprint import versions
from manyways.records import BASE, Checkpoint
from manyways.stamps import Stamp

VERSION = 1.0
"""Of a task: raised when the meaning of our prompts or metrics changes."""


def results(
    ctx: Context, checkpoint: str, tasks: Sequence[Task], asking: Asking
) -> dict[str, object]:
    """Everything in the file, in the order in which the harness writes it."""
    stamps = [task.stamp for task in tasks if task.stamp]
    system = ctx.recipe.prompt.system or None
    name = f"{ctx.recipe.name}/{checkpoint}"
    return {
        "results": {task.name: _scores(task) for task in tasks},
        "group_subtasks": {task.name: [] for task in tasks},
        "configs": {task.name: _config(ctx, task) for task in tasks},
        "versions": {task.name: VERSION for task in tasks},
        "n-shot": {task.name: 0 for task in tasks},
        "higher_is_better": {
            task.name: {metric: metric.startswith("pass@") for metric in task.metrics}
            for task in tasks
        },
        "n-samples": {
            task.name: {
                "original": ctx.sets.load(task.benchmark).total,
                "effective": len(task.samples),
            }
            for task in tasks
        },
        "config": _execution(ctx, checkpoint, stamps),
        "git_hash": None,
        "date": min((stamp.ended - stamp.seconds for stamp in stamps), default=0.0),
        "pretty_env_info": "\n".join(f"{k} {v}" for k, v in _versions(stamps).items()),
        "transformers_version": _versions(stamps).get("transformers", ""),
        "lm_eval_version": f"none: exported by manyways {__version__}",
        "upper_git_hash": None,
        **{f"tokenizer_{kind}_token": list(pair) for kind, pair in asking.tokens.items()},
        "eot_token_id": None,
        "max_length": None,
        "task_hashes": {task.name: _task_hash(task) for task in tasks},
        "model_source": ctx.recipe.model.engine,
        "model_name": name,
        "model_name_sanitized": sanitized(name),
        "system_instruction": system,
        "system_instruction_sha": hashed(system) if system else None,
        "fewshot_as_multiturn": False,
        "chat_template": asking.template,
        "chat_template_sha": hashed(asking.template),
        "total_evaluation_time_seconds": str(sum(stamp.seconds for stamp in stamps)),
    }


def sanitized(name: str) -> str:
    """A model's name as the harness writes it into folder names."""
    return re.sub(r"[\"<>:/|\\?*\[\]]+", "__", name)


def date_id(stamps: Sequence[Stamp | None]) -> str:
    """When the evaluation ended, as in the harness's file names: exporting again overwrites."""
    ended = max((stamp.ended for stamp in stamps if stamp), default=0.0)
    return datetime.fromtimestamp(ended).isoformat().replace(":", "-")


def _scores(task: Task) -> dict[str, object]:
    scores: dict[str, object] = {
        "name": task.name,
        "alias": task.name,
        "sample_len": len(task.samples),
    }
    for metric in task.metrics:
        values = [float(str(sample[metric])) for sample in task.samples]
        mean, error = mean_and_error(values)
        scores[f"{metric},{FILTER}"] = mean
        scores[f"{metric}_stderr,{FILTER}"] = error
    return scores


def _config(ctx: Context, task: Task) -> dict[str, object]:
    source = source_facts(ctx, task.benchmark)
    return {
        "task": task.name,
        "dataset_path": source.hub_id or task.benchmark,
        "output_type": "generate_until",
        "metric_list": [
            {
                "metric": metric,
                "aggregation": "mean",
                "higher_is_better": metric.startswith("pass@"),
            }
            for metric in task.metrics
        ],
        "generation_kwargs": generation_settings(ctx),
        "repeats": ctx.recipe.evaluate.attempts,
        "filter_list": [{"name": FILTER, "filter": [{"function": "custom"}]}],
        "num_fewshot": 0,
        "should_decontaminate": False,
        "metadata": {
            "version": VERSION,
            "problem_set": task.benchmark,
            "fingerprint": source.fingerprint,
            "commit": source.commit,
        },
    }


def _execution(ctx: Context, checkpoint: str, stamps: Sequence[Stamp]) -> dict[str, object]:
    recipe, of = ctx.recipe, Checkpoint.parse(checkpoint)
    seed = of.seed or 0
    path = recipe.model.path if of == BASE else f"{of.folder}/checkpoint"
    return {
        "model": recipe.model.engine,
        "model_args": f"pretrained={path},dtype={recipe.model.dtype}",
        "model_sha": str(stamps[0].identity.get("model")) if stamps else None,
        "model_dtype": recipe.model.dtype,
        "batch_size": None,
        "batch_sizes": [],
        "device": recipe.model.device,
        "use_cache": None,
        "limit": recipe.evaluate.limit,
        "bootstrap_iters": 0,
        "gen_kwargs": generation_settings(ctx),
        "random_seed": seed,
        "numpy_seed": seed,
        "torch_seed": seed,
        "fewshot_seed": seed,
    }


def _task_hash(task: Task) -> str:
    keys = ("doc_hash", "prompt_hash", "target_hash")
    return hashed("".join(str(sample[key]) for sample in task.samples for key in keys))


def _versions(stamps: Sequence[Stamp]) -> dict[str, str]:
    return stamps[-1].versions if stamps else versions()
