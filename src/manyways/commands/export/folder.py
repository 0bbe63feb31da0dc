"""An exported folder: whole or absent, replaced only when we wrote it, pushed only when asked."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from manyways.arms import Line, parse_arm
from manyways.context import Context
from manyways.errors import DataError, RecipeError
from manyways.progress import say
from manyways.recipe.file import dump_recipe
from manyways.tables import write_text

MARK = "manyways.json"
"""In every exported folder: what it is and where it came from. Only such folders are replaced."""


class HubApi(Protocol):
    """The part of ``huggingface_hub.HfApi`` that a push uses."""

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> object:
        """Create the repository unless it exists."""
        ...

    def upload_folder(
        self, *, repo_id: str, folder_path: Path, repo_type: str, commit_message: str
    ) -> object:
        """Upload the files of a folder."""
        ...


def line_of(ctx: Context, arm: str, seed: int | None) -> Line:
    """The line of ``arm`` with ``seed``, the recipe's first seed for None.

    An arm that the recipe does not train will do: every arm is selected from the same pool, but for
    later rounds, whose pools exist only where the recipe has them.

    Raises RecipeError for a name that is no arm or a seed that the recipe does not have.
    """
    try:
        ways = parse_arm(arm).heuristics
    except ValueError as error:
        raise RecipeError(f"--arm: {error}.") from error
    if ways > ctx.recipe.heuristics.count:
        raise RecipeError(f"--arm {arm}: the run has {ctx.recipe.heuristics.count} heuristics.")
    seeds = ctx.recipe.seeds
    if seed is not None and seed not in seeds:
        raise RecipeError(f"--seed {seed}: the run has {', '.join(map(str, seeds))}.")
    return Line(arm=arm, seed=seeds[0] if seed is None else seed)


@contextmanager
def writing(out: Path, facts: Mapping[str, object], ctx: Context) -> Iterator[Path]:
    """A folder to write into that becomes ``out`` when all is written.

    It gets ``recipe.toml`` (without the place of the data on this machine) and ``manyways.json``
    with ``facts``.

    Raises DataError when ``out`` holds something that was not exported by us.
    """
    if out.exists() and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"'{out}' exists and is no earlier export: choose another --out.")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        recipe = ctx.recipe.model_copy(update={"data_dir": None})
        write_text(partial / "recipe.toml", dump_recipe(recipe))
        write_text(partial / MARK, json.dumps(facts, indent=1, ensure_ascii=False))
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if out.exists():
        shutil.rmtree(out)
    partial.rename(out)


def push(folder: Path, repo: str | None, *, kind: str, api: HubApi | None = None) -> None:
    """Upload ``folder`` to a private repository on the Hub; does nothing without ``repo``.

    kind: ``dataset`` or ``model``.
    api:  defaults to ``huggingface_hub.HfApi()``, which has the user's own login.

    Raises DataError when the Hub refuses.
    """
    if repo is None:
        return
    if repo.count("/") != 1:
        raise DataError(f"--push {repo}: a Hub repository is named owner/name.")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    hub: HubApi = api or HfApi()
    try:
        hub.create_repo(repo, repo_type=kind, private=True, exist_ok=True)
        hub.upload_folder(
            repo_id=repo, folder_path=folder, repo_type=kind, commit_message="Export from manyways"
        )
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError) as error:
        raise DataError(
            f"could not push to '{repo}' ({type(error).__name__}): log in with `hf auth login` and "
            f"check the name. The export itself is whole: {folder}."
        ) from error
    say(f"pushed to {repo} (private; change that on the Hub)")
