"""Checks the Python environment in which verl is installed: does it have what a training needs?"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

from manyways import trust
from manyways.errors import RecipeError
from manyways.recipe.rl import VerlConfig

VERSION = "0.9.1"
"""The version that ``overrides`` is written for."""
PACKAGES = f"'verl[vllm]=={VERSION}' 'math-verify[antlr4_13_2]' pydantic psutil"
INSTALL = f"python3 -m venv verl-env && verl-env/bin/pip install {PACKAGES}"
REWARD_NEEDS = ("math_verify", "pydantic", "psutil")
"""What our verifier imports in verl's reward workers."""
LOOK = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
try:
    number = version("verl")
except PackageNotFoundError:
    number = ""
missing = [name for name in sys.argv[1:] if find_spec(name) is None]
print(json.dumps({"missing": missing, "version": number}))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The modules that an environment lacks, and its version of verl ('' if unknown)."""

    missing: tuple[str, ...]
    version: str


def interpreter(verl: VerlConfig) -> str:
    """``rl.verl.python``, as an absolute path when it names a file.

    Links are not resolved, because an environment's interpreter is a link.
    """
    python = os.path.expanduser(verl.python)  # noqa: PTH111  Path would make ./python a bare name
    return os.path.abspath(python) if os.sep in python else python  # noqa: PTH100


def require_trust(python: str) -> None:
    """Raise Untrusted before ``python`` is started for a recipe that nobody trusts.

    This holds for the Python of this process, too: with verl it runs somebody else's program.
    """
    trust.require(f"rl.verl.python = '{python}' is a program outside manyways", python)


def modules(verl: VerlConfig | None = None) -> tuple[str, ...]:
    """Modules that have to be importable there: verl, its rollout engine, our verifier's needs."""
    rollouts = verl.overrides.get("actor_rollout_ref.rollout.name", "vllm") if verl else "vllm"
    # find_spec("a.b") imports a, which is slow, so only the part before the dot is looked for.
    return ("verl", str(rollouts).partition(".")[0], *REWARD_NEEDS)


def look(python: str, wanted: tuple[str, ...]) -> Found:
    """Look for the ``wanted`` modules. Nothing is imported: that would take a minute.

    Raises RecipeError when ``python`` cannot be started.
    """
    row = json.loads(_ask(python, "-c", LOOK, *wanted) or "{}")
    return Found(missing=tuple(row["missing"]), version=row["version"])


def check(verl: VerlConfig) -> Found:
    """``look`` at the recipe's environment.

    Raises RecipeError when it cannot be started or lacks a module.
    """
    python = interpreter(verl)
    found = look(python, modules(verl))
    if found.missing:
        raise RecipeError(
            f"rl.verl.python = '{verl.python}' has no module {', '.join(found.missing)}. "
            f"In that environment: {python} -m pip install {PACKAGES}"
        )
    return found


def check_imports(verl: VerlConfig) -> None:
    """Import everything once, as the training is going to.

    Raises RecipeError as ``check``, and when an import fails.
    """
    check(verl)
    _ask(interpreter(verl), "-c", f"import {', '.join(modules(verl))}")


def _ask(python: str, *words: str) -> str:
    """The last line that a short program prints. Raises RecipeError with a fix when it fails."""
    if python != sys.executable:
        require_trust(python)
    try:
        done = subprocess.run(
            [python, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
    except OSError as error:
        raise RecipeError(
            f"rl.verl.python = '{python}': {error.strerror}. Make that environment: {INSTALL}"
        ) from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it failed and printed nothing"])[-1]
        raise RecipeError(
            f"rl.verl.python = '{python}' cannot be used: {last}. In that environment: "
            f"{python} -m pip install {PACKAGES}"
        )
    return (done.stdout.strip().splitlines() or [""])[-1]
