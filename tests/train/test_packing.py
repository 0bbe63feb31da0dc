import pytest
import torch
from tiny_models import build_gpt2, build_llama, build_mistral
from transformers import AutoModelForCausalLM
from trl.trainer.utils import add_fused_lm_head

from manyways.train.packing import IGNORE, SAMPLE, pack, without_padding

OUTPUTS = ("log_probs", "entropy", "is_top1")

pytestmark = pytest.mark.usefixtures("one_thread")


def batch(prompts, completions, *, pad=2):
    """Rows as GRPO pads them: prompts on the left, completions on the right."""
    left, right = max(map(len, prompts)), max(map(len, completions))
    rows, mask, labels = [], [], []
    for prompt, completion in zip(prompts, completions, strict=True):
        before, after = left - len(prompt), right - len(completion)
        rows.append([pad] * before + prompt + completion + [pad] * after)
        mask.append([0] * before + [1] * (len(prompt) + len(completion)) + [0] * after)
        labels.append([IGNORE] * left + completion + [IGNORE] * after)
    given = {"input_ids": rows, "attention_mask": mask, "labels": labels}
    return {key: torch.tensor(value) for key, value in given.items()}


def attempts(seed=0, groups=3, size=5):
    """Groups of attempts at one prompt each, all of many lengths, in a shuffled order."""
    torch.manual_seed(seed)
    prompts, completions = [], []
    for _ in range(groups):
        prompt = torch.randint(6, 40, (int(torch.randint(1, 14, ())),)).tolist()
        for _ in range(size):
            prompts.append(prompt)
            completions.append(torch.randint(6, 40, (int(torch.randint(1, 50, ())),)).tolist())
    order = torch.randperm(len(prompts)).tolist()
    return [prompts[i] for i in order], [completions[i] for i in order]


def fused(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    add_fused_lm_head(model, outputs=OUTPUTS)
    return model


def both(folder, given):
    """(padded, packed) outputs and gradients of a loss that weighs every token differently."""
    found = []
    for packed in (False, True):
        model = fused(folder)
        if packed:
            without_padding(model)
        out = model(**given, fused_lm_head=True)
        weight = torch.linspace(0.5, 2.0, out.log_probs.numel()).view_as(out.log_probs)
        (out.log_probs * weight).sum().backward()
        gradients = torch.cat([p.grad.flatten() for p in model.parameters()])
        found.append((out, gradients))
    return found


def close(ours, theirs, tolerance=2e-5):
    return (ours - theirs).abs().max() <= tolerance * theirs.abs().max().clamp(min=1.0)


@pytest.mark.parametrize("build", [build_llama, build_gpt2])
def test_log_probabilities_entropies_and_gradients_are_those_of_the_padded_batch(
    tmp_path, build
) -> None:
    given = batch(*attempts())
    (padded, gradients), (packed, ours) = both(build(tmp_path / "model"), given)
    labelled = given["labels"][:, 1:] != IGNORE
    for name in ("log_probs", "entropy"):
        assert packed[name].shape == padded[name].shape
        assert close(packed[name], padded[name])
        assert (packed[name][~labelled] == 0).all()
    assert torch.equal(packed.label_mask, padded.label_mask)
    assert torch.equal(packed.is_top1 & labelled, padded.is_top1 & labelled)
    assert close(packed.loss, padded.loss)
    assert close(ours, gradients)


def test_rows_padded_on_the_right_and_labels_with_gaps(tmp_path) -> None:
    given = batch(*attempts(seed=1, groups=6, size=1))
    real = given["attention_mask"].bool()
    for key, pad in (("input_ids", 2), ("labels", IGNORE), ("attention_mask", 0)):
        rows = [row[mask] for row, mask in zip(given[key], real, strict=True)]
        given[key] = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)
    given["labels"][:, ::5] = IGNORE
    (padded, gradients), (packed, ours) = both(build_llama(tmp_path / "model"), given)
    assert close(packed.log_probs, padded.log_probs)
    assert close(ours, gradients)


def test_equal_prompts_are_fed_once_in_a_row_and_few_tokens_are_padding() -> None:
    prompts, completions = attempts(groups=4, size=16)
    given = batch(prompts, completions)
    packed = pack(**given)
    real = int((packed.allowed[:, 0].sum(dim=-1) > 0).sum())
    assert real == packed.input_ids.numel()
    once = sum({tuple(p): len(p) for p in prompts}.values())
    needed = sum(map(len, completions))
    own = len(packed.source)
    assert own == needed
    assert packed.input_ids.numel() <= 1.1 * (needed + 3 * once)
    assert given["input_ids"].numel() > 1.5 * packed.input_ids.numel()


