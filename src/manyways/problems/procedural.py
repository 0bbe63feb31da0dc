"""Procedural problems of reasoning-gym, offline and seeded: ``reasoning-gym:<task>?size=&seed=``.

For nearly every task, problem number i under a seed is the same whatever the size. Other options
go to the task's own configuration: ``reasoning-gym:chain_sum?size=200&seed=1&max_terms=3``.
"""

import json
import re
from typing import Any

from manyways.errors import DataError
from manyways.fingerprint import fingerprint
from manyways.plugins import install_command, nearest
from manyways.problems import Source
from manyways.records import Problem

MAX_SIZE = 100_000
SCORER = "manyways.verifiers.procedural:verify"
"""The task's own scorer, because many tasks have several correct answers."""
_INTEGER = re.compile(r"-?\d+")


def load(task: str, source: Source) -> list[Problem]:
    """``size`` problems (default 500) of ``task`` under ``seed`` (default 0).

    Raises DataError when the package is not installed, the task does not exist or an option does
    not suit it.
    """
    gym = _package()
    options = dict(source.options)
    size, seed = (
        _whole(options.pop("size", "500"), "size"),
        _whole(options.pop("seed", "0"), "seed"),
    )
    if not 0 < size <= MAX_SIZE:
        raise DataError(f"reasoning-gym:{task}: size is from 1 to {MAX_SIZE}, not {size}.")
    settings = {key: _value(text) for key, text in options.items()}
    source.notes["origin"] = f"reasoning-gym {gym.__version__}, task {task}"
    dataset = _dataset(gym, task, {"size": size, "seed": seed, **settings})
    # A task that keeps the base class's scorer (equality of texts) has one answer.
    single = type(dataset).score_answer is gym.dataset.ProceduralDataset.score_answer
    name = f"{task}-{fingerprint(settings)[:6]}" if settings else task
    recipe = {"task": task, "size": size, "seed": seed, "settings": settings}
    entries = list(dataset)
    if any(entry["answer"] is None for entry in entries):
        raise DataError(
            f"reasoning-gym:{task} gives no reference answers, so its verifier cannot be checked "
            "before a run. Choose another task."
        )
    return [
        Problem(
            id=f"reasoning-gym/{name}/{seed}-{number:05d}",
            question=entry["question"].strip(),
            answer=str(entry["answer"]),
            verifier="math" if single and _INTEGER.fullmatch(str(entry["answer"])) else SCORER,
            tests=json.dumps({**recipe, "number": number}, sort_keys=True),
            tags={"task": task},
        )
        for number, entry in enumerate(entries)
    ]


def _package() -> Any:  # noqa: ANN401 - the package has no types
    try:
        import reasoning_gym
        import reasoning_gym.dataset
        import reasoning_gym.factory
    except ModuleNotFoundError as error:
        raise DataError(
            f"reasoning-gym problems need a package that is not installed ({error.name}): "
            f"{install_command('reasoning_gym')}"
        ) from error
    return reasoning_gym


def _dataset(gym: Any, task: str, config: dict[str, object]) -> Any:  # noqa: ANN401
    known = gym.factory.DATASETS
    if task not in known:
        raise DataError(f"reasoning-gym has no task '{task}'.{nearest(task, known)}")
    try:
        return gym.create_dataset(task, **config)
    except (TypeError, AssertionError, ValueError) as error:
        raise DataError(f"reasoning-gym:{task} does not take these options: {error}.") from error


def _whole(text: str, what: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise DataError(f"reasoning-gym: {what}={text} is not a whole number.")
    return int(text)


def _value(text: str) -> object:
    """A number, true or false, a JSON list, or the text itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
