"""Nothing runs code without consent: what docs/trust.md says is refused, tried with payloads."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import ROOT, in_this_process
from test_extend_page import examples

from manyways import trust
from manyways.checkpoints import load_model, load_tokenizer, package_path
from manyways.commands.run import resolve_recipe as resolve_run
from manyways.context import Context
from manyways.engines.http_client import Client
from manyways.errors import ModelError, RecipeError, Untrusted
from manyways.plugins import resolve
from manyways.problems import load_problems
from manyways.recipe import dump_recipe, load_recipe, parse_recipe
from manyways.recipe.engines import HttpConfig, ModelConfig, RayConfig
from manyways.recipe.section import toml_value
from manyways.recipe.training import LaunchConfig
from manyways.records import Problem
from manyways.run_dir import RunDir, open_for_writing
from manyways.third_party import names, require_all
from manyways.verifiers.verdicts import Verifiers

SMOKE = ROOT / "recipes" / "smoke.toml"
BASE = package_path("package:manyways.pocket/base")
MARK = "was-run"
PAYLOAD = f"cProfile:run/open('{MARK}','w').close()"
"""Python's own profiler runs the text that it is given."""
SENTENCE = "Not used, because this command only looks (--trust uses it): "

OWN = {
    "heuristics.count": "1",
    "heuristics.labeller": '"my_labeller:load"',
    "generate.problems": '"my_sets:load/train?size=8"',
    "rl.problems": '"my_sets:load/train?size=8"',
    "rl.backend": '"my_rl:train"',
    "evaluate.benchmarks": '["my_sets:load/test"]',
    "verify.verifier": '"my_verifier:verify"',
    "model.engine": '"my_engine:Echo"',
    "arms": '["vanilla"]',
}
"""Every part of docs/extend.md."""
MODULES = [Path(name).stem for name in examples() if name.endswith(".py")]


