"""What verl wrote down: its steps in the names of our metrics, its attempts as records.

verl's dump of a step has the prompt and the text of each attempt, sorted by prompt, and its score.
It has no problem, no tokens, no seed and no advantage: the problem is the one whose question stands
in the prompt, tokens are counted anew, and the others are not known.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from manyways.checkpoints import checkpoint_hash, load_tokenizer
from manyways.fingerprint import prompt_hash
from manyways.records import PLAIN, Attempt, Problem, RLAttempt, Verdict
from manyways.rendering import encode, prompt_ids
from manyways.tables import append_rl_attempts, drop_rl_attempts_after
from manyways.train import RLSettings
from manyways.train.reward import FOLDER, Verify, kept, reward_of
from manyways.train.verl.overrides import Places

NAMES = {
    "loss": ("actor/pg_loss", "actor/loss"),
    "reward": ("critic/score/mean",),
    "entropy": ("actor/entropy",),
    "length": ("response_length/mean",),
    "truncated": ("response_length/clip_ratio",),
    "seconds": ("perf/time_per_step", "timing_s/step"),
}
"""Field of ``results.CurveRow`` -> verl's name for it, the first that there is."""


def curve(logs: Sequence[Path], rollouts: Path, *, group_size: int) -> list[dict[str, float]]:
    """A row for each step, in order; a step that was taken again counts as it was last.

    logs:     files of verl's ``file`` logger, one for each start, in order.
    rollouts: its folder of attempts, from which come the shares of groups and the undecided.
    """
    rows: dict[int, dict[str, float]] = {}
    for log in logs:
        for step, data in _lines(log):
            found = _named(data)
            if found:
                groups = shares(rollouts / f"{step}.jsonl", group_size=group_size)
                rows[step] = {"step": step, **found, **groups}
    return [rows[step] for step in sorted(rows)]


def shares(path: Path, *, group_size: int) -> dict[str, float]:
    """Shares of mixed, all right and all wrong groups, and of undecided attempts, in [0, 1].

    An undecided attempt was trained on as a wrong one, and so counts as wrong in its group. Nothing
    when there is no such file, or one of another size than whole groups: verl writes it in the
    background, so it may be a part. verl's newer trainer does not tell which are undecided.
    """
    if not path.is_file():
        return {}
    state = path.stat()
    return _shares(path, group_size, (state.st_mtime_ns, state.st_size))


@cache
def _shares(path: Path, group_size: int, _state: tuple[int, int]) -> dict[str, float]:
    """Read once for as long as it does not change: all steps together may be gigabytes."""
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


def _lines(log: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for row in rows_of(log):
        yield int(row["step"]), row["data"]


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Each whole line; the last may be half written, or cut within a character."""
    if path.is_file():
        # Not splitlines: texts of a model hold separators that JSON does not escape.
        for line in path.read_bytes().split(b"\n"):
            try:
                yield json.loads(line)
            except ValueError:
                continue


def keep_attempts(
    checkpoint: str,
    problems: Sequence[Problem],
    *,
    verify: Verify,
    settings: RLSettings,
    out: Path,
) -> None:
    """Write what the recipe keeps of all steps to ``out/attempts``, anew each time."""
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
    """The problem of a prompt: that of the longest question which stands in it."""
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
