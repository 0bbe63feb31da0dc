import pytest
from lucky import LuckyVerifiers
from made_runs import context
from tiny_models import build_llama

from manyways.arms import Line
from manyways.checkpoints import load_tokenizer, stop_ids
from manyways.engines import SampleRequest, SamplingSettings
from manyways.engines.transformers import TransformersEngine
from manyways.errors import GateRefused, MissingWork, ModelError, VerifierUnwell
from manyways.measures import write_rows
from manyways.measures.gate import GateRow
from manyways.recipe.engines import ModelConfig
from manyways.records import Message, Verdict
from manyways.rendering import prompt_ids
from manyways.stages import reinforce
from manyways.train import Rollout

LINE = Line(arm="vanilla", seed=0)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_llama(tmp_path_factory.mktemp("llama"))


def ready(root, folder, judge=None, **rl):
    section = {"problems": "made_runs:load/rl?count=3", "steps": 2, "group_size": 4,
               "prompts_per_step": 2, "max_tokens": 8, "learning_rate": 1e-3}  # fmt: skip
    ctx = context(root, model={"path": str(folder), "device": "cpu"}, rl=section | rl)
    ctx.__dict__["verifiers"] = judge or LuckyVerifiers()
    return ctx


def test_a_run_leaves_a_checkpoint_and_a_stamp(tmp_path, folder) -> None:
    ctx = ready(tmp_path, folder)
    reinforce.run(ctx, LINE)
    assert (tmp_path / "arms/vanilla/seed-0/5-rl/checkpoint/config.json").is_file()
    assert load_tokenizer(ctx.path_of(LINE.rl)).chat_template
    work = reinforce.plan(ctx, LINE)
    assert work.done
    assert ctx.run.stamp(work.name).counts == {"steps": 2, "attempts": 16, "problems": 3}


def test_what_the_result_depends_on(tmp_path, folder) -> None:
    base = reinforce.plan(ready(tmp_path, folder), LINE).identity
    other_problems = ready(tmp_path, folder, problems="made_runs:load/rl?count=2")
    assert reinforce.plan(other_problems, LINE).identity["problems"] != base["problems"]
    assert reinforce.plan(ready(tmp_path, folder, beta=0.1), LINE).identity["rl"] != base["rl"]
    # How often it saves changes nothing in the result.
    assert reinforce.plan(ready(tmp_path, folder, save_every=7), LINE).identity == base
    another = build_llama(tmp_path / "another", seed=1)
    assert (
        reinforce.plan(ready(tmp_path, another), LINE).identity["checkpoint"]
        != (base["checkpoint"])
    )


def test_without_a_mid_trained_checkpoint_it_says_what_to_run(tmp_path, folder) -> None:
    with pytest.raises(MissingWork, match="run midtrain first"):
        reinforce.run(ready(tmp_path, folder), Line(arm="star", seed=0))


def test_a_checkpoint_that_the_gate_refused_is_not_trained(tmp_path, folder) -> None:
    row = GateRow(
        checkpoint="base", arm="vanilla", seed=0, attempts=8, stop=0.0, no_answer=1.0,
        undecided=0.0, passed=0.0, all_right=0.0, all_wrong=1.0, mixed=0.0, switch=None,
        effective=1.0, decision="refused", sentence="it never stops",
    )  # fmt: skip
    ctx = ready(tmp_path, folder)
    write_rows(ctx.run.arm_path("vanilla", 0, "4-gate.json"), [row])
    with pytest.raises(GateRefused, match="it never stops"):
        reinforce.run(ctx, LINE)


def test_another_chat_template_than_the_bases_is_refused(tmp_path, folder) -> None:
    line = Line(arm="star", seed=0)
    ctx = ready(tmp_path, folder)
    mid = build_llama(tmp_path / "arms/star/seed-0/3-midtrain/checkpoint")
    (mid / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    with pytest.raises(ModelError, match="chat template"):
        reinforce.run(ctx, line)


def test_a_verifier_that_gives_up_stops_training(tmp_path, folder) -> None:
    class Undecided:
        def verdicts(self, pairs) -> list[Verdict]:
            return [Verdict(status="undecided", reason="timeout") for _ in pairs]

    ctx = ready(tmp_path, folder, Undecided(), steps=20)
    with pytest.raises(VerifierUnwell, match="timeout"):
        reinforce.run(ctx, LINE)
    assert not reinforce.plan(ctx, LINE).done


def test_the_roller_samples_as_the_engine_does(folder) -> None:
    config = ModelConfig(path=str(folder), dtype="float32", device="cpu")
    engine = TransformersEngine(str(folder), config)
    questions = ("Ann has 3?", "Split 24.")
    seeds = tuple(range(8))
    requests = [
        SampleRequest(messages=(Message(role="user", content=q),), seeds=seeds[i * 4 : i * 4 + 4])
        for i, q in enumerate(questions)
    ]
    sampling = SamplingSettings(max_tokens=20)
    wanted = [c.text for group in engine.sample(requests, sampling) for c in group]
    tokenizer, model = load_tokenizer(str(folder)), engine._sampler.decoder.model
    prompts = [
        tuple(prompt_ids(tokenizer, (Message(role="user", content=q),))[0]) for q in questions
    ]
    roll = reinforce._roller(config.batch_tokens, "rl")
    tokens = roll(
        Rollout(
            model=model, prompts=tuple(p for p in prompts for _ in range(4)), seeds=seeds,
            stop_ids=stop_ids(model, tokenizer), pad_id=tokenizer.pad_token_id, max_tokens=20,
            temperature=1.0, top_p=1.0,
        )
    )  # fmt: skip
    assert tokenizer.batch_decode(tokens, skip_special_tokens=True) == wanted
