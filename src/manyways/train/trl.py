"""GRPO through TRL: its GRPOTrainer, our reward, our sampling, one row of metrics for each step.

An optimizer step trains on one batch of attempts: ``prompts_per_step`` problems x ``group_size``.
Each attempt has a seed made of (run seed, step, place), and Trainer checkpoints are written between
steps. So a training that was killed and run again takes the same steps as one that was not (exactly
on a CPU, on a GPU up to the order of floating-point sums). Attempts are kept as parquet files of
whole groups. A file is on disk before the Trainer's checkpoint of its last step is complete. A
training that resumes from a checkpoint deletes the attempts of later steps.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from manyways.checkpoints import checkpoint_hash
from manyways.errors import RecipeError
from manyways.fingerprint import attempt_seed, prompt_hash
from manyways.records import PLAIN, Attempt, Message, Problem, RLAttempt
from manyways.rendering import prompt_ids
from manyways.tables import append_rl_attempts, drop_rl_attempts_after
from manyways.train import RLSettings, Roller, Rollout, processes
from manyways.train.reward import FOLDER, Scored, StepReward, kept
from manyways.train.trainer_config import (
    build_config,
    close_trackers,
    common,
    common_defaults,
    in_micro_batches,
    memory_advice,
    passes,
    peft_config,
    tracker_arguments,
)

if TYPE_CHECKING:
    from trl import GRPOConfig, GRPOTrainer

    from manyways.train.packing import Flat
    from manyways.train.trainee import Trainee

OWN_SAMPLING = {
    "use_vllm",
    "use_transformers_continuous_batching",
    "top_k",
    "min_p",
    "repetition_penalty",
    "generation_kwargs",
    "cache_implementation",
}
"""Keys of ``rl.extra`` that only TRL's own generation understands. If one is set, TRL generates."""


def train(
    checkpoint: str,
    problems: Sequence[Problem],
    *,
    reward: StepReward,
    settings: RLSettings,
    out: Path,
) -> Path:
    """Train ``checkpoint`` on ``problems``; returns ``out/checkpoint``.

    Continues from ``out/trainer`` when an earlier call was killed.

    Raises RecipeError for settings that TRL refuses, ModelError for a checkpoint that cannot stop,
    a loss that is not a number or a GPU too small, and what ``reward`` raises.
    """
    from manyways.train.trainee import load, train_and_save
    from manyways.train.trainer_log import Story, quiet

    target = out / "checkpoint"
    if not target.exists():
        story = Story(
            arm=settings.arm,
            seed=settings.seed,
            stage="rl",
            metrics=out / "metrics.jsonl",
            measure=lambda logs: measures(reward, logs),
            details=lambda: {"openings": dict(reward.view.openings)} if reward.view else {},
            sentence=in_words,
        )
        out.mkdir(parents=True, exist_ok=True)
        with quiet(), memory_advice("rl.micro_batch (or lower rl.max_tokens)"):
            config = grpo_config(settings, out)
            trainee = load(
                checkpoint, dtype=settings.dtype, device=settings.device,
                template=settings.template, how=settings.load,
            )  # fmt: skip
            trainer = _trainer(trainee, problems, (config, reward, settings))
            _keep_attempts(trainer, problems, (reward, settings, trainee), out)
            if processes.count() > 1:
                from accelerate.utils import gather_object

                reward.gather = gather_object
            flat = _flat(config, reward)
            train_and_save(trainer, story, trainee, out, flat=flat, watch=settings.watch)
            close_trackers(settings.tracking)
    if processes.is_writer():
        shutil.rmtree(out / "trainer", ignore_errors=True)
    return target


