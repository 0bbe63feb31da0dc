"""Programs in containers and elsewhere, by a runtime that writes down what it was told to run."""

import sys
from pathlib import Path

import pytest
from test_sandbox import PROBLEM, RIGHT, redetected  # noqa: F401 - a fixture

from manyways import trust
from manyways.errors import NoIsolation, Untrusted, UserError
from manyways.verifiers import AUTO, sandbox
from manyways.verifiers.python_tests import verify
from manyways.verifiers.verdicts import Verifiers

RUNTIME = """\
#!/bin/sh
for word in "$@"; do case $word in *import*) ;; *) said="$said$word " ;; esac; done
echo "$said" >> LOG
[ "$1" = rm ] && exit 0
while [ "$1" != KILL ]; do shift; done
shift 2
exec "$@"
"""


@pytest.fixture
def runtime(redetected, monkeypatch, tmp_path):  # noqa: F811
    """Make a stand-in under a name; returns what it was told, a line a call."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "python3").symlink_to(sys.executable)
    log = tmp_path / "log"

    def make(name: str, script: str = RUNTIME) -> Path:
        (tmp_path / name).write_text(script.replace("LOG", str(log)))
        (tmp_path / name).chmod(0o755)
        return log

    return make


@pytest.mark.parametrize("name", sandbox.RUNTIMES)
def test_a_container_is_taken_where_bubblewrap_is_missing(runtime, name):
    log = runtime(name)
    assert sandbox.detect(AUTO, None).kind == name
    assert verify(PROBLEM, RIGHT).status == "correct"
    assert verify(PROBLEM, "def f(x): return 1").rule == "tests/AssertionError"
    calls = log.read_text().splitlines()
    started = [line for line in calls if line.startswith("run ")]
    assert len(started) == 5  # to find out, then two sides of each program
    names = {line.split("--name ")[1].split()[0] for line in started}
    ended = {line.removeprefix("rm --force ").strip() for line in calls if line[:3] == "rm "}
    assert len(names) == 5 and len(ended) == 4 and ended < names
    for promise in (
        "--rm", "--pull never", "--network none", "--ipc none", "--read-only", "--cap-drop ALL",
        "--security-opt no-new-privileges", "--user 65534:65534", "--pids-limit 64",
        f"--memory {2**30} --memory-swap {2**30}", f"--tmpfs /tmp:rw,size={2**24},mode=1777",
        f"--entrypoint timeout {sandbox.IMAGE} -s KILL",
    ):  # fmt: skip
        assert all(promise in line for line in started), promise
    assert not any("volume" in line or "mount" in line for line in started)


def test_workers_use_the_image_that_the_recipe_names(runtime):
    log = runtime("podman")
    with Verifiers(workers=1, isolation="podman", image="my/python") as verifiers:
        assert verifiers.verdicts([(PROBLEM, RIGHT)])[0].status == "correct"
    assert " my/python -s KILL" in log.read_text()


def test_a_container_that_cannot_start_is_told_with_its_words(runtime):
    runtime("podman", "#!/bin/sh\necho 'Error: image not known' >&2\nexit 125\n")
    runtime("docker", "#!/bin/sh\necho 3 9\n")
    with pytest.raises(NoIsolation) as told:
        sandbox.require(allow_unsafe_code=False)
    assert "podman does not work: Error: image not known; docker has Python 3.9" in str(told.value)
    assert f"podman pull {sandbox.IMAGE}" in str(told.value)


def test_a_program_that_never_ends_is_ended_by_its_name(runtime):
    log = runtime("podman")
    slow = "import time\ndef f(x):\n    time.sleep(10**6)\n"
    assert verify(PROBLEM, slow, timeout=0.3, isolation="podman").rule == "tests/timeout"
    assert len([line for line in log.read_text().splitlines() if line[:3] == "rm "]) == 2


def here(order: sandbox.Order) -> list[str]:
    """Not elsewhere at all: what a remote place is told to run."""
    assert order.seconds > 60 and order.name.startswith("manyways-")
    return [sys.executable, *order.words[1:]]


def nothing(order: sandbox.Order) -> str:
    return " ".join(order.words)


def test_a_place_of_ones_own_is_used_where_it_is_trusted(redetected, monkeypatch, caplog):  # noqa: F811
    place = "test_containers:here"
    monkeypatch.delenv(trust.VARIABLE)
    with pytest.raises(Untrusted, match="isolation 'test_containers:here' names code"):
        verify(PROBLEM, RIGHT, isolation=place)
    trust.grant(place)
    assert verify(PROBLEM, RIGHT, isolation=place).status == "correct"
    assert "what 'test_containers:here' does not keep away" in caplog.text
    with Verifiers(workers=1, isolation=place) as verifiers:
        assert verifiers.verdicts([(PROBLEM, "def f(x): pass")])[0].status == "wrong"


def test_a_place_has_to_return_words(redetected):  # noqa: F811
    with pytest.raises(UserError, match="must return a list of words"):
        verify(PROBLEM, RIGHT, isolation="test_containers:nothing")
