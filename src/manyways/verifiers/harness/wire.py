"""Plain values over a pipe: what a test passes to a function and what comes back.

Only exact built-in data crosses (numbers, strings, bytes, lists, tuples, sets, dicts, iterators as
their items). An object of any other type arrives as an ``Opaque`` that equals nothing, so a
returned object with a lying ``__eq__`` proves nothing to the examiner.
"""

import collections.abc
import itertools
import json
import struct
from typing import Any, BinaryIO

Plain = Any
"""A value of built-in types, as deep as it likes."""
MAX_FRAME = 8 * 1024 * 1024
MAX_ITEMS = 100_000
"""Items taken from an iterator; it may be endless."""


class Opaque:
    """Stands for a value that cannot cross."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


def send(pipe: BinaryIO, message: dict[str, Any]) -> None:
    """Write one message."""
    body = json.dumps(message).encode()
    pipe.write(struct.pack(">I", len(body)) + body)
    pipe.flush()


def receive(pipe: BinaryIO) -> dict[str, Any]:
    """Read one message.

    Raises EOFError when the other side is gone and ValueError when it sends nonsense.
    """
    header = pipe.read(4)
    if len(header) < 4:
        raise EOFError("the other side is gone")
    (size,) = struct.unpack(">I", header)
    if size > MAX_FRAME:
        raise ValueError(f"a message of {size} bytes")
    body = pipe.read(size)
    if len(body) < size:
        raise EOFError("the other side is gone")
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ValueError("not a message")
    return message


def encode(value: Plain) -> Plain:
    """``value`` as JSON: scalars as they are, everything else as ``[tag, ...]``."""
    if value is None or isinstance(value, bool):
        return value
    for plain in (int, float, str):
        if isinstance(value, plain):
            return plain(value)
    tag = next((tag for kind, tag in _SEQUENCES.items() if isinstance(value, kind)), None)
    if tag is not None:
        return [tag, *(encode(item) for item in value)]
    if isinstance(value, dict):
        return ["d", *([encode(key), encode(item)] for key, item in value.items())]
    return _encode_rare(value)


def _encode_rare(value: Plain) -> Plain:
    if isinstance(value, complex):
        return ["c", value.real, value.imag]
    if isinstance(value, bytes | bytearray):
        return ["b", bytes(value).hex()]
    if isinstance(value, range):
        return ["r", value.start, value.stop, value.step]
    views = (collections.abc.Iterator, collections.abc.KeysView, collections.abc.ValuesView)
    if isinstance(value, (*views, collections.abc.ItemsView)):
        return ["i", *(encode(item) for item in itertools.islice(value, MAX_ITEMS))]
    return ["o", type(value).__name__]


def decode(value: Plain) -> Plain:
    """The value that ``encode`` was given. Raises ValueError on anything else."""
    if not isinstance(value, list):
        if isinstance(value, dict):
            raise ValueError("not an encoded value")
        return value
    if not value or value[0] not in _DECODERS:
        raise ValueError("not an encoded value")
    return _DECODERS[value[0]](value[1:])


_SEQUENCES: dict[type, str] = {list: "l", tuple: "t", set: "s", frozenset: "f"}
_DECODERS: dict[str, Any] = {
    "l": lambda items: [decode(item) for item in items],
    "t": lambda items: tuple(decode(item) for item in items),
    "s": lambda items: {decode(item) for item in items},
    "f": lambda items: frozenset(decode(item) for item in items),
    "d": lambda items: {decode(key): decode(item) for key, item in items},
    "c": lambda items: complex(*items),
    "b": lambda items: bytes.fromhex(items[0]),
    "r": lambda items: range(*items),
    "i": lambda items: iter([decode(item) for item in items]),
    "o": lambda items: Opaque(str(items[0])),
}