def grpo_config(settings: RLSettings, out: Path) -> "GRPOConfig":
    """TRL's GRPOConfig for the recipe's ``rl`` section. No other place makes one.

    Raises RecipeError for keys of ``extra`` that are unknown, or that the recipe sets elsewhere.
    """
    from trl import GRPOConfig

    rl = settings.config
    batch = rl.prompts_per_step * rl.group_size
    # "bnpo" averages over each micro-batch, so its size would change the loss.
    micro = rl.micro_batch or (batch if rl.loss_type == "bnpo" else None)
    fixed = {
        **common(out, steps=rl.steps, seed=settings.seed, device=settings.device),
        **in_micro_batches(batch, micro, "rl.micro_batch", device=settings.device),
        "save_steps": rl.save_every,
        "num_generations": rl.group_size,
        "max_completion_length": rl.max_tokens,
        "learning_rate": rl.learning_rate,
        "warmup_steps": round(rl.warmup * rl.steps),
        "temperature": rl.temperature,
        "loss_type": rl.loss_type,
        "scale_rewards": rl.scale_rewards,
        "epsilon": rl.epsilon,
        "epsilon_high": rl.epsilon_high,
        "beta": rl.beta,
        "shuffle_dataset": False,
    }
    defaults = {
        **common_defaults(device=settings.device, dtype=settings.dtype),
        **tracker_arguments(settings.tracking, name=settings.name, folder=out.parent),
        "lr_scheduler_type": "constant_with_warmup",
    }
    return build_config(GRPOConfig, "rl", fixed=fixed, defaults=defaults, extra=rl.extra)


def _flat(config: "GRPOConfig", reward: StepReward) -> "Flat":
    """The attempts without gradient: those of advantage 0, if the loss has no other term."""
    regularised = config.beta or config.entropy_coef or config.use_adaptive_entropy
    # A threshold of entropy is taken over every attempt's tokens.
    masked = config.top_entropy_quantile < 1.0
    return frozenset if regularised or masked else lambda: reward.flat


def measures(reward: StepReward, logs: Mapping[str, float | None]) -> dict[str, float | None]:
    """A step's row of metrics, from what the reward saw of its attempts and from TRL's log."""
    shown = asdict(reward.view) if reward.view else {}
    return {
        **{k: v for k, v in shown.items() if k != "openings" and (k != "flat" or v is not None)},
        "entropy": logs.get("entropy"),
        "length": logs.get("completions/mean_length"),
        "truncated": logs.get("completions/clipped_ratio"),
        "redrawn": reward.redrawn or None,
    }


def in_words(row: Mapping[str, float | None]) -> str:
    """A step's row as a sentence."""
    reward = row["reward"]
    flat = row.get("flat")
    parts = [
        "no attempt could be verified" if reward is None else f"reward {reward:z.2f}",
        f"{row['mixed'] or 0:.0%} of groups mixed",
        f"{row['all_right'] or 0:.0%} all right",
        f"{row['all_wrong'] or 0:.0%} all wrong"
        + (" (no gradient from those)" if flat is None else ""),
        *([] if flat is None else [f"{flat:.0%} earn all the same (no gradient from those)"]),
        f"length {row['length'] or 0:.0f}",
        f"truncated {row['truncated'] or 0:.0%}",
    ]
    if row["undecided"]:
        parts.append(f"undecided {row['undecided']:.0%}")
    if row["composed"] is not None:
        parts.append(f"composed {row['composed']:.0%}")
    return ", ".join(parts)


