"""What attempts depend on: the part of a stage's identity that all sampling stages share."""

from functools import lru_cache
from pathlib import Path

from manyways.checkpoints import checkpoint_hash
from manyways.context import Context
from manyways.errors import MissingWork
from manyways.recipe.rl import RLConfig
from manyways.recipe.section import Section
from manyways.recipe.training import MidtrainConfig

VERDICTS = 1
"""Raised by hand when the same text may get another verdict than before."""
SAMPLER = ("path", "batch_tokens", "http", "vllm", "ray", "load")
"""Keys of ``[model]`` that say where it is and how it samples, not what it computes."""


def settings_of(section: Section, *immaterial: str) -> dict[str, object]:
    """The keys of a section on which a result depends: all but those that are named.

    A forgotten key redoes work; it never keeps stale work. Keys at their default are left out, so a
    key that a release adds leaves finished work finished.
    """
    unknown = set(immaterial) - set(type(section).model_fields)
    assert not unknown, f"no such key: {unknown}"
    return section.model_dump(mode="json", exclude=set(immaterial), exclude_defaults=True)


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
        "prompt": settings_of(recipe.prompt),
        "verify": settings_of(recipe.verify, "workers", "max_undecided"),
        "verdicts": VERDICTS,
    }


def weights_identity(ctx: Context, *immaterial: str) -> dict[str, object]:
    """What of ``[model]`` a computation depends on, the checkpoint's files aside.

    immaterial: further keys that do not matter to it.
    """
    model = ctx.recipe.model
    return {**settings_of(model, *SAMPLER, *immaterial), **model.loaded}


def training_identity(section: MidtrainConfig | RLConfig) -> dict[str, object]:
    """What a checkpoint depends on of its training's section.

    All but how often it is kept, which attempts and steps are, and where verl's interpreter lies.
    """
    kept = ("attempts", "keep") if isinstance(section, RLConfig) else ()
    found = settings_of(section, "save_every", *kept)
    if isinstance(verl := found.get("verl"), dict):
        verl.pop("python", None)
    return found
