import json
import re
from pathlib import Path

import pytest
from command_line import in_this_process
from made_verl import environment

from manyways.commands import doctor
from manyways.commands.doctor import data_checks, verl_check
from manyways.engines import ENGINE_NEEDS, ENGINES
from manyways.problems.datasets import ALL
from manyways.recipe.rl import VerlConfig
from manyways.train import RL_BACKENDS, RL_NEEDS

RECIPES = Path(__file__).parents[2] / "recipes"


def test_an_engine_without_its_module_is_missing_with_the_command() -> None:
    table = {"vllm": "x:y", "own": "a:b"}
    needs = {"vllm": ("json", "no_such_module_of_vllm")}
    vllm, own = doctor.plugin_checks("engine", table, needs)
    assert (vllm.state, vllm.detail) == ("missing", "no module no_such_module_of_vllm")
    assert vllm.fix == "pip install no-such-module-of-vllm"
    assert (own.state, own.detail) == ("warning", "its needs are not declared")


def test_every_engine_and_backend_declares_what_it_needs() -> None:
    assert set(ENGINE_NEEDS) == set(ENGINES)
    # verl lives in an environment of its own, which is looked at by itself.
    assert {*RL_NEEDS, "verl"} == set(RL_BACKENDS)


def test_verl_is_looked_for_where_the_recipe_says(tmp_path: Path) -> None:
    whole, half = environment(tmp_path / "a"), environment(tmp_path / "b", lacks=("vllm",))
    check = verl_check(VerlConfig(python=whole))
    assert (check.group, check.state, check.fix) == ("RL backend", "ok", "")
    assert check.detail == f"verl 0.9.1 in {whole}"
    check = verl_check(VerlConfig(python=half))
    assert (check.state, check.detail) == ("warning", f"no module vllm in {half}")
    assert check.fix.startswith(f"{half} -m pip install 'verl[vllm]==0.9.1' ")
    check = verl_check(VerlConfig(python=str(tmp_path / "absent")))
    assert (check.state, check.detail) == ("warning", f"no interpreter {tmp_path / 'absent'}")
    assert check.fix.startswith("python3 -m venv verl-env && ")


def test_verl_without_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check = verl_check(None)
    assert check.state == "missing"
    assert check.detail.startswith("needs verl, vllm, math_verify, pydantic, psutil in an env")
    assert check.fix.startswith("python3 -m venv verl-env && verl-env/bin/pip install 'verl[vllm]")
    environment(tmp_path / "verl-env", version="0.8.0")
    check = verl_check(None)
    assert (check.state, check.detail) == (
        "ok", "verl 0.8.0 in verl-env/bin/python; checked against 0.9.1",
    )  # fmt: skip


def test_data_folder_is_counted(tmp_path: Path) -> None:
    (tmp_path / "aime24.jsonl").write_text('{"id": "aime24_1"}\n' * 30)
    (tmp_path / "aime25.jsonl").write_text('{"id": 1}\n' * 29)
    (tmp_path / "amc23.jsonl").write_text("{broken\n")
    (tmp_path / "musr.jsonl").write_text('{"story": 1}\n')
    found = {check.name: check for check in data_checks(tmp_path)}
    assert found["aime24/test"].state == "ok"
    assert found["aime25/test"].state == "warning"
    assert found["aime25/test"].detail == "29 rows, not 30"
    assert found["amc23/test"].state == "warning"
    assert found["musr/team"].detail == "a record has no 'task'"
    assert found["gsm8k/test"].state == "missing"
    assert len(found) == 1 + sum(len(spec.splits) for spec in ALL)
    (gone,) = data_checks(tmp_path / "nowhere")
    assert gone.state == "warning" and "MANYWAYS_DATA" in gone.fix


def test_without_a_folder_the_hub_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MANYWAYS_HUB_MIRROR", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    (check,) = data_checks(None)
    assert (check.state, check.detail) == ("ok", "from the Hugging Face Hub")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (check,) = data_checks(None)
    assert check.state == "warning"


def test_little_memory_and_disk_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_MEMORY", 1 << 60)
    monkeypatch.setattr(doctor, "LEAST_DISK", 1 << 60)
    found = {check.name: check for check in doctor.machine_checks()}
    assert (found["memory"].state, found["disk"].state) == ("warning", "warning")
    assert "manyways forecast" in found["disk"].fix


def test_without_a_driver_torch_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "GPU_FILES", (str(tmp_path / "none"),))
    assert doctor.device_check().detail == "no GPU driver on this machine"


@pytest.mark.slow
def test_a_driver_without_a_torch_that_can_use_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import torch

    monkeypatch.setattr(doctor, "GPU_FILES", (str(tmp_path),))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert doctor.device_check().state == "warning"


def test_command_ends_with_zero_whatever_it_finds(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    outcome = in_this_process(capsys, "doctor", "--json", "--data-dir", tmp_path / "nowhere")
    assert outcome.code == 0, outcome.err
    rows = json.loads(outcome.out)
    assert {row["group"] for row in rows} >= {"version", "engine", "RL backend", "verdicts", "data"}
    recipe = RECIPES / "paper-verl.toml"
    outcome = in_this_process(capsys, "doctor", recipe, "--data-dir", tmp_path / "nowhere")
    assert outcome.code == 0
    assert re.search(r"RL backend +│? *verl +│? *warning", outcome.out), outcome.out
    assert "no such folder" in outcome.out and "Warnings: " in outcome.out
