"""Arms of an experiment: their names and what each one mid-trains on.

| name           | mid-training data, all from ONE pool of attempts                                |
|----------------|---------------------------------------------------------------------------------|
| vanilla        | none: RL starts from the base model                                             |
| star           | one correct plain attempt per problem (STaR)                                    |
| heuristics-N   | one correct attempt per (problem, heuristic) for the first N heuristics         |
| random         | one correct attempt per problem, under one heuristic drawn at random            |
| matched-N      | one way per problem, repeated: problems and heuristics as often as heuristics-N |
| wrong-N        | as heuristics-N, but attempts with a wrong final answer                         |
| budget-N       | N ways x M/N problems, where M examples is the same for every N                 |

A length after ``@`` makes a variant, which differs from the arm before it in that alone:

| name               | mid-training                                                                |
|--------------------|-----------------------------------------------------------------------------|
| heuristics-8@25    | 25 optimizer steps, whatever ``[midtrain]`` says                            |
| star@2epochs       | two passes over the arm's examples, as many steps as that takes             |
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

Kind = Literal["vanilla", "star", "heuristics", "random", "matched", "wrong", "budget"]
NUMBERED = ("heuristics", "matched", "wrong", "budget")
PLAIN_KINDS = ("vanilla", "star", "random")

_WHOLE = "[1-9][0-9]{0,6}"
_SHARE = rf"(?:0|{_WHOLE})\.[0-9]{{0,3}}[1-9]"
_HEAD = re.compile(
    rf"(?P<plain>{'|'.join(PLAIN_KINDS)})|(?P<kind>{'|'.join(NUMBERED)})-(?P<ways>[1-9][0-9]{{0,2}})"
)
_LENGTH = re.compile(rf"(?P<steps>{_WHOLE})|(?P<epochs>{_WHOLE}|{_SHARE})epochs")


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One data -> mid-train -> RL line.

    ways: the N of the name; 1 for ``star`` and ``random``, 0 for vanilla. Heuristics of the pack
          that the arm's data is drawn from, and but for ``matched`` the most that one problem has.
    steps, epochs: of mid-training where the name says, else both None.
    """

    name: str
    kind: Kind
    ways: int
    steps: int | None = None
    epochs: float | None = None

    @property
    def midtrains(self) -> bool:
        """Whether this arm has a mid-training stage."""
        return self.kind != "vanilla"

    @property
    def parent(self) -> str | None:
        """The arm that this one is a variant of: ``heuristics-8`` of ``heuristics-8@25``."""
        head, at, _ = self.name.rpartition("@")
        return head if at else None

    @property
    def suffix(self) -> str:
        """``@25`` of ``heuristics-8@25``; empty for an arm that is no variant."""
        _, at, length = self.name.partition("@")
        return at + length


def parse_arm(name: str) -> Arm:
    """``heuristics-8`` -> Arm. Raises ValueError naming the forms that exist and the nearest one.

    Every arm has one spelling alone, because its name is the name of its folder.
    """
    head, at, length = name.partition("@")
    arm = _parse_head(head, name)
    found = _LENGTH.fullmatch(length)
    if arm is None or (at and not found):
        raise ValueError(_unknown(name))
    if found and not arm.midtrains:
        raise ValueError(f"'{name}': vanilla has no mid-training whose length could differ")
    steps, epochs = (found["steps"], found["epochs"]) if found else (None, None)
    return Arm(
        name=name,
        kind=arm.kind,
        ways=arm.ways,
        steps=int(steps) if steps else None,
        epochs=float(epochs) if epochs else None,
    )


def _parse_head(head: str, name: str) -> Arm | None:
    found = _HEAD.fullmatch(head)
    if found is None:
        return None
    if found["plain"]:
        ways = 0 if head == "vanilla" else 1
        return Arm(name=name, kind=cast(Kind, head), ways=ways)
    return Arm(name=name, kind=cast(Kind, found["kind"]), ways=int(found["ways"]))


def _unknown(name: str) -> str:
    forms = ", ".join([*PLAIN_KINDS, *(f"{kind}-N" for kind in NUMBERED)])
    close = difflib.get_close_matches(name, list(_near(name)), n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return (
        f"unknown arm '{name}': write one of {forms} (N = 1, 2, 4, ...), with @25 after it for 25 "
        f"mid-training steps or @2epochs for two epochs{hint}"
    )


def _near(name: str) -> Iterator[str]:
    """Every arm that can be named with the numbers in ``name``."""
    head, at, length = name.partition("@")
    ways = re.findall("0*([1-9][0-9]{0,2})", head) or ["8"]
    heads = [*PLAIN_KINDS, *(f"{kind}-{n}" for kind in NUMBERED for n in ways)]
    if not at:
        yield from heads
        return
    amounts = [f"{float(n):g}" for n in re.findall(r"[0-9]{1,5}(?:\.[0-9]{1,3})?", length)]
    lengths = [*amounts, *(f"{n}epochs" for n in amounts if "step" not in length)]
    for one in (each for each in lengths if _LENGTH.fullmatch(each)):
        yield from (f"{head}@{one}" for head in heads if head != "vanilla")
