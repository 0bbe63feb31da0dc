"""A cache whose rows can be moved, doubled and dropped one by one, and that has room to grow."""

from collections.abc import Sequence

from torch import Tensor
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Tokens by which a cache layer grows at a time."""


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """A cache layer that neither copies all earlier tokens for a new one nor all rows for a change.

    ``keys`` and ``values`` are views of the filled part, so everything else is inherited.
    """

    keys: Tensor
    values: Tensor

    def __init__(self, most: int = 0) -> None:
        """``most``: rows that there will ever be; at least as many as in the first update."""
        super().__init__()
        self._rooms = (_Room(most), _Room(most))

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


class _Room:
    """A buffer of shape (most rows, heads, room, width) of which the first part is filled."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows = self._have = 0
        self._buffer: Tensor | None = None

    def append(self, new: Tensor) -> Tensor:
        want = self._have + new.shape[-2]
        buffer = self._buffer
        if buffer is None or buffer.shape[-2] < want:
            self._rows = len(new)
            most = max(self._most, self._rows)
            grown = new.new_empty((most, new.shape[1], want + ROOM, new.shape[-1]))
            if buffer is not None:
                grown[: self._rows, :, : self._have] = buffer[: self._rows, :, : self._have]
            buffer = grown
        buffer[: self._rows, :, self._have : want] = new
        self._buffer, self._have = buffer, want
        return buffer[: self._rows, :, :want]

    def move(self, moved: Sequence[tuple[int, int]], rows: int) -> Tensor:
        assert self._buffer is not None
        filled = self._buffer[:, :, : self._have]
        if moved:
            to, come = (list(column) for column in zip(*moved, strict=True))
            # What is read is copied before anything is written: a row may be both.
            filled[to] = filled[come]
        self._rows = rows
        return filled[:rows]
