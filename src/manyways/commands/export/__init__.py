"""Exported folders: how they are written, pushed and described in a card.

A folder is whole or absent. Only a folder that we wrote is replaced. It is pushed only when the
user says so. Its card is YAML front matter and Markdown from a template.

An export names no paths of this machine and no addresses of servers. A path becomes its last name,
a folder of the Hub's cache becomes its Hub id, and an address becomes ``NOWHERE``. A Hub id, the
name of a problem set and ``package.module:function`` stay.
"""

import dataclasses
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from huggingface_hub import CardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from manyways.arms import Line, parse_arm
from manyways.context import Context
from manyways.errors import DataError, RecipeError, Untrusted
from manyways.fingerprint import fingerprint
from manyways.problems import split_name
from manyways.problems.datasets import ALL
from manyways.progress import say
from manyways.recipe import dump_recipe
from manyways.recipe.tree import Recipe
from manyways.tables import write_text

if TYPE_CHECKING:
    from huggingface_hub import HfApi

NOWHERE = "server.invalid"
"""A name that no server has (RFC 2606, section 2)."""

_PROSE = {"prompt", "stop", "name"}
"""Keys below which texts are for a model, and no paths."""
_FILES = {"attempts", "accelerate_config", "python", "pack", "image"}
"""Keys whose texts are paths if they have a slash."""
_MODELS = {"path", "tokenizer"}
"""Keys whose texts are paths unless they are Hub ids."""
_ADDRESSES = re.compile(r"(^|_)(host|hostname|address|addr|ip|url|uri)$")
_SECRETS = re.compile(r"(^|_)(hub_token|api_key|password|secret)$")
_HERE = {"", "auto", "local", "localhost"}
_CACHED = re.compile(r"models--([^/]+)--([^/]+)(?:/|$)")
_URL = re.compile(r"\b(\w+)://[^\s'\",]+")
_NUMBERS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_PATH = re.compile(r"(?<![\w:/.~])(?:~\w*|\.{1,2})?/[^\s'\",;?]+(?:[^'\",;?:\n]*/[^\s'\",;?:]+)?")
"""A path in a text, up to the last word with a slash, because names of folders can have spaces."""
_NAMES = ("_name_or_path", "name_or_path", "base_model_name_or_path")
"""Keys of a checkpoint's JSON files that say from where a model was loaded."""
OF_TRAINING = {"training_args.bin", "trainer_state.json", "optimizer.pt", "scheduler.pt"}
"""Files beside the weights that say where a training ran. Nobody needs them to use the weights."""

T = TypeVar("T")


def is_hub_id(path: str) -> bool:
    """Whether the path of a model is a Hub id, and no folder, path of a package or bare name."""
    looks = path.count("/") == 1 and not path.startswith((".", "/", "~", "package:"))
    return looks and not Path(path).exists()


@dataclass(frozen=True)
class PublicRecipe:
    """A recipe as others may read it. ``shown``: each private text -> the text in its place."""

    recipe: Recipe
    shown: Mapping[str, str]

    def text(self, text: str) -> str:
        """``text`` with every private text of the recipe replaced."""
        for private in sorted(self.shown, key=len, reverse=True):
            if private in text:
                whole = rf"(?<![\w/.-]){re.escape(private)}(?![\w/-])"
                text = self.shown[private].join(re.split(whole, text))
        return text

    def of(self, value: T) -> T:
        """``value`` with every private text in it replaced. A record becomes a new record."""
        new: object = value
        if isinstance(value, str):
            new = self.text(value)
        elif isinstance(value, Mapping):
            new = {self.of(key): self.of(inner) for key, inner in value.items()}
        elif isinstance(value, list | tuple):
            new = type(value)(self.of(item) for item in value)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
            new = dataclasses.replace(value, **{n: self.of(getattr(value, n)) for n in names})
        return new  # type: ignore[return-value]

    def checkpoint_file(self, path: Path) -> bytes | None:
        """A file beside a checkpoint's weights, without the path that the model was loaded from.

        None if the file can be copied unchanged.
        """
        if path.suffix != ".json":
            return None
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return None
        held = [key for key in _NAMES if isinstance(tree, dict) and isinstance(tree.get(key), str)]
        private = {key: _place(tree[key]) for key in held if not is_hub_id(tree[key])}
        if not private:
            return None
        return json.dumps(tree | private, indent=2, ensure_ascii=False).encode()


def public_recipe(recipe: Recipe) -> PublicRecipe:
    """``recipe`` without paths and addresses. It can still be loaded."""
    tree = recipe.model_dump(mode="json", exclude_none=True, exclude={"data_dir"})
    names = _Names()
    clean = names.tree(tree)
    return PublicRecipe(Recipe.model_validate(clean), names.shown)


class _Names:
    """Gives every private text a public one. Two files with one name get two names."""

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}

    def tree(self, tree: Mapping[str, object]) -> dict[str, object]:
        return {
            key: value if key in _PROSE else self._value(key, value)
            for key, value in tree.items()
            if not (_SECRETS.search(key) and isinstance(value, str))
        }

    def _value(self, key: str, value: object) -> object:
        if isinstance(value, dict):
            return self.tree(value)
        if isinstance(value, list):
            return [self._value(key, item) for item in value]
        return self._text(key, value) if isinstance(value, str) else value

    def _text(self, key: str, text: str) -> str:
        if text.startswith("package:"):
            return text
        if text not in self.shown:
            new = self._place_in(key, text) or _without_addresses(key, text)
            if new != text:
                self.shown[text] = new
        return self.shown.get(text, text)

    def _place_in(self, key: str, text: str) -> str:
        """``text`` with a public name for the path that it is or that follows ``file:``.

        Empty if it holds no path.
        """
        head = next((one for one in ("file:", "reward-model:") if text.startswith(one)), "")
        path, mark, options = text.removeprefix(head).partition("?" if head == "file:" else "\0")
        model = key in _MODELS or head == "reward-model:"
        local = path.startswith(("/", "~", "./", "../")) or (
            "/" in path and (head == "file:" or key in _FILES or (model and not is_hub_id(path)))
        )
        if not local:
            return text if head else ""
        if path not in self.shown:
            name, number = _place(path), 1
            while "/" not in name and name in self.shown.values():
                number += 1
                name = f"{number}-{_place(path)}"
            self.shown[path] = name
        return f"{head}{self.shown[path]}{mark}{options}"


