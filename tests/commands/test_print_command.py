"""``--print-command``: what would be started, as a job script can take it, and nothing else."""

import os
import shlex
import sys
from pathlib import Path

import pytest
from command_line import in_this_process

from manyways.checkpoints import package_path
from manyways.recipe import dump_recipe, load_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
BASE = str(package_path("package:manyways.pocket/base"))
# A Hub id is only named; the embedded model stands in so that nothing has to be reached.
HERE = ["model.path='package:manyways.pocket/base'", "arms=['vanilla', 'star']", "seeds=[0, 7]"]


def run_folder(root: Path, recipe: str, *overrides: str) -> Path:
    root.mkdir()
    found = load_recipe(RECIPES / recipe, [*HERE, *overrides])
    (root / "recipe.toml").write_text(dump_recipe(found))
    return root


def printed(capsys: pytest.CaptureFixture[str], stage: str, root: Path, *options: str) -> list:
    """The words of each printed line; the run folder is as it was before."""
    before = sorted(root.rglob("*"))
    outcome = in_this_process(capsys, stage, root, "--print-command", *options)
    assert outcome.code == 0, outcome.err
    assert sorted(root.rglob("*")) == before
    return [shlex.split(line) for line in outcome.out.splitlines()]


def test_verl_is_printed_with_its_merge(capsys, tmp_path) -> None:
    root = run_folder(tmp_path / "it's a run", "paper-verl.toml")
    training, merge = printed(capsys, "rl", root, "--arm", "vanilla", "--seed", "7")
    python = os.path.abspath("verl-env/bin/python")  # noqa: PTH100  a link is kept
    place = f"{root}/arms/vanilla/seed-7/5-rl"
    verl = place.replace("'", "\\'") + "/verl"
    assert training == [
        python, "-m", "verl.trainer.main_ppo",
        "algorithm.adv_estimator='grpo'", "algorithm.norm_adv_by_std_in_grpo=True",
        "algorithm.use_kl_in_reward=False",
        f"data.train_files='{verl}/problems.parquet'", f"data.val_files='{verl}/problems.parquet'",
        "data.val_max_samples=32", "data.train_batch_size=32", "data.max_prompt_length=1024",
        "data.max_response_length=3072", "data.shuffle=False",
        f"reward.custom_reward_function.path='{verl}/reward.py'",
        "reward.custom_reward_function.name='compute_score'",
        f"actor_rollout_ref.model.path='{BASE}'",
        "actor_rollout_ref.model.enable_gradient_checkpointing=True",
        "actor_rollout_ref.actor.optim.lr=1e-06",
        "actor_rollout_ref.actor.optim.lr_warmup_steps=0",
        "actor_rollout_ref.actor.optim.lr_scheduler_type='constant'",
        "actor_rollout_ref.actor.ppo_mini_batch_size=32", "actor_rollout_ref.actor.ppo_epochs=1",
        "actor_rollout_ref.actor.use_dynamic_bsz=True",
        "actor_rollout_ref.actor.ppo_max_token_len_per_gpu=16384",
        "actor_rollout_ref.actor.clip_ratio=0.2", "actor_rollout_ref.actor.clip_ratio_low=0.2",
        "actor_rollout_ref.actor.clip_ratio_high=0.28",
        "actor_rollout_ref.actor.loss_agg_mode='token-mean'",
        "actor_rollout_ref.actor.use_kl_loss=False", "actor_rollout_ref.actor.entropy_coeff=0",
        "actor_rollout_ref.actor.calculate_entropy=True",
        "actor_rollout_ref.rollout.name='vllm'", "actor_rollout_ref.rollout.n=16",
        "actor_rollout_ref.rollout.temperature=1.0", "actor_rollout_ref.rollout.seed=7",
        "actor_rollout_ref.rollout.tensor_model_parallel_size=1",
        "actor_rollout_ref.rollout.gpu_memory_utilization=0.5",
        "trainer.logger=['console','file']", "trainer.project_name='manyways'",
        "trainer.experiment_name='paper-verl/vanilla/seed-7/rl'", "trainer.nnodes=1",
        "trainer.n_gpus_per_node=4", "trainer.total_epochs=1", "trainer.total_training_steps=400",
        "trainer.save_freq=20", "trainer.max_actor_ckpt_to_keep=2", "trainer.test_freq=-1",
        "trainer.val_before_train=False", "trainer.resume_mode='auto'",
        f"trainer.default_local_dir='{verl}/checkpoints'",
        f"trainer.rollout_data_dir='{verl}/rollouts'", f"hydra.run.dir='{verl}/hydra'",
        f"+ray_kwargs.ray_init.runtime_env.env_vars.VERL_FILE_LOGGER_PATH='{verl}/log-1.jsonl'",
    ]  # fmt: skip
    assert merge == [
        python, "-m", "verl.model_merger", "merge", "--backend", "fsdp",
        "--local_dir", f"{place}/verl/checkpoints/global_step_400/actor",
        "--target_dir", f"{place}/.checkpoint.partial",
    ]  # fmt: skip


def test_accelerate_is_printed_for_every_line(capsys, tmp_path) -> None:
    root = run_folder(tmp_path / "run", "paper-trl-colocate.toml", "launch.processes=4")
    found = printed(capsys, "rl", root)
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    assert [words[:4] for words in found] == [launch] * 4
    trained = [words[words.index("-m", 4) :] for words in found]
    assert trained == [
        ["-m", "manyways", "line-stage", str(root), "rl", arm, seed]
        for arm in ("vanilla", "star") for seed in ("0", "7")
    ]  # fmt: skip
    # The arm vanilla is not mid-trained.
    (star,) = printed(capsys, "midtrain", root, "--seed", "0")
    assert star[-5:] == ["line-stage", str(root), "midtrain", "star", "0"]


def test_a_training_that_starts_nothing_says_so(capsys, tmp_path) -> None:
    root = run_folder(tmp_path / "run", "pocket.toml")
    outcome = in_this_process(capsys, "rl", root, "--print-command")
    assert (outcome.code, outcome.out) == (0, "")
    assert "rl runs inside manyways: set [launch], or rl.backend = 'verl'" in outcome.err


def test_the_error_of_an_arm_that_the_run_lacks_names_only_what_was_given(capsys, tmp_path) -> None:
    root = run_folder(tmp_path / "run", "pocket.toml")
    outcome = in_this_process(capsys, "rl", root, "--arm", "sta", "--print-command")
    assert outcome.code == 2
    assert "--arm sta: the run has no such line. Its arms are vanilla" in outcome.err
    assert "--seed" not in outcome.err
