"""``manyways doctor``: what this machine has, what it lacks, and the commands that install it.

Modules are found without importing them, because imports take seconds. Only torch is imported, and
only if there is a device file of a GPU.
"""

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil
from packaging.requirements import Requirement

from manyways import third_party, trust
from manyways.commands.needs import GIB, GPU_FILES
from manyways.engines import ENGINE_NEEDS, ENGINES
from manyways.errors import DataError, RecipeError
from manyways.fingerprint import versions
from manyways.plugins import install_command
from manyways.problems.datasets import ALL, SetSpec, Split, find, read_records
from manyways.problems.rows import MIRROR
from manyways.progress import open_table, print_result, print_text
from manyways.recipe import load_recipe
from manyways.recipe.rl import VerlConfig
from manyways.train import RL_BACKENDS, RL_NEEDS
from manyways.train.verl import environment

State = Literal["ok", "missing", "warning"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One check: its result, and how to fix it.

    Example: ``Check(group="engine", name="vllm", state="missing", detail="no module vllm",
    fix="pip install 'manyways[vllm]'")``.

    state: ``missing``: an option is not installed. ``warning``: a run may fail or be slow.
    """

    group: str
    name: str
    state: State = "ok"
    detail: str = ""
    fix: str = ""


LEAST_MEMORY, LEAST_DISK = 4 * GIB, 10 * GIB
OPTIONAL = ("peft", "vllm", "ray", "reasoning_gym")


def print_checks(
    *, as_json: bool = False, data_dir: Path | None = None, recipe: Path | None = None
) -> None:
    """Print every check, and how to fix each one that is not ``ok``.

    recipe: a recipe or run folder. The Python that its ``rl.verl`` names is checked.
    """
    verl = None
    if recipe is not None:
        named = load_recipe(recipe / "recipe.toml" if recipe.is_dir() else recipe)
        third_party.say_unused(named)
        verl = named.rl.verl
    found = list(checks(data_dir, verl))
    if as_json:
        print_text(json.dumps([asdict(check) for check in found], indent=1))
        return
    table = open_table("what", "", "state", "details")
    for check in found:
        table.add_row(check.group, check.name, check.state, check.detail)
    print_result(table)
    # A package can be missing twice: for an engine and as an option.
    for advice in dict.fromkeys(f"{check.name}: {check.fix}" for check in found if check.fix):
        print_text(advice)
    warned = sum(check.state == "warning" for check in found)
    print_text(f"Warnings: {warned}.")


def checks(data_dir: Path | None = None, verl: VerlConfig | None = None) -> Iterator[Check]:
    """Every check, group by group."""
    yield from version_checks()
    yield from machine_checks()
    yield device_check()
    yield from plugin_checks("engine", ENGINES, ENGINE_NEEDS)
    here = {name: place for name, place in RL_BACKENDS.items() if name != "verl"}
    yield from plugin_checks("RL backend", here, RL_NEEDS)
    yield verl_check(verl)
    yield from optional_checks()
    yield sandbox_check()
    yield from data_checks(data_dir)


def version_checks() -> Iterator[Check]:
    """Python and the packages that results depend on."""
    for name, number in versions().items():
        yield Check(group="version", name=name, detail=number)
    for name in _core():
        if _installed(name) is None:
            yield Check(
                group="version", name=name, state="warning", detail="not installed",
                fix=install_command(name),
            )  # fmt: skip


def machine_checks() -> Iterator[Check]:
    """Cores and their load, memory, and the disk of the working folder."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load, threads = os.getloadavg()[0], os.environ.get("OMP_NUM_THREADS", "not set")
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(".")
    available, free = (
        f"{there / GIB:.1f} of {whole / GIB:.1f} GiB"
        for there, whole in ((memory.available, memory.total), (disk.free, disk.total))
    )
    yield _of_machine(
        "cores",
        f"{cores} ({platform.machine()}), load {load:.1f}, OMP_NUM_THREADS {threads}",
        "other programs are running, so times and forecasts will be too long.",
        short=load > 1.5 * (cores or 1),
    )
    yield _of_machine(
        "memory",
        f"{available} available",
        "close other programs, or lower model.batch_tokens and micro_batch.",
        short=memory.available < LEAST_MEMORY,
    )
    yield _of_machine(
        "disk",
        f"{free} free in this folder",
        "`manyways forecast RECIPE` prints what a run needs. --out names a folder on another disk.",
        short=disk.free < LEAST_DISK,
    )


def _of_machine(name: str, detail: str, fix: str, *, short: bool) -> Check:
    state: State = "warning" if short else "ok"
    return Check(group="machine", name=name, state=state, detail=detail, fix=fix * short)


def device_check() -> Check:
    """The device that ``model.device = "auto"`` takes."""
    torch_version = _installed("torch")
    if torch_version is None:
        return Check(group="device", name="torch", state="missing", detail="not installed",
                     fix=install_command("torch"))  # fmt: skip
    if not any(Path(file).exists() for file in GPU_FILES):
        return Check(group="device", name="cpu", detail="no GPU driver on this machine")
    import torch

    if not torch.cuda.is_available():
        return Check(
            group="device",
            name="cpu",
            state="warning",
            detail=f"there is a GPU driver, but torch {torch_version} cannot use it",
            fix="install the build of torch for your driver: https://pytorch.org/get-started",
        )
    names = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    listed = ", ".join(f"{p.name} {p.total_memory / GIB:.0f} GiB" for p in names)
    return Check(group="device", name="cuda", detail=listed)


def plugin_checks(
    group: str, table: Mapping[str, str], needs: Mapping[str, tuple[str, ...]]
) -> Iterator[Check]:
    """Whether the modules that each entry of ``table`` needs are installed."""
    for name in table:
        if name not in needs:
            words = "its needs are not declared"
            yield Check(group=group, name=name, state="warning", detail=words)
            continue
        missing = [module for module in needs[name] if not _has(module)]
        state: State = "missing" if missing else "ok"
        words = f"no module {', '.join(missing)}" if missing else f"needs {', '.join(needs[name])}"
        fix = "; ".join(dict.fromkeys(map(install_command, missing)))
        yield Check(group=group, name=name, state=state, detail=words, fix=fix)


def optional_checks() -> Iterator[Check]:
    """Packages that only some settings use."""
    for module in OPTIONAL:
        if _has(module):
            number = _installed(module.replace("_", "-")) or ""
            yield Check(group="optional", name=module, detail=number)
        else:
            yield Check(group="optional", name=module, state="missing", detail="not installed",
                        fix=install_command(module))  # fmt: skip


def sandbox_check() -> Check:
    """The sandbox in which a model's programs run."""
    from manyways.verifiers.sandbox import IMAGE, bubblewrap_fix, detect

    isolation, fix = detect(), ""
    detail = isolation.kind + "".join(f"; {lack}" for lack in isolation.missing)
    if isolation.kind == "none":
        detail = isolation.why
        fix = (
            f"{bubblewrap_fix()}; or fetch the image of a container (`podman pull {IMAGE}`). "
            "Without a sandbox, problems with python_tests are refused. Others need none."
        )
    state: State = "warning" if isolation.missing else "ok"
    return Check(group="verdicts", name="sandbox", state=state, detail=detail, fix=fix)


def _core() -> list[str]:
    """The packages that manyways always needs, none if manyways itself is not installed."""
    lines: list[str] = []
    with suppress(PackageNotFoundError):
        lines = requires("manyways") or []
    return [Requirement(line).name for line in lines if "extra ==" not in line]


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _has(module: str) -> bool:
    return module in sys.modules or find_spec(module) is not None


USUAL = "verl-env/bin/python"
"""The Python of verl in docs/scale.md."""


def verl_check(named: VerlConfig | None) -> Check:
    """Whether verl can be started.

    named: ``rl.verl`` of a recipe. Without it, the Python of docs/scale.md or this one is checked.
    """
    given = named is not None
    if named is None:
        named = VerlConfig(python=USUAL if Path(USUAL).exists() else sys.executable)
    bad: State = "warning" if given else "missing"
    wanted, python = environment.modules(named), environment.interpreter(named)
    if shutil.which(python) is None:
        return _verl(bad, f"no interpreter {named.python}", environment.INSTALL)
    if python != sys.executable and not trust.trusts(python):
        return _verl(bad, f"{named.python} was not started", "give --trust if you trust it")
    try:
        found = environment.look(python, wanted)
    except RecipeError as error:
        return _verl(bad, str(error))
    if not found.missing:
        number = f"verl {found.version}" if found.version else "verl"
        other = found.version not in ("", environment.VERSION)
        compared = f"; checked against {environment.VERSION}" if other else ""
        return _verl("ok", f"{number} in {named.python}{compared}")
    if named.python == sys.executable:
        needs = f"needs {', '.join(wanted)} in an environment of its own, named in rl.verl.python"
        return _verl(bad, needs, environment.INSTALL)
    lacks = f"no module {', '.join(found.missing)} in {named.python}"
    return _verl(bad, lacks, f"{named.python} -m pip install {environment.PACKAGES}")


def _verl(state: State, detail: str, fix: str = "") -> Check:
    return Check(group="RL backend", name="verl", state=state, detail=detail, fix=fix)


def data_checks(folder: Path | None) -> Iterator[Check]:
    """The rows of every published split in ``folder``. Without a folder, where sets come from."""
    if folder is None:
        yield _without_folder()
        return
    if not folder.is_dir():
        yield Check(
            group="data", name=str(folder), state="warning", detail="no such folder",
            fix="set MANYWAYS_DATA (or --data-dir) to a folder of normalised problem sets, or "
            "unset it to load from the Hugging Face Hub.",
        )  # fmt: skip
        return
    yield Check(group="data", name="folder", detail=str(folder))
    for spec in ALL:
        for name, split in spec.splits.items():
            yield _split_check(spec, name, split, folder)


def _without_folder() -> Check:
    mirror = os.environ.get(MIRROR)
    offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
    if mirror or not offline:
        where = f"{MIRROR} = {mirror}" if mirror else "the Hugging Face Hub"
        return Check(group="data", name="problem sets", detail=f"from {where}")
    return Check(
        group="data", name="problem sets", state="warning",
        detail="HF_HUB_OFFLINE is set: only sets in the cache of `datasets` load",
        fix="set MANYWAYS_DATA to a folder of normalised problem sets, or unset HF_HUB_OFFLINE.",
    )  # fmt: skip


def _split_check(spec: SetSpec, name: str, split: Split, folder: Path) -> Check:
    title = f"{spec.name}/{name}"
    if find(folder, split.stem) is None:
        return Check(
            group="data", name=title, state="missing", detail=f"no {split.stem}.jsonl[.gz]"
        )
    try:
        rows = sum(split.only is None or split.only(r) for r in read_records(folder, split.stem))
    except (DataError, KeyError) as error:
        words = f"a record has no {error}" if isinstance(error, KeyError) else str(error)
        return Check(group="data", name=title, state="warning", detail=words)
    if rows != split.rows:
        return Check(
            group="data", name=title, state="warning", detail=f"{rows} rows, not {split.rows}",
            fix="replace the file. A run that names this set would stop at once.",
        )  # fmt: skip
    return Check(group="data", name=title, detail=f"{rows} rows")
