"""What is imported is declared, what is declared has a lower bound, and all of it is pinned."""

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions, packages_distributions
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_line import environment
from needs import needs
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


def pins(file: Path = ROOT / "constraints.txt") -> dict[str, Version]:
    """Those that hold for this Python and machine; every line is one exact version."""
    found = {}
    for line in file.read_text().splitlines():
        if not line.startswith("#"):
            pin = Requirement(line)
            [only] = pin.specifier
            assert only.operator == "==", line
            if pin.marker is None or pin.marker.evaluate():
                assert pin.name not in found, line
                found[pin.name] = Version(only.version)
    return found


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


def test_pins_are_what_the_packages_of_this_environment_ask_of_each_other() -> None:
    for package in distributions():
        name = canonical(package.metadata["Name"])
        for line in package.requires or () if name in pins() else ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                pin = pins().get(canonical(needed.name))
                assert pin is not None, f"{name} needs {line}, which no line pins"
                assert needed.specifier.contains(pin, prereleases=True), f"{name} needs {line}"


def test_pins_are_those_of_the_indexs_torch_with_its_cuda() -> None:
    """A torch for CPUs asks for less: pins resolved with it would keep out everyone else's."""
    for package in ("triton", "nvidia-cudnn-", "nvidia-cublas", "nvidia-nccl-"):
        assert [name for name in pins() if name.startswith(package)], package


def wheel(folder: Path, name: str, version: str, *needs: str) -> None:
    """A package that holds nothing."""
    about = f"{name}-{version}.dist-info"
    lines = ("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}")
    told = "\n".join([*lines, *(f"Requires-Dist: {one}" for one in needs)])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{about}/METADATA", told)
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path) -> dict[str, str]:
    """A project with an extra, packages in a folder, and what keeps uv from looking elsewhere."""
    for version in ("1.0", "1.1", "2.0"):
        wheel(tmp_path, "below", version)
    wheel(tmp_path, "direct", "3.0", "below<2", "old; python_version < '3.12'")
    wheel(tmp_path, "optional", "4.0")
    wheel(tmp_path, "old", "5.0")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "made"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["direct>=1"]\noptional-dependencies.more = ["optional"]\n'
    )
    (tmp_path / "constraints.txt").write_text("below==1.0\n")
    kept = environment({"UV_FIND_LINKS": str(tmp_path), "UV_NO_INDEX": "1", "UV_NO_CONFIG": "1"})
    return kept | {"UV_CACHE_DIR": str(tmp_path / "cache")}


@needs("uv", there=find_spec("uv") is not None, how="make setup-dev")
def test_make_constraints_pins_everything_at_its_newest(
    tmp_path: Path, index: dict[str, str]
) -> None:
    """The very command, on packages in a folder: extras, what they need, other Pythons."""
    words = [
        "make",
        "--no-print-directory",
        "--file",
        ROOT / "Makefile",
        f"BIN={Path(sys.executable).parent}",
    ]
    words += ["--assume-old=setup-dev", "constraints"]
    done = subprocess.run(
        words, cwd=tmp_path, env=index, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "below==1.1", "direct==3.0", "old==5.0 ; python_full_version < '3.12'", "optional==4.0"
    ]  # fmt: skip
    assert "make constraints" in lines[1]
    assert done.stdout.splitlines()[-1].startswith("constraints.txt: 4 pins")


def test_extras_are_told_as_they_are_declared() -> None:
    """What a sentence tells a user to install brings the module that was missing."""
    for module, extra in plugins.EXTRAS.items():
        brings = {canonical(one.name) for one in EXTRAS[extra]}
        assert canonical(module) in brings, f"[{extra}] does not bring {module}"
        assert canonical(module) not in {canonical(one.name) for one in NEEDED}, module
    assert plugins.install_command("no_such") == "pip install no-such"


@pytest.mark.parametrize(
    ("noted", "there", "command"),
    [
        ({}, "", "pip install 'manyways[train]'"),
        (
            {"url": "file://%s/many%20ways.whl"},
            "many ways.whl",
            "pip install '%s/many ways.whl[train]'",
        ),
        ({"url": "file://%s/many.whl"}, "", "pip install 'many.whl[train]'"),
        ({"url": "file://%s", "dir_info": {}}, "", "pip install '%s[train]'"),
        (
            {"url": "file://%s", "dir_info": {"editable": True}},
            "",
            "pip install --editable '%s[train]'",
        ),
    ],
    ids=["of an index", "a wheel", "a wheel that is gone", "a checkout", "an editable checkout"],
)
def test_an_extra_is_asked_for_from_where_the_package_came(
    noted: dict[str, object], there: str, command: str, tmp_path: Path, monkeypatch
) -> None:
    """The package is on no index: by its name alone pip would find no extra of it."""
    if there:
        (tmp_path / there).touch()
    text = json.dumps(noted).replace("%s", str(tmp_path)) if noted else None
    found = SimpleNamespace(read_text=lambda _: text)
    monkeypatch.setattr(plugins, "distributions", lambda **_: [found])
    assert plugins.install_command("trl") == command.replace("%s", str(tmp_path))


def test_pip_takes_what_the_sentence_names(tmp_path: Path) -> None:
    """A wheel by its path, with an extra."""
    wheel(tmp_path, "pack", "1.0")
    (made,) = tmp_path.glob("pack*.whl")
    words = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--no-deps"]
    done = subprocess.run(
        [*words, f"{made}[train]"], env=environment(), text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Would install pack-1.0" in done.stdout


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
    assert sentence.endswith(f": {plugins.install_command('torch')}")
    assert list(tmp_path.iterdir()) == []


def test_the_container_installs_and_runs_what_the_pages_do() -> None:
    """Without a builder: the words of its steps are those of set-up, with extras that exist."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    steps = dict(line.split(" ", 1) for line in text.splitlines() if line[:4] in ("CMD ", "ENTR"))
    assert (steps["ENTRYPOINT"], steps["CMD"]) == ('["manyways"]', '["demo"]')
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    (named,) = re.findall(r"--build-arg EXTRAS=(\S+)", text)
    assert {"train", *named.split(",")} <= set(extras)
    assert '--constraint constraints.txt ".[train${EXTRAS:+,$EXTRAS}]"' in text
    assert "bubblewrap" in text and (ROOT / "constraints.txt").is_file()


def test_no_address_is_invented() -> None:
    """The project has no public one yet: the paper's alone is named, here and in the citation."""
    assert PROJECT["urls"] == {"Paper": "https://arxiv.org/abs/2605.08472"}
    named = {
        address
        for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CITATION.cff")
        for address in re.findall(r"https?://[^\s)\"']+", (ROOT / name).read_text())
    }
    assert named == {*PROJECT["urls"].values()}
