"""What a run needs is listed after the plan, and said before a run begins."""

import sys
from pathlib import Path

import pytest
from command_line import ROOT, in_this_process
from sampled_runs import context

from manyways import pipeline
from manyways.commands import needs
from manyways.commands.show import _outcomes, _state
from manyways.plugins import install_command
from manyways.tables import write_text

SMOKE = ROOT / "recipes" / "smoke.toml"


def found(ctx, until: str = "report") -> dict[str, needs.Need]:
    return {need.what: need for need in needs.needs(ctx, until)}


def dry_run(capsys, out: Path, *changes: str):
    sets = [word for change in changes for word in ("--set", change)]
    return in_this_process(capsys, "run", SMOKE, "--out", out, "--dry-run", *sets)


def test_the_plan_comes_first_then_all_that_is_missing(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    done = dry_run(capsys, tmp_path / "run", "model.engine=vllm", "model.device=xpu")
    assert done.code == 2
    assert done.out.index("would run after generate") < done.out.index("needed")
    assert "vllm (generate), vllm (evaluate)" in done.out
    assert done.err.count(install_command("vllm")) == 1
    assert done.err.count("model.device = 'xpu'") == 1


def test_an_engine_that_does_not_exist_is_told_before_anything(tmp_path, capsys) -> None:
    changes = ("model.ray.engine=nope", "generate.engine=transformers")
    done = dry_run(capsys, tmp_path / "run", *changes)
    assert (done.code, done.out) == (2, "")
    assert "unknown engine 'nope'" in done.err


def test_needs_of_the_smoke_recipe(tmp_path, capsys) -> None:
    done = dry_run(capsys, tmp_path / "run")
    assert done.code == 0, done.err
    assert "72 attempts of the pool, 72 of RL, 288 of evaluations, 5 trainings" in done.out
    assert "EOS '<|eos|>', a chat template" in done.out
    assert "1,082,624 parameters" in done.out
    assert not (tmp_path / "run").exists()


def test_memory_and_disk_that_seem_short_are_told(tmp_path, monkeypatch) -> None:
    base = ROOT / "src" / "manyways" / "pocket" / "base"
    ctx = context(tmp_path)
    ctx.__dict__["base_path"] = str(base)
    numbers = 1_082_368
    trained = found(ctx)["memory"]
    assert trained.found.startswith(f"at least {numbers * 16 / 1024**2:.1f} MiB of")
    assert trained.short == ""
    monkeypatch.setattr(needs, "_free_memory", lambda _: (1024.0, "free"))
    assert "Train adapters" in found(ctx)["memory"].short
    assert "Train adapters" not in found(ctx, "select")["memory"].short
    monkeypatch.setattr(needs.shutil, "disk_usage", lambda _: type("", (), {"free": 1.0})())
    assert "make room" in found(ctx)["disk"].short


def test_disk_counts_what_verl_keeps_until_it_is_merged(tmp_path, monkeypatch) -> None:
    """Five sharded steps with moments and four merged ones, not two checkpoints of TRL."""
    monkeypatch.setattr(needs, "checkpoint_bytes", lambda _: 1024.0**3)
    rl = {"steps": 45, "group_size": 4, "prompts_per_step": 2, "max_tokens": 9}
    watched = {"evaluate_every": 10, "evaluate": ["made_runs:load/valid?count=2"]}
    verl = {"backend": "verl", "verl": {"python": "python"}}

    def gib(arms: list[str], **own: object) -> float:
        arm = {name: {"rl": own} for name in arms if own and "+" in name}
        [need] = needs._disk(context(tmp_path, arms=arms, rl=rl, arm=arm), ["rl"])
        return float(need.found.split()[1])

    assert gib(["vanilla"]) == 1 + 2 * 3
    both = ["vanilla", "vanilla+x"]
    assert gib(both, **verl, **watched) == 2 + 5 * 3 + 4
    # Checkpoints that RL keeps beside its last stay as well.
    assert gib(both, **watched, keep="all") == 2 + 4 + 2 * 3


def test_states_of_a_run(tmp_path) -> None:
    ctx = context(tmp_path)
    assert "next is generate" in _state(ctx, {})
    for step in pipeline.steps(ctx):
        if step.line is None or step.line.arm != "star":
            for work in [step.name] if step.stage.word != "evaluate" else [f"{step.name}/x"]:
                with ctx.run.work(work, identity={}, outputs=()):
                    pass
    assert "next is midtrain/star/seed-0" in _state(ctx, {})
    path = ctx.run.arm_path("star", 0, "outcome.json")
    refused = "gate star/seed-0: not fit for RL: why."
    write_text(path, f'{{"arm": "star", "seed": 0, "outcome": "{refused}"}}')
    told = _state(ctx, _outcomes(ctx.run))
    assert told == "ended; 1 line stopped early, 1 at the gate (star/seed-0)"


@pytest.mark.parametrize("named", [True, False])
def test_a_set_from_a_file_has_a_short_name_in_tables_and_paths(tmp_path, named) -> None:
    file = tmp_path / "test.jsonl"
    file.write_text('{"q": "What is 1 + 0?", "answer": "1"}\n')
    name = f"file:{file}?question=q" + ("&name=mine" if named else "")
    ctx = context(tmp_path / "run", evaluate={"benchmarks": [name]})
    label = "mine" if named else name
    assert ctx.recipe.benchmarks == (label,)
    assert [p.question for p in ctx.problems(label, None)] == ["What is 1 + 0?"]
    assert ctx.sets.load(label) is ctx.sets.load(name)
    folder = ctx.run.eval_path("base", label)
    assert folder == ctx.run.eval_path("base", name)
    assert (folder.name == "mine") == named


def test_without_the_hub_the_plan_is_printed_and_what_is_not_counted_is_told(
    tmp_path, capsys, monkeypatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://localhost:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("MANYWAYS_DATA", raising=False)
    changes = ("model.path=me/mine", "generate.problems=gsm8k/train")
    done = dry_run(capsys, tmp_path / "run", *changes)
    assert done.code == 2
    plan = done.out.replace("\n", " ")
    assert "not known: something is missing" in plan
    assert "would run after generate" in plan
    assert done.err.count("The Hugging Face Hub cannot be reached from here (ConnectError)") == 1
    assert "Retrying" not in done.err
    for missing in ("cannot reach 'me/mine'", "cannot load openai/gsm8k"):
        assert done.err.count(missing) == 1
    assert not constants.HF_HUB_OFFLINE
