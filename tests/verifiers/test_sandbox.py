import struct

import pytest
from needs import needs_sandbox

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


@needs_sandbox
def test_without_the_filter_programs_run_and_the_gap_is_said(redetected, monkeypatch, caplog):
    monkeypatch.setattr(sandbox, "system_call_filter", lambda: None)
    assert sandbox.detect().missing == ("no system-call filter (a program can start processes)",)
    assert verify(PROBLEM, RIGHT).status == "correct"
    assert "no system-call filter" in caplog.text
