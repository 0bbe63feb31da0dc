"""verl: what it is given composes in its own configuration, what it writes becomes our rows."""

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
import venv
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import parquet

from manyways.errors import RecipeError, VerifierUnwell
from manyways.recipe import dump_recipe, load_recipe, parse_recipe
from manyways.recipe.pool import VerifyConfig
from manyways.recipe.rl import RLConfig
from manyways.records import Message, Problem
from manyways.train import RLSettings
from manyways.train.verl import backend
from manyways.train.verl.backend import curve, write_problems, write_reward
from manyways.train.verl.environment import VERSION
from manyways.train.verl.overrides import Places, check_extra, overrides

PAPER = Path(__file__).parents[2] / "recipes" / "paper-verl.toml"
PROBLEMS = [
    Problem(id="set/train/0", question="What is 3 + 4?", answer="7", tags={"level": "1"}),
    Problem(id="set/train/1", question="Pick", answer="B", verifier="choice", choices=("x", "y")),
]
COMPOSE = """
import sys, json
from importlib.util import find_spec
from pathlib import Path
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
folder = Path(find_spec("verl").submodule_search_locations[0]) / "trainer" / "config"
with initialize_config_dir(config_dir=str(folder), version_base=None):
    config = compose("ppo_trainer", overrides=sys.argv[1:])
print(json.dumps(OmegaConf.to_container(config, resolve=True)))
"""


def settings(verl=None, **changes) -> RLSettings:
    section = {
        "backend": "verl", "problems": "x/y", "steps": 6, "group_size": 4, "prompts_per_step": 2,
        "max_tokens": 64, "learning_rate": 1e-6, "warmup": 0.5, "epsilon_high": 0.28,
        "verl": {"python": sys.executable, "gpus_per_node": 4} | (verl or {}),
    }  # fmt: skip
    return RLSettings(
        config=RLConfig.model_validate(section | changes),
        messages=lambda problem: (Message(role="user", content=problem.question),),
        arm="star", seed=3, device="cpu", name="paper/star/seed-3/rl",
    )  # fmt: skip


def words(given: RLSettings, root: Path) -> list[str]:
    places = Places(root=root)
    return overrides("/models/it's base", given, places, log=places.log(1))


def score_file(root: Path, verify: VerifyConfig, form: str = "boxed"):
    write_reward(root / "reward.py", verify, form=form)
    spec = importlib.util.spec_from_file_location("reward_of_a_run", root / "reward.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.compute_score


def test_problems_travel_through_parquet_to_the_verdict(tmp_path) -> None:
    write_problems(tmp_path / "p.parquet", PROBLEMS, settings().messages)
    rows = parquet.read_table(tmp_path / "p.parquet").to_pylist()
    assert rows[0]["prompt"] == [{"role": "user", "content": "What is 3 + 4?"}]
    assert rows[0]["reward_model"] == {"style": "rule", "ground_truth": "7"}
    assert rows[0]["data_source"] == "set/train"
    score = score_file(tmp_path, VerifyConfig())
    for row, text, expected in (
        (rows[0], "so it is \\boxed{7}", 1.0),
        (rows[0], "so it is \\boxed{8}", 0.0),
        (rows[1], "\\boxed{B}", 1.0),
        (rows[0], "no idea", 0.0),
    ):
        given = score(
            data_source=row["data_source"], solution_str=text,
            ground_truth=row["reward_model"]["ground_truth"], extra_info=row["extra_info"],
        )  # fmt: skip
        assert given == {"score": expected, "acc": expected, "undecided": 0.0}


def test_the_reward_reads_the_form_that_the_prompt_asks_for(tmp_path) -> None:
    write_problems(tmp_path / "p.parquet", PROBLEMS[:1], settings().messages)
    (row,) = parquet.read_table(tmp_path / "p.parquet").to_pylist()
    score = score_file(tmp_path, VerifyConfig(), form="hashes")
    for text, expected in (("#### 7", 1.0), ("\\boxed{7}", 0.0)):
        assert score(solution_str=text, extra_info=row["extra_info"])["score"] == expected


def test_undecided_is_nothing_and_counted_and_too_many_end_the_training(tmp_path) -> None:
    write_problems(tmp_path / "p.parquet", PROBLEMS[:1], settings().messages)
    (row,) = parquet.read_table(tmp_path / "p.parquet").to_pylist()
    score = score_file(tmp_path, VerifyConfig(max_undecided=0.5))
    endless = "x" * 1_000_001
    first = score(solution_str=endless, extra_info=row["extra_info"])
    assert first == {"score": 0.0, "acc": 0.0, "undecided": 1.0}
    with pytest.raises(VerifierUnwell):
        for _ in range(511):
            score(solution_str=endless, extra_info=row["extra_info"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss_type": "bnpo"}, "loss_type = 'bnpo': verl knows dapo, grpo, dr_grpo"),
        ({"scale_rewards": "batch"}, "only 'group' and 'none'"),
        ({"lora": {}}, "lora: not with verl"),
        ({"extra": {"use_vllm": True}}, "settings of verl stand in rl.verl.extra"),
        ({"verl": None}, r"needs the section \[rl.verl\]"),
        ({"group_size": 3}, "6 attempts are not divisible by verl's 4 GPUs"),
        ({"micro_batch": 3}, "micro_batch = 3: it must divide 2"),
        ({"max_tokens": 16000}, "one attempt may have 17024 tokens"),
        (
            {"verl": {"python": "p", "gpus_per_node": 4, "tensor_parallel": 3}},
            "tensor_parallel = 3: it must divide verl's 4 GPUs",
        ),
    ],
)
def test_what_verl_cannot_do_is_refused_when_the_recipe_is_read(changes, message) -> None:
    tree = tomllib.loads(dump_recipe(load_recipe(PAPER)))
    tree["rl"] |= {"group_size": 4, "prompts_per_step": 2} | changes
    if changes.get("verl", True) is None:
        del tree["rl"]["verl"]
    with pytest.raises(RecipeError, match=message):
        parse_recipe(tree, "here")


def test_several_mistakes_are_told_at_once() -> None:
    with pytest.raises(RecipeError, match=r"bnpo(.|\n)*not divisible by verl's 4 GPUs"):
        load_recipe(PAPER, ["rl.loss_type=bnpo", "rl.group_size=3", "rl.prompts_per_step=3"])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("trainer.total_training_steps", 9, "decided by the recipe's own keys"),
        ("+data.train_files", "x", "decided by the recipe's own keys"),
        ("model_engine", "megatron", "its checkpoints are not merged here, only those of dp"),
        ("actor_rollout_ref.actor.strategy", "megatron", "only those of fsdp, fsdp2"),
    ],
)
def test_extra_keys_that_would_break_the_training_are_refused(key, value, message) -> None:
    with pytest.raises(RecipeError, match=message):
        check_extra(settings(verl={"extra": {key: value}}).config)


