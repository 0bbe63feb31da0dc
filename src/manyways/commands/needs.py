"""What a run needs of this machine. A run and ``--dry-run`` check it first.

A need that is not met comes with a sentence that names the fix. Memory and disk are estimates. If
they seem short, a warning is printed and the run starts.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from manyways import pipeline
from manyways.checkpoints import (
    BASE_MODEL_TEMPLATE,
    checkpoint_bytes,
    load_tokenizer,
    parameters,
    pick_device,
)
from manyways.context import Context
from manyways.errors import RunDirError, Untrusted, UserError
from manyways.plugins import resolve
from manyways.progress import say
from manyways.recipe.engines import ModelConfig
from manyways.recipe.rl import RLConfig
from manyways.records import BASE
from manyways.stages import preflight
from manyways.verifiers import FUNCTIONS

GIB = 1024**3
GPU_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""Device files of the drivers of NVIDIA, AMD and WSL."""
TRAINED_BYTES = 16
"""Bytes of a parameter in training: the weight, its gradient, two moments of AdamW, in float32."""
TRAINER_COPIES = 2 * 3
"""Copies of the weights on disk during a training: two checkpoints, each with two moments."""
ATTEMPT_BYTES = 2048
"""Bytes of an attempt on disk, roughly."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """One thing that a run needs.

    Example: ``Need(what="device", found="cpu")``.

    found: what this machine has.
    short: why that may not be enough.
    lacks: what is missing and how to get it.
    """

    what: str
    found: str
    short: str = ""
    lacks: str = ""


def needs(context: Context, until: str) -> Iterator[Need]:
    """Every need of a run up to the stage ``until``."""
    wanted = pipeline.reached(context, until)
    looks: tuple[tuple[str, Callable[[Context, Sequence[str]], Iterator[Need]]], ...] = (
        ("work", _work),
        ("engines", _engines),
        ("stages", _stages),
        ("verifier", _verifiers),
        ("model", _model),
        ("tokenizer", _tokenizer),
        ("device", _device),
        ("memory", _memory),
        ("disk", _disk),
    )
    for what, look in looks:
        try:
            yield from look(context, wanted)
        except Untrusted:
            yield Need(what=what, found="not looked at: it names code (--trust)")
        except UserError as error:
            yield Need(what=what, found="missing", lacks=str(error))


def tell_needs(context: Context, until: str) -> None:
    """Say in one sentence what a new run will need, then what of it seems short.

    Raises UserError with the first need that is missing.
    """
    wanted = pipeline.reached(context, until)
    preflight.check_reach(context, wanted)
    preflight.check_names(context, wanted)
    found = list(needs(context, until))
    lacks = next((need.lacks for need in found if need.lacks), "")
    if lacks:
        raise UserError(lacks)
    say("This run: " + "; ".join(f"{need.what} {need.found}" for need in found) + ".")
    for need in found:
        if need.short:
            say(f"{need.what}: {need.short}")


def _work(context: Context, wanted: Sequence[str]) -> Iterator[Need]:
    """How many attempts are sampled and how many trainings run."""
    count: Counter[str] = Counter()
    trainings = 0
    for step in pipeline.steps(context):
        if step.stage.word in wanted:
            trainings += step.stage.makes is not None
            for amount in step.amount():
                count[step.stage.word] += amount.attempts
    kinds = (("generate", "attempts of the pool"), ("rl", "of RL"), ("evaluate", "of evaluations"))
    told = [f"{count[word]:,} {words}" for word, words in kinds if count[word]]
    yield Need(what="work", found=", ".join([*told, f"{trainings} trainings"]))


def _engines(context: Context, wanted: Sequence[str]) -> Iterator[Need]:
    """Every engine that these stages sample with."""
    recipe = context.recipe
    used: dict[str, ModelConfig] = {}
    if "generate" in wanted:
        used["generate"] = recipe.model.under(recipe.generate.engine)
        if recipe.distill is not None and recipe.distill.model is not None:
            used["distill"] = recipe.distill.model
    if "select" in wanted and recipe.select.judge is not None and recipe.select.scorer == "judge":
        used["select"] = recipe.select.judge
    if {"gate", "evaluate"} & set(wanted):
        used["evaluate"] = recipe.model
    names = {stage: "/".join(dict.fromkeys((m.engine, m.sampler))) for stage, m in used.items()}
    told = ", ".join(f"{name} ({stage})" for stage, name in names.items())
    yield Need(what="engines", found=told)


def _stages(context: Context, wanted: Sequence[str]) -> Iterator[Need]:
    """What stages import or start. Each stage is checked alone, so that no lack is left out."""
    told: set[str] = set()
    for word in wanted:
        try:
            preflight.check_reach(context, [word])
        except Untrusted:
            raise
        except UserError as error:
            if str(error) not in told:
                told.add(str(error))
                yield Need(what="packages", found="missing", lacks=str(error))
    if not told:
        yield Need(what="packages", found="there")


def _verifiers(context: Context, wanted: Sequence[str]) -> Iterator[Need]:
    """The verifiers. Those of the user are imported."""
    recipe = context.recipe
    named = {recipe.verify.verifier} if recipe.verify.verifier else set()
    asked = [recipe.generate.problems]
    asked += recipe.rl_problems if {"gate", "rl"} & set(wanted) else ()
    asked += recipe.benchmarks if "evaluate" in wanted else ()
    for name in asked:
        named |= {problem.verifier for problem in context.problems(name, None)}
    own = sorted(name for name in named if name and name not in FUNCTIONS and ":" in name)
    for name in own:
        if not name.startswith("manyways."):
            resolve(name, FUNCTIONS, "verifier")
    yield Need(what="verifiers", found=", ".join(sorted(filter(None, named))))


def _model(context: Context, _: Sequence[str]) -> Iterator[Need]:
    model = context.recipe.model
    if model.remote:
        server = model.http.url if model.http else "a server"
        yield Need(what="model", found=f"{model.path} at {server}")
        return
    size, count = checkpoint_bytes(context.base_path), parameters(context.base_path)
    if size is None:
        yield Need(what="model", found=f"{model.path}, which is downloaded from the Hub")
        return
    many = f"{count:,} parameters, " if count else ""
    yield Need(what="model", found=f"{model.path} ({many}{_bytes(size)})")


def _tokenizer(context: Context, wanted: Sequence[str]) -> Iterator[Need]:
    """EOS, the chat template and, for a training, the end of a turn."""
    model = context.recipe.model
    if model.remote or find_spec("transformers") is None:
        return
    from transformers import GenerationConfig

    from manyways.rendering import end_of_turn

    path = context.base_path
    tokenizer = load_tokenizer(path, model.chat_template_kwargs)
    plain = tokenizer.chat_template == BASE_MODEL_TEMPLATE
    template = (
        "no chat template: prompts get a plain one (Problem: Q Solution: A), which suits a base "
        "model; for an instruct model put its chat_template.jinja into the folder"
        if plain
        else "a chat template"
    )
    if "midtrain" in wanted or "rl" in wanted:
        try:
            named = GenerationConfig.from_pretrained(path).eos_token_id
        except OSError:
            named = None
        several = named if isinstance(named, list) else [named]
        stops = {int(i) for i in (*several, tokenizer.eos_token_id) if i is not None}
        end_of_turn(tokenizer, tuple(sorted(stops)))
    yield Need(what="tokenizer", found=f"EOS {tokenizer.eos_token!r}, {template}")


def _device(context: Context, _: Sequence[str]) -> Iterator[Need]:
    if not context.recipe.model.remote:
        yield Need(what="device", found=_device_of(context))


def _device_of(context: Context) -> str:
    """Where models run. torch takes seconds to load, so it is asked only if there may be a GPU."""
    wanted = context.recipe.model.device
    choice = wanted not in ("auto", "cpu") or any(Path(file).exists() for file in GPU_FILES)
    if find_spec("torch") is None or not choice:
        return "cpu" if wanted == "auto" else wanted
    return pick_device(wanted)


def _memory(context: Context, wanted: Sequence[str]) -> Iterator[Need]:
    """The weights, or all that a training keeps of them. Activations are not counted."""
    recipe, path = context.recipe, context.base_path
    size, count = (
        (None, None) if recipe.model.remote else (checkpoint_bytes(path), parameters(path))
    )
    if size is None:
        return
    trains = {"midtrain", "rl"} & set(wanted)
    whole = any(
        section.lora is None
        for own in recipe.variants
        for word, section in (("midtrain", own.midtrain), ("rl", own.rl))
        if word in trains
    )
    least = float(count * TRAINED_BYTES) if count and whole else float(size)
    free, where = _free_memory(_device_of(context))
    told = f"at least {_bytes(least)} of {_bytes(free)} {where}"
    what, fix = (
        ("weights in training", "Train adapters ([midtrain.lora], [rl.lora]), or take")
        if whole
        else ("weights", "Take")
    )
    short = (
        f"{what} need {_bytes(least)}, and {_bytes(free)} are free. {fix} a smaller model or a "
        "larger machine."
    )
    yield Need(what="memory", found=told, short=short if least > free else "")


def _free_memory(device: str) -> tuple[float, str]:
    if device.startswith("cuda"):
        import torch

        return float(torch.cuda.mem_get_info()[0]), "free on the GPU"
    return float(psutil.virtual_memory().available), "free"


def _disk(context: Context, wanted: Sequence[str]) -> Iterator[Need]:
    """Checkpoints that stay, those of a running training, and attempts."""
    root = context.run.root
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    if not os.access(there, os.W_OK):
        raise RunDirError(f"cannot write to '{there}': name another run folder with --out.")
    size = None if context.recipe.model.remote else checkpoint_bytes(context.base_path)
    phases = {"midtrain": "mid", "rl": "rl"}
    made = [c for c in context.checkpoints if c != BASE and c.phase in map(phases.get, wanted)]
    copies = len(made) + copies_at_peak(context) if made else 0
    copies += sum(
        kept_steps(context.of(line).recipe.rl) for line in context.lines if line.rl in made
    )
    attempts = sum(
        amount.attempts
        for step in pipeline.steps(context)
        if step.stage.word in wanted and step.stage.word != "rl"
        for amount in step.amount()
    )
    least = (size or 0.0) * copies + attempts * ATTEMPT_BYTES
    free = float(shutil.disk_usage(there).free)
    unknown = " and its checkpoints" if made and size is None else ""
    yield Need(
        what="disk",
        found=f"about {_bytes(least)}{unknown} of {_bytes(free)} free",
        short=f"the run needs {_bytes(least)} in '{there}', and {_bytes(free)} are free: make "
        "room, or name another folder with --out."
        if least > free
        else "",
    )


def copies_at_peak(context: Context) -> int:
    """The most copies of the weights that a training of any arm keeps on disk while it runs."""
    return max(_trainer_copies(own.recipe.rl) for own in context.variants)


def _trainer_copies(rl: RLConfig) -> int:
    """Verl's sharded checkpoints of evaluated steps stay, with moments, until they are merged."""
    if rl.backend != "verl" or rl.evaluate_every is None:
        return TRAINER_COPIES
    saved = -(-rl.steps // rl.evaluate_every)
    return 3 * saved + saved - 1


def kept_steps(rl: RLConfig) -> int:
    """The most checkpoints that RL keeps besides its last."""
    every = rl.steps // rl.evaluate_every if rl.evaluate_every else 0
    return {"last": 0, "best": min(every, 1), "all": every}[rl.keep]


def _bytes(size: float) -> str:
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 1024**2:.1f} MiB"
