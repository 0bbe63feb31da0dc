import json
import math
from dataclasses import replace

import pytest
import torch
import trl
from safetensors.torch import load_file
from tiny_models import build_llama
from transformers import AutoModelForCausalLM

from manyways.checkpoints import load_tokenizer
from manyways.errors import RecipeError
from manyways.fingerprint import attempt_seed, prompt_hash
from manyways.recipe.tree import RLConfig
from manyways.records import Message, Problem, Verdict
from manyways.rendering import prompt_ids
from manyways.tables import read_rl_attempts
from manyways.train import RLSettings
from manyways.train import reward as reward_module
from manyways.train import trl as backend
from manyways.train.reward import Shown, StepReward, analytic, best_of
from manyways.train.trl import grpo_config, in_words, train

PROBLEMS = [Problem(id=f"p/{i}", question=f"What is {i}?", answer=str(i)) for i in range(3)]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_llama(tmp_path_factory.mktemp("llama"))


def settings(roll=None, **changes) -> RLSettings:
    section = {
        "problems": "x/y", "steps": 2, "group_size": 4, "prompts_per_step": 2,
        "max_tokens": 8, "learning_rate": 1e-3,
    }  # fmt: skip
    return RLSettings(
        config=RLConfig.model_validate(section | changes),
        messages=lambda problem: (Message(role="user", content=problem.question),),
        arm="vanilla", seed=0, device="cpu", roll=roll,
    )  # fmt: skip


def alternating(pairs) -> list[Verdict]:
    """Right, wrong, undecided, right, wrong, undecided, ..."""
    statuses = ("correct", "wrong", "undecided")
    return [Verdict(status=statuses[i % 3]) for i in range(len(pairs))]


def test_the_recipe_becomes_trls_config(tmp_path) -> None:
    given = settings(
        steps=40, warmup=0.1, loss_type="dr_grpo", scale_rewards="none", epsilon=0.1,
        epsilon_high=0.3, beta=0.05, temperature=0.9, micro_batch=4,
        extra={"mask_truncated_completions": True},
    )  # fmt: skip
    config = grpo_config(given, tmp_path)
    assert config.max_steps == 40
    assert config.warmup_steps == 4
    assert (config.loss_type, config.scale_rewards) == ("dr_grpo", "none")
    assert (config.epsilon, config.epsilon_high, config.beta) == (0.1, 0.3, 0.05)
    assert (config.temperature, config.max_completion_length) == (0.9, 8)
    assert (config.per_device_train_batch_size, config.gradient_accumulation_steps) == (4, 2)
    assert config.generation_batch_size == 8
    assert config.num_generations == 4
    assert config.mask_truncated_completions
    assert config.report_to == []
    assert not config.bf16
    assert not config.gradient_checkpointing
    older = settings(extra={"gradient_checkpointing": True})
    assert grpo_config(older, tmp_path).gradient_checkpointing


def test_an_unknown_extra_key_names_the_nearest(tmp_path) -> None:
    with pytest.raises(RecipeError, match=r"rl\.extra\.mask_truncated: .*mask_truncated_compl"):
        grpo_config(settings(extra={"mask_truncated": True}), tmp_path)


def test_rows_last_for_all_steps_in_one_pass(tmp_path) -> None:
    assert backend._rows_needed(grpo_config(settings(steps=5), tmp_path)) == 10
    twice = grpo_config(settings(steps=5, extra={"num_iterations": 2}), tmp_path)
    assert backend._rows_needed(twice) == 6
    ahead = grpo_config(settings(steps=5, extra={"steps_per_generation": 2}), tmp_path)
    assert backend._rows_needed(ahead) == 12


def trained(folder, out, monkeypatch, reward, given):
    """Train; returns (rows of metrics, advantages that TRL computed, prompts TRL asked for)."""
    import trl

    seen = []
    compute = trl.GRPOTrainer._generate_and_score_completions

    def spy(self, inputs):
        batch = compute(self, inputs)
        seen.append((batch["advantages"].clone(), [row["problem"] for row in inputs]))
        return batch

    monkeypatch.setattr(trl.GRPOTrainer, "_generate_and_score_completions", spy)
    train(str(folder), PROBLEMS, reward=reward, settings=given, out=out)
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines], seen


