"""What a test may need and a machine may lack. Every skip names one of these, in one form.

``conftest.py`` fails a test that skips for any other reason, and in CI (``CI=true``) a test that
lacks anything but what ``MAY_LACK`` lists.
"""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

MAY_LACK = (
    "an accelerator", "vllm", "verl", "MANYWAYS_DATA", "MANYWAYS_REAL_MODEL",
)  # fmt: skip
"""What CI may be without. ``.ci/run`` installs all else."""

DATA = Path(os.environ.get("MANYWAYS_DATA") or "MANYWAYS_DATA-is-not-set")
"""The folder of normalised problem sets, from the environment alone."""


def reason(name: str, how: str) -> str:
    """Why a test is skipped: what it needs, and how to get that."""
    return f"needs {name}: {how}"


def needs(name: str, *, there: bool, how: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not there, reason=reason(name, how))


def package(name: str, *, extra: str) -> pytest.MarkDecorator:
    return needs(name, there=find_spec(name) is not None, how=f"pip install 'manyways[{extra}]'")


NO_DATA = reason("MANYWAYS_DATA", "set it to a folder of normalised problem sets")
needs_data = pytest.mark.skipif(not (DATA / "gsm8k_test.jsonl").is_file(), reason=NO_DATA)
REAL_MODEL = Path(os.environ.get("MANYWAYS_REAL_MODEL") or "MANYWAYS_REAL_MODEL-is-not-set")
"""The folder of an instruct model of real size, from the environment alone."""
needs_real_model = needs(
    "MANYWAYS_REAL_MODEL",
    there=(REAL_MODEL / "config.json").is_file(),
    how="set it to the folder of an instruct model with a chat template",
)
needs_llama_cpp = needs(
    "llama.cpp",
    there=bool(find_spec("xllamacpp") and find_spec("gguf")),
    how="pip install 'manyways[dev]'",
)
needs_gym = package("reasoning_gym", extra="reasoning-gym")
needs_ray = package("ray", extra="ray")
needs_sphinx = package("sphinx", extra="docs")
needs_vllm = package("vllm", extra="vllm")


def _sandbox_works() -> bool:
    from manyways.verifiers import sandbox

    return sandbox.detect().kind != "none"


needs_sandbox = needs(
    "bubblewrap", there=_sandbox_works(), how="apt install bubblewrap, and allow user namespaces"
)


def small_disk(folder: Path, *, size: str) -> None:
    """Mount an empty file system of ``size`` on ``folder``; skips where that is refused."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip(reason("the right to mount", "run the tests as root"))


def need_accelerator() -> None:
    """Skip where torch sees no accelerator; asked late, since torch takes seconds to import."""
    import torch

    if not torch.accelerator.is_available():
        pytest.skip(reason("an accelerator", "run this on a machine with one"))


def fault_of_skip(message: str, *, in_ci: bool) -> str:
    """What is wrong with a skip that says ``message``; empty when nothing is."""
    said = message.removeprefix("Skipped: ")
    name, colon, how = said.removeprefix("needs ").partition(": ")
    if not said.startswith("needs ") or not colon or not how:
        return f"a skip says what is missing, as tests/needs.py does, not: {said}"
    if in_ci and name not in MAY_LACK:
        return f"skipped in CI, which has to have what this test needs: {said}"
    return ""
