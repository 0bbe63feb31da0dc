"""Turn a name of a table, or the user's own ``package.module:function``, into the object."""

import difflib
import importlib
import itertools
import json
import shlex
import sys
import sysconfig
import traceback
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from manyways import trust
from manyways.errors import NotInstalled, UserError

EXTRAS = {
    **dict.fromkeys(("torch", "transformers", "trl", "accelerate", "tokenizers"), "train"),
    **{name: name for name in ("vllm", "ray", "peft", "tensorboard", "trackio", "wandb")},
    "reasoning_gym": "reasoning-gym",
}
"""Module that is not installed by default -> the extra of this package that installs it."""


def install_command(module: str) -> str:
    """The pip command that installs a module.

    An extra is asked for from the wheel or the checkout that this package was installed from, which
    need not be on an index.
    """
    extra = EXTRAS.get(module)
    if extra is None:
        return f"pip install {module.replace('_', '-')}"
    noted = [one.read_text("direct_url.json") for one in distributions(name="manyways")]
    origin = json.loads(next(filter(None, noted), "{}"))
    path = Path(unquote(urlsplit(origin.get("url", "")).path))
    # Of a wheel that is gone, the name.
    named = str(path) if path.name and path.exists() else path.name or "manyways"
    editable = "--editable " if origin.get("dir_info", {}).get("editable") else ""
    return f"pip install {editable}{shlex.quote(f'{named}[{extra}]')}"


def require_modules(who: str, modules: Iterable[str]) -> None:
    """Raise NotInstalled, with the command to run, when a module that ``who`` needs is missing."""
    lacks = [name for name in modules if name not in sys.modules and find_spec(name) is None]
    lacks += [name for name in modules if name in sys.modules and sys.modules[name] is None]
    if lacks:
        commands = " && ".join(dict.fromkeys(map(install_command, lacks)))
        named = f"{', '.join(lacks)}, which {'is' if len(lacks) == 1 else 'are'} not installed"
        raise NotInstalled(f"{who} needs {named}. Run: {commands}")


def resolve(name: str, table: Mapping[str, str], kind: str) -> object:
    """Import what ``name`` stands for.

    ``name`` is a key of ``table``, or ``module:attribute`` of the user's own code, which has to be
    trusted. An import error inside that module is not caught.

    Raises UserError when the name is neither, with the nearest known name; Untrusted for code that
    nobody trusts.
    """
    target = table.get(name, name)
    if ":" not in target:
        raise UserError(
            f"unknown {kind} '{name}'.{nearest(name, table)} Or name your own as "
            "'package.module:function'."
        )
    require_trust(name, table, kind)
    return _import(target, f"{kind} '{name}'")


def load(target: str) -> object:
    """Import ``manyways.module:attribute``: names of our own tables and code only."""
    assert target.startswith("manyways."), target
    return _import(target, target)


def _import(target: str, what: str) -> object:
    module_name, _, attribute = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise UserError(
            f"{what}: there is no module '{module_name}' on the Python path "
            f"(install it, or set PYTHONPATH)."
        ) from error
    if not hasattr(module, attribute):
        raise UserError(
            f"{what}: module '{module_name}' has no '{attribute}'."
            f"{nearest(attribute, vars(module))}"
        )
    return getattr(module, attribute)


def own_lines(error: BaseException) -> list[str]:
    """The lines of the user's own code in an error's traceback, the failing one last.

    Example: ``mine.py, line 12, in load: return row["question"]``. Lines of this package, of Python
    and of installed packages are left out.
    """
    frames: list[traceback.FrameSummary] = list(traceback.extract_tb(error.__traceback__))
    # Frames before our first one belong to the caller, who did not fail.
    frames = list(itertools.dropwhile(lambda f: not _is_ours(f), frames))
    found = [f"{f.filename}, line {f.lineno}, in {f.name}: {f.line}" for f in frames if _is_own(f)]
    if isinstance(error, SyntaxError) and error.filename and error.text:
        # A module that cannot be parsed has no frame.
        found.append(f"{error.filename}, line {error.lineno}: {error.text.strip()}")
    return found


def _is_own(frame: traceback.FrameSummary) -> bool:
    file = Path(frame.filename)
    others = map(Path, set(sysconfig.get_paths().values()))
    known = _is_ours(frame) or any(file.is_relative_to(folder) for folder in others)
    return file.is_file() and not known


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return Path(frame.filename).is_relative_to(Path(__file__).parent)


def is_third_party(name: str, table: Mapping[str, str]) -> bool:
    """Whether ``name`` is code that is not in ``table``."""
    return ":" in name and name not in table and name not in table.values()


def require_trust(name: str, table: Mapping[str, str], kind: str) -> None:
    """Raise Untrusted when ``name`` is code that is not in ``table`` and nobody trusts it."""
    if is_third_party(name, table):
        trust.require(f"{kind} '{name}' names code outside manyways", name)


def check(name: str, table: Mapping[str, str], kind: str) -> None:
    """Check that ``resolve`` will find ``name``, without importing anything that is in the table.

    A finished run that is started again must not wait for torch to be imported.

    Raises UserError and Untrusted as ``resolve`` does.
    """
    if name not in table:
        resolve(name, table, kind)


def nearest(name: str, known: Collection[str]) -> str:
    """A sentence naming the closest known name, or all of them when none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    if close:
        return f" Did you mean '{close[0]}'?"
    return f" Known: {', '.join(sorted(k for k in known if not k.startswith('_'))[:20])}."
