"""What is imported is declared, what is declared has a lower bound, and all of it is pinned."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from command_line import environment
from packaging.requirements import Requirement
from packaging.version import Version

from manyways import plugins

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = {
    extra: [Requirement(line) for line in lines]
    for extra, lines in PROJECT["optional-dependencies"].items()
}
BESIDE = {"wire"}  # inside the sandbox, where there is no package
NOT_INSTALLED = {"vllm", "wandb", "trackio"}
"""Imported where they are, and the names of their own extras."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = (line.split("==") for line in lines if not line.startswith("#"))
    return {name: Version(version) for name, version in found}


def imported() -> set[str]:
    """The top-level modules that src imports, at the top of a file or within a function."""
    names = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(str(node.module).partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"manyways"} - BESIDE


def test_every_import_of_the_source_is_declared() -> None:
    declared = {canonical(one.name) for lines in (NEEDED, *EXTRAS.values()) for one in lines}
    of_module = packages_distributions()
    for name in sorted(imported()):
        owners = {name} if name in NOT_INSTALLED else set(of_module.get(name, []))
        assert {canonical(owner) for owner in owners} & declared, f"{name} is not declared"


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_every_dependency_has_a_lower_bound_that_its_pin_meets(extra: str) -> None:
    for one in EXTRAS[extra] if extra else NEEDED:
        if one.name == PROJECT["name"]:
            assert one.extras <= set(EXTRAS)
            continue
        bounds = [part.operator for part in one.specifier]
        assert set(bounds) & {">=", "=="}, f"{one} has no lower bound"
        assert one.specifier.contains(pins()[canonical(one.name)]), one


def test_every_package_of_this_environment_is_pinned() -> None:
    """pip and setuptools come with Python; an editable install is this project."""
    here = {canonical(name) for names in packages_distributions().values() for name in names}
    assert here - {"pip", "setuptools", "wheel", PROJECT["name"]} <= set(pins())


def test_extras_are_told_as_they_are_declared() -> None:
    """What a sentence tells a user to install brings the module that was missing."""
    for module, extra in plugins.EXTRAS.items():
        brings = {canonical(one.name) for one in EXTRAS[extra]}
        assert canonical(module) in brings, f"[{extra}] does not bring {module}"
        assert canonical(module) not in {canonical(one.name) for one in NEEDED}, module
    assert plugins.install_command("trl") == "pip install 'manyways[train]'"
    assert plugins.install_command("no_such") == "pip install no-such"


BLOCKED = (
    "import sys\n"
    "for name in ('torch', 'transformers', 'trl', 'accelerate', 'tokenizers', 'peft'):\n"
    "    sys.modules[name] = None\n"
    "from manyways.cli.app import main\n"
    "main()\n"
)
"""The command line where the extra ``train`` is not installed."""


@pytest.mark.parametrize(
    ("args", "who"),
    [
        (("demo",), "the engine 'transformers' needs torch, transformers"),
        (("pocket", "check"), "`manyways pocket check` needs torch"),
    ],
)
def test_what_needs_the_extra_says_so_in_a_sentence(
    args: tuple[str, ...], who: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, *args],
        cwd=tmp_path, env=environment(), text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert who in done.stderr
    (sentence,) = done.stderr.splitlines()
    assert sentence.endswith(": pip install 'manyways[train]'")
