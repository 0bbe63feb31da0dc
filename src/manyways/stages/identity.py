"""What attempts depend on: the part of a stage's identity that all sampling stages share."""

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from manyways.checkpoints import checkpoint_hash
from manyways.errors import MissingWork
from manyways.recipe.rl import RLConfig
from manyways.recipe.training import MidtrainConfig
from manyways.stages.context import Context


def model_hash(ctx: Context, path: str) -> str:
    """The hash of the checkpoint at ``path``.

    Raises MissingWork when ``path`` is a folder of this run that does not exist yet.
    """
    if path == ctx.base_path:
        return ctx.base_hash
    if Path(path).is_absolute() and not (Path(path) / "config.json").is_file():
        raise MissingWork(f"there is no checkpoint in '{path}' yet: run the stage that makes it.")
    return _hash(path, _state(Path(path)))


@lru_cache(maxsize=64)
def _hash(path: str, _state: tuple[tuple[str, int, int], ...]) -> str:
    """Hashed once, not again for every benchmark: a real checkpoint has gigabytes."""
    return checkpoint_hash(path)


def _state(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of each file; nothing for a Hub id."""
    if not folder.is_dir():
        return ()
    stats = [(file.name, file.stat()) for file in folder.iterdir()]
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats))


def sampling_identity(ctx: Context, engine: str | None = None) -> dict[str, object]:
    """What every attempt and its verdict depend on, whichever the stage.

    engine: the one that samples, ``model.engine`` when None.
    """
    recipe = ctx.recipe
    return {
        **recipe.model.under(engine).identity,
        "prompt": asdict(ctx.prompts),
        "verify": recipe.verify.model_dump(exclude={"workers", "max_undecided"}),
    }


def training_identity(section: MidtrainConfig | RLConfig) -> dict[str, object]:
    """What a checkpoint depends on of its training's section.

    All but how often it is kept, and where the interpreter of verl lies.

    Tables that are left out do not count, so that what was trained before they existed stays
    finished.
    """
    absent = {name for name in ("lora", "verl") if getattr(section, name, None) is None}
    gone: dict[str, Any] = dict.fromkeys(("save_every", *absent), True)
    return section.model_dump(exclude={"verl": {"python"}, **gone})
