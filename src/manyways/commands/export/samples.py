"""``manyways export samples``: attempts and scores in the files of the lm-evaluation-harness.

It writes OUT/<model>/results_<date>.json and OUT/<model>/samples_<task>_<date>.jsonl, with the keys
of the harness's EvaluationTracker (``lm_eval/loggers/evaluation_tracker.py``). A row of the samples
is a problem: ``resps`` holds every attempt, and ``filtered_resps`` the answer in each. The key
``verdicts`` is our own, because a mean does not say which attempts were correct.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import numpy as np

from manyways import __version__
from manyways.commands.export import folder_of, public_recipe, source_facts
from manyways.context import Context
from manyways.errors import DataError
from manyways.fingerprint import versions
from manyways.metrics.pass_at_k import pass_at_k, powers_of_two
from manyways.plugins import nearest
from manyways.progress import say
from manyways.records import BASE, Attempt, Checkpoint, Message, Problem
from manyways.run_dir import Stamp, benchmark_slug
from manyways.tables import parts, read_attempts, write_text

FILTER = "final-answer"
"""The name of a filter for our extraction rules."""
NO_ANSWER = "[invalid]"
"""What the harness writes if a filter finds nothing."""
RATES = ("no_answer", "undecided", "truncated")

Sample = dict[str, object]

VERSION = 1.0
"""The version of a task. It is raised when the meaning of our prompts or metrics changes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptStyle:
    """How the model was given a prompt.

    render:   messages -> the text of the prompt.
    template: the tokenizer's chat template.
    tokens:   ``eos``, ``bos``, ``pad`` -> [token, id] as strings.
    """

    render: Callable[[tuple[Message, ...]], str]
    template: str
    tokens: Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One benchmark as a task of the harness: its samples and what the results file needs."""

    name: str
    benchmark: str
    samples: list[Sample]
    metrics: tuple[str, ...]
    stamp: Stamp | None


def export_samples(
    ctx: Context,
    checkpoint: str | None = None,
    *,
    out: Path | None = None,
    style: PromptStyle | None = None,
) -> list[Path]:
    """Write the evaluation of ``checkpoint`` or of all checkpoints. Returns their folders.

    checkpoint: ``base`` or ``<arm>/seed-<s>/<mid|rl>``.
    style:      default: as the base model's tokenizer renders prompts.

    Raises DataError for a checkpoint that was not evaluated.
    """
    names = evaluated_checkpoints(ctx)
    if checkpoint is not None and checkpoint not in names:
        hint = nearest(checkpoint, dict.fromkeys(names)) if names else " None is evaluated yet."
        raise DataError(f"this run has not evaluated a checkpoint '{checkpoint}'.{hint}")
    if not names:
        raise DataError(f"nothing is evaluated yet: run `manyways evaluate {ctx.run.root}` first.")
    style = style or prompt_style(ctx)
    out = out or folder_of(ctx, "samples")
    folders = []
    for name in names if checkpoint is None else [checkpoint]:
        folders.append(_write_checkpoint(ctx, name, style, out))
        say(f"{name}: {folders[-1]}")
    return folders


def evaluated_checkpoints(ctx: Context) -> list[str]:
    """Names of the checkpoints with attempts on a benchmark of the recipe."""
    benchmarks = ctx.recipe.benchmarks
    names = [checkpoint.name for checkpoint in ctx.checkpoints]
    return [n for n in names if any(parts(ctx.run.eval_path(n, b)) for b in benchmarks)]


def prompt_style(ctx: Context) -> PromptStyle:
    """How the run's prompts look as text. All checkpoints of a run have the base's template."""
    from manyways.checkpoints import load_tokenizer
    from manyways.rendering import prompt_ids

    tokenizer = load_tokenizer(ctx.base_path, ctx.recipe.model.chat_template_kwargs)
    tokens = {
        name: [
            str(getattr(tokenizer, f"{name}_token")),
            str(getattr(tokenizer, f"{name}_token_id")),
        ]
        for name in ("eos", "bos", "pad")
    }
    return PromptStyle(
        render=lambda messages: prompt_ids(tokenizer, messages)[1],
        template=str(tokenizer.chat_template),
        tokens=tokens,
    )


def _write_checkpoint(ctx: Context, checkpoint: str, style: PromptStyle, out: Path) -> Path:
    tasks = [
        task_of(ctx, checkpoint, benchmark, style)
        for benchmark in ctx.recipe.benchmarks
        if parts(ctx.run.eval_path(checkpoint, benchmark))
    ]
    tasks = [task for task in tasks if task.samples]
    folder = out / folder_name(f"{ctx.recipe.name}/{checkpoint}")
    date = date_id([task.stamp for task in tasks])
    for task in tasks:
        lines = [json.dumps(sample, ensure_ascii=False) for sample in task.samples]
        write_text(folder / f"samples_{task.name}_{date}.jsonl", "".join(f"{x}\n" for x in lines))
    found = results(ctx, checkpoint, tasks, style)
    write_text(folder / f"results_{date}.json", json.dumps(found, indent=2, ensure_ascii=False))
    return folder


def task_of(ctx: Context, checkpoint: str, benchmark: str, style: PromptStyle) -> Task:
    """One checkpoint on one benchmark, with as many attempts as the recipe asks for."""
    settings = ctx.recipe.evaluate
    slug = benchmark_slug(benchmark)
    found: dict[str, list[Attempt]] = {}
    for attempt in read_attempts(ctx.run.eval_path(checkpoint, benchmark)):
        if attempt.sample < settings.attempts:
            found.setdefault(attempt.problem_id, []).append(attempt)
    problems = [
        (number, problem)
        for number, problem in enumerate(ctx.problems(benchmark, settings.limit))
        if problem.id in found
    ]
    fewest = min((len(found[problem.id]) for _, problem in problems), default=0)
    ks = powers_of_two(fewest)
    samples = []
    for number, problem in problems:
        attempts = sorted(found[problem.id], key=lambda a: a.sample)
        prompt = style.render(ctx.prompts_for(problem).plain(problem.question))
        sample = _sample(problem, attempts, prompt, generation_settings(ctx))
        samples.append({"doc_id": number, **sample, **_metrics(attempts, ks)})
    metrics = (*(f"pass@{k}" for k in ks), *RATES)
    for sample in samples:
        sample["metrics"] = list(metrics)
    stamp = ctx.run.stamp(f"evaluate/{checkpoint}/{slug}")
    name = benchmark_slug(public_recipe(ctx.recipe).text(benchmark))
    return Task(name=name, benchmark=benchmark, samples=samples, metrics=metrics, stamp=stamp)


def generation_settings(ctx: Context) -> dict[str, object]:
    """The harness's ``generation_kwargs``."""
    settings = ctx.recipe.evaluate
    return {
        "until": [],
        "do_sample": True,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_gen_toks": settings.max_tokens,
    }


