"""Values over a pipe: the arguments that a test passes to a function, and the result.

Plain data is sent as itself: numbers, strings, bytes, the containers and number types of the
standard library, dates, and iterators as their items. Functions are sent by reference: the other
side gets a stand-in, and a call of it asks this side. An object of any other type arrives as an
``Opaque`` that equals nothing, so an object with a false ``__eq__`` cannot deceive the examiner.
Only if the tests need a class are its objects sent by reference, too.
"""

import builtins
import collections
import datetime
import decimal
import fractions
import itertools
import json
import operator
import struct
import sys
from collections import abc
from collections.abc import Callable
from typing import Any, BinaryIO

Plain = Any
"""A value of built-in types, nested to any depth."""
MAX_FRAME = 8 * 1024 * 1024
MAX_ITEMS = 100_000
"""The most items taken from an iterator, which may be endless."""
MAX_KEPT = 100_000
"""The most objects that one side may lend to the other."""
LONG = 10_000
"""Integers with more bits are sent in base 16: decimal conversion takes quadratic time."""


class Opaque:
    """Stands for a value that cannot be sent."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class Lent:
    """Stands for a function or an object of the other side. It equals only itself."""

    _at: tuple["Peer", int]

    def __init__(self, peer: "Peer", number: int) -> None:
        object.__setattr__(self, "_at", (peer, number))

    def __call__(self, *arguments: Plain, **named: Plain) -> Plain:
        """Call it in its own process."""
        peer, number = self._at
        return peer.call(number, arguments, named)


class LentObject(Lent):
    """A class of the other side, or an object of one."""

    def __getattr__(self, name: str) -> Plain:
        if name.startswith("__") or name == "_at":  # what copying and printing look for
            raise AttributeError(name)
        peer, number = self._at
        return peer.decode(peer.ask(ask="get", of=number, name=name)["value"])

    def __setattr__(self, name: str, value: Plain) -> None:
        peer, number = self._at
        peer.ask(ask="set", of=number, name=name, value=peer.encode(value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LentObject) and bool(_operation("__eq__")(self, other))

    __hash__ = object.__hash__


def _operation(name: str) -> Callable[..., Plain]:
    def operate(self: LentObject, *operands: Plain) -> Plain:
        peer, number = self._at
        arguments = peer.encode(list(operands))
        return peer.decode(peer.ask(ask=name, of=number, arguments=arguments)["value"])

    return operate


OPERATIONS: dict[str, Callable[..., Plain]] = {
    **{f"__{kind.__name__}__": kind for kind in (len, str, repr, iter, bool, abs, next)},
    **{
        name: getattr(operator, name)
        for name in (
            "__eq__", "__lt__", "__le__", "__gt__", "__ge__", "__add__", "__sub__", "__mul__",
            "__truediv__", "__floordiv__", "__mod__", "__pow__", "__neg__", "__and__", "__or__",
            "__xor__", "__contains__", "__getitem__", "__setitem__", "__delitem__",
        )
    },
}  # fmt: skip
"""The operations that operators and built-in functions ask of an object."""
for _name in OPERATIONS.keys() - {"__eq__"}:
    setattr(LentObject, _name, _operation(_name))


class Peer:
    """One end of the pipe. ``serve`` answers requests of the other end.

    objects: whether classes and their objects are sent by reference; else they are opaque.
    """

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self.objects = False
        self._incoming, self._outgoing = incoming, outgoing
        self._kept: list[object] = []
        self._numbers: dict[int, int] = {}
        self._stand_ins: dict[object, Lent] = {}

    def ask(self, **request: Plain) -> dict[str, Any]:
        """Send a request and return its reply. Requests that come meanwhile are answered.

        Raises the exception that the request raised on the other side.
        """
        self.send(request)
        while "ask" in (message := self.receive()):
            self.send(self.serve(message))
        if "raised" in message:
            raise exception(message["raised"])
        return message

    def serve(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to a request. An exception becomes a reply, too."""
        try:
            return self.answer(request)
        except BaseException as error:  # noqa: BLE001 - whatever was raised is the outcome
            return {"raised": describe(error)}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call what this side has lent; other requests raise ValueError."""
        if request["ask"] != "call":
            raise ValueError("only calls are answered")
        function: Any = self.lent(request["of"])
        arguments, named = self.decode(request["arguments"]), self.decode(request["named"])
        return {"value": self.encode(function(*arguments, **named))}

    def call(self, number: int, arguments: tuple[Plain, ...], named: dict[str, Plain]) -> Plain:
        """Call the function that the other side has lent under ``number``."""
        reply = self.ask(
            ask="call", of=number, arguments=self.encode(list(arguments)), named=self.encode(named)
        )
        return self.decode(reply["value"])

    def lend(self, value: object) -> int:
        """The number under which the other side may ask for ``value``."""
        if id(value) not in self._numbers:  # ids stay unique, because lent objects are kept
            if len(self._kept) >= MAX_KEPT:
                raise MemoryError("too many functions were handed over")
            self._numbers[id(value)] = len(self._kept)
            self._kept.append(value)
        return self._numbers[id(value)]

    def lent(self, number: object) -> object:
        """The object that was lent under ``number``. Raises ValueError when there is none."""
        if type(number) is not int or not 0 <= number < len(self._kept):
            raise ValueError("nothing was lent under this number")
        return self._kept[number]

    def send(self, message: dict[str, Any]) -> None:
        """Write one message."""
        body = json.dumps(message).encode()
        self._outgoing.write(struct.pack(">I", len(body)) + body)
        self._outgoing.flush()

    def receive(self) -> dict[str, Any]:
        """Read one message.

        Raises EOFError when the other side is gone and ValueError when it sends nonsense.
        """
        header = self._incoming.read(4)
        if len(header) < 4:
            raise EOFError("the other side is gone")
        (size,) = struct.unpack(">I", header)
        if size > MAX_FRAME:
            raise ValueError(f"a message of {size} bytes")
        body = self._incoming.read(size)
        if len(body) < size:
            raise EOFError("the other side is gone")
        message = json.loads(body)
        if not isinstance(message, dict):
            raise ValueError("not a message")
        return message

    def encode(self, value: Plain) -> Plain:
        """``value`` as JSON: scalars as they are, everything else as ``[tag, ...]``."""
        if isinstance(value, Lent):
            return ["y", value._at[1]]
        if value is None or isinstance(value, bool | int | float | str):
            return _scalar(value)
        for kind, tag, parts in _PARTS:
            if isinstance(value, kind):
                return [tag, *parts(value)]
        for kind, tag in _COLLECTIONS:
            if isinstance(value, kind):
                items = itertools.islice(value, MAX_ITEMS if tag == "i" else None)
                return [tag, *map(self.encode, items)]
        for kind, tag in _MAPPINGS:
            if isinstance(value, kind):
                return [tag, *([self.encode(k), self.encode(item)] for k, item in value.items())]
        return self.refer(value)

    def refer(self, value: object) -> Plain:
        """How a value that is no plain data is sent: by reference, by name or as opaque."""
        if isinstance(value, type) and value in vars(builtins).values():
            return ["k", value.__name__]
        if callable(value):
            return ["x", self.lend(value)]
        return ["o", type(value).__name__]

    def decode(self, value: Plain) -> Plain:
        """The value that ``encode`` was given. Raises ValueError on anything else."""
        if not isinstance(value, list):
            if isinstance(value, dict):
                raise ValueError("not an encoded value")
            return value
        if not value or not isinstance(value[0], str):
            raise ValueError("not an encoded value")
        tag, items = value[0], value[1:]
        if tag in _COLLECTED:
            return _COLLECTED[tag](self.decode(item) for item in items)
        if tag in _COLLECTED_PAIRS:
            pairs = ((self.decode(key), self.decode(item)) for key, item in items)
            return _COLLECTED_PAIRS[tag](pairs)
        if tag in _MADE:
            return _MADE[tag](*items)
        if tag == "y":
            return self.lent(items[0])
        if tag == "x" or (tag == "X" and self.objects):
            kind = LentObject if tag == "X" else Lent
            return self._stand_ins.setdefault((tag, items[0]), kind(self, items[0]))
        raise ValueError("not an encoded value")


def _scalar(value: Plain) -> Plain:
    """The plain value, also of a subclass, whose methods may lie."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() <= LONG else ["n", hex(value)]
    return str(value) if isinstance(value, str) else float(value)


