"""GRPO by verl as a subprocess: write its input, start it, read its log, merge its checkpoint.

verl writes one file of attempts for each step: prompt, text and score of each attempt, sorted by
prompt. It names no problem, tokens, seed or advantage. Here the problem is the one whose question
stands in the prompt, tokens are counted again, and seed and advantage stay unknown.
"""

import contextlib
import fcntl
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from manyways import trust
from manyways.checkpoints import checkpoint_hash, load_tokenizer
from manyways.errors import DataError, MissingWork, RunDirError
from manyways.fingerprint import prompt_hash
from manyways.progress import Meter, say
from manyways.recipe.pool import VerifyConfig
from manyways.records import PLAIN, Attempt, Message, Problem, RLAttempt, Verdict, line_name
from manyways.rendering import encode, prompt_ids
from manyways.tables import append_rl_attempts, drop_rl_attempts_after, write_text
from manyways.train import STEPS, RLSettings
from manyways.train.launch import end
from manyways.train.reward import FOLDER, StepReward, Verify, kept, reward_of
from manyways.train.verl import environment
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
    """Write one row for each prompt of the whole training, in order: verl must not shuffle them.

    The columns are verl's own: ``prompt`` (chat turns), ``reward_model.ground_truth``,
    ``data_source`` and ``extra_info``. The last one carries our problem to the reward function.
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
    """Write the file that ``reward.custom_reward_function.path`` names."""
    where = {"allow_unsafe_code", "isolation", "image"}
    settings = verify.model_dump(include={"workers", "timeout", "policy", *where})
    settings |= {"max_undecided": verify.max_undecided, "form": form}
    # Reward workers run wherever Ray puts them, without this process's variables.
    settings |= {"trusted": trust.environment()}
    source = str(Path(__file__).parents[3])
    path.write_text(REWARD.format(source=source, settings=settings), encoding="utf-8")


LOOK_SECONDS = 10.0
"""Time between two reads of verl's log."""
GRACE_SECONDS = 30.0
"""Time for verl to end its Ray cluster."""
WAIT_SECONDS = 60.0
"""Time for the verl of an earlier, killed command to end."""
TAIL, TAIL_BYTES = 15, 1 << 16
"""An error quotes this many lines, looked for in this many bytes at the end of verl's output."""
TOLD_TO_END = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("started by a command that is gone")
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Asks Linux for a SIGTERM when its parent dies (prctl's PR_SET_PDEATHSIG, which survives exec),
then becomes the command."""


def run(words: list[str], console: Path, *, look: Callable[[], None]) -> int:
    """Run the command ``words`` and return its exit code.

    console: file that the command's output is appended to.
    look:    called every ``LOOK_SECONDS``, and at the end.

    On Linux the command ends when this process ends, even when it is killed.

    Raises RunDirError when an earlier command still runs in the folder of ``console``.
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
    """The last lines of ``console`` after byte ``begin``, indented."""
    begin = max(begin, console.stat().st_size - TAIL_BYTES)
    with console.open("rb") as stream:
        stream.seek(begin)
        text = stream.read().decode("utf-8", errors="replace")
    lines = [line.rstrip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-TAIL:]) or "  (it printed nothing)"


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Hold the folder's lock; yields its file descriptor."""
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


def train(
    checkpoint: str,
    problems: Sequence[Problem],
    *,
    reward: StepReward,
    settings: RLSettings,
    out: Path,
) -> Path:
    """Train ``checkpoint`` with verl; returns ``out/checkpoint``, an ordinary Hugging Face folder.

    ``reward`` is not called: verl's workers run the verifier themselves, with the recipe's
    settings. verl resumes by itself from ``out/verl/checkpoints``. These are deleted once they are
    merged, because with the optimizer's state they are many times as large as the model.

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
    """Write metrics.jsonl anew from verl's log; returns the number of steps in it."""
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
    """Merge what verl saved of one step into the folder ``target``, which is absent or whole."""
    if target.exists():
        return
    partial = _partial(target.parent)
    partial.parent.mkdir(parents=True, exist_ok=True)
    _merge(settings, actor, partial)
    # verl saves a tokenizer of its own; every stage has to render prompts with the same template.
    load_tokenizer(checkpoint).save_pretrained(partial)
    partial.rename(target)


def _run(words: list[str], settings: RLSettings, places: Places, metrics: Path) -> None:
    """Run verl: its output goes to console.txt, its numbers to our metrics.jsonl.

    Raises MissingWork with its last lines when the last step's checkpoint is not whole.
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
    """Run verl's merger. Raises MissingWork with its last lines when it fails."""
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


NAMES = {
    "loss": ("actor/pg_loss", "actor/loss"),
    "reward": ("critic/score/mean",),
    "entropy": ("actor/entropy",),
    "length": ("response_length/mean",),
    "truncated": ("response_length/clip_ratio",),
    "seconds": ("perf/time_per_step", "timing_s/step"),
}
"""Field of ``measures.curves.CurveRow`` -> verl's names for it; the first one found is taken."""


