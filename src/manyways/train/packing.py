"""Training without padding: the model's numbers, computed from fewer tokens.

A trainer pads a batch to its longest prompt and its longest completion, and repeats a prompt for
every attempt at it. TRL asks the model only for the log-probability of each labelled token, and
these follow from packed rows as well (``train.packed_rows``).
"""

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from manyways.progress import say
from manyways.train.handover import IGNORE
from manyways.train.packed_rows import Packed, pack

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2}
"""Mean absolute difference of log-probabilities up to which packed and padded count as equal."""
SAMPLE = 8
"""Of so many attempts without gradient one is read."""
ASKED = {"input_ids", "attention_mask", "labels", "fused_lm_head"}
UNCHANGED = {"use_cache", "num_items_in_batch"}
OF_BATCH = {"loss", "aux_loss"}


Flat = Callable[[], Collection[tuple[int, ...]]]
"""Which attempts have no gradient now, by the tokens that are labelled."""


def without_padding(model: Any, flat: Flat = frozenset) -> None:  # noqa: ANN401
    """Have ``model``, already in a TRL trainer, compute log-probabilities on packed rows.

    Results differ from those of the padded batch by rounding alone; the first batch is computed in
    both ways, and a model for which they differ by more is trained with padding. So are models with
    dropout, whose noise would be shared with the prompts, and models on a GPU, where kernels for
    padding-free batches are a matter of TRL's and transformers' own settings.

    flat: attempts whose advantage is 0. They have no gradient, and of their numbers only the mean
        entropy is used, for the log: one in ``SAMPLE`` of them is read, and stands for the others.
    """
    model = model.get_base_model() if hasattr(model, "peft_config") else model
    if model.device.type != "cpu" or _drops(model):
        return
    padded, trusted = model.forward, _Trust()

    @functools.wraps(padded)
    def forward(*args: object, **kwargs: Any) -> Any:  # noqa: ANN401
        given = {key for key, value in kwargs.items() if value is not None}
        fits = not args and ASKED <= given <= ASKED | UNCHANGED and kwargs["fused_lm_head"]
        if not fits or not trusted.yes:
            return padded(*args, **kwargs)
        still = _labelled_as(flat(), kwargs["labels"])
        # The first batch is computed whole, to be compared.
        read = _some(still) if trusted.asked else still
        out = _on_packed_rows(padded, kwargs, ~still, model.dtype)
        if still.any():
            with torch.no_grad():
                rest = _on_packed_rows(padded, kwargs, read, model.dtype)
            out = _together(out, rest, model) if rest else out
            out = _with_entropy_of(out, read, still & ~read) if out else out
        if out and trusted.holds(out["log_probs"], padded, kwargs):
            return out
        return padded(**kwargs)

    model.forward = forward


class _Trust:
    """Whether packed rows give a model's own numbers, found out on the first batch."""

    def __init__(self) -> None:
        self.yes = True
        self.asked = False

    @torch.no_grad()
    def holds(self, log_probs: Tensor, padded: Any, kwargs: Mapping[str, Any]) -> bool:  # noqa: ANN401
        if not self.asked:
            self.asked = True
            expected = padded(**kwargs).log_probs
            labelled = kwargs["labels"][:, 1:] != IGNORE
            gap = (log_probs - expected)[labelled].abs().mean().item()
            self.yes = gap <= TOLERANCE.get(expected.dtype, 0.0)
            if not self.yes:
                say(
                    f"training with padding: this model's log-probabilities differ by {gap:.2g} "
                    "where attempts share a row"
                )
        return self.yes


def _labelled_as(texts: Collection[tuple[int, ...]], labels: Tensor) -> Tensor:
    """Which rows' labelled tokens are among ``texts``; shape (B,)."""
    if not texts:
        return torch.zeros(labels.shape[0], dtype=torch.bool, device=labels.device)
    own = (tuple(token for token in row if token != IGNORE) for row in labels.tolist())
    return torch.tensor([text in texts for text in own], device=labels.device)


def _on_packed_rows(
    padded: Any,  # noqa: ANN401
    kwargs: Mapping[str, Any],
    rows: Tensor,
    dtype: torch.dtype,
) -> Any:  # noqa: ANN401
    """The model's output for ``rows`` of the batch, zeros in the others; None where none packs."""
    labels = kwargs["labels"].masked_fill(~rows[:, None], IGNORE)
    packed = pack(kwargs["input_ids"], kwargs["attention_mask"], labels)
    if packed is None:
        return None
    out = padded(
        input_ids=packed.input_ids,
        position_ids=packed.position_ids,
        attention_mask=_bias(packed.allowed, dtype),
        shift_labels=packed.labels,
        fused_lm_head=True,
        **{key: value for key, value in kwargs.items() if key in UNCHANGED},
    )
    shape = (labels.shape[0], labels.shape[1] - 1)
    return type(out)({key: _as_batch(key, value, packed, shape) for key, value in out.items()})


def _some(still: Tensor) -> Tensor:
    """Every ``SAMPLE``-th of the rows, the first one included."""
    return still & ((still.cumsum(dim=0) - 1) % SAMPLE == 0)


def _with_entropy_of(out: Any, read: Tensor, unread: Tensor) -> Any:  # noqa: ANN401
    """With the mean entropy of the rows ``read`` at each labelled token of those ``unread``."""
    if not unread.any() or out.get("entropy") is None:
        return out
    entropy, labelled = out["entropy"], out["label_mask"]
    mean = entropy[read][labelled[read]].mean()
    out["entropy"] = entropy.masked_fill(unread[:, None], mean.item())
    return out


def _together(moving: Any, still: Any, model: nn.Module) -> Any:  # noqa: ANN401
    """Numbers of rows with a gradient and of rows without, in one batch.

    Where no row has one, every trained weight still gets a gradient of zeros: an optimizer skips
    weights that have none, and would not go on by its momentum.
    """
    if moving is None:
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        still["log_probs"] = still["log_probs"] + 0 * sum(w.flatten()[0] for w in trained)
        return still
    for key, value in still.items():
        if key not in OF_BATCH:
            either = moving[key] | value if value.dtype == torch.bool else moving[key] + value
            moving[key] = either
    return moving


def _drops(model: nn.Module) -> bool:
    attention = getattr(model.config, "attention_dropout", 0.0)
    return bool(attention) or any(isinstance(m, nn.Dropout) and m.p > 0 for m in model.modules())


def _bias(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """What attention adds to its scores, as transformers' own masks do."""
    bias = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return bias.masked_fill_(~allowed, torch.finfo(dtype).min)


def _as_batch(key: str, value: Tensor, packed: Packed, shape: tuple[int, int]) -> Tensor:
    if key in OF_BATCH:
        return value
    flat = value.new_zeros(shape[0] * shape[1])
    return flat.scatter(0, packed.target, value.flatten()[packed.source]).view(shape)