def test_rows_without_labels_are_not_fed_and_give_zeros(tmp_path) -> None:
    given = batch(*attempts(groups=2, size=3))
    given["labels"][1] = IGNORE
    (padded, gradients), (packed, ours) = both(build_llama(tmp_path / "model"), given)
    assert (packed.log_probs[1] == 0).all()
    assert close(packed.log_probs, padded.log_probs)
    assert close(ours, gradients)
    given["labels"][:] = IGNORE
    assert pack(**given) is None


def test_tokens_that_are_not_one_run_are_left_to_the_padded_batch() -> None:
    given = batch(*attempts(groups=2, size=3))
    assert pack(**given) is not None
    first = int(given["attention_mask"][0].argmax())
    last = given["labels"].shape[1] - 1 - int((given["labels"][0] != IGNORE).flip(0).int().argmax())
    given["attention_mask"][0, (first + last) // 2] = 0
    assert pack(**given) is None


def test_a_model_that_does_not_take_our_masks_is_trained_with_padding(tmp_path, capsys) -> None:
    """Mistral's attention has a window, which a mask of ours knows nothing of."""
    given = batch(*attempts())
    (padded, gradients), (packed, ours) = both(build_mistral(tmp_path / "model"), given)
    assert torch.equal(packed.log_probs, padded.log_probs)
    assert torch.equal(ours, gradients)
    assert "training with padding" in " ".join(capsys.readouterr().err.split())


def test_dropout_and_calls_without_the_fused_head_are_left_alone(tmp_path) -> None:
    folder = build_llama(tmp_path / "model")
    model = fused(folder)
    model.config.attention_dropout = 0.1
    before = model.forward
    without_padding(model)
    assert model.forward == before
    model.config.attention_dropout = 0.0
    without_padding(model)
    given = batch(*attempts(groups=1, size=2))
    assert model.forward != before
    assert model(given["input_ids"]).logits.shape[:2] == given["input_ids"].shape


@pytest.mark.parametrize("still", [(1, 4, 7, 8), range(15)])
def test_attempts_without_advantage_are_read_but_give_no_gradient(tmp_path, still) -> None:
    """Same numbers; the gradient is that of a loss in which these rows do not count."""
    prompts, completions = attempts()
    given = batch(prompts, completions)
    flat = {tuple(completions[row]) for row in still}
    counts = torch.tensor([[float(tuple(text) not in flat)] for text in completions])
    found = []
    for texts in (frozenset(), flat):
        model = fused(build_llama(tmp_path / "model"))
        without_padding(model, lambda texts=texts: texts)
        out = model(**given, fused_lm_head=True)
        (out.log_probs * counts).sum().backward()
        found.append((out, torch.cat([p.grad.flatten() for p in model.parameters()])))
    (every, expected), (out, gradients) = found
    assert all(close(out[name], every[name]) for name in ("log_probs", "entropy"))
    assert all(torch.equal(out[name], every[name]) for name in ("is_top1", "label_mask"))
    assert close(gradients, expected)
    assert (expected.norm() == 0) == (len(flat) == len(completions))


def test_of_attempts_without_advantage_a_few_are_read_for_the_entropy(tmp_path) -> None:
    """From the second batch on: the first is compared with the padded one."""
    prompts, completions = attempts(groups=4, size=8)
    given = batch(prompts, completions)
    flat = {tuple(text) for text in completions[8:]}
    still = torch.tensor([tuple(text) in flat for text in completions])
    counts = (~still).float()[:, None]
    model = fused(build_llama(tmp_path / "model"))
    without_padding(model, lambda: flat)
    whole = model(**given, fused_lm_head=True)
    (whole.log_probs * counts).sum().backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters()])
    model.zero_grad()
    fed = []
    hook = model.model.layers[0].register_forward_pre_hook(
        lambda module, args: fed.append(args[0].shape[0] * args[0].shape[1])
    )
    out = model(**given, fused_lm_head=True)
    hook.remove()
    (out.log_probs * counts).sum().backward()
    assert close(torch.cat([p.grad.flatten() for p in model.parameters()]), expected)
    assert close(out.log_probs[~still], whole.log_probs[~still])
    read = still & (out.log_probs.abs().sum(dim=1) > 0)
    assert read.sum() == 24 / SAMPLE
    labelled = whole.label_mask
    assert close(out.entropy[~still], whole.entropy[~still])
    mean = whole.entropy[read][labelled[read]].mean()
    assert out.entropy[still & ~read].detach() == pytest.approx(mean.item(), rel=1e-4)
    assert len(fed) == 2
    assert sum(fed) < 0.7 * sum(map(len, completions)) + sum(map(len, prompts))