def test_undecided_attempts_neither_move_the_policy_nor_the_baseline(
    folder, tmp_path, monkeypatch
) -> None:
    """On TRL's own code path, with groups (1, 0, None, 1) and (0, None, 1, 0)."""
    reward = StepReward(verify=alternating, group_size=4)
    given = settings(scale_rewards="none", steps=1)
    rows, seen = trained(folder, tmp_path, monkeypatch, reward, given)
    third = 1 / 3
    expected = [third, -2 * third, 0, third, -third, 0, 2 * third, -third]
    assert seen[0][0].tolist() == pytest.approx(expected, abs=1e-6)
    assert rows[0]["undecided"] == 0.25
    assert rows[0]["reward"] == pytest.approx(0.5)
    assert rows[0]["mixed"] == 1.0


def test_a_group_that_cannot_be_judged_gives_no_gradient(folder, tmp_path, monkeypatch) -> None:
    def judge(pairs) -> list[Verdict]:
        return [Verdict(status="undecided")] * 7 + [Verdict(status="correct")]

    reward = StepReward(verify=judge, group_size=4)
    rows, seen = trained(folder, tmp_path, monkeypatch, reward, settings(steps=1))
    assert seen[0][0].tolist() == [0.0] * 8
    assert math.isfinite(rows[0]["loss"])
    assert rows[0]["all_right"] == 0.5
    assert rows[0]["mixed"] == rows[0]["all_wrong"] == 0.0