def _without_addresses(key: str, text: str) -> str:
    if _ADDRESSES.search(key) and text not in _HERE and "://" not in text:
        return NOWHERE
    text = _NUMBERS.sub(NOWHERE, _URL.sub(_nowhere, text))
    return _PATH.sub(lambda found: _place(found[0]), text)


def _place(path: str) -> str:
    """The last name of a path. For a snapshot in the Hub's cache, its Hub id."""
    cached = _CACHED.search(path)
    if cached:
        return f"{cached[1]}/{cached[2]}"
    return Path(path.rstrip("/")).name or "folder"


def _nowhere(found: re.Match[str]) -> str:
    tail = "/v1" if found[0].endswith("/v1") else ""
    return f"{found[1]}://{NOWHERE}{tail}"


MARK = "manyways.json"
"""A file in every exported folder with its facts. Only folders with this file are replaced."""

TEMPLATES = Path(__file__).parent / "cards"

HUB_LICENCES = {"MIT": "mit", "Apache-2.0": "apache-2.0", "CC-BY-4.0": "cc-by-4.0"}
"""The licence that a problem set states -> the Hub's identifier."""
OURS = {
    "pocket": ("questions made by the package manyways", "Apache-2.0"),
    "reasoning-gym": ("questions made by the package reasoning-gym", "Apache-2.0"),
}
UNKNOWN = "not known to manyways: state the licence before you share this"


def line_of(ctx: Context, arm: str, seed: int | None) -> Line:
    """The line of ``arm`` with ``seed``. When ``seed`` is None, with the recipe's first seed.

    The recipe need not train the arm, because every arm is selected from the same pool. Only arms
    of later rounds have pools of their own, which exist only if the recipe has these arms.

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


def folder_of(ctx: Context, what: str) -> Path:
    """The default folder of an export, named after the run.

    ``runs/pocket`` -> ``exports/pocket-what``, ``first/pocket`` -> ``exports/first-pocket-what``.
    """
    root, here = ctx.run.root, Path.cwd()
    if root.is_relative_to(here):
        parts = root.relative_to(here).parts
        name = "-".join(parts[1:] if parts[:1] == ("runs",) and len(parts) > 1 else parts)
    else:
        name = f"{root.name}-{fingerprint([str(root)])[:6]}"
    return Path("exports") / f"{name or root.name}-{what}"


@contextmanager
def export_folder(out: Path, facts: Mapping[str, object], public: PublicRecipe) -> Iterator[Path]:
    """A folder to write into, which becomes ``out`` when everything is written.

    ``recipe.toml`` as others may read it and ``manyways.json`` with ``facts`` are added.

    Raises DataError when ``out`` holds something that manyways did not export.
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
        # Only now, so that a failed export leaves the old folder.
        shutil.rmtree(out)
    partial.rename(out)


def push(folder: Path, repo: str | None, *, kind: str, api: "HfApi | None" = None) -> None:
    """Upload ``folder`` to a private repository on the Hub. Without ``repo``, do nothing.

    kind: ``dataset`` or ``model``.
    api:  default ``huggingface_hub.HfApi()``, which uses the user's login.

    Raises DataError when the Hub refuses.
    """
    if repo is None:
        return
    if repo.count("/") != 1:
        raise DataError(f"--push {repo}: a Hub repository is named owner/name.")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    hub = api or HfApi()
    try:
        hub.create_repo(repo, repo_type=kind, private=True, exist_ok=True)
        hub.upload_folder(
            repo_id=repo, folder_path=folder, repo_type=kind, commit_message="Export from manyways"
        )
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError) as error:
        raise DataError(
            f"could not push to '{repo}' ({type(error).__name__}): log in with `hf auth login` and "
            f"check the name. The folder {folder} is complete."
        ) from error
    say(f"pushed to {repo}, which is private. You can make it public on the Hub.")


def front_matter(header: dict[str, Any]) -> str:
    """The YAML block that opens a card on the Hugging Face Hub."""
    return f"---\n{CardData(**header).to_yaml()}\n---\n\n"


def render(name: str, **values: object) -> str:
    """A template of this package as Markdown. A name in it without a value is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["in_table"] = in_table
    return environment.get_template(name).render(**values)


def in_table(value: object) -> str:
    r"""A value as it stands in a Markdown table, without line breaks and with escaped bars."""
    return " ".join(str(value).split()).replace("|", "\\|") or "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFacts:
    """What a card says about a problem set.

    Example: ``SourceFacts(name="gsm8k/train", title="GSM8K: ...", licence="MIT",
    hub_licence="mit", hub_id="openai/gsm8k", language="en", commit=None, fingerprint="ab12..",
    problems=7473)``.

    hub_id, language: None if they are not known.
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
    """What is known of a problem set of the run. Without trust in its code, that is its name."""
    try:
        loaded = ctx.sets.load(name).provenance()
    except Untrusted:
        loaded = {"commit": None, "fingerprint": "not known", "total": 0}
    known, split, options = split_name(ctx.recipe.problem_set(name))
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