@pytest.fixture(autouse=True)
def nobody_trusts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.delenv(trust.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    trust._granted.clear()
    yield
    trust._granted.clear()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the parts of docs/extend.md."""
    folder = tmp_path_factory.mktemp("parts")
    for name, content in examples().items():
        (folder / name).write_text(content)
    return folder


@pytest.fixture(scope="module")
def made(parts: Path) -> Path:
    """A run made of those parts, all of them, with a recipe outside a run folder."""
    settings = OWN | {"heuristics.pack": f'"{parts}/my_pack.toml"'}
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "manyways", "run", str(SMOKE), "--out", "run", *words]
    environment = {**os.environ, "PYTHONPATH": str(parts), "OMP_NUM_THREADS": "1"}
    environment.pop(trust.VARIABLE, None)
    done = subprocess.run(
        command, cwd=parts, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return parts / "run"


@pytest.fixture
def finished(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that run; its parts can be imported, and have not been."""
    monkeypatch.syspath_prepend(str(made.parent))
    monkeypatch.setenv("PYTHONPATH", str(made.parent))
    for name in MODULES:
        sys.modules.pop(name, None)
    return Path(shutil.copytree(made, tmp_path / "run"))


def recipe_with(path: Path, **changes: str) -> Path:
    """The smoke recipe with ``table__key`` set."""
    text = SMOKE.read_text()
    for name, value in changes.items():
        table, key = name.split("__")
        text = re.sub(rf"^{key} = .*\n", "", text, flags=re.M) if key == "problems" else text
        text = text.replace(f"[{table}]\n", f"[{table}]\n{key} = {json.dumps(value)}\n")
    if "generate__problems" in changes:
        text = text.replace("[rl]\n", '[rl]\nproblems = "pocket/rl"\n')
        text = text.replace("[gate]\n", "[gate]\nproblems = 4\n")
    path.write_text(text)
    return path


def infect(run: Path) -> None:
    """Put the payload where the recipe of the run names its problems."""
    file = run / "recipe.toml"
    text = file.read_text().replace("my_sets:load/train?size=8", PAYLOAD)
    assert PAYLOAD in text
    file.write_text(text)


def verbs(run: Path) -> dict[str, tuple[str | Path, ...]]:
    """Those that only look at a run folder."""
    return {
        "dry-run": ("run", run, "--dry-run"),
        "forecast": ("forecast", run),
        "doctor": ("doctor", run),
        "show": ("show", run, "doubles/train/00000"),
        "status": ("status", run),
        "report": ("report", run),
        "table": ("table", run),
        "analyse": ("analyse", run),
        "dataset": ("export", "dataset", run, "--out", run.parent / "dataset"),
        "model": ("export", "model", run, "--arm", "vanilla", "--out", run.parent / "model"),
        "samples": ("export", "samples", run, "--out", run.parent / "samples"),
        "print-command": ("rl", run, "--print-command"),
    }


@pytest.mark.parametrize("verb", verbs(Path()))
def test_a_finished_run_is_looked_at_without_its_code(
    verb: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = in_this_process(capsys, *verbs(finished)[verb])
    # The folder holds no forecast, and that verb says so.
    assert outcome.code == (2 if verb == "forecast" else 0), outcome.err
    said = " ".join(outcome.err.split())
    assert ("no forecast was kept" in said) == (verb == "forecast")
    assert SENTENCE in said
    for name in ("my_sets:load", "my_labeller:load", "my_rl:train", "my_engine:Echo"):
        assert name in said
    assert not set(MODULES) & set(sys.modules)


def test_runs_are_compared_without_their_code(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copytree(finished, tmp_path / "other"))
    infect(other)
    outcome = in_this_process(capsys, "compare", finished, other)
    assert outcome.code == 0, outcome.err
    assert "generate.problems = 'cProfile:run'" in " ".join(outcome.err.split())
    assert not (tmp_path / MARK).exists()
    assert not set(MODULES) & set(sys.modules)


def test_what_a_finished_run_holds_is_shown(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The problems of foreign code were kept when it ran, and everything counts as finished."""
    run = finished
    shown = in_this_process(capsys, *verbs(run)["show"])
    assert "reference answer" in shown.out
    rows = [
        row
        for row in in_this_process(capsys, *verbs(run)["dry-run"]).out.splitlines()
        if "/" in row
    ]
    assert rows
    assert not [row for row in rows if "would run" in row]
    assert "finished earlier" in in_this_process(capsys, *verbs(run)["analyse"]).err
    in_this_process(capsys, *verbs(run)["dataset"])
    assert (run.parent / "dataset" / "README.md").is_file()


@pytest.mark.parametrize("verb", verbs(Path()))
def test_a_payload_in_a_run_folder_is_not_run(
    verb: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    infect(finished)
    outcome = in_this_process(capsys, *verbs(finished)[verb])
    assert not (tmp_path / MARK).exists()
    assert not set(MODULES) & set(sys.modules)
    assert "generate.problems = 'cProfile:run'" in " ".join(outcome.err.split())
    # Without the questions there is no data set to export; no forecast is in the folder.
    lacking = verb in ("dataset", "forecast")
    assert (outcome.code, "--trust" in outcome.err) == (2 if lacking else 0, True)


EVIL = "evil:act"
EVERY = {
    "model.engine": EVIL,
    "model.ray.address": "ray://10.0.0.5:10001",
    "model.http.url": "http://10.0.0.5/v1",
    "model.http.api_key_env": "SECRET",
    "heuristics.labeller": EVIL,
    "verify.verifier": EVIL,
    "verify.isolation": EVIL,
    "verify.allow_unsafe_code": True,
    "generate.engine": "http",
    "generate.problems": f"{EVIL}/train",
    "midtrain.extra.push_to_hub": True,
    "rl.backend": "verl",
    "rl.problems": f"{EVIL}/rl",
    "launch.accelerate_config": "theirs.yaml",
    "evaluate.benchmarks": [f"{EVIL}/test", "file:x.jsonl?verifier=evil:act"],
}
"""Everything that acts, each with something that would leave a mark or be sent away."""


@pytest.mark.parametrize("verb", verbs(Path()))
def test_a_run_folder_with_every_payload_is_only_looked_at(
    verb: str, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = finished.parent
    (folder / "evil.py").write_text(f"open('{folder / MARK}', 'w').close()\nact = print\n")
    (folder / "x.jsonl").write_text('{"question": "1+1?", "answer": "2"}\n')
    python = folder / "python"
    python.write_text(f"#!/bin/sh\ntouch {folder / MARK}\n")
    python.chmod(0o755)
    payloads = {**EVERY, "rl.verl.python": str(python)}
    words = [f"{key}={toml_value(value)}" for key, value in payloads.items()]
    recipe = load_recipe(finished / "recipe.toml", words)
    (finished / "recipe.toml").write_text(dump_recipe(recipe))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("SECRET", "s3cret")
    called: list[object] = []
    monkeypatch.setattr("socket.socket.connect", lambda _, address: called.append(address))
    outcome = in_this_process(capsys, *verbs(finished)[verb])
    assert not (folder / MARK).exists()
    assert "evil" not in sys.modules
    assert called == []
    assert "s3cret" not in outcome.out + outcome.err
    said = " ".join(outcome.err.split())
    for key, _ in names(recipe):
        assert key in said, (verb, key)


def test_a_payload_in_a_recipe_is_not_run_by_looking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = recipe_with(tmp_path / "evil.toml", generate__problems=PAYLOAD)
    for words in (("run", recipe, "--dry-run"), ("forecast", recipe), ("doctor", recipe)):
        outcome = in_this_process(capsys, *words)
        assert outcome.code == 0, outcome.err
        assert SENTENCE + "generate.problems = 'cProfile:run'" in " ".join(outcome.err.split())
        assert not (tmp_path / MARK).exists()


def test_a_recipe_that_the_user_names_is_trusted_by_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = recipe_with(tmp_path / "mine.toml", generate__problems=PAYLOAD)
    with pytest.raises(TypeError):  # what the profiler then says to a set's options
        in_this_process(capsys, "run", recipe)
    assert (tmp_path / MARK).exists(), "what the user asked for was run"


LOOKED_OVER = {
    "model.load.attn_implementation": "someone/kernels",
    "model.ray.address": "ray://10.0.0.5:10001",
    "rl.extra.deepspeed": "theirs.json",
    "launch.accelerate_config": "theirs.yaml",
    "verify.allow_unsafe_code": True,
}
"""A way to act of each kind that has no test of its own, but for that."""


def with_all(path: Path) -> Path:
    """The smoke recipe with all of them."""
    words = [f"{key}={toml_value(value)}" for key, value in LOOKED_OVER.items()]
    path.write_text(dump_recipe(load_recipe(SMOKE, words)))
    return path


def test_looking_uses_nothing_of_any_kind_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = with_all(tmp_path / "all.toml")
    for words in (("run", recipe, "--dry-run"), ("forecast", recipe), ("doctor", recipe)):
        outcome = in_this_process(capsys, *words)
        assert outcome.code == 0, outcome.err
        said = " ".join(outcome.err.split())
        [sentence] = re.findall(rf"{re.escape(SENTENCE)}(.*?)\.(?: |$)", said + " ")
        for key, _ in names(load_recipe(recipe)):
            assert key in sentence, (words, key)
    assert len(names(load_recipe(recipe))) == len(LOOKED_OVER)


def test_going_on_in_a_run_folder_needs_trust_for_each_kind(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_all(finished / "recipe.toml")
    outcome = in_this_process(capsys, "run", finished)
    assert outcome.code == 2
    said = " ".join(outcome.err.split())
    assert "--trust" in said
    for key, _ in names(load_recipe(finished / "recipe.toml")):
        assert key in said


def test_a_named_recipe_may_do_all_that_is_listed(tmp_path: Path) -> None:
    mine = with_all(tmp_path / "mine.toml")
    recipe = load_recipe(mine)
    with pytest.raises(Untrusted):
        require_all(recipe)
    trust.grant_recipe(mine)
    require_all(recipe)
    trust.require_plain(recipe.rl.extra, "rl.extra")
    trust.require_key_address("https://api.example.com/v1", "SECRET")
    assert Context(recipe=recipe, run=RunDir(root=tmp_path)).verifiers.allow_unsafe_code


@pytest.mark.parametrize("words", [("run",), ("generate",), ("evaluate",), ("rl",), ("midtrain",)])
def test_going_on_in_a_run_folder_needs_trust(
    words: tuple[str, ...], finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    infect(finished)
    outcome = in_this_process(capsys, *words, finished)
    assert outcome.code == 2
    assert "--trust" in outcome.err
    assert not (tmp_path / MARK).exists()


def test_a_recipe_inside_a_run_folder_is_the_folders(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    infect(finished)
    (tmp_path / "link.toml").symlink_to(finished / "recipe.toml")
    (finished / "6-eval" / "copy.toml").write_text((finished / "recipe.toml").read_text())
    inside = (finished / "recipe.toml", finished / "6-eval" / "copy.toml")
    for recipe in (*inside, tmp_path / "link.toml"):
        outcome = in_this_process(capsys, "run", recipe, "--out", finished)
        assert (outcome.code, "--trust" in outcome.err) == (2, True)
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize("how", ["option", "variable", "names"])
def test_trust_is_an_option_or_a_variable(
    how: str, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if how != "option":
        names = "my_sets:load,my_labeller:load,my_rl:train,my_verifier:verify,my_engine:Echo"
        monkeypatch.setenv(trust.VARIABLE, "1" if how == "variable" else names)
    outcome = in_this_process(
        capsys, "run", finished, "--dry-run", *(["--trust"] if how == "option" else [])
    )
    assert outcome.code == 0, outcome.err
    assert SENTENCE not in outcome.err
    assert "my_sets" in sys.modules


def test_names_that_are_trusted_trust_nothing_else(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(trust.VARIABLE, "my_sets:load, my_labeller:load")
    outcome = in_this_process(capsys, "run", finished, "--dry-run")
    assert outcome.code == 0, outcome.err
    said = " ".join(outcome.err.split())
    assert "my_engine:Echo" in said
    assert "my_sets:load" not in said
    assert ("my_sets" in sys.modules, "my_engine" in sys.modules) == (True, False)


def test_a_key_or_what_it_names_may_be_trusted(tmp_path: Path) -> None:
    recipe = load_recipe(with_all(tmp_path / "mine.toml"))
    trust.grant("rl.extra.deepspeed", "ray://10.0.0.5:10001")
    with pytest.raises(Untrusted) as error:
        require_all(recipe)
    assert [key for key, _ in names(recipe) if key not in str(error.value)] == [
        "model.ray.address", "rl.extra.deepspeed"
    ]  # fmt: skip
    trust.require_plain(recipe.rl.extra, "rl.extra")
    with pytest.raises(Untrusted):
        trust.require_plain(recipe.model.load, "model.load")
    trust.grant("true")
    with pytest.raises(Untrusted, match=r"verify\.allow_unsafe_code"):
        require_all(recipe)


@pytest.mark.parametrize("verb", ["analyse", "report"])
def test_tables_that_need_a_foreign_labeller_stay_and_that_is_said(
    verb: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def tables() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (finished / "7-tables").iterdir()}

    before = tables()
    stamp = finished / "stamps" / "analyse.json"
    made = json.loads(stamp.read_text())
    made["identity"]["format"] = 0
    stamp.write_text(json.dumps(made))
    (finished / "report.html").unlink()
    outcome = in_this_process(capsys, verb, finished)
    assert outcome.code == 0, outcome.err
    said = " ".join(outcome.err.split())
    assert "the tables stay as they are. labeller 'my_labeller:load' names code" in said
    assert len(before) > 10
    assert {name: text for name, text in tables().items() if name in before} == before
    assert (finished / "report.html").is_file() == (verb == "report")
    assert not set(MODULES) & set(sys.modules)


@pytest.mark.parametrize("name", [".lock", "7-tables", "7-tables/gate.json"])
def test_a_link_out_of_a_run_folder_is_not_written_through(
    name: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "gate.json").write_text("mine")
    place = finished / name
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    place.symlink_to(mine if name == "7-tables" else mine / "gate.json")
    for verb in ("analyse", "report", "generate"):
        outcome = in_this_process(capsys, verb, finished)
        assert outcome.code == 2, outcome.err
        said = " ".join(outcome.err.split())
        assert f"'{place}' is a link to '{mine}" in said
        assert "--trust" in said
    assert [path.name for path in mine.iterdir()] == ["gate.json"]
    assert (mine / "gate.json").read_text() == "mine"
    trust.grant_all()
    with open_for_writing(finished) as run:
        assert run.writer


def test_a_link_within_a_run_folder_needs_no_trust(tmp_path: Path) -> None:
    (tmp_path / "run" / "7-tables").mkdir(parents=True)
    (tmp_path / "run" / "tables").symlink_to("7-tables")
    (tmp_path / "link").symlink_to("run")
    with open_for_writing(tmp_path / "link") as run:
        assert run.root == tmp_path / "run"


def test_a_foreign_python_is_not_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ntouch {tmp_path / MARK}\n")
    python.chmod(0o755)
    text = (ROOT / "recipes" / "paper-verl.toml").read_text()
    text = text.replace('extends = "', f'extends = "{ROOT / "recipes"}/')
    recipe = tmp_path / "verl.toml"
    recipe.write_text(re.sub(r"^python = .*$", f'python = "{python}"', text, flags=re.M))
    assert f'"{python}"' in recipe.read_text()
    for words in (
        ("run", recipe, "--dry-run"),
        ("forecast", recipe, "--no-measure"),
        ("doctor", recipe),
    ):
        outcome = in_this_process(capsys, *words)
        said = " ".join(outcome.err.split())
        assert f"rl.verl.python = '{python}'" in said, words
        assert not (tmp_path / MARK).exists()
    assert f"{python} was not started" in outcome.out.replace("\n", "")


def test_a_python_that_merely_lies_here_is_not_started_by_doctor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = tmp_path / "verl-env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\ntouch {tmp_path / MARK}\n")
    python.chmod(0o755)
    assert in_this_process(capsys, "doctor").code == 0
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize(
    ("url", "leaves"),
    [
        ("http://localhost:8000/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://[::1]:8000/v1", False),
        ("https://api.example.com/v1", True),
        ("http://localhost.example.com/v1", True),
        ("http://10.0.0.5:8000/v1", True),
        ("http://0x7f.1/v1", True),
    ],
)
def test_a_key_does_not_leave_this_machine(
    url: str, leaves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    config = HttpConfig(url=url, api_key_env="SECRET")
    if leaves:
        with pytest.raises(Untrusted, match="key in SECRET would be sent to"):
            Client(config)
        # Without a key nothing is given away.
        Client(HttpConfig(url=url))
        trust.grant_all()
    Client(config)


def test_a_key_in_a_recipe_is_not_sent_by_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    recipe = recipe_with(tmp_path / "evil.toml", generate__engine="http")
    recipe.write_text(
        recipe.read_text().replace(
            "[prompt]", '[model.http]\nurl = "http://10.0.0.5/v1"\napi_key_env = "SECRET"\n[prompt]'
        )
    )
    for words in (("run", recipe, "--dry-run"), ("forecast", recipe), ("doctor", recipe)):
        outcome = in_this_process(capsys, *words)
        assert outcome.code == 0, outcome.err
        said = " ".join(outcome.err.split())
        assert "the key in SECRET = 'http://10.0.0.5/v1'" in said
        assert "s3cret" not in outcome.out + outcome.err


KINDS = {
    "model": {"path": "x", "engine": "cProfile:run"},
    "generate": {"engine": "cProfile:run", "problems": "cProfile:run/a", "max_tokens": 9},
    "heuristics": {"pack": "polya", "labeller": "cProfile:run"},
    "verify": {"verifier": "cProfile:run", "isolation": "cProfile:run"},
    "rl": {"backend": "cProfile:run", "problems": "cProfile:run/b", "steps": 1,
           "learning_rate": 1e-5, "max_tokens": 9, "extra": {"deepspeed": "ds.json"}},
    "evaluate": {"benchmarks": ["cProfile:run/c", "file:x.jsonl?verifier=cProfile:run"],
                 "max_tokens": 9, "attempts": 1},
    "midtrain": {"steps": 1, "learning_rate": 1e-5, "max_length": 9,
                 "extra": {"push_to_hub": True, "optim": "adamw_torch"}},
    "launch": {"accelerate_config": "accelerate.yaml"},
    "select": {"scorer": "judge",
               "judge": {"path": "x", "engine": "ray", "ray": {"engine": "cProfile:run"},
                         "vllm": {"worker_cls": "evil.Worker", "quantization": "fp8"}}},
}  # fmt: skip


def test_everything_that_acts_is_listed() -> None:
    """All keys by which a recipe can name code, programs, files of settings and addresses."""
    recipe = parse_recipe({"name": "all", "arms": ["vanilla"], **KINDS}, "test")
    assert [key for key, _ in names(recipe)] == [
        "model.engine", "select.judge.ray.engine", "select.judge.vllm.worker_cls",
        "generate.problems", "rl.problems", "evaluate.benchmarks",
        "evaluate.benchmarks (verifier)", "generate.engine", "heuristics.labeller",
        "verify.verifier", "verify.isolation", "rl.backend", "midtrain.extra.push_to_hub",
        "rl.extra.deepspeed", "launch.accelerate_config",
    ]  # fmt: skip


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda p: p.stem)
def test_recipes_that_come_along_need_no_trust_but_for_verl(recipe: Path) -> None:
    keys = [key for key, _ in names(load_recipe(recipe))]
    assert keys in ([], ["rl.verl.python"])


def test_a_forgotten_verb_refuses() -> None:
    """The decision is made where a name becomes an object, not where a verb begins."""
    with pytest.raises(Untrusted, match="--trust"):
        resolve("json:loads", {}, "engine")
    with pytest.raises(Untrusted):
        load_problems("json:loads/x")
    trust.grant("json:loads")
    assert resolve("json:loads", {}, "engine") is json.loads
    with pytest.raises(Untrusted):
        resolve("json:dumps", {}, "engine")


def test_names_inside_this_package_are_no_way_around() -> None:
    with pytest.raises(Untrusted):
        load_problems("manyways.tables:write_text/x")


def test_a_verifier_that_nobody_trusts_starts_no_process() -> None:
    with Verifiers(workers=1) as judge, pytest.raises(Untrusted):
        judge.verdicts([(Problem(id="a/b/1", question="", answer="1", verifier="os:system"), "x")])


def test_a_name_on_the_command_line_was_asked_for(
    tmp_path: Path, parts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is trusted by itself, in worker processes too; what a file names is not."""
    monkeypatch.syspath_prepend(str(parts))
    monkeypatch.setenv("PYTHONPATH", str(parts))
    (tmp_path / "answers.jsonl").write_text('{"gold": "5", "prediction": "5"}\n')
    outcome = in_this_process(
        capsys, "verify", tmp_path / "answers.jsonl", "--verifier", "my_verifier:verify"
    )
    assert outcome.code == 0, outcome.err
    assert trust.environment() == {trust.VARIABLE: "my_verifier:verify"}
    (tmp_path / "answers.jsonl").write_text(
        '{"gold": "5", "prediction": "5", "verifier": "my_verifier:verify"}\n'
    )
    outcome = in_this_process(capsys, "verify", tmp_path / "answers.jsonl")
    assert (outcome.code, "on the command line" in outcome.err) == (2, True)


def test_processes_of_our_own_decide_as_their_parent() -> None:
    assert trust.environment() == {}
    trust.take({trust.VARIABLE: "a:b,c:d"})
    assert trust.trusts("a:b")
    assert not trust.trusts("e:f")
    assert trust.environment() == {trust.VARIABLE: "a:b,c:d"}
    trust.grant_all()
    assert trust.environment() == {trust.VARIABLE: "1"}


def test_a_cluster_elsewhere_needs_trust() -> None:
    from manyways.engines.ray import RayEngine

    for address, elsewhere in (
        ("ray://gpu7:10001", True), ("10.0.0.5:6379", True), ("gpu7", True),
        ("", False), ("auto", False), ("local", False), ("127.0.0.1:6379", False),
        ("ray://localhost:10001", False),
    ):  # fmt: skip
        assert RayConfig(address=address).elsewhere is elsewhere, address
    config = ModelConfig(path="x", engine="ray", ray=RayConfig(address="ray://gpu7:10001"))
    with pytest.raises(Untrusted, match=r"model\.ray\.address = 'ray://gpu7:10001'"):
        RayEngine("x", config)


def test_unsafe_code_of_a_recipe_that_nobody_trusts_stays_off(tmp_path: Path) -> None:
    recipe = load_recipe(SMOKE, ["verify.allow_unsafe_code=true"])

    def verifiers() -> Verifiers:
        return Context(recipe=recipe, run=RunDir(root=tmp_path)).verifiers

    assert not verifiers().allow_unsafe_code
    trust.grant("verify.allow_unsafe_code")
    assert verifiers().allow_unsafe_code
    with pytest.raises(Untrusted, match=r"verify\.allow_unsafe_code = 'true'"):
        trust._granted.clear()
        require_all(recipe)


def test_a_recipe_reads_from_every_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of it needs trust, wherever it lies: texts are read, and do not act."""
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(BASE, elsewhere / "model")
    shutil.copy(BASE.parent / "heuristics.toml", elsewhere / "pack.toml")
    for name in ("pool", "test"):
        row = {"question": f"What is 2 + 3 in the {name}?", "answer": "5"}
        (elsewhere / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    attempts = elsewhere / "theirs.jsonl"
    problem = Problem(id="pool/0", question="What is 2 + 3 in the pool?", answer="5")
    line = {"problem": {"question": problem.question, "answer": "5"}, "text": "\\boxed{5}"}
    attempts.write_text(json.dumps(line) + "\n")
    words = {
        "model.path": elsewhere / "model",
        "heuristics.pack": elsewhere / "pack.toml",
        "generate.problems": f"file:{elsewhere}/pool.jsonl",
        "rl.problems": f"file:{elsewhere}/pool.jsonl",
        "distill.attempts": attempts,
    }
    settings = [f'--set={key}="{value}"' for key, value in words.items()]
    settings += [f'--set=evaluate.benchmarks=["file:{elsewhere}/test.jsonl"]']
    settings += ['--set=arms=["vanilla", "distilled-1"]']
    look = ("run", SMOKE, "--dry-run", "--out", tmp_path / "run", *settings)
    outcome = in_this_process(capsys, *look)
    assert outcome.code == 0, outcome.err
    assert SENTENCE not in outcome.err
    assert "distil" in outcome.out
    attempts.unlink()
    again = in_this_process(capsys, *look)
    assert again.code == 2
    assert str(attempts) in again.err


def test_a_recipe_goes_to_its_own_folder_under_runs(tmp_path: Path) -> None:
    assert resolve_run(SMOKE, None, overrides=(), data_dir=None)[1] == Path("runs/smoke")
    assert resolve_run(SMOKE, tmp_path, overrides=(), data_dir=None)[1] == tmp_path
    for name in ("../elsewhere", "/root", ".", "a/b"):
        with pytest.raises(RecipeError, match="named after it"):
            load_recipe(SMOKE, [f'name="{name}"'])


def test_a_file_of_accelerates_needs_trust(tmp_path: Path) -> None:
    from manyways.train import launch

    config = LaunchConfig(accelerate_config=str(tmp_path / "a.yaml"))
    with pytest.raises(Untrusted, match="accelerate_config"):
        launch.start(config, RunDir(root=tmp_path), ("rl", "star", 0))


def test_remote_code_is_never_on(tmp_path: Path) -> None:
    """Neither asked about on a terminal nor taken from the recipe, trusted or not."""
    trust.grant_all()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(BASE / name, tmp_path / name)
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / MARK)!r}, 'w')\n")
    config = json.loads((tmp_path / "config.json").read_text())
    kinds = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}
    config |= {"model_type": "evil", "auto_map": kinds}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError):
        load_model(str(tmp_path), dtype="auto", device="cpu")
    assert not (tmp_path / MARK).exists()
    with pytest.raises(RecipeError, match="never run"):
        trust.require_plain({"trust_remote_code": True}, "model.vllm")


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ({"a": {"trust_remote_code": True}}, "a.trust_remote_code"),
        ({"a": [{"b": {"trust-remote-code": 1}}]}, "a.b.trust-remote-code"),
        ({"hf_overrides": '{"trust_remote_code": true}'}, "hf_overrides"),
    ],
)
def test_remote_code_is_found_in_tables_lists_and_texts(table: dict, where: str) -> None:
    trust.grant_all()
    with pytest.raises(RecipeError, match=rf"rl\.extra\.{re.escape(where)}: .*never run"):
        trust.require_plain(table, "rl.extra")
    trust.refuse_remote_code({"a": [{"trust_remote_code": False}]}, "rl.extra")


HIDDEN = {
    "{ a = { worker = 'my_module:function' } }": "a.worker",
    "{ a = [ 1, { b = [ 'http://elsewhere/x' ] } ] }": "a.b",
    "{ a = { 'my_module.function' = 1 } }": "a.my_module.function",
    "{ a = { push_to_hub = true } }": "a.push_to_hub",
    "{ log_completions_hub_repo = 'mine' }": "log_completions_hub_repo",
    "{ vllm_server_host = 'gpu7' }": "vllm_server_host",
    "{ use_kernels = true, kernel_config = {} }": "use_kernels",
}


@pytest.mark.parametrize("section", ["midtrain.extra", "rl.extra", "model.vllm", "model.load"])
@pytest.mark.parametrize("value", HIDDEN)
def test_what_acts_is_found_below_tables_and_lists(section: str, value: str) -> None:
    recipe = load_recipe(SMOKE, [f"{section}={value}"])
    named = f"{section}.{HIDDEN[value]}"
    assert named in dict(names(recipe))
    with pytest.raises(Untrusted, match=re.escape(named)):
        require_all(recipe)
    tables = {
        "midtrain.extra": recipe.midtrain.extra,
        "rl.extra": recipe.rl.extra,
        "model.vllm": recipe.model.vllm,
        "model.load": recipe.model.load,
    }
    with pytest.raises(Untrusted, match=re.escape(named)):
        trust.require_plain(tables[section], section)


class Bomb:
    """A pickle that runs a command when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {MARK}",)


def test_pickled_weights_do_not_run(tmp_path: Path) -> None:
    import torch

    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(BASE / name, tmp_path / name)
    torch.save({"weight": Bomb()}, tmp_path / "pytorch_model.bin")
    with pytest.raises((ModelError, pickle.UnpicklingError)):
        load_model(str(tmp_path), dtype="auto", device="cpu")
    assert not (tmp_path / MARK).exists()


def test_a_chat_template_is_rendered_in_a_sandbox(tmp_path: Path) -> None:
    for path in BASE.iterdir():
        shutil.copy(path, tmp_path / path.name)
    template = "{{ cycler.__init__.__globals__.os.popen('touch " + MARK + "').read() }}"
    (tmp_path / "chat_template.jinja").write_text(template)
    tokenizer = load_tokenizer(str(tmp_path))
    with pytest.raises(Exception, match=r"unsafe|undefined"):
        tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
    assert not (tmp_path / MARK).exists()


def test_a_package_path_is_found_without_importing(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "evil" / "sub").mkdir(parents=True)
    (tmp_path / "evil" / "__init__.py").write_text(f"open({MARK!r}, 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert package_path("package:evil.sub/base") == tmp_path / "evil" / "sub" / "base"
    assert not (tmp_path / MARK).exists()
    with pytest.raises(ModelError, match="no package"):
        package_path("package:nothing_of_the_kind/base")
