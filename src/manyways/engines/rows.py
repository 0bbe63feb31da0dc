"""The rows of the model's batch, and a cache whose rows can be moved, copied, dropped and added.

Prompts join as new rows. After each pass a row may split into several, move or leave.
R rows, P prompts that are prefilled together, L columns, V vocabulary; see ``engines.decoding``.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from manyways.engines.queueing import Waiting
from manyways.rendering import attention_bias

ROOM = 64
"""A cache layer grows by this many tokens at a time."""


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """A cache layer that changes in place: a new token or a changed row copies little.

    transformers' own layer copies all earlier tokens for each new one, and all rows when one of
    them changes. Here all rows end in the same column, that of the newest token. A shorter row
    begins further right, and the columns before it are masked. ``keys`` and ``values`` are views
    of the filled part of a larger buffer, so everything else is inherited.
    """

    keys: Tensor
    values: Tensor

    def __init__(self, expected: int = 0) -> None:
        super().__init__()
        self._rooms = (_Room(expected), _Room(expected))

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
        """Row ``i`` becomes the former row ``indices[i]``; ``len(indices)`` rows remain."""
        if not self.is_initialized:
            return
        source = indices.tolist()
        moved = [(to, come) for to, come in enumerate(source) if to != come]
        self.keys = self._rooms[0].move(moved, len(source))
        self.values = self._rooms[1].move(moved, len(source))

    def join(self, key_states: Tensor, value_states: Tensor) -> None:
        """Add rows. Their states, shape (new rows, heads, tokens, width), end in the last column.

        If they are longer than the rows that are there, those move to the right.
        """
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = self._rooms[0].join(key_states)
        self.values = self._rooms[1].join(value_states)

    def drop_columns(self, count: int) -> None:
        """Drop the first ``count`` columns, which no row uses any more."""
        self.keys = self._rooms[0].drop_columns(count)
        self.values = self._rooms[1].drop_columns(count)


class _Room:
    """A buffer of shape (rows, heads, columns, width); rows and columns from ``first`` are used.

    expected: rows to have from the start, so that rows which join one by one cause no copy.
    """

    def __init__(self, expected: int) -> None:
        self._expected = expected
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
        # Zeros: a masked column still takes part in sums, where not a number would spread.
        buffer[: self._rows, :, self._first : self._first + left] = 0
        buffer[self._rows : self._rows + count, :, self._first : self._end - more] = 0
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
        """The buffer with room for ``rows`` and for more columns; a new one if the old is small."""
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
        # A little more than needed: rows come and go one by one, prompts join in order of length.
        most = have if rows <= have else max(rows, have + have // 4, self._expected)
        first = left + (ROOM if left and old is not None else 0)
        buffer = like.new_empty((most, like.shape[1], first + used + right + ROOM, like.shape[-1]))
        if old is not None:
            buffer[: self._rows, :, first : first + used] = self._filled()
        self._buffer, self._first, self._end = buffer, first, first + used
        return buffer


def right_aligned(states: Tensor, shared: int, pads: Sequence[int]) -> Tensor:
    """States of padded prompts without the padding, so that each row ends in the last column.

    states: shape (R, heads, shared + padded, width). A row has ``shared`` columns that all rows
        have, then ``pads[r]`` columns of padding, then its own columns.
    """
    rows, columns = len(pads), states.shape[-2]
    pad_R = torch.tensor(pads, device=states.device)
    column_L = torch.arange(columns, device=states.device)
    source_RL = column_L - pad_R[:, None]
    # Of a row's beginning: ``shared`` columns from the place where the row starts.
    source_RL = torch.where(source_RL < shared, source_RL, column_L).clamp(min=0)
    row_R = torch.arange(rows, device=states.device)
    return states[row_R[:, None], :, source_RL].transpose(1, 2)


COMPACT = 0.9
"""A model with attention windows keeps its own cache, whose rows cannot be moved one by one. There,
finished attempts leave the batch once at most this share of its rows still runs."""
PREFILL = {"cpu": 512, "other": 8192}
"""The most tokens of prompts in one pass of the model; a longer prompt has a pass of its own. A CPU
is at full speed with few tokens, and a pass should not take long, so that progress is shown."""


class Rows:
    """The rows of the model's batch: what the next pass needs, and its logits.

    joins:     whether rows can be added while others run, and attempts with equal tokens can share
        a row. False for models with attention windows, which keep their own kind of cache: they
        get whole batches with one row for each attempt.
    prefill:   the most tokens of prompts in one pass.
    rows:      the row of each attempt that runs.
    logits_RV: logits of the next token of each row.
    """

    def __init__(self, model: Any, *, pad: int) -> None:  # noqa: ANN401
        self._model, self._pad = model, pad
        self.prefill = PREFILL["cpu" if model.device.type == "cpu" else "other"]
        self._beginning: tuple[int, ...] = ()
        self._shared: list[tuple[Tensor, Tensor]] = []
        self._clear()
        self.joins = all(type(layer) is DynamicLayer for layer in self._cache.layers)

    def _clear(self) -> None:
        self._cache = DynamicCache(config=self._model.config)
        self._lengths: list[int] = []
        self._width = 0
        self.rows: list[int] = []
        self.logits_RV = torch.empty(0)

    def take_up(
        self, prompts: Sequence[Waiting], owners: Sequence[int], *, expected: int = 0
    ) -> None:
        """Add the attempts at some prompts, which all have the same ``beginning``.

        owners:   for each attempt, the index of its prompt.
        expected: rows for which memory is reserved, when the first prompts are taken up.
        """
        if not self._lengths:
            self._clear()
        if not self.joins:
            self._whole_batch([prompts[owner].prompt for owner in owners])
            return
        if not self._lengths:
            self._cache.layers = [GrowingLayer(expected) for _ in self._cache.layers]
        beginning = prompts[0].beginning
        if beginning != self._beginning:
            self._shared, self._beginning = self._states(beginning), beginning
        cache, pads, logits_PV = self._prefill(prompts)
        for mine, new in zip(self._cache.layers, cache.layers, strict=True):
            mine.join(
                right_aligned(new.keys, len(beginning), pads),
                right_aligned(new.values, len(beginning), pads),
            )
        count = len(self._lengths)
        self._lengths += [len(waiting.prompt) for waiting in prompts]
        self._width = max(self._width, *self._lengths[count:])
        self.rows += [count + owner for owner in owners]
        self.logits_RV = torch.cat([self.logits_RV, logits_PV]) if count else logits_PV

    def go_on(self, tokens: Sequence[int], kept: Sequence[bool]) -> None:
        """Feed the newest token of each attempt that is kept. The other attempts leave."""
        tokens = [token for token, stays in zip(tokens, kept, strict=True) if stays]
        self.rows = [row for row, stays in zip(self.rows, kept, strict=True) if stays]
        if not self.rows:
            self._clear()
            return
        fed = self._part(tokens) if self.joins else self._compact(tokens)
        self._lengths = [length + 1 for length in self._lengths]
        self._width += 1
        length_R = torch.tensor(self._lengths, device=self._model.device)
        column_L = torch.arange(self._width, device=self._model.device)
        seen_RL = column_L >= self._width - length_R[:, None]
        out = self._model(
            input_ids=torch.tensor(fed, device=self._model.device)[:, None],
            attention_mask=attention_bias(seen_RL[:, None, None], self._model.dtype)
            if self.joins
            else seen_RL.long(),
            position_ids=length_R[:, None] - 1,
            past_key_values=self._cache,
        )
        self.logits_RV = out.logits[:, -1]

    def _states(self, beginning: tuple[int, ...]) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of a beginning in each layer, shape (1, heads, tokens, width)."""
        if not beginning:
            return []
        cache = DynamicCache(config=self._model.config)
        ids = torch.tensor([beginning], device=self._model.device)
        self._model(input_ids=ids, past_key_values=cache, logits_to_keep=1)
        return [(layer.keys, layer.values) for layer in cache.layers]

    def _prefill(self, prompts: Sequence[Waiting]) -> tuple[Any, list[int], Tensor]:
        """One pass over the prompts' tokens after their beginning: (cache, padding, logits)."""
        device, shared = self._model.device, len(self._beginning)
        own = [waiting.prompt[shared:] for waiting in prompts]
        width = max(map(len, own))
        pads = [width - len(ids) for ids in own]
        cache = DynamicCache(config=self._model.config)
        for layer, (keys, values) in zip(cache.layers, self._shared, strict=bool(shared)):
            layer.update(*(s.expand(len(own), -1, -1, -1) for s in (keys, values)))
        pad_P = torch.tensor(pads, device=device)
        column_L = torch.arange(width, device=device)
        seen_PLL = (column_L <= column_L[:, None]) & (column_L >= pad_P[:, None, None])
        # A token of padding sees itself, or its sum would be over nothing.
        seen_PLL = seen_PLL | (column_L == column_L[:, None])
        before_PLL = seen_PLL.new_ones((len(own), width, shared))
        out = self._model(
            input_ids=torch.tensor(
                [[self._pad] * pad + list(ids) for pad, ids in zip(pads, own, strict=True)],
                device=device,
            ),
            attention_mask=attention_bias(
                torch.cat([before_PLL, seen_PLL], dim=-1)[:, None], self._model.dtype
            ),
            position_ids=shared + (column_L - pad_P[:, None]).clamp(min=0),
            past_key_values=cache,
            logits_to_keep=1,
        )
        return cache, pads, out.logits[:, -1]

    def _whole_batch(self, prompts: Sequence[tuple[int, ...]]) -> None:
        """Prefill prompts as a whole batch, one row each, with the model's own kind of cache."""
        device, width = self._model.device, max(map(len, prompts))
        length_R = torch.tensor([len(prompt) for prompt in prompts], device=device)
        seen_RL = torch.arange(width, device=device) >= width - length_R[:, None]
        padded = [[self._pad] * (width - len(prompt)) + list(prompt) for prompt in prompts]
        out = self._model(
            input_ids=torch.tensor(padded, device=device),
            attention_mask=seen_RL.long(),
            position_ids=(seen_RL.cumsum(dim=-1) - 1).clamp(min=0),
            past_key_values=self._cache,
            logits_to_keep=1,
        )
        self._lengths, self._width = length_R.tolist(), width
        self.rows = list(range(len(prompts)))
        self.logits_RV = out.logits[:, -1]

    def _compact(self, tokens: Sequence[int]) -> list[int]:
        """The token to feed each row. Rows of ended attempts get padding until they are dropped."""
        if len(self.rows) <= COMPACT * len(self._lengths):
            self._select(self.rows)
            self.rows = list(range(len(self.rows)))
        fed = [self._pad] * len(self._lengths)
        for row, token in zip(self.rows, tokens, strict=True):
            fed[row] = token
        return fed

    def _part(self, tokens: Sequence[int]) -> list[int]:
        """Make one row of each distinct (row, token). Returns the token to feed each row."""
        children: dict[tuple[int, int], int] = {}
        child = [
            children.setdefault(key, len(children)) for key in zip(self.rows, tokens, strict=True)
        ]
        places = _places([row for row, _ in children])
        source, fed = [0] * len(children), [0] * len(children)
        for place, (row, token) in zip(places, children, strict=True):
            source[place], fed[place] = row, token
        if source != list(range(len(self._lengths))):
            self._select(source)
        self.rows = [places[number] for number in child]
        spare = self._width - max(self._lengths)
        if spare >= ROOM:
            for layer in self._cache.layers:
                layer.drop_columns(spare)
            self._width -= spare
        return fed

    def _select(self, source: Sequence[int]) -> None:
        self._lengths = [self._lengths[row] for row in source]
        self._cache.batch_select_indices(torch.tensor(source, device=self._model.device))


def _places(parents: Sequence[int]) -> list[int]:
    """The new row of each child: its first child keeps the parent's row, others take free rows."""
    count, taken = len(parents), set()
    places = [-1] * count
    for child, parent in enumerate(parents):
        if parent < count and parent not in taken:
            places[child] = parent
            taken.add(parent)
    free = (place for place in range(count) if place not in taken)
    return [next(free) if place < 0 else place for place in places]
