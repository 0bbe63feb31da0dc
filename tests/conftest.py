"""Fixtures for tests anywhere in the tree, and what a test may skip for."""

import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import settings
from needs import fault_of_skip

from manyways import trust

# The same examples in every run, and no memory of earlier runs in the checkout.
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.load_profile("same")


ELSEWHERE = (
    "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TTY_COMPATIBLE",
    "HF_ENDPOINT", "HF_TOKEN", "MANYWAYS_HUB_MIRROR",
)  # fmt: skip
"""Variables of one terminal, robot or account, which change what is printed or asked for."""
for name in ELSEWHERE:
    os.environ.pop(name, None)
# Before any library reads it. Where there is a network, nothing is asked for on it, either.
os.environ.update({"HF_HUB_OFFLINE": "1", "TERM": "xterm"})
# Under nohup or behind a shell's "&" these are ignored, and what a test starts would inherit that.
for number in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(number) == signal.SIG_IGN:
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, default)


@pytest.fixture(scope="session", autouse=True)
def without_data() -> Generator[None, None, None]:
    """Tests that need problem sets name their folder; the others behave as if there were none.

    Not before: worker processes of the tests are handed the variable.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MANYWAYS_DATA", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def trusted() -> Generator[None, None, None]:
    """The tests' own stand-ins are code outside the package; tests/test_trust.py trusts nothing.

    Of the session, since fixtures of modules use stand-ins before those of a function are set up.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(trust.VARIABLE, trust.ALL)
        yield


@pytest.fixture(autouse=True)
def granted_by_the_test_alone() -> Generator[None, None, None]:
    """What a command granted in this process ends with its test."""
    yield
    trust._granted.clear()


@pytest.fixture(scope="module")
def one_thread():
    """One torch thread for a module's tests: sums in one order, and no two threads that spin."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip that may not be is a failure."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        fault = fault_of_skip(str(report.longrepr[2]), in_ci=os.environ.get("CI") == "true")
        if fault:
            report.outcome, report.longrepr = "failed", fault
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Whole files never skip: each test says for itself what it needs."""
    report = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"{report.nodeid} skips as a whole"
    return report
