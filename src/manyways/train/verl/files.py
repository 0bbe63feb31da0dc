"""What verl reads: the problems of every step as parquet, and a file with the reward function."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from manyways import trust
from manyways.recipe.pool import VerifyConfig
from manyways.records import Message, Problem

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
            "extra_info": {"index": index, "id": problem.id, "problem": _dump(problem)},
        }
        for index, problem in enumerate(problems)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(rows), path)


def write_reward(path: Path, verify: VerifyConfig, *, form: str = "boxed") -> None:
    """The file for ``reward.custom_reward_function.path``."""
    settings = verify.model_dump(include={"workers", "timeout", "policy", "allow_unsafe_code"})
    settings |= {"max_undecided": verify.max_undecided, "form": form}
    # Reward workers run wherever Ray puts them, without this process's variables.
    settings |= {"trusted": trust.environment()}
    source = str(Path(__file__).parents[3])
    path.write_text(REWARD.format(source=source, settings=settings), encoding="utf-8")


def _dump(problem: Problem) -> str:
    return json.dumps({**asdict(problem), "tags": dict(problem.tags)}, ensure_ascii=False)
