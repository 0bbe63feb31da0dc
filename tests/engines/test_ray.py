"""The ray engine on a real cluster of this machine: two workers, one of them killed on the way."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import made_runs
import psutil
import pytest
from command_line import TESTS
from dying import at_rename
from needs import needs_ray
from tiny_models import build_llama
from waiting import eventually

from manyways import trust
from manyways.engines import SampleRequest, SamplingSettings
from manyways.errors import DataError, EngineError, ModelError, Untrusted
from manyways.recipe.engines import ModelConfig
from manyways.records import Message
from manyways.stages import generate
from manyways.tables import parts, read_attempts

pytestmark = [
    needs_ray,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:::ray"),
    pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning"),
]
SETTINGS = SamplingSettings(max_tokens=40)
BLOCK = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(build_llama(tmp_path_factory.mktemp("llama"), eos_bias=0.7))


@pytest.fixture(scope="module")
def cluster():
    import ray
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker with one CPU: sums are taken in the same order
    # Ray makes its workers so nice that they get nothing on a busy machine.
    os.environ.update(RAY_worker_niceness="0")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(trust.VARIABLE)  # workers are told by their engine alone
        patch.setenv("PYTHONPATH", str(TESTS))
        start(ray)
    yield ray
    ray.shutdown()
    torch.set_num_threads(before)


def start(ray, tries=4):
    """Ray gives a node 30 s to come up, which is not enough on a busy machine."""
    for number in range(tries):
        try:
            ray.init(
                num_cpus=2,
                include_dashboard=False,
                log_to_driver=False,
                object_store_memory=80 * 1024 * 1024,
            )
            return
        except Exception as error:
            ray.shutdown()
            if number + 1 == tries or "timed out during startup" not in str(error):
                raise


def config(folder, **changes):
    table = {"workers": 2, "block": BLOCK, **changes}
    return ModelConfig(path=folder, dtype="float32", engine="ray", ray=table)


@contextlib.contextmanager
def opened(folder, **changes):
    from manyways.engines.ray import RayEngine

    engine = RayEngine(folder, config(folder, **changes))
    try:
        yield engine
    finally:
        engine.close()


def ask(text, *seeds):
    return SampleRequest(messages=(Message(role="user", content=text),), seeds=seeds)


def requests(count):
    return [ask(f"Case {i}: Ann has {i} apples.", 2 * i, 2 * i + 1) for i in range(count)]


def workers():
    """Processes of actors, by what Ray calls them."""
    own = psutil.Process().children(recursive=True)
    return sorted(p.pid for p in own if called(p).startswith("ray::Worker"))


def called(process):
    try:
        return (process.cmdline() or [""])[0]
    except psutil.Error:  # it has just ended
        return ""


def alone(folder, wanted):
    """The transformers engine given the same blocks, one after another, in this process."""
    from manyways.engines.transformers import TransformersEngine

    engine = TransformersEngine(folder, ModelConfig(path=folder, dtype="float32"))
    size = BLOCK // 2
    blocks = [wanted[i : i + size] for i in range(0, len(wanted), size)]
    return [found for block in blocks for found in engine.sample(block, SETTINGS)]


def test_a_killed_worker_changes_nothing(cluster, folder):
    wanted = requests(120)
    with opened(folder) as engine:
        found, killed = [], None
        for completions in engine.sample(iter(wanted), SETTINGS):
            found.append(completions)
            if len(found) == 20:
                killed = workers()[0]
                os.kill(killed, signal.SIGKILL)
        after = workers()
        facts = engine.facts()
    assert killed is not None
    assert killed not in after  # another took its place
    assert found == alone(folder, wanted)
    assert facts["workers"] == 2
    assert facts["seeds"].startswith("honoured")
    assert eventually(lambda: workers() == [])


def test_generate_on_the_cluster_gives_the_records_of_one_process_and_goes_on_by_key(
    cluster, folder, tmp_path
):
    """A worker is killed while the pool is sampled; then the last parts are lost."""
    sections = {
        "pack": ("a", "b"),
        "evaluate": {"benchmarks": ["made_runs:load/test"]},
        "generate": {
            "problems": "made_runs:load/seed?count=24", "samples": 4, "plain_samples": 4,
            "max_tokens": 30, "part_size": BLOCK,
        },
    }  # fmt: skip
    model = {"path": folder, "dtype": "float32"}
    ray = {"engine": "ray", "ray": {"workers": 2, "block": BLOCK}}
    one = made_runs.context(tmp_path / "one", model=model, **sections)
    many = made_runs.context(tmp_path / "many", model=model | ray, **sections)
    generate.run(one)
    folders = [tmp_path / name / "1-attempts" for name in ("one", "many")]
    killed = []
    at_rename(str(folders[1] / "part-00003.parquet"), lambda: killed.append(kill_one()))
    generate.run(many)
    assert len(killed) == 1
    expected = list(read_attempts(folders[0]))
    assert list(read_attempts(folders[1])) == expected
    assert len(expected) == 24 * 3 * 4
    assert len(parts(folders[1])) == len(expected) // BLOCK
    for part in parts(folders[1])[5:]:
        part.unlink()
    many.run.stamp_path("generate").unlink()
    generate.run(many)
    assert list(read_attempts(folders[1])) == expected
    for context in (one, many):
        context.close()


def kill_one():
    os.kill(workers()[0], signal.SIGKILL)


def test_errors_of_a_worker_are_ours(cluster, folder, tmp_path):
    with opened(folder) as engine, pytest.raises(DataError, match="the model's context is 512"):
        list(engine.sample([ask("long " * 600, 1)], SETTINGS))
    with opened(str(tmp_path)) as engine, pytest.raises(ModelError, match="cannot load"):
        list(engine.sample([ask("a", 1)], SETTINGS))


def test_workers_use_what_this_process_trusts_and_nothing_else(cluster, folder, monkeypatch):
    monkeypatch.delenv(trust.VARIABLE)
    trust.grant("fake_engines:GuessingEngine")
    wanted = [ask(f"What is {number} + 0?", 1, 2) for number in range(3)]
    with opened(folder, engine="fake_engines:GuessingEngine") as engine:
        assert len(list(engine.sample(wanted, SETTINGS))) == 3
    refused = pytest.raises(Untrusted, match="'fake_engines:NeverStops' names code")
    with opened(folder, engine="fake_engines:NeverStops") as engine, refused:
        list(engine.sample(wanted, SETTINGS))


def test_more_workers_than_there_is_room_for_are_refused(cluster, folder):
    for changes, sentence in (
        ({"workers": 3}, "3 workers with 1 CPU each, but the cluster has 2 CPU"),
        ({"gpus": 1.0}, "2 workers with 1 GPU each, but the cluster has 0 GPU"),
    ):
        with pytest.raises(EngineError, match=sentence), opened(folder, **changes):
            pass


def test_a_closed_engine_says_so(cluster, folder):
    with opened(folder) as engine:
        pass
    with pytest.raises(EngineError, match="closed"):
        list(engine.sample([ask("a", 1)], SETTINGS))


ONE_BLOCK = """
from manyways.cli import app
from manyways.engines import SampleRequest, SamplingSettings
from manyways.engines.ray import RayEngine
from manyways.recipe.engines import ModelConfig
from manyways.records import Message

