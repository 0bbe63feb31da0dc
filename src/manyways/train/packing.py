"""Training without padding: the same log-probabilities, computed from fewer tokens.

A trainer pads a batch to its longest prompt and its longest completion, and repeats a prompt for
every attempt at it. TRL asks the model only for the log-probability of each labelled token. These
can be computed on packed rows, in which attempts lie side by side and each prompt stands once:

    a batch                            a row
    . . A B c d e .                    A  B c d e  B f g  K  L m n
    . . A B f g . .                    prompt A ends in B, which starts both of its completions;
    J K L m n . . .                    a token sees its own prompt and its own completion

B rows of the batch, L its columns, R packed rows, T their columns.
"""

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from manyways.progress import say
from manyways.rendering import IGNORE, attention_bias

Item = TypeVar("Item")
ROOM = 192
"""Tokens of a packed row; a longer attempt makes longer rows. Attention costs the square of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """Packed rows to feed to the model, and where their results belong.

    input_ids, position_ids, labels: shape (R, T); a token's label is the token after it.
    allowed: shape (R, 1, T, T): whether a token (axis 2) sees another one (axis 3).
    source:  flat indices of the packed tokens that have results.
    target:  flat indices of these results in a batch of shape (B, L - 1).
    """

    input_ids: Tensor
    position_ids: Tensor
    labels: Tensor
    allowed: Tensor
    source: Tensor
    target: Tensor


def pack(
    input_ids: Tensor, attention_mask: Tensor, labels: Tensor, *, room: int = ROOM
) -> Packed | None:
    """Pack a batch. None when a row's tokens are not contiguous, or when nothing is labelled.

    Tokens after the last labelled one of a row are left out: no result depends on them.

    input_ids, attention_mask, labels: shape (B, L), padded on either side.
    """
    pieces = _pieces(attention_mask, labels)
    if not pieces:
        return None
    ids = input_ids.tolist()
    groups: dict[tuple[int, ...], list[_Piece]] = {}
    for piece in pieces:
        prompt = (piece.start, *ids[piece.row][piece.start : piece.first])
        groups.setdefault(prompt, []).append(piece)
    room = max(room, *(piece.shared + piece.own for piece in pieces))
    blocks = [block for group in groups.values() for block in _blocks(group, room)]
    sizes = [block[0].shared + sum(piece.own for piece in block) for block in blocks]
    rows = list(_first_fit(blocks, sizes, room))
    return _tensors(rows, input_ids, labels)


@dataclass(frozen=True, slots=True)
class _Piece:
    """The tokens of one row of the batch that have to be fed.

    start: column of its first token.
    first: column of the token before its first label. Each attempt feeds this token itself, even
        when several attempts share the prompt: its result belongs to one attempt.
    last:  column of the token before its last label.
    """

    row: int
    start: int
    first: int
    last: int

    @property
    def shared(self) -> int:
        return self.first - self.start

    @property
    def own(self) -> int:
        return self.last + 1 - self.first


def _pieces(attention_mask: Tensor, labels: Tensor) -> list[_Piece]:
    """One piece for each row that has labels; no pieces if some row is not contiguous."""
    wanted = labels[:, 1:] != IGNORE
    column = torch.arange(labels.shape[1], device=labels.device)
    start = attention_mask.bool().int().argmax(dim=1)
    first = wanted.int().argmax(dim=1)
    last = labels.shape[1] - 2 - wanted.flip(1).int().argmax(dim=1)
    needed = (column >= start[:, None]) & (column <= last[:, None])
    has = wanted.any(dim=1)
    broken = (needed & (attention_mask == 0)).any(dim=1) | (first < start)
    if (broken & has).any():
        return []
    table = torch.stack([start, first, last], dim=1).tolist()
    return [_Piece(row, *table[row]) for row in has.nonzero()[:, 0].tolist()]


def _blocks(group: Sequence[_Piece], room: int) -> Iterator[list[_Piece]]:
    """Split attempts at one prompt into blocks. Each block holds the prompt once."""
    return _first_fit(group, [piece.own for piece in group], room - group[0].shared)


def _first_fit(items: Sequence[Item], sizes: Sequence[int], room: int) -> Iterator[list[Item]]:
    """Put items into bins of size ``room``: the largest first, each into the first bin with room.

    Asymptotically at most 11/9 of the fewest bins (Johnson 1973, "Near-optimal bin packing
    algorithms").
    """
    bins: list[list[int]] = []
    left: list[int] = []
    for item in sorted(range(len(items)), key=lambda i: -sizes[i]):
        place = next((b for b, free in enumerate(left) if free >= sizes[item]), len(bins))
        if place == len(bins):
            bins.append([])
            left.append(room)
        bins[place].append(item)
        left[place] -= sizes[item]
    for one in bins:
        yield [items[i] for i in sorted(one)]


def _tensors(
    rows: Sequence[Sequence[Sequence[_Piece]]], input_ids: Tensor, labels: Tensor
) -> Packed:
    width, device = input_ids.shape[1], input_ids.device
    lines = [list(_line(row, width)) for row in rows]
    longest = max(map(len, lines))
    lines = [line + [(-1, -1 - place, 0) for place in range(longest - len(line))] for line in lines]
    place_RT, block_RT, part_RT = torch.tensor(lines, device=device).unbind(dim=-1)
    real_RT = place_RT >= 0
    own_RT = part_RT > 0
    place_RT = place_RT.clamp(min=0)
    same_RTT = block_RT[:, :, None] == block_RT[:, None, :]
    part_RTT = (part_RT[:, None, :] == 0) | (part_RT[:, :, None] == part_RT[:, None, :])
    causal_TT = torch.ones((longest, longest), dtype=torch.bool, device=device).tril()
    own = own_RT.flatten().nonzero()[:, 0]
    from_batch = place_RT.flatten()[own]
    next_RT = labels.flatten()[(place_RT + 1).clamp(max=labels.numel() - 1)]
    return Packed(
        input_ids=input_ids.flatten()[place_RT] * real_RT,
        position_ids=place_RT % width,
        labels=next_RT.where(own_RT, torch.full_like(next_RT, IGNORE)),
        allowed=(same_RTT & part_RTT & causal_TT)[:, None],
        source=own,
        target=from_batch - from_batch // width,
    )


def _line(row: Sequence[Sequence[_Piece]], width: int) -> Iterator[tuple[int, int, int]]:
    """Each token of a packed row: (index in the flat batch, block, piece; 0 is the prompt)."""
    for block, pieces in enumerate(row):
        shared = pieces[0]
        yield from _run(shared, shared.start, shared.first, (width, block, 0))
        for part, piece in enumerate(pieces, start=1):
            yield from _run(piece, piece.first, piece.last + 1, (width, block, part))


def _run(
    piece: _Piece, begin: int, end: int, where: tuple[int, int, int]
) -> Iterable[tuple[int, int, int]]:
    width, block, part = where
    return ((piece.row * width + column, block, part) for column in range(begin, end))


TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2}
"""Mean absolute difference of log-probabilities up to which packed and padded count as equal."""
SAMPLE = 8
"""One in this many attempts without gradient is computed, for the log's mean entropy."""
ASKED = {"input_ids", "attention_mask", "labels", "fused_lm_head"}
UNCHANGED = {"use_cache", "num_items_in_batch"}
OF_BATCH = {"loss", "aux_loss"}


Flat = Callable[[], Collection[tuple[int, ...]]]
"""Returns the attempts of the current batch that have no gradient, as tuples of labelled tokens."""


def without_padding(model: Any, flat: Flat = frozenset) -> None:  # noqa: ANN401
    """Make ``model``, already in a TRL trainer, compute log-probabilities on packed rows.

    Results differ from those of the padded batch by rounding alone. The first batch is computed
    both ways; if they differ by more, the model is trained with padding. Two kinds of models keep
    the padding from the start: those with dropout, because attempts would share the noise of their
    prompt, and those on a GPU, where TRL and transformers have padding-free kernels of their own.

    flat: attempts whose advantage is 0. They have no gradient, and the log uses only their mean
        entropy. So one in ``SAMPLE`` of them is computed and stands for the others.
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
    """Checks on the first batch whether packed rows give the same numbers as padded ones."""

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
    """The model's output for ``rows`` of the batch, zeros for the others; None if none packs."""
    labels = kwargs["labels"].masked_fill(~rows[:, None], IGNORE)
    packed = pack(kwargs["input_ids"], kwargs["attention_mask"], labels)
    if packed is None:
        return None
    out = padded(
        input_ids=packed.input_ids,
        position_ids=packed.position_ids,
        attention_mask=attention_bias(packed.allowed, dtype),
        shift_labels=packed.labels,
        fused_lm_head=True,
        **{key: value for key, value in kwargs.items() if key in UNCHANGED},
    )
    shape = (labels.shape[0], labels.shape[1] - 1)
    return type(out)({key: _as_batch(key, value, packed, shape) for key, value in out.items()})


def _some(still: Tensor) -> Tensor:
    """Every ``SAMPLE``-th of the rows, from the first one on."""
    return still & ((still.cumsum(dim=0) - 1) % SAMPLE == 0)


def _with_entropy_of(out: Any, read: Tensor, unread: Tensor) -> Any:  # noqa: ANN401
    """Fill in the entropy of rows ``unread``: the mean over the rows ``read``, at each token."""
    if not unread.any() or out.get("entropy") is None:
        return out
    entropy, labelled = out["entropy"], out["label_mask"]
    mean = entropy[read][labelled[read]].mean()
    out["entropy"] = entropy.masked_fill(unread[:, None], mean.item())
    return out


def _together(moving: Any, still: Any, model: nn.Module) -> Any:  # noqa: ANN401
    """Join the results of rows with a gradient and of rows without into one batch.

    If no row has a gradient, every trained weight still gets a gradient of zeros. An optimizer
    skips weights without a gradient, and would then not apply its momentum.
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


def _as_batch(key: str, value: Tensor, packed: Packed, shape: tuple[int, int]) -> Tensor:
    if key in OF_BATCH:
        return value
    flat = value.new_zeros(shape[0] * shape[1])
    return flat.scatter(0, packed.target, value.flatten()[packed.source]).view(shape)
