"""The recipe's ``rl`` section as verl's settings (hydra overrides). No other module sets any."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from manyways import trust
from manyways.errors import RecipeError
from manyways.recipe.rl import LOSSES, RLConfig, VerlConfig
from manyways.train import RLSettings

ACTOR = "actor_rollout_ref.actor"
ROLLOUT = "actor_rollout_ref.rollout"
REF = "actor_rollout_ref.ref"
TRACKER = "latest_checkpointed_iteration.txt"
MERGED = {"actor_rollout_ref.actor.strategy": ("fsdp", "fsdp2"), "model_engine": ("dp",)}
"""Values of these settings whose checkpoints our call of verl's merger can read."""
REPLACEABLE = {
    "actor_rollout_ref.model.enable_gradient_checkpointing",
    f"{ACTOR}.optim.lr_scheduler_type",
    f"{ACTOR}.entropy_coeff",
    f"{ACTOR}.calculate_entropy",
    f"{ROLLOUT}.name",
}
"""Settings of ours that are only defaults: ``rl.verl.extra`` may replace them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where verl reads and writes, all in the folder ``root`` of one line."""

    root: Path

    @property
    def problems(self) -> Path:
        """The parquet file of prompts."""
        return self.root / "problems.parquet"

    @property
    def reward(self) -> Path:
        """The file of the reward function."""
        return self.root / "reward.py"

    @property
    def checkpoints(self) -> Path:
        """The checkpoints of verl itself, from which it resumes."""
        return self.root / "checkpoints"

    @property
    def rollouts(self) -> Path:
        """The folder with one file of attempts for each step."""
        return self.root / "rollouts"

    @property
    def logs(self) -> list[Path]:
        """The log files of all starts so far, in order."""
        found = self.root.glob("log-*.jsonl")
        return sorted(found, key=lambda path: int(path.stem.split("-")[1]))

    def actor(self, step: int) -> Path:
        """The folder of the policy in the checkpoint of a step."""
        return self.checkpoints / f"global_step_{step}" / "actor"

    @property
    def saved(self) -> int:
        """The last step whose checkpoint is whole (verl notes it after saving); 0 if none is."""
        try:
            step = int((self.checkpoints / TRACKER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0
        return step if self.actor(step).is_dir() else 0

    def log(self, number: int) -> Path:
        """The log file of start ``number``, from 1: verl overwrites a file that it logs to."""
        return self.root / f"log-{number}.jsonl"


def overrides(checkpoint: str, settings: RLSettings, places: Places, *, log: Path) -> list[str]:
    """Every setting that is not verl's own default, as ``key=value``.

    Raises RecipeError for what verl cannot do.
    """
    values = _decided(checkpoint, settings, places)
    words = [f"{key}={_word(value)}" for key, value in values.items()]
    # A key that verl's schema does not have, but ray.init does.
    words.append(f"+ray_kwargs.ray_init.runtime_env.env_vars.VERL_FILE_LOGGER_PATH={_word(log)}")
    if settings.template:
        # Added, because verl's schema has an empty table there.
        words.append(f"+data.apply_chat_template_kwargs={_word(dict(settings.template))}")
    extra = verl_of(settings).overrides
    _refuse(extra, decided=values)
    return [*words, *(f"{k}={_word(v)}" for k, v in extra.items())]


def check_extra(rl: RLConfig) -> None:
    """Raise RecipeError for a key of ``rl.verl.extra`` that other keys of the recipe set."""
    nobody = RLSettings(config=rl, messages=lambda _: (), arm="", seed=0, device="cpu")
    decided = _decided("", nobody, Places(root=Path()))
    _refuse(verl_of(nobody).overrides, decided=decided)


def verl_of(settings: RLSettings) -> VerlConfig:
    """The recipe's ``rl.verl`` table. Raises RecipeError when there is none."""
    if settings.config.verl is None:
        raise RecipeError(
            "rl.backend = 'verl' needs the table [rl.verl] with python, the interpreter of an "
            "environment in which verl is installed (docs/scale.md)."
        )
    return settings.config.verl


def _algorithm(settings: RLSettings) -> dict[str, object]:
    rl = settings.config
    return {
        "algorithm.adv_estimator": "grpo",
        "algorithm.norm_adv_by_std_in_grpo": rl.scale_rewards == "group",
        "algorithm.use_kl_in_reward": False,
    }


def _data(settings: RLSettings, places: Places) -> dict[str, object]:
    rl, verl = settings.config, verl_of(settings)
    return {
        "data.train_files": places.problems,
        # Read at the start, never sampled: evaluation is ours.
        "data.val_files": places.problems,
        "data.val_max_samples": rl.prompts_per_step,
        "data.train_batch_size": rl.prompts_per_step,
        "data.max_prompt_length": verl.prompt_tokens,
        "data.max_response_length": rl.max_tokens,
        "data.shuffle": False,
        "reward.custom_reward_function.path": places.reward,
        "reward.custom_reward_function.name": "compute_score",
    }


def _actor(checkpoint: str, settings: RLSettings) -> dict[str, object]:
    rl, verl = settings.config, verl_of(settings)
    values: dict[str, object] = {
        "actor_rollout_ref.model.path": checkpoint,
        "actor_rollout_ref.model.enable_gradient_checkpointing": True,
        f"{ACTOR}.optim.lr": rl.learning_rate,
        f"{ACTOR}.optim.lr_warmup_steps": round(rl.warmup * rl.steps),
        f"{ACTOR}.optim.lr_scheduler_type": "constant",
        # In prompts; verl multiplies by rollout.n. One update for each step, as through TRL.
        f"{ACTOR}.ppo_mini_batch_size": rl.prompts_per_step,
        f"{ACTOR}.ppo_epochs": 1,
        f"{ACTOR}.use_dynamic_bsz": rl.micro_batch is None,
        f"{ACTOR}.ppo_max_token_len_per_gpu": verl.tokens_per_gpu,
        f"{ACTOR}.clip_ratio": rl.epsilon,
        f"{ACTOR}.clip_ratio_low": rl.epsilon,
        f"{ACTOR}.clip_ratio_high": rl.epsilon_high,
        f"{ACTOR}.loss_agg_mode": LOSSES[rl.loss_type],
        f"{ACTOR}.use_kl_loss": rl.beta > 0,
        f"{ACTOR}.entropy_coeff": 0,
        f"{ACTOR}.calculate_entropy": True,
    }
    if rl.loss_type == "dr_grpo":
        values[f"{ACTOR}.loss_scale_factor"] = rl.max_tokens
    if rl.beta > 0:
        values[f"{ACTOR}.kl_loss_coef"] = rl.beta
    if rl.micro_batch is not None:
        values[f"{ACTOR}.ppo_micro_batch_size_per_gpu"] = rl.micro_batch
        values[f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu"] = rl.micro_batch
        # Also without a reference model: verl asks for it only where there is one.
        values[f"{REF}.log_prob_micro_batch_size_per_gpu"] = rl.micro_batch
    return values


def _rollout(settings: RLSettings) -> dict[str, object]:
    rl, verl = settings.config, verl_of(settings)
    return {
        f"{ROLLOUT}.name": "vllm",
        f"{ROLLOUT}.n": rl.group_size,
        f"{ROLLOUT}.temperature": rl.temperature,
        f"{ROLLOUT}.seed": settings.seed,
        f"{ROLLOUT}.tensor_model_parallel_size": verl.tensor_parallel,
        f"{ROLLOUT}.gpu_memory_utilization": verl.gpu_memory,
    }


def _trainer(settings: RLSettings, places: Places) -> dict[str, object]:
    rl, verl, tracking = settings.config, verl_of(settings), settings.tracking
    return {
        "trainer.logger": ["console", "file", *tracking.report_to],
        "trainer.project_name": tracking.project,
        "trainer.experiment_name": settings.name,
        "trainer.nnodes": verl.nodes,
        "trainer.n_gpus_per_node": verl.gpus_per_node,
        "trainer.total_epochs": 1,
        "trainer.total_training_steps": rl.steps,
        "trainer.save_freq": rl.evaluate_every or rl.save_every,
        # What is to be evaluated stays until it is merged.
        "trainer.max_actor_ckpt_to_keep": rl.steps if rl.evaluate_every else 2,
        "trainer.test_freq": -1,
        "trainer.val_before_train": False,
        "trainer.resume_mode": "auto",
        "trainer.default_local_dir": places.checkpoints,
        "trainer.rollout_data_dir": places.rollouts,
        # Not hydra's default, a folder `outputs` wherever the command was given.
        "hydra.run.dir": places.root / "hydra",
    }


def _word(value: object) -> str:
    """A value in hydra's grammar. Text is quoted, so that no character of a path is special."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ",".join(_word(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{k}:{_word(v)}" for k, v in value.items()) + "}"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _decided(checkpoint: str, settings: RLSettings, places: Places) -> dict[str, object]:
    return {
        **_algorithm(settings),
        **_data(settings, places),
        **_actor(checkpoint, settings),
        **_rollout(settings),
        **_trainer(settings, places),
    }


def _refuse(extra: Mapping[str, object], *, decided: Mapping[str, object]) -> None:
    trust.refuse_remote_code(extra, "rl.verl.extra")
    for given, value in extra.items():
        key = given.lstrip("+~")
        if key in MERGED and value not in MERGED[key]:
            raise RecipeError(
                f"rl.verl.extra.\"{given}\" = '{value}': its checkpoints are not merged here, only "
                f"those of {', '.join(MERGED[key])}."
            )
        whole = any(other.startswith(f"{key}.") for other in decided)
        if whole or (key in decided and key not in REPLACEABLE):
            raise RecipeError(
                f'rl.verl.extra."{given}": decided by the recipe\'s own keys; remove it from extra.'
            )