app._prepare()
table = {"workers": 1, "engine": "fake_engines:GuessingEngine"}
engine = RayEngine("none", ModelConfig(path="none", engine="ray", ray=table))
asked = SampleRequest(messages=(Message(role="user", content="What is 3 + 0?"),), seeds=(1,))
print(list(engine.sample([asked], SamplingSettings(max_tokens=4))))
engine.close()
from ray._common.usage import usage_lib
print("reports to its makers:", usage_lib.usage_stats_enabled())
"""


def test_ray_writes_where_the_page_about_trust_says():
    """A cluster of its own, as `model.ray.address` without a value starts it."""
    with tempfile.TemporaryDirectory(prefix="mw-") as short:  # names of sockets may be 107 bytes
        places = {name: Path(short, name) for name in ("home", "tmp", "ray", "cwd")}
        for place in places.values():
            place.mkdir()
        given = {"HOME": "home", "TMPDIR": "tmp", "RAY_TMPDIR": "ray"}
        variables = {
            **os.environ, **{name: str(places[place]) for name, place in given.items()},
            "PYTHONPATH": str(TESTS), trust.VARIABLE: "fake_engines:GuessingEngine",
        }  # fmt: skip
        for name in trust.REPORTS_OFF:
            variables.pop(name, None)
        command = [sys.executable, "-c", ONE_BLOCK]
        done = subprocess.run(
            command, cwd=places["cwd"], env=variables, capture_output=True, text=True, check=False
        )
        assert "Completion(" in done.stdout, done.stderr
        written = {name: sorted(p.name for p in place.iterdir()) for name, place in places.items()}
        assert written == {"home": [".ray"], "tmp": [], "ray": ["ray"], "cwd": []}
        assert "reports to its makers: False" in done.stdout
