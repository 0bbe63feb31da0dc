"""GRPO by verl as a subprocess: write what it reads, start it, follow it, merge its checkpoint."""

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from manyways.checkpoints import load_tokenizer
from manyways.errors import DataError, MissingWork, RecipeError
from manyways.progress import say
from manyways.records import Problem
from manyways.rl import RLSettings
from manyways.rl.handover import prompt_ids
from manyways.rl.reward import StepReward
from manyways.rl.verl.files import write_problems, write_reward
from manyways.rl.verl.log import curve
from manyways.rl.verl.overrides import Places, overrides, verl_of
from manyways.tables import write_text

NEEDS = "import verl, vllm, math_verify, pydantic, psutil"
LOOK_SECONDS = 10.0


def train(
    checkpoint: str,
    problems: Sequence[Problem],
    *,
    reward: StepReward,
    settings: RLSettings,
    out: Path,
) -> Path:
    """Train ``checkpoint`` with verl; returns ``out/checkpoint``, an ordinary folder.

    ``reward`` is not called: verl's workers judge by themselves, with the recipe's settings.
    verl resumes by itself from ``out/verl/checkpoints``.

    Raises RecipeError when its Python cannot be used, MissingWork when it ended early.
    """
    target, places = out / "checkpoint", Places(root=out / "verl")
    if target.exists():
        return target
    check_python(verl_of(settings).python)
    prepare(checkpoint, problems, settings=settings, places=places)
    _run(command(checkpoint, settings, places), settings, places, out / "metrics.jsonl")
    last = _last(settings, places)
    if not last.is_dir():
        raise MissingWork(
            f"verl ended without the checkpoint of step {settings.config.steps} "
            f"({places.root / 'console.txt'} has what it said): run the same command again, it "
            "resumes from its last checkpoint."
        )
    partial = _partial(out)
    shutil.rmtree(partial, ignore_errors=True)
    done = subprocess.run(merge_command(settings, last, partial), check=False)
    if done.returncode != 0:
        raise MissingWork(f"verl's model merger failed with exit code {done.returncode}.")
    # The template that every stage of this run renders prompts with, not what verl saved.
    load_tokenizer(checkpoint).save_pretrained(partial)
    partial.rename(target)
    return target


def command(checkpoint: str, settings: RLSettings, places: Places) -> list[str]:
    """The command line of verl's trainer, with every setting that is not its default."""
    log = places.log(len(list(places.root.glob("log-*.jsonl"))) + 1)
    words = [verl_of(settings).python, "-m", "verl.trainer.main_ppo"]
    return [*words, *overrides(checkpoint, settings, places, log=log)]


def commands(checkpoint: str, settings: RLSettings, out: Path) -> list[list[str]]:
    """The command lines that ``train`` runs, in order."""
    places = Places(root=out / "verl")
    merge = merge_command(settings, _last(settings, places), _partial(out))
    return [command(checkpoint, settings, places), merge]


def merge_command(settings: RLSettings, actor: Path, target: Path) -> list[str]:
    """The command line that turns verl's sharded checkpoint into a Hugging Face folder."""
    words = [verl_of(settings).python, "-m", "verl.model_merger", "merge", "--backend", "fsdp"]
    return [*words, "--local_dir", str(actor), "--target_dir", str(target)]


def prepare(
    checkpoint: str, problems: Sequence[Problem], *, settings: RLSettings, places: Places
) -> None:
    """Write the files that verl reads: one row for every prompt of the training, in our order.

    Raises DataError when no prompt fits ``rl.verl.prompt_tokens``.
    """
    from manyways.rl.trainer_config import passes

    limit, tokenizer = verl_of(settings).prompt_tokens, load_tokenizer(checkpoint)
    fitting = [p for p in problems if len(prompt_ids(tokenizer, settings.messages(p))[0]) <= limit]
    if not fitting:
        raise DataError(f"rl.verl.prompt_tokens = {limit}: every prompt is longer. Raise it.")
    if len(fitting) < len(problems):
        say(f"rl: {len(problems) - len(fitting)} prompts over {limit} tokens are left out")
    rl = settings.config
    order = passes(len(fitting), rl.steps * rl.prompts_per_step, settings.seed)
    write_problems(places.problems, [fitting[i] for i in order], settings.messages)
    write_reward(places.reward, settings.verify)


def check_python(python: str) -> None:
    """Raises RecipeError when verl or what our reward needs cannot be imported by ``python``."""
    try:
        done = subprocess.run([python, "-c", NEEDS], capture_output=True, text=True, check=False)
    except OSError as error:
        raise RecipeError(f"rl.verl.python = '{python}': {error.strerror}.") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["failed"])[-1]
        raise RecipeError(
            f"rl.verl.python = '{python}' cannot run `{NEEDS}`: {last}. In that environment: "
            "pip install 'verl[vllm]' 'math-verify[antlr4_13_2]' pydantic psutil"
        )


def _last(settings: RLSettings, places: Places) -> Path:
    return places.checkpoints / f"global_step_{settings.config.steps}" / "actor"


def _partial(out: Path) -> Path:
    return out / ".checkpoint.partial"


def _run(words: list[str], settings: RLSettings, places: Places, metrics: Path) -> None:
    """Run verl to its end; its words go to console.txt, its numbers to our metrics.jsonl."""
    console = places.root / "console.txt"
    say(f"rl {settings.arm}/seed-{settings.seed}: verl is started, it writes to {console}")
    with console.open("ab") as stream:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                time.sleep(LOOK_SECONDS)
                write_metrics(settings, places, metrics)
        finally:
            if process.poll() is None:
                process.terminate()
    write_metrics(settings, places, metrics)


def write_metrics(settings: RLSettings, places: Places, metrics: Path) -> None:
    """Bring metrics.jsonl up to what verl has logged."""
    logs = sorted(places.root.glob("log-*.jsonl"), key=lambda p: int(p.stem.split("-")[1]))
    line = {"arm": settings.arm, "seed": settings.seed, "stage": "rl"}
    rows = curve(logs, places.rollouts, group_size=settings.config.group_size)
    write_text(metrics, "".join(json.dumps({**line, **row}) + "\n" for row in rows))