def curve(logs: Sequence[Path], rollouts: Path, *, group_size: int) -> list[dict[str, float]]:
    """A row of metrics for each step, in order. If a step was taken twice, the later one counts.

    logs:     files of verl's ``file`` logger, one for each start, in order.
    rollouts: verl's folder of attempts: the shares of groups and of undecided attempts.
    """
    rows: dict[int, dict[str, float]] = {}
    for log in logs:
        for row in rows_of(log):
            step, data = int(row["step"]), row["data"]
            found = _named(data)
            if found:
                groups = shares(rollouts / f"{step}.jsonl", group_size=group_size)
                rows[step] = {"step": step, **found, **groups}
    return [rows[step] for step in sorted(rows)]


def shares(path: Path, *, group_size: int) -> dict[str, float]:
    """Shares of mixed, all right and all wrong groups, and of undecided attempts, in [0, 1].

    verl trains on an undecided attempt as on a wrong one, so it counts as wrong in its group. The
    result is empty when there is no such file, or when it does not hold whole groups: verl writes
    it in the background. verl's newer trainer does not say which attempts are undecided.
    """
    if not path.is_file():
        return {}
    state = path.stat()
    return _shares(path, group_size, (state.st_mtime_ns, state.st_size))


@cache
def _shares(path: Path, group_size: int, _state: tuple[int, int]) -> dict[str, float]:
    """The file is read once as long as it does not change: all steps together may be gigabytes."""
    rows = list(rows_of(path))
    if not rows or len(rows) % group_size:
        return {}
    # verl sorts by the id of the prompt, so attempts at one problem are neighbours.
    groups = [rows[i : i + group_size] for i in range(0, len(rows), group_size)]
    right = [sum(row["score"] > 0.5 for row in group) for group in groups]
    found = {
        "mixed": sum(0 < n < group_size for n in right) / len(groups),
        "all_right": sum(n == group_size for n in right) / len(groups),
        "all_wrong": sum(n == 0 for n in right) / len(groups),
    }
    if all("undecided" in row for row in rows):
        found["undecided"] = sum(row["undecided"] for row in rows) / len(rows)
    return found


def _named(data: dict[str, Any]) -> dict[str, float]:
    found = {}
    for name, theirs in NAMES.items():
        values = [data[key] for key in theirs if key in data]
        if values and isinstance(values[0], int | float) and math.isfinite(values[0]):
            found[name] = float(values[0])
    return found


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The value of each whole line. The last line may be half written, even within a character."""
    if path.is_file():
        # Not splitlines: texts of a model hold separators that JSON does not escape.
        for line in path.read_bytes().split(b"\n"):
            try:
                yield json.loads(line)
            except ValueError:
                continue


def keep_attempts(
    checkpoint: str, problems: Sequence[Problem], *, verify: Verify, settings: RLSettings, out: Path
) -> None:
    """Write the attempts that ``rl.attempts`` names to ``out/attempts``, anew each time."""
    wanted = kept(settings.config.attempts, (problem.id for problem in problems))
    if not wanted:
        return
    drop_rl_attempts_after(out / FOLDER, 0)
    find = _finder(problems)
    make = _maker(checkpoint, settings)
    for step in range(1, settings.config.steps + 1):
        rows = list(rows_of(Places(root=out / "verl").rollouts / f"{step}.jsonl"))
        met = [(place, row["output"], find(row["input"])) for place, row in enumerate(rows)]
        mine = [(i, text, problem) for i, text, problem in met if problem and problem.id in wanted]
        verdicts = verify([(problem, text) for _, text, problem in mine])
        made = [make(step, one, v) for one, v in zip(mine, verdicts, strict=True)]
        if made:
            append_rl_attempts(out / FOLDER, made)


def _finder(problems: Sequence[Problem]) -> Callable[[str], Problem | None]:
    """Returns a function that finds a prompt's problem: the longest question that stands in it."""
    longest_first = sorted(problems, key=lambda problem: -len(problem.question))
    known: dict[str, Problem | None] = {}

    def find(prompt: str) -> Problem | None:
        if prompt not in known:
            known[prompt] = next((p for p in longest_first if p.question in prompt), None)
        return known[prompt]

    return find


def _maker(
    checkpoint: str, settings: RLSettings
) -> Callable[[int, tuple[int, str, Problem], Verdict], RLAttempt]:
    tokenizer, start = load_tokenizer(checkpoint, settings.template), checkpoint_hash(checkpoint)
    size, most = settings.config.group_size, settings.config.max_tokens

    def make(step: int, one: tuple[int, str, Problem], verdict: Verdict) -> RLAttempt:
        place, text, problem = one
        asked = settings.messages(problem)
        tokens = len(encode(tokenizer, text)) + 1
        return RLAttempt(
            attempt=Attempt(
                problem_id=problem.id,
                heuristic=PLAIN,
                sample=place % size,
                seed=-1,
                text=text,
                finish="length" if tokens > most else "stop",
                prompt_tokens=len(prompt_ids(tokenizer, asked)[0]),
                tokens=min(tokens, most),
                prompt_hash=prompt_hash(asked),
                model_hash=start,
                verdict=verdict,
            ),
            step=step,
            group=place // size,
            # As it was trained on: verl takes an undecided attempt for a wrong one.
            reward=reward_of(verdict) or 0.0,
            advantage=None,
        )

    return make