def test_extra_keys_that_replace_a_default_come_last(tmp_path) -> None:
    extra = {"actor_rollout_ref.rollout.name": "sglang", "trainer.balance_batch": False}
    given = settings(verl={"extra": extra})
    check_extra(given.config)
    assert words(given, tmp_path)[-2:] == [
        "actor_rollout_ref.rollout.name='sglang'", "trainer.balance_batch=False",
    ]  # fmt: skip


def test_verl_is_told_no_place_outside_its_folder(tmp_path) -> None:
    """Nor does hydra, which starts it, get to choose one: that would be where the command is."""
    root = tmp_path / "verl"
    told = dict(word.split("=", 1) for word in words(settings(), root))
    places = {key: value.strip("'") for key, value in told.items() if "/" in value}
    assert places.pop("actor_rollout_ref.model.path") == "/models/it\\'s base"
    assert places.pop("trainer.experiment_name") == "paper/star/seed-3/rl"
    assert {"hydra.run.dir", "trainer.default_local_dir", "trainer.rollout_data_dir"} < set(places)
    assert [key for key, value in places.items() if root not in Path(value).parents] == []


def test_its_logs_become_rows_and_a_step_taken_again_counts_once(tmp_path) -> None:
    def line(step: int, reward: float) -> str:
        data = {
            "critic/score/mean": reward, "actor/entropy": 0.4, "actor/pg_loss": 0.01 * step,
            "response_length/mean": 40.0, "response_length/clip_ratio": 0.25,
            "perf/time_per_step": 3.5, "training/global_step": step,
        }  # fmt: skip
        return json.dumps({"step": step, "data": data}) + "\n"

    first, second = tmp_path / "log-1.jsonl", tmp_path / "log-2.jsonl"
    first.write_text(line(1, 0.1) + line(2, 0.2) + line(3, 0.9)[:20])
    second.write_text(line(2, 0.3) + line(3, 0.4))
    scores = [1, 1, 0, 1, 0, 0, 1, 1]
    dumped = "".join(
        json.dumps(
            {"output": "a\u2028b", "score": s, "undecided": float(i == 4)}, ensure_ascii=False
        )
        + "\n"
        for i, s in enumerate(scores)
    ).encode()
    # Written in the background: at first only a part is there, cut within a character.
    (tmp_path / "3.jsonl").write_bytes(dumped[: dumped.rindex(b"\xe2") + 1])
    assert "mixed" not in curve([first, second], tmp_path, group_size=2)[2]
    (tmp_path / "3.jsonl").write_bytes(dumped)
    rows = curve([first, second], tmp_path, group_size=2)
    assert [(row["step"], row["reward"]) for row in rows] == [(1, 0.1), (2, 0.3), (3, 0.4)]
    assert rows[0] == {
        "step": 1, "reward": 0.1, "entropy": 0.4, "loss": 0.01, "length": 40.0,
        "truncated": 0.25, "seconds": 3.5,
    }  # fmt: skip
    assert rows[2].items() >= {
        "mixed": 0.25, "all_right": 0.5, "all_wrong": 0.25, "undecided": 0.125,
    }.items()  # fmt: skip


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An environment with verl, without what it depends on, and hydra."""
    given = os.environ.get("MANYWAYS_TEST_VERL_PYTHON")
    if given:
        return given
    folder = tmp_path_factory.mktemp("verl")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "hydra-core", "omegaconf"], check=True)
    subprocess.run([*pip, "--no-deps", f"verl=={VERSION}"], check=True)
    return str(python)


def compose(python: str, given: list[str]) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [python, "-c", COMPOSE, *given], capture_output=True, text=True, check=False, env=env
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{}, {"loss_type": "dr_grpo", "scale_rewards": "none"}, {"beta": 0.01, "micro_batch": 2},
     {"loss_type": "grpo"}],
    ids=["dapo", "dr_grpo", "beta", "grpo"],
)  # fmt: skip
def test_verls_own_configuration_takes_every_key(python, tmp_path, changes) -> None:
    switches = {"enable_thinking": False, "effort": "low"}
    given = replace(settings(**changes), template=switches)
    done = compose(python, words(given, tmp_path))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"]["apply_chat_template_kwargs"] == switches
    config = json.loads(done.stdout)
    actor, rollout = (config["actor_rollout_ref"][name] for name in ("actor", "rollout"))
    assert config["algorithm"]["adv_estimator"] == "grpo"
    assert not config["algorithm"]["use_kl_in_reward"]
    assert actor["use_kl_loss"] == (given.config.beta > 0)
    assert (actor["clip_ratio_low"], actor["clip_ratio_high"]) == (0.2, 0.28)
    assert actor["optim"]["lr"] == 1e-6
    assert actor["optim"]["lr_warmup_steps"] == 3
    assert (rollout["name"], rollout["n"], rollout["response_length"]) == ("vllm", 4, 64)
    assert rollout["prompt_length"] == 1024
    if given.config.micro_batch is not None:
        # With a reference model verl's validate_config refuses a recipe without the second.
        sizes = {config["actor_rollout_ref"][name]["log_prob_micro_batch_size_per_gpu"]
                 for name in ("rollout", "ref")}  # fmt: skip
        assert sizes == {given.config.micro_batch}
    assert config["actor_rollout_ref"]["model"]["path"] == "/models/it's base"
    assert config["data"]["train_files"] == str(tmp_path / "problems.parquet")
    assert config["trainer"]["total_training_steps"] == 6
    assert config["trainer"]["logger"] == ["console", "file"]
    path = config["ray_kwargs"]["ray_init"]["runtime_env"]["env_vars"]["VERL_FILE_LOGGER_PATH"]
    assert path == str(tmp_path / "log-1.jsonl")


@pytest.mark.slow
def test_a_key_that_verl_does_not_have_is_refused_by_it(python, tmp_path) -> None:
    given = settings(verl={"extra": {"trainer.balance_batsh": False}})
    done = compose(python, words(given, tmp_path))
    assert done.returncode != 0
    assert "balance_batsh" in done.stderr


@pytest.mark.slow
def test_verls_merger_takes_our_arguments(python, tmp_path) -> None:
    """Its own argparse, lifted out of its file: the module needs torch on import."""
    (folder,) = Path(python).parent.parent.glob("lib/python*/site-packages/verl/model_merger")
    source = (folder / "base_model_merger.py").read_text()
    start = source.index("def parse_args():")
    code = "import argparse\n" + source[start : source.index("\n@dataclass", start)]
    arguments = backend.merge_command(settings(), tmp_path / "actor", tmp_path / "hf")[3:]
    done = subprocess.run(
        [python, "-c", f"{code}\nprint(vars(parse_args()))", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"'local_dir': '{tmp_path / 'actor'}'" in done.stdout
    assert f"'target_dir': '{tmp_path / 'hf'}'" in done.stdout


@pytest.fixture
def merging(python, tmp_path) -> str:
    """This Python with its torch, and verl from its own environment: enough for verl's merger."""
    (site,) = Path(python).parent.parent.glob("lib/python*/site-packages")
    if not (site / "tensordict").is_dir():
        pip = [python, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "tensordict", "pyvers", "orjson"], check=True)
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nPYTHONPATH='{site}' exec '{sys.executable}' \"$@\"\n")
    script.chmod(0o755)
    return str(script)


@pytest.mark.slow
def test_verls_own_merger_puts_together_what_fsdp_sharded(merging, tmp_path) -> None:
    """Two processes on a CPU shard a model; merged it is the model, in bfloat16."""
    import torch
    from safetensors.torch import load_file
    from tiny_models import build_llama

    base, places = build_llama(tmp_path / "base"), Places(root=tmp_path / "verl")
    given = settings(verl={"python": merging})
    actor = places.actor(given.config.steps)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    script = Path(__file__).with_name("sharded_training.py")
    subprocess.run([*launch, str(script), str(base), str(actor)], check=True)
    assert len(list(actor.glob("model_world_size_2_rank_?.pt"))) == 2
    backend._merge(given, actor, tmp_path / "merged")
    before, after = (load_file(tmp_path / n / "model.safetensors") for n in ("base", "merged"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name].bfloat16(), after[name]) for name in before)
