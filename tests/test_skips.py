"""A test that does not run says what it needs; in CI only what needs.py lists may be missing."""

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import environment
from needs import MAY_LACK, fault_of_skip, reason


@pytest.mark.parametrize("name", MAY_LACK)
def test_what_ci_may_lack(name: str) -> None:
    assert fault_of_skip(f"Skipped: {reason(name, 'get one')}", in_ci=True) == ""


def test_anything_else_that_ci_lacks_is_a_failure() -> None:
    said = reason("a browser", "apt install chromium-driver")
    assert fault_of_skip(said, in_ci=False) == ""
    assert "skipped in CI" in fault_of_skip(said, in_ci=True)


@pytest.mark.parametrize(
    "said", ["", "later", "could not import 'ray'", "needs ray", "needs ray: "]
)
def test_a_skip_that_does_not_say_what_is_missing_is_a_failure(said: str) -> None:
    assert "says what is missing" in fault_of_skip(said, in_ci=False)


TESTS = """
import pytest
from needs import reason
def test_lacks_vllm(): pytest.skip(reason("vllm", "get it"))
def test_lacks_a_browser(): pytest.skip(reason("a browser", "get it"))
@pytest.mark.skip
def test_says_nothing(): pass
@pytest.mark.xfail
def test_fails_as_known(): assert False
"""


@pytest.mark.parametrize(("ci", "ends"), [("true", "1 failed, 1 skipped"), ("", "2 skipped")])
def test_pytest_fails_where_a_skip_may_not_be(tmp_path: Path, ci: str, ends: str) -> None:
    (tmp_path / "test_them.py").write_text(TESTS)
    (tmp_path / "test_none.py").write_text("import pytest\npytest.importorskip('no_such_module')")
    (tmp_path / "pytest.ini").touch()
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--continue-on-collection-errors"], cwd=tmp_path, env=environment({"CI": ci}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"{ends}, 1 xfailed, 2 errors" in done.stdout, done.stdout
    assert "skips as a whole" in done.stdout
