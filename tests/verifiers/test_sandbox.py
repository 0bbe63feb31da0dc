import struct
import subprocess
import sys

import pytest
from needs import needs_sandbox

from manyways.commands import doctor
from manyways.errors import NoIsolation
from manyways.records import Problem
from manyways.verifiers import sandbox
from manyways.verifiers.python_tests import verify

RIGHT = "def f(x):\n    return x * x\n"
PROBLEM = Problem(
    id="code/test/0",
    question="Write f.",
    answer=RIGHT,
    verifier="python_tests",
    tests="assert f(3) == 9",
    entry_point="f",
)


@pytest.fixture
def redetected():
    sandbox.detect.cache_clear()
    sandbox._warn.cache_clear()
    yield
    sandbox.detect.cache_clear()
    sandbox._warn.cache_clear()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_jump_of_the_filter_lands_inside_it(machine):
    code = sandbox.system_call_filter(machine)
    steps = [struct.unpack("=HBBI", code[i : i + 8]) for i in range(0, len(code), 8)]
    for place, (operation, if_true, if_false, _) in enumerate(steps):
        if operation & 0x07 == 0x05:
            assert place + 1 + max(if_true, if_false) < len(steps)
    assert steps[-1][0] == 0x06


def test_an_unknown_processor_has_no_filter():
    assert sandbox.system_call_filter("pdp11") is None


def test_without_bubblewrap_there_is_no_isolation(redetected, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    found = sandbox.detect()
    assert found.kind == "none" and len(found.missing) == 2
    assert found.why == (
        "bubblewrap is not installed; podman is not installed; docker is not installed"
    )


def test_a_bubblewrap_that_may_not_work_is_told_with_its_words(redetected, monkeypatch, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = sandbox.detect("bubblewrap")
    assert found.kind == "none"
    assert found.why == "bubblewrap does not work: No permissions to create new namespace"
    said = doctor.sandbox_check()
    assert "bubblewrap does not work" in said.detail
    assert "apt install" not in said.fix and "allow user namespaces" in said.fix
    with pytest.raises(NoIsolation, match="To have one, allow user namespaces"):
        sandbox.require(allow_unsafe_code=False)


def test_the_fix_names_the_setting_that_refuses(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox, "_setting", {"user.max_user_namespaces": "0"}.get)
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: "/usr/bin/bwrap")
    assert sandbox.bubblewrap_fix() == (
        "allow user namespaces: as root `sysctl user.max_user_namespaces=15000`"
    )
    monkeypatch.setattr(sandbox, "_setting", {}.get)
    assert sandbox.bubblewrap_fix().startswith("allow user namespaces: start the container with")
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: None)
    assert sandbox.bubblewrap_fix() == "`apt install bubblewrap`"


@needs_sandbox
def test_where_namespaces_are_refused_bubblewrap_is_not_told_to_be_installed():
    """In a user namespace that may have no other below it."""
    no_more = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    code = "from manyways.commands.doctor import sandbox_check as c; print(c().detail, c().fix)"
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", no_more, "sh"]
    done = subprocess.run(
        [*words, sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "bubblewrap does not work: bwrap: Creating new namespace failed" in done.stdout
    assert "as root `sysctl user.max_user_namespaces=15000`" in done.stdout


@needs_sandbox
def test_without_the_filter_programs_run_and_the_gap_is_said(redetected, monkeypatch, caplog):
    monkeypatch.setattr(sandbox, "system_call_filter", lambda: None)
    assert sandbox.detect().missing == ("no system-call filter (a program can start processes)",)
    assert verify(PROBLEM, RIGHT).status == "correct"
    assert "no system-call filter" in caplog.text
