"""Scores equal those of transformers called directly, whatever the batch."""

from pathlib import Path

import pytest
import torch
from tiny_models import build_llama, build_reward_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from manyways.errors import ModelError
from manyways.heuristics import load_pack
from manyways.pool.reward_model import TOO_LONG, RewardModel
from manyways.pool.scorers import Case

PACK = load_pack("pocket", 2)
TEXTS = ("\\boxed{7}", "First add 3 and 4, which gives 7. The answer is \\boxed{7}.", "Split 24.")
CASES = [
    Case(question="Ann has 3 apples and buys 4 more.", text=text, heuristic=heuristic)
    for heuristic in PACK
    for text in TEXTS
]


def direct(path: Path) -> list[float]:
    """Each case alone, as the model card of a Skywork reward model calls it."""
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForSequenceClassification.from_pretrained(path, dtype=torch.float32)
    logits = []
    for case in CASES:
        asked = (
            f"{case.heuristic.name}: {case.heuristic.instruction}\n\n{case.question}\n\n"
            "Put your final answer within \\boxed{}."
        )
        chat = [{"role": "user", "content": asked}, {"role": "assistant", "content": case.text}]
        text = tokenizer.apply_chat_template(chat, tokenize=False)
        text = text.removeprefix(tokenizer.bos_token)
        ids = tokenizer(tokenizer.bos_token + text, return_tensors="pt", add_special_tokens=False)
        with torch.no_grad():
            logits.append(float(model(**ids).logits[0][0]))
    return logits


@pytest.mark.parametrize("pad", [True, False])
def test_scores_equal_a_direct_call_in_any_batch(tmp_path: Path, pad: bool) -> None:
    path = build_reward_model(tmp_path, pad=pad)
    wanted = direct(path)
    for batch_tokens in (1, 4096):
        model = RewardModel(str(path), dtype="float32", device="cpu", batch_tokens=batch_tokens)
        said = dict(model.opinions(CASES))
        found = [said[index].value for index in range(len(CASES))]
        assert found == pytest.approx(wanted, abs=1e-4), batch_tokens
    assert len({round(value, 3) for value in wanted}) == len(CASES), "the pairs can be told apart"


def test_a_chat_beyond_the_context_is_not_cut_but_left_out(tmp_path: Path) -> None:
    path = build_reward_model(tmp_path)
    model = RewardModel(str(path), dtype="float32", device="cpu", batch_tokens=4096)
    long = Case(question="?", text="add 3 and 4 " * 400, heuristic=PACK[0])
    said = dict(model.opinions([CASES[0], long]))
    short, left_out = said[0], said[1]
    assert short.value is not None
    assert (left_out.value, left_out.note) == (None, TOO_LONG)


def test_what_is_no_reward_model_is_refused(tmp_path: Path) -> None:
    settings = {"dtype": "float32", "device": "cpu", "batch_tokens": 64}
    with pytest.raises(ModelError, match="is no reward model: its weights lack"):
        RewardModel(str(build_llama(tmp_path / "lm")), **settings)
    with pytest.raises(ModelError, match="has 3 labels"):
        RewardModel(str(build_reward_model(tmp_path / "three", labels=3)), **settings)
    plain = build_reward_model(tmp_path / "plain")
    (plain / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="no chat template"):
        RewardModel(str(plain), **settings)