def limit(limits: dict[str, int]) -> None:
    """Set hard limits before anything of the program is read. Lower limits stay."""
    import resource

    sys.set_int_max_str_digits(0)  # no limit: that on CPU time bounds long numbers, too
    for name, value in limits.items():
        which = getattr(resource, f"RLIMIT_{name}", None)
        if which is not None:
            _, hard = resource.getrlimit(which)
            least = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(which, (least, least))


def describe(error: BaseException) -> list[str]:
    """[the error's type, its message]. Its ``__str__`` may fail, too."""
    try:
        return [type(error).__name__, str(error)[:300]]
    except BaseException:  # noqa: BLE001
        return [type(error).__name__, ""]


def exception(raised: list[str]) -> BaseException:
    """The built-in exception of the same name, so that tests can expect it."""
    name, words = (str(part) for part in raised)
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(words)
        except TypeError:  # UnicodeDecodeError and its like want more arguments
            pass
    return RuntimeError(f"{name}: {words}")


def _builtin_type(name: str) -> type:
    kind = getattr(builtins, name, None)
    if not isinstance(kind, type):
        raise ValueError("not an encoded value")
    return kind


_COLLECTIONS: tuple[tuple[Any, str], ...] = (
    (list, "l"), (tuple, "t"), (set, "s"), (frozenset, "f"), (collections.deque, "q"),
    ((abc.Iterator, abc.KeysView, abc.ValuesView, abc.ItemsView), "i"),
)  # fmt: skip
_MAPPINGS: tuple[tuple[Any, str], ...] = (
    (collections.Counter, "C"), (collections.OrderedDict, "O"), (dict, "d"),
)  # fmt: skip
_PARTS: tuple[tuple[Any, str, Callable[[Any], list[Any]]], ...] = (
    (complex, "c", lambda v: [v.real, v.imag]),
    ((bytes, bytearray), "b", lambda v: [bytes(v).hex()]),
    (range, "r", lambda v: [hex(part) for part in (v.start, v.stop, v.step)]),
    (decimal.Decimal, "D", lambda v: [str(v)]),
    (fractions.Fraction, "F", lambda v: [hex(v.numerator), hex(v.denominator)]),
    (datetime.datetime, "dt", lambda v: [*v.timetuple()[:6], v.microsecond]),
    (datetime.date, "da", lambda v: list(v.timetuple()[:3])),
    (datetime.timedelta, "td", lambda v: [v.days, v.seconds, v.microseconds]),
)
_COLLECTED: dict[str, Callable[..., Any]] = {
    "l": list, "t": tuple, "s": set, "f": frozenset, "q": collections.deque,
    "i": lambda items: iter(list(items)),
}  # fmt: skip
_COLLECTED_PAIRS: dict[str, Callable[..., Any]] = {
    "d": dict, "O": collections.OrderedDict,
    "C": lambda pairs: collections.Counter(dict(pairs)),
}  # fmt: skip
_MADE: dict[str, Callable[..., Any]] = {
    "n": lambda digits: int(digits, 16),
    "c": complex,
    "b": bytes.fromhex,
    "r": lambda *parts: range(*(int(part, 16) for part in parts)),
    "D": decimal.Decimal,
    "F": lambda above, below: fractions.Fraction(int(above, 16), int(below, 16)),
    "dt": datetime.datetime,
    "da": datetime.date,
    "td": datetime.timedelta,
    "k": _builtin_type,
    "o": lambda *parts: Opaque(str(parts[0])),
}
