"""Arms of an experiment: their names and what each one mid-trains on.

| name           | mid-training data, all from ONE pool of attempts                                |
|----------------|---------------------------------------------------------------------------------|
| vanilla        | none: RL starts from the base model                                             |
| star           | one correct plain attempt per problem (STaR)                                    |
| heuristics-N   | one correct attempt per (problem, heuristic) for the first N heuristics         |
| random         | one correct attempt per problem, under one heuristic drawn at random            |
| wrong-N        | as heuristics-N, but attempts with a wrong final answer                         |
| budget-N       | N ways x M/N problems, where M examples is the same for every N                 |
"""

import re
from dataclasses import dataclass
from typing import Literal, cast

Kind = Literal["vanilla", "star", "heuristics", "random", "wrong", "budget"]
NUMBERED = ("heuristics", "wrong", "budget")
PLAIN_KINDS = ("vanilla", "star", "random")


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One data -> mid-train -> RL line. ``ways``: heuristics per problem (0 for vanilla)."""

    name: str
    kind: Kind
    ways: int

    @property
    def midtrains(self) -> bool:
        """Whether this arm has a mid-training stage."""
        return self.kind != "vanilla"


def parse_arm(name: str) -> Arm:
    """``heuristics-8`` -> Arm. Raises ValueError naming the forms that exist."""
    if name in PLAIN_KINDS:
        return Arm(name=name, kind=cast(Kind, name), ways=0 if name == "vanilla" else 1)
    match = re.fullmatch(r"(\w+)-(\d{1,3})", name)
    if match and match[1] in NUMBERED and int(match[2]) >= 1:
        return Arm(name=name, kind=cast(Kind, match[1]), ways=int(match[2]))
    forms = ", ".join([*PLAIN_KINDS, *(f"{kind}-N" for kind in NUMBERED)])
    raise ValueError(f"unknown arm '{name}': write one of {forms} (N = 1, 2, 4, ...)")
