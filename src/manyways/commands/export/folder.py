"""An exported folder: whole or absent, replaced only when we wrote it, pushed only when asked.

Every one has a card: YAML front matter, Markdown from a template, and where its problems came from.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from huggingface_hub import CardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from manyways.arms import Line, parse_arm
from manyways.commands.export.private import Public
from manyways.context import Context
from manyways.errors import DataError, RecipeError, Untrusted
from manyways.problems import split_name
from manyways.problems.published import ALL
from manyways.progress import say
from manyways.recipe.file import dump_recipe
from manyways.tables import write_text

MARK = "manyways.json"
"""In every exported folder: what it is and where it came from. Only such folders are replaced."""

TEMPLATES = Path(__file__).parent / "cards"

HUB_LICENCES = {"MIT": "mit", "Apache-2.0": "apache-2.0", "CC-BY-4.0": "cc-by-4.0"}
"""Licence as a problem set states it -> the Hub's identifier."""
OURS = {
    "pocket": ("questions made by the package manyways", "Apache-2.0"),
    "reasoning-gym": ("questions made by the package reasoning-gym", "Apache-2.0"),
}
UNKNOWN = "not known to manyways: state it before you share this"


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
    if "+" in arm and arm not in ctx.recipe.arm:
        raise RecipeError(f'--arm {arm}: the run\'s recipe has no table [arm."{arm}"].')
    if ways > ctx.recipe.heuristics.count:
        raise RecipeError(
            f"--arm {arm}: the run has only {ctx.recipe.heuristics.count} heuristics."
        )
    seeds = ctx.recipe.seeds
    if seed is not None and seed not in seeds:
        raise RecipeError(f"--seed {seed}: the seeds of the run are {', '.join(map(str, seeds))}.")
    return Line(arm=arm, seed=seeds[0] if seed is None else seed)


@contextmanager
def writing(out: Path, facts: Mapping[str, object], public: Public) -> Iterator[Path]:
    """A folder to write into that becomes ``out`` when all is written.

    It gets ``recipe.toml`` as others may read it and ``manyways.json`` with ``facts``.

    Raises DataError when ``out`` holds something that was not exported by us.
    """
    if out.exists() and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"'{out}' exists and is no earlier export: choose another --out.")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        write_text(partial / "recipe.toml", dump_recipe(public.recipe))
        write_text(partial / MARK, json.dumps(facts, indent=1, ensure_ascii=False))
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if out.exists():
        # Only now, with the new one whole: a failed export leaves the old one.
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


def front_matter(header: dict[str, Any]) -> str:
    """The YAML block that opens a card on the Hugging Face Hub."""
    return f"---\n{CardData(**header).to_yaml()}\n---\n\n"


def render(name: str, **values: object) -> str:
    """A template of this package as Markdown; a name that it lacks is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["cell"] = cell
    return environment.get_template(name).render(**values)


def cell(value: object) -> str:
    r"""A value inside a Markdown table: one line, bars escaped."""
    return " ".join(str(value).split()).replace("|", "\\|") or "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFacts:
    """A problem set as a card states it.

    Example: ``SourceFacts(name="gsm8k/train", title="GSM8K: ...", licence="MIT",
    hub_licence="mit", hub_id="openai/gsm8k", language="en", commit=None, fingerprint="ab12..",
    problems=7473)``.

    hub_id, language: None where they are not known.
    """

    name: str
    title: str
    licence: str
    hub_licence: str
    hub_id: str | None
    language: str | None
    commit: str | None
    fingerprint: str
    problems: int


def source_facts(ctx: Context, name: str) -> SourceFacts:
    """What is known of the problem set ``name`` of the run; of untrusted code only its name."""
    try:
        loaded = ctx.sets.load(name).provenance()
    except Untrusted:
        loaded = {"commit": None, "fingerprint": "not known", "total": 0}
    known, split, options = split_name(name)
    title, licence = OURS.get(known, ("a problem set of the user's own", UNKNOWN))
    hub_id = split if known == "hub" else None
    english = known in OURS
    for spec in ALL:
        if spec.name == known:
            title, licence, hub_id = spec.title, spec.licence, spec.hub_id
            english = options.get("lang", "en") == "en"
    return SourceFacts(
        name=name,
        title=title,
        licence=licence,
        # Only a licence stated without a condition has a plain identifier.
        hub_licence=HUB_LICENCES.get(licence, "other"),
        hub_id=hub_id,
        language="en" if english else None,
        commit=str(loaded["commit"]) if loaded["commit"] else None,
        fingerprint=str(loaded["fingerprint"]),
        problems=int(loaded["total"] or 0),
    )
