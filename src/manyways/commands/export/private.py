"""What an export does not carry: places on this machine, and addresses of servers.

A path becomes its last name, a folder of the Hub's cache the Hub id that it holds, an address one
that leads nowhere. A Hub id, a named problem set and ``package.module:function`` stay.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from manyways.recipe.tree import Recipe

NOWHERE = "server.invalid"
"""A name that no server has (RFC 2606, section 2)."""

_PROSE = {"prompt", "stop", "name"}
"""Keys below which texts are a model's, not places."""
_FILES = {"attempts", "accelerate_config", "python", "pack"}
"""Keys whose texts are places wherever they have a slash."""
_MODELS = {"path", "tokenizer"}
"""Keys whose texts are places unless they are Hub ids."""
_ADDRESSES = re.compile(r"(^|_)(host|hostname|address|addr|ip|url|uri)$")
_SECRETS = re.compile(r"(^|_)(hub_token|api_key|password|secret)$")
_HERE = {"", "auto", "local", "localhost"}
_CACHED = re.compile(r"models--([^/]+)--([^/]+)(?:/|$)")
_URL = re.compile(r"\b(\w+)://[^\s'\",]+")
_NUMBERS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_PATH = re.compile(r"(?<![\w:/.~])(?:~\w*|\.{1,2})?/[^\s'\",;?]+")
_NAMES = ("_name_or_path", "name_or_path", "base_model_name_or_path")
"""Keys of a checkpoint's JSON files that hold where a model was loaded from."""
OF_TRAINING = {"training_args.bin", "trainer_state.json", "optimizer.pt", "scheduler.pt"}
"""Files beside weights that say where a training ran and that no reader of the weights needs."""

T = TypeVar("T")


def is_hub_id(path: str) -> bool:
    """Whether a model's path is a Hub id: not a folder, not a package's, not a bare name."""
    looks = path.count("/") == 1 and not path.startswith((".", "/", "~", "package:"))
    return looks and not Path(path).exists()


@dataclass(frozen=True)
class Public:
    """A recipe as others may read it. ``shown``: each private text of it -> what stands for it."""

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
        """``value`` with every text within it as ``text`` has it; of a record, a new record."""
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
        """A file beside a checkpoint's weights, without the place that the model was loaded from.

        None where the file can be copied as it is.
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


def public(recipe: Recipe) -> Public:
    """``recipe`` without places and addresses; it still loads."""
    tree = recipe.model_dump(mode="json", exclude_none=True, exclude={"data_dir"})
    names = _Names()
    clean = names.tree(tree)
    return Public(Recipe.model_validate(clean), names.shown)


class _Names:
    """Gives every private text its public one; two files with one name do not become one."""

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
        """``text`` with the path that it is, or holds after ``file:``; empty where it has none."""
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
    """A path by its last name; a snapshot of the Hub's cache by its Hub id."""
    cached = _CACHED.search(path)
    if cached:
        return f"{cached[1]}/{cached[2]}"
    return Path(path.rstrip("/")).name or "folder"


def _nowhere(found: re.Match[str]) -> str:
    tail = "/v1" if found[0].endswith("/v1") else ""
    return f"{found[1]}://{NOWHERE}{tail}"
