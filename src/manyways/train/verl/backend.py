"""GRPO by verl as a subprocess: write what it reads, start it, follow it, merge its checkpoint."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from manyways import trust
from manyways.checkpoints import load_tokenizer
from manyways.errors import DataError, MissingWork, RunDirError
from manyways.progress import Meter, say
from manyways.recipe.pool import VerifyConfig
from manyways.records import Message, Problem, line_name
from manyways.rendering import prompt_ids
from manyways.tables import write_text
from manyways.train import RLSettings
from manyways.train.launch import end
from manyways.train.reward import StepReward
from manyways.train.verl import environment
from manyways.train.verl.log import curve, keep_attempts
from manyways.train.verl.overrides import Places, overrides, verl_of

REWARD = '''"""The reward of this run; verl loads ``compute_score`` from here in its own Python."""

import sys

sys.path.insert(0, {source!r})

from manyways.verifiers.verl_reward import scorer

compute_score = scorer({settings!r})
'''


def write_problems(
    path: Path, problems: Sequence[Problem], messages: Callable[[Problem], tuple[Message, ...]]
) -> None:
    """One row for each prompt of the whole training, in order: verl must not shuffle them.

    The columns are verl's own: ``prompt`` (chat turns), ``reward_model.ground_truth``,
    ``data_source``, and ``extra_info``, in which our problem travels to the reward function.
    """
    import pyarrow as pa
    from pyarrow import parquet

    rows = [
        {
            "data_source": problem.id.rpartition("/")[0],
            "prompt": [{"role": m.role, "content": m.content} for m in messages(problem)],
            "ability": problem.verifier,
            "reward_model": {"style": "rule", "ground_truth": problem.answer},
            "extra_info": {
                "index": index,
                "id": problem.id,
                "problem": json.dumps(problem.fields(), ensure_ascii=False),
            },
        }
        for index, problem in enumerate(problems)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(rows), path)


def write_reward(path: Path, verify: VerifyConfig, *, form: str = "boxed") -> None:
    """The file for ``reward.custom_reward_function.path``."""
    where = {"allow_unsafe_code", "isolation", "image"}
    settings = verify.model_dump(include={"workers", "timeout", "policy", *where})
    settings |= {"max_undecided": verify.max_undecided, "form": form}
    # Reward workers run wherever Ray puts them, without this process's variables.
    settings |= {"trusted": trust.environment()}
    source = str(Path(__file__).parents[3])
    path.write_text(REWARD.format(source=source, settings=settings), encoding="utf-8")


LOOK_SECONDS = 10.0
"""Between two looks at what verl has logged."""
GRACE_SECONDS = 30.0
"""For verl to end its Ray cluster."""
WAIT_SECONDS = 60.0
"""For the verl of a killed command to end."""
TAIL, TAIL_BYTES = 15, 1 << 16
"""Lines of verl's own words in an error, and where at most they are looked for."""
TOLD_TO_END = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("started by a command that is gone")
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Becomes the command after asking Linux for a SIGTERM at its parent's death (prctl's
PR_SET_PDEATHSIG, which survives exec)."""


def run(words: list[str], console: Path, *, look: Callable[[], None]) -> int:
    """Run ``words`` to their end; returns the exit code.

    console: gets what it writes, after what is there. look: called every ``LOOK_SECONDS``, and
    at the end. The process ends with this one, however that ends (on Linux).

    Raises RunDirError when an earlier one still runs in the folder of ``console``.
    """
    starter = [sys.executable, "-c", TOLD_TO_END, str(os.getpid())]
    with _alone(console.parent) as lock, console.open("ab") as stream:
        process = subprocess.Popen(
            [*starter, *words],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            # Held for as long as it lives, also when this process is killed.
            pass_fds=(lock,),
        )
        try:
            while True:
                try:
                    return process.wait(LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    look()
        finally:
            end(process, GRACE_SECONDS)
            look()


def tail(console: Path, begin: int) -> str:
    """The last lines of ``console`` behind byte ``begin``, indented."""
    begin = max(begin, console.stat().st_size - TAIL_BYTES)
    with console.open("rb") as stream:
        stream.seek(begin)
        text = stream.read().decode("utf-8", errors="replace")
    lines = [line.rstrip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-TAIL:]) or "  (not a word)"


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """The descriptor of the folder's lock, held."""
    with (folder / ".lock").open("a") as lock:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise RunDirError(
                        f"verl, started by an earlier command, still runs in '{folder}': wait for "
                        "it, or end it."
                    ) from error
                time.sleep(0.2)
        yield lock.fileno()


STEPS = "steps"
"""In the folder of a training: checkpoints of steps, ``steps/50/checkpoint``."""


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
    verl resumes by itself from ``out/verl/checkpoints``, which go once they are merged: with the
    optimizer's state they are many times the model.

    Raises RecipeError when its Python cannot be used, MissingWork when it ended early.
    """
    target, places = out / "checkpoint", Places(root=out / "verl")
    if target.exists():
        shutil.rmtree(places.checkpoints, ignore_errors=True)
        return target
    environment.check_imports(verl_of(settings))
    prepare(checkpoint, problems, settings=settings, places=places)
    if places.saved < settings.config.steps:
        _run(command(checkpoint, settings, places), settings, places, out / "metrics.jsonl")
    keep_attempts(checkpoint, problems, verify=reward.verify, settings=settings, out=out)
    for step in watched(settings):
        if places.actor(step).is_dir():
            one = out / STEPS / str(step) / "checkpoint"
            _merged(checkpoint, settings, places.actor(step), one)
    _merged(checkpoint, settings, places.actor(settings.config.steps), target)
    shutil.rmtree(places.checkpoints, ignore_errors=True)
    return target


def command(checkpoint: str, settings: RLSettings, places: Places) -> list[str]:
    """The command line of verl's trainer, with every setting that is not its default."""
    log = places.log(len(places.logs) + 1)
    words = [environment.interpreter(verl_of(settings)), "-m", "verl.trainer.main_ppo"]
    return [*words, *overrides(checkpoint, settings, places, log=log)]