def _trainer(
    trainee: "Trainee",
    problems: Sequence[Problem],
    parts: tuple["GRPOConfig", StepReward, RLSettings],
) -> "GRPOTrainer":
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import GRPOTrainer

    config, reward, settings = parts
    rows = [
        {"prompt": [asdict(m) for m in settings.messages(problem)], "problem": index}
        for index, problem in enumerate(problems)
    ]
    order = passes(len(rows), _rows_needed(config), settings.seed)
    theirs = OWN_SAMPLING & set(settings.config.extra) or processes.may_be_sharded()
    own = None if theirs else settings.roll
    if settings.config.redraw and own is None:
        raise RecipeError("rl.redraw: groups cannot be drawn again by TRL's own generation.")
    if settings.strategy and own is None:
        raise RecipeError("rl.strategies: TRL's own generation asks a whole group by one prompt.")
    # TRL says so of rollout_func, in a warning.
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    trainer = GRPOTrainer(
        model=trainee.model,
        reward_funcs=[reward.trl_function(problems)],
        args=config,
        train_dataset=Dataset.from_list(rows).select(order),
        processing_class=trainee.tokenizer,
        peft_config=peft_config(settings.config.lora, "rl"),
        rollout_func=_rollout_func(own, settings, problems, reward) if own else None,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _check_whole_groups(settings: RLSettings) -> None:
    """Raise RecipeError when groups are drawn again but are spread over several processes."""
    rl = settings.config
    share = rl.prompts_per_step * rl.group_size // processes.count()
    if rl.redraw and share % rl.group_size:
        raise RecipeError(
            f"rl.redraw: a process must hold whole groups of a step: {processes.count()} processes "
            f"do not divide rl.prompts_per_step = {rl.prompts_per_step}."
        )


def _keep_attempts(
    trainer: "GRPOTrainer",
    problems: Sequence[Problem],
    parts: tuple[StepReward, RLSettings, "Trainee"],
    out: Path,
) -> None:
    """Write the attempts that ``rl.attempts`` names to ``out/attempts``."""
    reward, settings, trainee = parts
    met = {problems[index].id for index in trainer.train_dataset["problem"]}
    if settings.config.redraw and settings.config.redraw_at == "another":
        met = {problem.id for problem in problems}
    wanted = kept(settings.config.attempts, met)
    if not wanted:
        return
    log = AttemptLog(
        out / FOLDER,
        wanted=wanted,
        ask=lambda one: _ask(settings, one.problem, one.place)[1],
        start=checkpoint_hash(trainee.path),
        stops=trainee.stops,
        # What TRL writes into its own table of completions.
        advantages=lambda: trainer._logs["advantages"],
    )
    # Every process gathers, one of them writes.
    reward.keep = log.take if processes.is_writer() else lambda _step, _batch: None
    if processes.is_writer():
        trainer.add_callback(log)


def _rows_needed(config: "GRPOConfig") -> int:
    """Rows for all steps in one epoch: TRL restarts its order when it resumes in a later epoch."""
    prompts = config.generation_batch_size // config.num_generations
    reuse = config.steps_per_generation * config.num_iterations
    micro_steps = config.max_steps * config.gradient_accumulation_steps
    return int(prompts * -(-micro_steps // reuse))


def _ask(settings: RLSettings, problem: Problem, place: int) -> tuple[str, tuple[Message, ...]]:
    """(heuristic, prompt) of the attempt at ``place`` in a group at ``problem``."""
    if settings.strategy is None:
        return PLAIN, settings.messages(problem)
    return settings.strategy(problem, place)


def _rollout_func(
    roll: Roller, settings: RLSettings, problems: Sequence[Problem], reward: StepReward
) -> Callable[[list[list[dict[str, str]]], Any], dict[str, Any]]:
    """TRL's ``rollout_func``, made of ``roll``: one attempt for each prompt that TRL passes.

    The attempt may be sampled under another prompt than TRL's. The function returns this prompt,
    and TRL computes the policy's probabilities under it, too. Groups whose attempts all get the
    same reward are drawn again (``rl.redraw``).

    Raises RecipeError when groups are drawn again but are spread over several processes.
    """
    _check_whole_groups(settings)
    line, size = f"rl/{settings.arm}", settings.config.group_size
    numbers = {settings.messages(problem): number for number, problem in enumerate(problems)}

    def rollout(prompts: list[list[dict[str, str]]], trainer: "GRPOTrainer") -> dict[str, Any]:
        tokenizer, step = trainer.processing_class, trainer.state.global_step
        turns = [tuple(Message(**turn) for turn in prompt) for prompt in prompts]  # type: ignore[arg-type]
        # Processes take a step's rows in their order, so a place is the same in one or in several.
        before = processes.rank() * len(turns)
        at = [numbers[messages] for messages in turns]
        asks: dict[int, tuple[str, tuple[int, ...]]] = {}

        def draw(places: Sequence[int], label: str) -> None:
            for place in places:
                seeds[place] = attempt_seed(settings.seed, line, label, before + place)
                way, asked = _ask(settings, problems[at[place]], (before + place) % size)
                asks[place] = way, tuple(prompt_ids(tokenizer, asked)[0])
            wish = Rollout(
                model=model,
                prompts=tuple(asks[place][1] for place in places),
                seeds=tuple(seeds[place] for place in places),
                stop_ids=tuple(trainer.eos_token_ids),
                pad_id=tokenizer.pad_token_id,
                max_tokens=settings.config.max_tokens,
                temperature=settings.config.temperature,
                top_p=trainer.top_p,
            )
            tokens.update(zip(places, roll(wish), strict=True))

        seeds: dict[int, int] = {}
        tokens: dict[int, list[int]] = {}
        every = range(len(turns))
        model, lost = trainer.accelerator.unwrap_model(trainer.model), 0
        model.eval()
        draw(every, str(step))
        for number in range(settings.config.redraw):
            texts = tokenizer.batch_decode([tokens[i] for i in every], skip_special_tokens=True)
            again = reward.alike([problems[i] for i in at], texts)
            if not again:
                break
            lost += sum(len(tokens[place]) for place in again)
            label = f"{step}/again-{number + 1}"
            if settings.config.redraw_at == "another":
                seed = attempt_seed(settings.seed, line, label, before)
                _move(at, again[::size], of=len(problems), size=size, seed=seed)
            draw(again, label)
        model.train()
        return {**_drawn(asks, tokens, seeds), "drawn": at, "redrawn": lost}

    return rollout


def _drawn(
    asks: Mapping[int, tuple[str, tuple[int, ...]]],
    tokens: Mapping[int, list[int]],
    seeds: Mapping[int, int],
) -> dict[str, Any]:
    """What TRL expects of a rollout, and the columns that it passes on to the reward function."""
    every = range(len(asks))
    return {
        "prompt_ids": [list(asks[place][1]) for place in every],
        "completion_ids": [tokens[place] for place in every],
        "logprobs": None,
        "heuristic": [asks[place][0] for place in every],
        "seed": [seeds[place] for place in every],
        "prompt_tokens": [len(asks[place][1]) for place in every],
    }


def _move(at: list[int], groups: Sequence[int], *, of: int, size: int, seed: int) -> None:
    """Give the groups that begin at these places problems that the step does not have yet.

    at: the index of the problem at each place of the step; changed in place.
    of: how many problems there are. If too few are left, some groups keep their problem.
    """
    free = sorted(set(range(of)) - set(at))
    chosen = Random(seed).sample(free, min(len(free), len(groups)))
    for start, number in zip(groups, chosen, strict=False):
        at[start : start + size] = [number] * size


PART_SIZE = 2048
"""The most attempts that wait in memory before a file is written."""


class AttemptLog(TrainerCallback):  # type: ignore[misc]
    """Writes the attempts that the reward function scored.

    wanted:     ids of the problems whose attempts are kept.
    ask:        returns an attempt's prompt.
    start:      hash of the checkpoint that the training starts from.
    stops:      ids of tokens that end a text.
    advantages: returns the trainer's advantages of the last batch, in the order of its attempts.
    """

    def __init__(
        self,
        folder: Path,
        *,
        wanted: frozenset[str],
        ask: Callable[[Scored], tuple[Message, ...]],
        start: str,
        stops: Sequence[int],
        advantages: Callable[[], Sequence[float]],
    ) -> None:
        self._folder, self._wanted, self._ask = folder, wanted, ask
        self._start, self._stops, self._advantages = start, frozenset(stops), advantages
        self._pending: tuple[int, Sequence[Scored]] | None = None
        self._rows: list[RLAttempt] = []

    def take(self, step: int, batch: Sequence[Scored]) -> None:
        """Take the attempts of a step from all processes, group by group."""
        self._settle()
        self._pending = (step, batch)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Delete the attempts of steps that are about to be taken again."""
        drop_rl_attempts_after(self._folder, state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Add the step's advantages to its attempts."""
        self._settle()
        if len(self._rows) >= PART_SIZE:
            self._write()

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Write all attempts before the checkpoint is complete."""
        self._write()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Write the rest."""
        self._settle()
        self._write()

    def _settle(self) -> None:
        """Turn the last batch into rows; the trainer has computed its advantages by now."""
        if self._pending is None:
            return
        (step, batch), self._pending = self._pending, None
        told = list(self._advantages())
        # Of another length they belong to another batch: better none than wrong ones.
        advantages = told if len(told) == len(batch) else [None] * len(batch)
        for scored, advantage in zip(batch, advantages, strict=True):
            if scored.problem.id in self._wanted:
                self._rows.append(self._row(step, scored, advantage))

    def _row(self, step: int, scored: Scored, advantage: float | None) -> RLAttempt:
        return RLAttempt(
            attempt=Attempt(
                problem_id=scored.problem.id,
                heuristic=scored.heuristic,
                sample=scored.place,
                seed=scored.seed,
                text=scored.text,
                finish="stop" if scored.ids[-1:] and scored.ids[-1] in self._stops else "length",
                prompt_tokens=scored.prompt_tokens,
                tokens=len(scored.ids),
                prompt_hash=prompt_hash(self._ask(scored)),
                model_hash=self._start,
                verdict=scored.verdict,
            ),
            step=step,
            group=scored.group,
            reward=scored.reward,
            advantage=advantage,
        )

    def _write(self) -> None:
        if self._rows:
            append_rl_attempts(self._folder, self._rows)
            self._rows = []