def test_each_step_has_a_row_and_groups_are_whole(folder, tmp_path, monkeypatch, capsys) -> None:
    def read(text: str) -> Shown:
        return Shown(composed=len(text) % 2 == 0, opening="a" if text else "direct")

    reward = StepReward(verify=alternating, group_size=4, read=read)
    rows, seen = trained(folder, tmp_path, monkeypatch, reward, settings(steps=3))
    assert [row["step"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert row.keys() >= {
            "arm", "seed", "stage", "reward", "mixed", "all_right", "all_wrong", "entropy",
            "length", "truncated", "undecided", "composed", "loss", "seconds", "openings",
        }  # fmt: skip
        assert sum(tried for tried, _ in row["openings"].values()) > 0
        assert row["stage"] == "rl"
    asked = [problem for _, problems in seen for problem in problems[::4]]
    assert all(problems[:4] == problems[:1] * 4 for _, problems in seen)
    assert sorted(asked[:3]) == [0, 1, 2]
    told = capsys.readouterr()
    assert told.out == ""
    assert "no gradient from those" in " ".join(told.err.split())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["attempts", "checkpoint", "metrics.jsonl"]


def rolling(ask) -> list[list[int]]:
    return [[9, 9, 9] if place % 2 else [9, 1] for place in range(len(ask.seeds))]


def test_attempts_are_kept_with_what_trl_made_of_them(folder, tmp_path, monkeypatch) -> None:
    reward = StepReward(verify=alternating, group_size=4)
    given = settings(roll=rolling, steps=3, attempts="all", scale_rewards="none")
    _, seen = trained(folder, tmp_path, monkeypatch, reward, given)
    rows = list(read_rl_attempts(tmp_path / "attempts"))
    places = [(row.step, row.group, row.attempt.sample) for row in rows]
    assert places == [(s, g, place) for s in (1, 2, 3) for g in (0, 1) for place in range(4)]
    asked = [PROBLEMS[problem].id for _, problems in seen for problem in problems]
    assert [row.attempt.problem_id for row in rows] == asked
    told = [value for advantages, _ in seen for value in advantages.tolist()]
    assert [row.advantage for row in rows] == pytest.approx(told)
    statuses = [row.attempt.verdict.status for row in rows]
    earned = {"correct": 1.0, "wrong": 0.0, "undecided": None}
    assert [row.reward for row in rows] == [earned[status] for status in statuses]
    assert [row.attempt.seed for row in rows[:3]] == [
        attempt_seed(0, "rl/vanilla", "0", place) for place in range(3)
    ]
    word = load_tokenizer(str(folder)).decode(9)
    assert [row.attempt.text for row in rows[:2]] == [word, 3 * word]
    assert [(row.attempt.tokens, row.attempt.finish) for row in rows[:2]] == [
        (2, "stop"), (3, "length")
    ]  # fmt: skip
    assert all(row.attempt.prompt_tokens > 0 for row in rows)
    at_one = list(read_rl_attempts(tmp_path / "attempts", "p/1"))
    assert at_one == [row for row in rows if row.attempt.problem_id == "p/1"]


def test_flat_groups_are_drawn_again_as_often_as_is_said(folder, tmp_path, monkeypatch) -> None:
    """The second group is flat twice; of the first draw its attempts are told as lost tokens."""
    asked = []

    def roll(ask) -> list[list[int]]:
        asked.append(ask)
        if len(ask.seeds) == 8:
            return [[9, 1], [9, 9, 1], [9, 1], [9, 9, 1], *[[9, 1]] * 4]
        return [[9, 1]] * 4 if len(asked) == 2 else rolling(ask)

    def judge(pairs) -> list[Verdict]:
        return [Verdict(status="correct" if len(text) > 1 else "wrong") for _, text in pairs]

    word = load_tokenizer(str(folder)).decode(9)
    assert len(word) == 1
    reward = StepReward(verify=judge, group_size=4)
    given = settings(roll=roll, steps=1, redraw=3, attempts="all")
    rows, _ = trained(folder, tmp_path, monkeypatch, reward, given)
    assert [len(ask.seeds) for ask in asked] == [8, 4, 4]
    assert len({seed for ask in asked for seed in ask.seeds}) == 16
    assert asked[1].prompts == asked[0].prompts[4:]
    assert rows[0]["mixed"] == 1.0
    assert rows[0]["redrawn"] == 2 * 4 + 2 * 4
    kept = list(read_rl_attempts(tmp_path / "attempts"))
    assert [row.attempt.seed for row in kept] == [*asked[0].seeds[:4], *asked[2].seeds]
    with pytest.raises(RecipeError, match="cannot be drawn again"):
        trained(folder, tmp_path / "n", monkeypatch, reward, settings(redraw=1, steps=1))


def test_flat_groups_are_drawn_again_at_another_problem(folder, tmp_path, monkeypatch) -> None:
    """Both groups are flat, and one problem of three is not in the step: one group moves to it."""
    asked = []

    def roll(ask) -> list[list[int]]:
        asked.append(ask)
        return [[9, 1]] * len(ask.seeds) if len(asked) == 1 else rolling(ask)

    def judge(pairs) -> list[Verdict]:
        met.extend(problem.id for problem, _ in pairs)
        return [Verdict(status="correct" if len(text) > 1 else "wrong") for _, text in pairs]

    met: list[str] = []
    reward = StepReward(verify=judge, group_size=4)
    given = settings(roll=roll, steps=1, redraw=1, redraw_at="another", attempts="all")
    rows, _ = trained(folder, tmp_path, monkeypatch, reward, given)
    first, second = [met[start : start + 8 : 4] for start in (0, 8)]
    assert second == [({"p/0", "p/1", "p/2"} - set(first)).pop(), first[1]]
    assert asked[1].prompts[4:] == asked[0].prompts[4:]
    assert set(asked[1].prompts[:4]).isdisjoint(asked[0].prompts)
    kept = list(read_rl_attempts(tmp_path / "attempts"))
    assert {row.attempt.problem_id for row in kept[:4]} == {second[0]} and len(kept) == 8
    assert rows[0]["redrawn"] == 2 * 8 and rows[0]["mixed"] == 1.0


def test_trl_takes_the_advantages_of_the_best_of_k_as_they_are(
    folder, tmp_path, monkeypatch
) -> None:
    def judge(pairs) -> list[Verdict]:
        return [Verdict(status="correct" if i % 4 == 0 else "wrong") for i in range(len(pairs))]

    reward = StepReward(verify=judge, group_size=4, earn=best_of(2))
    given = settings(roll=rolling, steps=1, attempts="all", scale_rewards="none", reward="pass@2")
    rows, seen = trained(folder, tmp_path, monkeypatch, reward, given)
    right, wrong = analytic(1, 3, 2)
    assert seen[0][0].tolist() == pytest.approx([right, wrong, wrong, wrong] * 2)
    assert (rows[0]["reward"], rows[0]["flat"]) == (0.25, 0.0)
    kept = list(read_rl_attempts(tmp_path / "attempts"))
    assert [row.attempt.verdict.status for row in kept[:2]] == ["correct", "wrong"]
    assert [row.reward for row in kept[:2]] == pytest.approx([right, wrong])


def test_attempts_of_a_group_are_asked_in_their_own_way(folder, tmp_path, monkeypatch) -> None:
    asked = []

    def roll(ask) -> list[list[int]]:
        asked.append(ask)
        return rolling(ask)

    def strategy(problem: Problem, place: int) -> tuple[str, tuple[Message, ...]]:
        way = "plain" if place == 3 else f"way-{place}"
        return way, (Message(role="user", content=f"{problem.question} {way}"),)

    def batch_of(self, inputs):
        made.append(compute(self, inputs))
        return made[-1]

    made, compute = [], trl.GRPOTrainer._generate_and_score_completions
    monkeypatch.setattr(trl.GRPOTrainer, "_generate_and_score_completions", batch_of)
    given = replace(settings(roll=roll, steps=1, attempts="all"), strategy=strategy)
    reward = StepReward(verify=alternating, group_size=4)
    train(str(folder), PROBLEMS, reward=reward, settings=given, out=tmp_path / "own")
    kept = list(read_rl_attempts(tmp_path / "own" / "attempts"))
    assert [row.attempt.heuristic for row in kept[:4]] == ["way-0", "way-1", "way-2", "plain"]
    tokenizer = load_tokenizer(str(folder))
    for row, prompt, mask, ids in zip(
        kept, asked[0].prompts, made[0]["prompt_mask"], made[0]["prompt_ids"], strict=True
    ):
        problem = next(one for one in PROBLEMS if one.id == row.attempt.problem_id)
        _, messages = strategy(problem, row.attempt.sample)
        assert row.attempt.prompt_hash == prompt_hash(messages)
        assert list(prompt) == prompt_ids(tokenizer, messages)[0]
        # What the policy's probabilities are taken under is what was asked.
        assert ids[mask.bool()].tolist() == list(prompt)
    with pytest.raises(RecipeError, match="asks a whole group by one prompt"):
        given = replace(settings(steps=1), strategy=strategy)
        train(str(folder), PROBLEMS, reward=reward, settings=given, out=tmp_path / "theirs")


@pytest.mark.slow
@pytest.mark.parametrize("high", [0.02, 0.05, 100.0])
def test_clip_higher_cuts_the_gain_of_a_second_step_on_the_same_attempts(
    folder, tmp_path, monkeypatch, high
) -> None:
    """TRL's own clipped share and loss, from its log-probabilities under our two numbers."""
    looked, losses = [], []
    look, compute = (
        trl.GRPOTrainer._get_per_token_logps_and_entropies,
        trl.GRPOTrainer._compute_loss,
    )

    def looking(self, *args, **kwargs):
        looked.append(look(self, *args, **kwargs))
        return looked[-1]

    def computing(self, model, inputs):
        loss = compute(self, model, inputs)
        share = self._metrics["train"]["clip_ratio/high_mean"][-1]
        losses.append((loss.item(), share, looked[-1][0].detach().clone(), inputs))
        return loss

    monkeypatch.setattr(trl.GRPOTrainer, "_get_per_token_logps_and_entropies", looking)
    monkeypatch.setattr(trl.GRPOTrainer, "_compute_loss", computing)
    given = settings(
        roll=rolling, steps=2, epsilon=0.1, epsilon_high=high, learning_rate=1e-2,
        loss_type="bnpo", scale_rewards="none", extra={"num_iterations": 2},
    )  # fmt: skip
    reward = StepReward(verify=alternating, group_size=4)
    train(str(folder), PROBLEMS, reward=reward, settings=given, out=tmp_path)
    (_, first, _, _), (loss, share, logps, inputs) = losses
    assert first == 0.0  # the attempts are the policy's own: every ratio is 1
    mask, gain = inputs["completion_mask"].bool(), inputs["advantages"][:, None]
    ratio = (logps - inputs["old_per_token_logps"]).exp()
    cut = (ratio > 1 + high) & (gain > 0)
    assert share == pytest.approx(cut[mask].float().mean().item())
    assert (share > 0) == (high < 1)
    earned = torch.min(ratio * gain, ratio.clamp(1 - 0.1, 1 + high) * gain)
    assert loss == pytest.approx(-earned[mask].mean().item(), abs=1e-6)


def test_an_entropy_bonus_reaches_the_weights(folder, tmp_path) -> None:
    """Where no attempt has an advantage, the bonus alone moves them, and towards more entropy."""

    def entropies(out, bonus: float) -> list[float]:
        reward = StepReward(
            verify=lambda pairs: [Verdict(status="wrong") for _ in pairs], group_size=4
        )
        given = settings(roll=rolling, steps=4, extra={"entropy_coef": bonus})
        train(str(folder), PROBLEMS, reward=reward, settings=given, out=out)
        lines = (out / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line)["entropy"] for line in lines]

    less, none, more = (entropies(tmp_path / str(bonus), bonus) for bonus in (-1.0, 0.0, 1.0))
    assert less[0] == none[0] == more[0]
    assert less[-1] < none[-1] < more[-1]


def test_a_sample_is_of_problems_and_none_is_none(folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(reward_module, "SAMPLED", 1)
    reward = StepReward(verify=alternating, group_size=4)
    trained(folder, tmp_path / "sample", monkeypatch, reward, settings(roll=rolling, steps=3))
    rows = list(read_rl_attempts(tmp_path / "sample" / "attempts"))
    assert len({row.attempt.problem_id for row in rows}) == 1
    assert len(rows) == 8  # of six groups in two passes over three problems, its two
    reward = StepReward(verify=alternating, group_size=4)
    trained(folder, tmp_path / "none", monkeypatch, reward, settings(attempts="none"))
    assert not (tmp_path / "none" / "attempts").exists()


def test_a_roller_is_given_each_attempt_with_a_seed_of_its_own(folder, tmp_path) -> None:
    asked = []

    def roll(ask) -> list[list[int]]:
        asked.append(ask)
        assert not ask.model.training
        return [[9, 9, 1] if place % 2 else [9] * ask.max_tokens for place in range(8)]

    reward = StepReward(verify=alternating, group_size=4)
    train(str(folder), PROBLEMS, reward=reward, settings=settings(roll), out=tmp_path)
    tokenizer = load_tokenizer(str(folder))
    first = asked[0]
    assert len(asked) == 2
    assert len({seed for ask in asked for seed in ask.seeds}) == 16
    assert tokenizer.decode(first.prompts[0]).startswith("<|bos|><|user|>What is ")
    assert first.stop_ids == (tokenizer.eos_token_id,)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows[0]["truncated"] == 0.5
    assert rows[0]["length"] == 5.5


def test_several_stop_tokens_are_kept(folder, tmp_path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.generation_config.eos_token_id = [1, 40, 41]
    model.save_pretrained(tmp_path / "several")
    load_tokenizer(str(folder)).save_pretrained(tmp_path / "several")
    asked = []

    def roll(ask) -> list[list[int]]:
        asked.append(ask)
        return [[9, 40]] * 8

    reward = StepReward(verify=alternating, group_size=4)
    out = tmp_path / "out"
    train(str(tmp_path / "several"), PROBLEMS, reward=reward, settings=settings(roll), out=out)
    assert asked[0].stop_ids == (1, 40, 41)
    assert json.loads((out / "metrics.jsonl").read_text().splitlines()[0])["truncated"] == 0.0
    saved = AutoModelForCausalLM.from_pretrained(out / "checkpoint")
    assert saved.generation_config.eos_token_id == [1, 40, 41]


def test_a_step_in_words() -> None:
    row = {
        "reward": 0.41, "mixed": 0.62, "all_right": 0.3, "all_wrong": 0.08, "undecided": 0.0,
        "composed": None, "length": 44.2, "truncated": 0.01,
    }  # fmt: skip
    assert in_words(row) == (
        "reward 0.41, 62% of groups mixed, 30% all right, 8% all wrong (no gradient from those), "
        "length 44, truncated 1%"
    )
    assert "no attempt could be verified" in in_words({**row, "reward": None})
    assert in_words({**row, "undecided": 0.5, "composed": 0.25}).endswith(
        "undecided 50%, composed 25%"
    )


@pytest.mark.parametrize("optimizer", ["sgd", "adamw_torch"])
def test_groups_without_a_mixed_reward_are_skipped_without_a_trace(
    folder, tmp_path, monkeypatch, optimizer
) -> None:
    """Two steps, in the second no group is mixed: weights still move by momentum, as in TRL."""
    from manyways.train import trainee

    plain_packing = trainee.without_padding
    verdicts = [1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]
    found = []
    for way in ("skipped", "computed"):
        if way == "computed":
            monkeypatch.setattr(trainee, "without_padding", lambda m, _flat: plain_packing(m))
        left = list(verdicts)

        def judge(pairs, left=left) -> list[Verdict]:
            return [Verdict(status="correct" if left.pop(0) else "wrong") for _ in pairs]

        given = settings(steps=2, extra={"optim": optimizer, "weight_decay": 0.1})
        reward = StepReward(verify=judge, group_size=4)
        train(str(folder), PROBLEMS, reward=reward, settings=given, out=tmp_path / way)
        assert len(reward.flat) > 0
        rows = [json.loads(x) for x in (tmp_path / way / "metrics.jsonl").read_text().splitlines()]
        found.append((rows, load_file(tmp_path / way / "checkpoint" / "model.safetensors")))
    (rows, weights), (expected, plain) = found
    assert [row["mixed"] for row in rows] == [0.5, 0.0]
    # In the second step few attempts are read, and their entropy stands for the others'.
    for ours, theirs, near in zip(rows, expected, (1e-5, 0.2), strict=True):
        assert ours["entropy"] == pytest.approx(theirs["entropy"], abs=near)
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-6)
    assert rows[1]["entropy"] != pytest.approx(expected[1]["entropy"], abs=1e-5)
    start = load_file(folder / "model.safetensors")
    moved = max((plain[name] - start[name]).abs().max() for name in start)
    assert max((weights[name] - plain[name]).abs().max() for name in start) < 1e-2 * moved


def test_loss_and_step_are_those_of_trl_on_the_same_attempts(folder, tmp_path, monkeypatch) -> None:
    """Packed into rows, against the trainer left as TRL made it: loss, entropy, weights after."""
    from manyways.train import trainee

    def roll(ask) -> list[list[int]]:
        return [[6 + (3 * place + i) % 30 for i in range(2 + place)] for place in range(8)]

    found = []
    for way in ("packed", "padded"):
        if way == "padded":
            monkeypatch.setattr(trainee, "without_padding", lambda model, flat: None)
        reward = StepReward(verify=alternating, group_size=4)
        out = tmp_path / way
        # SGD, so that a gradient's size counts: Adam's first step knows its sign alone.
        given = settings(roll, steps=1, max_tokens=12, extra={"optim": "sgd"})
        train(str(folder), PROBLEMS, reward=reward, settings=given, out=out)
        row = json.loads((out / "metrics.jsonl").read_text())
        found.append((row, load_file(out / "checkpoint" / "model.safetensors")))
    (row, weights), (expected, plain) = found
    assert row["loss"] == pytest.approx(expected["loss"], abs=1e-6)
    assert row["entropy"] == pytest.approx(expected["entropy"], abs=1e-5)
    start = load_file(folder / "model.safetensors")
    moved = torch.cat([(plain[name] - start[name]).flatten() for name in start])
    ours = torch.cat([(weights[name] - start[name]).flatten() for name in start])
    assert moved.norm() > 1e-5
    assert (ours - moved).norm() < 1e-2 * moved.norm()
