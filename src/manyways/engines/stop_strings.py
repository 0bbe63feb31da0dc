"""Stop strings: looked for in decoded text, because a token may hold more than the string."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MARGIN = 4
"""Extra tokens of tail: tokens that decode to nothing, and a cut-off character at its start."""


class StopStrings:
    """Finds the first of ``stop`` in texts of ``tokenizer``."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", stop: Sequence[str]) -> None:
        self._tokenizer, self._stop = tokenizer, tuple(stop)
        # A token holds at least one byte.
        self.tail = max(len(text.encode()) for text in self._stop) + MARGIN

    def hits(self, tails: list[list[int]]) -> list[bool]:
        """Whether each attempt's newest tokens hold a stop string."""
        texts = self._tokenizer.batch_decode(tails, skip_special_tokens=True)
        return [any(stop in text for stop in self._stop) for text in texts]

    def trim(self, text: str) -> tuple[str, bool]:
        """As ``trim``."""
        return trim(text, self._stop)


def trim(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """``text`` up to the first of ``stop`` in it, and whether there is one."""
    found = [place for string in stop if (place := text.find(string)) >= 0]
    return (text[: min(found)], True) if found else (text, False)