def _sample(
    problem: Problem, attempts: Sequence[Attempt], prompt: str, settings: dict[str, object]
) -> Sample:
    doc = {**asdict(problem), "tags": dict(problem.tags)}
    answers = [a.verdict.answer if a.verdict.answer is not None else NO_ANSWER for a in attempts]
    return {
        "doc": doc,
        "target": problem.answer,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": settings}},
        "resps": [[attempt.text for attempt in attempts]],
        "filtered_resps": [answers],
        "filter": FILTER,
        "metrics": [],
        "doc_hash": text_hash(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": text_hash(prompt),
        "target_hash": text_hash(problem.answer),
        "verdicts": [[attempt.verdict.status for attempt in attempts]],
    }


def _metrics(attempts: Sequence[Attempt], ks: Sequence[int]) -> dict[str, float]:
    """The metrics of one problem: unbiased pass@k and the rates of ``RATES``."""
    count, statuses = len(attempts), [attempt.verdict.status for attempt in attempts]
    found = {f"pass@{k}": pass_at_k([count], [statuses.count("correct")], k)[0] for k in ks}
    found |= {name: statuses.count(name) / count for name in ("no_answer", "undecided")}
    found["truncated"] = sum(attempt.finish == "length" for attempt in attempts) / count
    return {name: float(value) for name, value in found.items()}


def text_hash(text: str) -> str:
    """SHA-256 of the UTF-8 bytes, as ``lm_eval.utils.hash_string`` computes it."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def mean_and_error(values: Sequence[float]) -> tuple[float, float | str]:
    """Mean and standard error as the harness computes them, ``N/A`` for a single problem."""
    if len(values) < 2:
        return float(np.mean(values)), "N/A"
    return float(np.mean(values)), float(np.std(values, ddof=1) / math.sqrt(len(values)))


def results(
    ctx: Context, checkpoint: str, tasks: Sequence[Task], style: PromptStyle
) -> dict[str, object]:
    """The content of the results file, in the harness's order."""
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
        **{f"tokenizer_{kind}_token": list(pair) for kind, pair in style.tokens.items()},
        "eot_token_id": None,
        "max_length": None,
        "task_hashes": {task.name: _task_hash(task) for task in tasks},
        "model_source": ctx.recipe.model.engine,
        "model_name": name,
        "model_name_sanitized": folder_name(name),
        "system_instruction": system,
        "system_instruction_sha": text_hash(system) if system else None,
        "fewshot_as_multiturn": False,
        "chat_template": style.template,
        "chat_template_sha": text_hash(style.template),
        "total_evaluation_time_seconds": str(sum(stamp.seconds for stamp in stamps)),
    }


def folder_name(name: str) -> str:
    """The name of a model in folder names of the harness."""
    return re.sub(r"[\"<>:/|\\?*\[\]]+", "__", name)


def date_id(stamps: Sequence[Stamp | None]) -> str:
    """When the evaluation ended, as in file names of the harness. A second export overwrites."""
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
    source = public_recipe(ctx.recipe).of(source_facts(ctx, task.benchmark))
    return {
        "task": task.name,
        "dataset_path": source.hub_id or source.name,
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
            "problem_set": source.name,
            "fingerprint": source.fingerprint,
            "commit": source.commit,
        },
    }


def _execution(ctx: Context, checkpoint: str, stamps: Sequence[Stamp]) -> dict[str, object]:
    recipe, of = ctx.recipe, Checkpoint.parse(checkpoint)
    seed = of.seed or 0
    path = public_recipe(recipe).recipe.model.path if of == BASE else f"{of.folder}/checkpoint"
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
    return text_hash("".join(str(sample[key]) for sample in task.samples for key in keys))


def _versions(stamps: Sequence[Stamp]) -> dict[str, str]:
    return stamps[-1].versions if stamps else versions()
