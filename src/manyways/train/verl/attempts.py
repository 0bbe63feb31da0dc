"""Attempts that verl wrote down become records as TRL's are.

verl's dump of a step has the prompt and the text of each attempt, sorted by prompt, and its score.
It has no problem, no tokens, no seed and no advantage: the problem is the one whose question stands
in the prompt, tokens are counted anew, and the others are not known.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from manyways.checkpoints import checkpoint_hash, load_tokenizer
from manyways.fingerprint import prompt_hash
from manyways.records import PLAIN, Attempt, Problem, RLAttempt, Verdict
from manyways.tables import append_rl_attempts, drop_rl_attempts_after
from manyways.train import RLSettings
from manyways.train.earnings import reward_of
from manyways.train.handover import encode, prompt_ids
from manyways.train.reward import FOLDER, Verify, kept
from manyways.train.verl.log import rows_of
from manyways.train.verl.overrides import Places


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