def commands(checkpoint: str, settings: RLSettings, out: Path) -> list[list[str]]:
    """The command lines that ``train`` runs, in order."""
    places = Places(root=out / "verl")
    steps = {step: out / STEPS / str(step) for step in watched(settings)}
    merges = [
        merge_command(settings, places.actor(step), _partial(folder))
        for step, folder in {**steps, settings.config.steps: out}.items()
    ]
    return [command(checkpoint, settings, places), *merges]


def merge_command(settings: RLSettings, actor: Path, target: Path) -> list[str]:
    """The command line that turns verl's sharded checkpoint into a Hugging Face folder."""
    python = environment.interpreter(verl_of(settings))
    words = [python, "-m", "verl.model_merger", "merge", "--backend", "fsdp"]
    return [*words, "--local_dir", str(actor), "--target_dir", str(target)]


def prepare(
    checkpoint: str, problems: Sequence[Problem], *, settings: RLSettings, places: Places
) -> None:
    """Write the files that verl reads: one row for every prompt of the training, in our order.

    Raises DataError when no prompt fits ``rl.verl.prompt_tokens``.
    """
    from manyways.train.trainer_config import passes

    limit = verl_of(settings).prompt_tokens
    tokenizer = load_tokenizer(checkpoint, settings.template)
    fitting = [p for p in problems if len(prompt_ids(tokenizer, settings.messages(p))[0]) <= limit]
    if not fitting:
        raise DataError(f"rl.verl.prompt_tokens = {limit}: every prompt is longer. Raise it.")
    if len(fitting) < len(problems):
        say(f"rl: {len(problems) - len(fitting)} prompts over {limit} tokens are left out")
    rl = settings.config
    order = passes(len(fitting), rl.steps * rl.prompts_per_step, settings.seed)
    write_problems(places.problems, [fitting[i] for i in order], settings.messages)
    write_reward(places.reward, settings.verify, form=settings.form)


def write_metrics(settings: RLSettings, places: Places, metrics: Path) -> int:
    """Bring metrics.jsonl up to what verl has logged; returns the number of its steps."""
    line = {"arm": settings.arm, "seed": settings.seed, "stage": "rl"}
    rows = curve(places.logs, places.rollouts, group_size=settings.config.group_size)
    write_text(metrics, "".join(json.dumps({**line, **row}) + "\n" for row in rows))
    return len(rows)


def watched(settings: RLSettings) -> range:
    """The steps before the last that are evaluated when the training is over."""
    every = settings.config.evaluate_every
    return range(every, settings.config.steps, every) if every and settings.watch else range(0)


def _partial(out: Path) -> Path:
    return out / ".checkpoint.partial"


def _merged(checkpoint: str, settings: RLSettings, actor: Path, target: Path) -> None:
    """What verl saved of one step becomes the folder ``target``, absent or whole."""
    if target.exists():
        return
    partial = _partial(target.parent)
    partial.parent.mkdir(parents=True, exist_ok=True)
    _merge(settings, actor, partial)
    # The template that every stage of this run renders prompts with, not what verl saved.
    load_tokenizer(checkpoint).save_pretrained(partial)
    partial.rename(target)


def _run(words: list[str], settings: RLSettings, places: Places, metrics: Path) -> None:
    """Run verl; its words go to console.txt, its numbers to our metrics.jsonl.

    Raises MissingWork with its last words when the last step's checkpoint is not whole.
    """
    environment.require_trust(words[0])
    console, steps = places.root / "console.txt", settings.config.steps
    begin = console.stat().st_size if console.exists() else 0
    label = f"rl {line_name(settings.arm, settings.seed)}"
    say(f"{label}: verl is started, it writes to {console}")
    with Meter(label, total=steps, unit="steps") as meter:
        seen = 0

        def look() -> None:
            nonlocal seen
            found = write_metrics(settings, places, metrics)
            meter.advance(found - seen)
            seen = found

        code = run(words, console, look=look)
    if places.saved < steps:
        again = f"it resumes from step {places.saved}" if places.saved else "it starts anew"
        raise MissingWork(
            f"verl ended with exit code {code} before the checkpoint of step {steps} was whole. "
            f"Run the same command again: {again}. Its last lines in {console}:\n"
            + tail(console, begin)
        )
    if code != 0:
        say(f"{label}: verl ended with exit code {code}, but its last checkpoint is whole")


def _merge(settings: RLSettings, actor: Path, target: Path) -> None:
    """Raises MissingWork with the merger's last words when it fails."""
    shutil.rmtree(target, ignore_errors=True)
    words = merge_command(settings, actor, target)
    console = actor.parents[2] / "merge.txt"
    environment.require_trust(words[0])
    with console.open("wb") as stream:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0 or not (target / "config.json").is_file():
        raise MissingWork(
            f"verl's model merger failed with exit code {done.returncode}. Its last lines in "
            f"{console}:\n" + tail(console, 0)
        )
