"""Attempts side by side in rows, equal prompts once in each row.

    a batch                            a row
    . . A B c d e .                    A  B c d e  B f g  K  L m n
    . . A B f g . .                    prompt A ends in B, which starts both of its completions;
    J K L m n . . .                    a token sees its own prompt and its own completion

B rows of the batch, L its columns, R packed rows, T their columns.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from manyways.train.handover import IGNORE

Item = TypeVar("Item")
ROOM = 192
"""Tokens of a packed row, where the longest attempt is no longer: attention costs its square."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """Rows to feed, and where their results belong.

    input_ids, position_ids, labels: shape (R, T); labels are those of the next token.
    allowed: which token (second of the last two axes) a token sees, shape (R, 1, T, T).
    source:  flat indices of the packed tokens that have results, and
    target:  where these belong in a batch of shape (B, L - 1).
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
    """Pack a batch; None where a row's tokens are not one run, or nothing is labelled.

    What comes after the last labelled token of a row is not fed: nothing depends on it.

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
    rows = list(_first_fit(blocks, [_length(block) for block in blocks], room))
    return _tensors(rows, input_ids, labels)


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one row of the batch needs fed.

    start: column of its first token. first: of the token before its first label, which is its own
    even where others have the same prompt. last: of the token before its last label.
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
    """One for each row that has labels; none at all when a row's tokens are not one run."""
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
    """Attempts with one prompt, in blocks that hold this prompt once."""
    return _first_fit(group, [piece.own for piece in group], room - group[0].shared)


def _length(block: Sequence[_Piece]) -> int:
    return block[0].shared + sum(piece.own for piece in block)


def _first_fit(items: Sequence[Item], sizes: Sequence[int], room: int) -> Iterator[list[Item]]:
    """Bins of at most ``room``: the largest item first, each into the first bin that has room.

    At most 11/9 of the fewest possible (Johnson 1973, "Near-optimal bin packing algorithms").
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
    """Each token of a packed row: its place in the flat batch, its block, its part (0: prompt)."""
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
