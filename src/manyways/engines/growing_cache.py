"""A cache whose rows can be moved, doubled, dropped and added, and that has room to grow."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Tokens by which a cache layer grows at a time."""


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """A cache layer that neither copies all earlier tokens for a new one nor all rows for a change.

    All rows end in the same column, that of the newest token; a shorter row begins further right,
    and what is left of its beginning is never looked at. ``keys`` and ``values`` are views of the
    filled part, so everything else is inherited.
    """

    keys: Tensor
    values: Tensor

    def __init__(self) -> None:
        super().__init__()
        self._rooms = (_Room(), _Room())

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Append states of shape (R, heads, new tokens, width); returns all states so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = self._rooms[0].append(key_states)
        self.values = self._rooms[1].append(value_states)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Row ``i`` becomes what row ``indices[i]`` was; there are then ``len(indices)`` rows."""
        if not self.is_initialized:
            return
        source = indices.tolist()
        moved = [(to, come) for to, come in enumerate(source) if to != come]
        self.keys = self._rooms[0].move(moved, len(source))
        self.values = self._rooms[1].move(moved, len(source))

    def join(self, key_states: Tensor, value_states: Tensor) -> None:
        """More rows, whose states of shape (new rows, heads, tokens, width) end in the last column.

        Where they are longer than the rows that are there, these move to the right.
        """
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = self._rooms[0].join(key_states)
        self.values = self._rooms[1].join(value_states)

    def drop_columns(self, count: int) -> None:
        """Forget the first ``count`` columns, which no row uses any more."""
        self.keys = self._rooms[0].drop_columns(count)
        self.values = self._rooms[1].drop_columns(count)


class _Room:
    """A buffer of shape (rows, heads, columns, width); rows and columns from ``first`` are used."""

    def __init__(self) -> None:
        self._rows = self._first = self._end = 0
        self._buffer: Tensor | None = None

    def append(self, new: Tensor) -> Tensor:
        if self._buffer is None:
            self._rows = len(new)
        count = new.shape[-2]
        buffer = self._with_room(new, rows=self._rows, left=0, right=count)
        buffer[: self._rows, :, self._end : self._end + count] = new
        self._end += count
        return self._filled()

    def join(self, new: Tensor) -> Tensor:
        count, more = len(new), new.shape[-2]
        left = max(0, more - (self._end - self._first)) if self._buffer is not None else more
        buffer = self._with_room(new, rows=self._rows + count, left=left, right=0)
        self._first -= left
        buffer[self._rows : self._rows + count, :, self._end - more : self._end] = new
        self._rows += count
        return self._filled()

    def move(self, moved: Sequence[tuple[int, int]], rows: int) -> Tensor:
        buffer = self._with_room(self._filled(), rows=rows, left=0, right=0)
        filled = buffer[:, :, self._first : self._end]
        if moved:
            to, come = (list(column) for column in zip(*moved, strict=True))
            # What is read is copied before anything is written: a row may be both.
            filled[to] = filled[come]
        self._rows = rows
        return filled[:rows]

    def drop_columns(self, count: int) -> Tensor:
        self._first += count
        return self._filled()

    def _filled(self) -> Tensor:
        assert self._buffer is not None
        return self._buffer[: self._rows, :, self._first : self._end]

    def _with_room(self, like: Tensor, *, rows: int, left: int, right: int) -> Tensor:
        """The buffer, where needed a new one, with so many rows and columns to either side."""
        old = self._buffer
        fits = (
            old is not None
            and rows <= len(old)
            and left <= self._first
            and self._end + right <= old.shape[-2]
        )
        if fits and old is not None:
            return old
        used = self._end - self._first
        have = 0 if old is None else len(old)
        # A little more than needed: rows come and part one by one.
        most = have if rows <= have else max(rows, have + have // 4)
        columns = left + used + right + ROOM
        # Zeros: a masked column still takes part in sums, where not a number would spread.
        buffer = like.new_zeros((most, like.shape[1], columns, like.shape[-1]))
        if old is not None:
            buffer[: self._rows, :, left : left + used] = self._filled()
        self._buffer, self._first, self._end = buffer, left, left + used
        return buffer


def right_aligned(states: Tensor, shared: int, pads: Sequence[int]) -> Tensor:
    """States of padded prompts, closed up so that each row ends in the last column.

    states: shape (R, heads, shared + padded, width): ``shared`` columns that all rows have, then
        ``pads[r]`` of padding, then the row's own.
    """
    rows, columns = len(pads), states.shape[-2]
    pad_R = torch.tensor(pads, device=states.device)
    column_L = torch.arange(columns, device=states.device)
    source_RL = column_L - pad_R[:, None]
    # Of a row's beginning: ``shared`` columns from the place where the row starts.
    source_RL = torch.where(source_RL < shared, source_RL, column_L).clamp(min=0)
    row_R = torch.arange(rows, device=states.device)
    return states[row_R[:, None], :, source_RL].transpose(1, 2)
