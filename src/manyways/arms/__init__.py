"""The names of arms, and lines. ``kinds.KINDS`` says what each kind of arm mid-trains on.

A length or a round after ``@`` makes a variant. It differs from its parent only in that:

| name               | mid-training                                                                |
|--------------------|-----------------------------------------------------------------------------|
| heuristics-8@25    | 25 optimizer steps, whatever ``[midtrain]`` says                            |
| star@2epochs       | two passes over the arm's examples, as many steps as that takes             |
| star@round2        | goes on from the mid-trained star, on a new pool that it wrote itself       |

A word after ``+`` (``vanilla+entropy``) makes an arm with settings of its own, in the recipe's
table ``[arm."vanilla+entropy"]``.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from manyways.arms.kinds import BY_NAME, KINDS, Kind
from manyways.records import BASE, Checkpoint, line_name, pooled

VANILLA = BY_NAME["vanilla"].name
"""The arm without mid-training: RL alone."""
RL_ALONE = pooled(VANILLA, "rl")
"""The name of RL's checkpoints from the base model, all seeds together."""

_WHOLE = "[1-9][0-9]{0,6}"
_SHARE = rf"(?:0|{_WHOLE})\.[0-9]{{0,3}}[1-9]"
_HEAD = re.compile(rf"(?P<kind>{'|'.join(BY_NAME)})(?:-(?P<ways>[1-9][0-9]{{0,2}}))?")
_VARIANT = re.compile(
    rf"(?:@(?:(?P<steps>{_WHOLE})|(?P<epochs>{_WHOLE}|{_SHARE})epochs))?"
    r"(?:@round(?P<round>[2-9]|[1-9][0-9]))?"
)
_LABEL = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """An arm: its data, its mid-training and its RL, as its name says.

    ways:  the N in the name; 1 for kinds that mid-train and have no N, 0 for vanilla. It is the
           number of heuristics of the pack that the data comes from, and, except for ``matched``,
           the most ways of one problem. For ``distilled`` it is the number of attempts.
    steps, epochs: length of mid-training, if the name gives one; else both None.
    round: round of sampling and mid-training, from 1.
    label: name of its settings, ``entropy`` of ``vanilla+entropy``; '' without settings.
    """

    name: str
    kind: Kind
    ways: int
    steps: int | None = None
    epochs: float | None = None
    round: int = 1
    label: str = ""

    @property
    def midtrains(self) -> bool:
        """Whether this arm has a mid-training stage."""
        return self.kind.pick is not None

    @property
    def parent(self) -> str | None:
        """The arm that this one is a variant of: ``heuristics-8`` of ``heuristics-8@25``.

        For a later round it is the arm of the round before, for an arm with settings the arm
        without them.
        """
        if self.label:
            return self.name.partition("+")[0]
        head, at, _ = self.name.rpartition("@")
        if self.round > 2:
            return f"{head}@round{self.round - 1}"
        return head if at else None

    @property
    def heuristics(self) -> int:
        """The number of heuristics of the pack that it needs."""
        return 0 if self.kind.foreign else self.ways

    @property
    def words(self) -> str:
        """Its training data in words, for the report."""
        said = self.kind.words(self.ways)
        if self.steps:
            said += f"; mid-trained for {self.steps:,} step{'' if self.steps == 1 else 's'}"
        if self.epochs:
            said += f"; mid-trained for {self.epochs:g} epochs"
        if self.round > 1:
            said += f"; round {self.round}, written by the mid-trained {self.parent}, which goes on"
        if self.label:
            said += "; with settings of its own"
        return said

    def as_kind(self, name: str) -> str:
        """The name of the arm of another kind with the same number and variant.

        For ``heuristics-8@25``: ``wrong`` gives ``wrong-8@25``, ``star`` gives ``star@25``.
        """
        number = f"-{self.ways}" if BY_NAME[name].numbered else ""
        return f"{name}{number}{self.suffix}"

    @property
    def suffix(self) -> str:
        """``@25`` for ``heuristics-8@25``; empty for an arm that is no variant."""
        found = re.search(r"[@+].*", self.name)
        return found[0] if found else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One arm with one seed: from data through mid-training to RL."""

    arm: str
    seed: int

    @property
    def name(self) -> str:
        """``star/seed-0``."""
        return line_name(self.arm, self.seed)

    @property
    def before(self) -> "Line | None":
        """The line of the round before, for an arm of a later round."""
        arm = parse_arm(self.arm)
        late = arm.round > 1 and arm.parent is not None
        return Line(arm=str(arm.parent), seed=self.seed) if late else None

    @property
    def distils(self) -> bool:
        """Whether it trains on attempts of another model."""
        return parse_arm(self.arm).kind.foreign

    @property
    def midtrains(self) -> bool:
        """Whether it has a mid-training."""
        return parse_arm(self.arm).midtrains

    @property
    def shows_ways(self) -> bool:
        """Whether it mid-trains on texts that were sampled under heuristics."""
        return parse_arm(self.arm).kind.shows_ways

    @property
    def origin(self) -> Checkpoint:
        """The checkpoint that mid-training starts from: the base, or that of the round before."""
        return self.before.mid if self.before else BASE

    @property
    def mid(self) -> Checkpoint:
        """The checkpoint that mid-training makes."""
        return Checkpoint(arm=self.arm, seed=self.seed, phase="mid")

    @property
    def start(self) -> Checkpoint:
        """The checkpoint that RL starts from: the mid-trained one, or the base without one."""
        return self.mid if self.midtrains else BASE

    @property
    def rl(self) -> Checkpoint:
        """The checkpoint that RL makes."""
        return Checkpoint(arm=self.arm, seed=self.seed, phase="rl")

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """The checkpoints that its trainings make, in order."""
        return (self.mid, self.rl) if self.midtrains else (self.rl,)


def parse_arm(name: str) -> Arm:
    """``heuristics-8`` -> Arm. Raises ValueError with the forms that exist and the nearest name.

    An arm has exactly one spelling, because its name is also the name of its folder.
    """
    base, plus, label = name.partition("+")
    if plus and not _LABEL.fullmatch(label):
        raise ValueError(
            f"'{name}': after + stands one word that names the settings of the arm, small letters, "
            "digits and hyphens, as in vanilla+entropy"
        )
    head, at, rest = base.partition("@")
    arm, found = _parse_head(head, name), _VARIANT.fullmatch(at + rest)
    if arm is None or found is None:
        raise ValueError(_unknown(base))
    if rest and not arm.midtrains:
        raise ValueError(f"'{name}': {arm.kind.name} has no mid-training that could differ")
    if found["round"] and arm.kind.foreign:
        raise ValueError(f"'{name}': rounds are of one's own attempts, not of another model's")
    if found["round"] and label:
        raise ValueError(f"'{name}': an arm of a later round has no settings of its own")
    return replace(
        arm,
        steps=int(found["steps"]) if found["steps"] else None,
        epochs=float(found["epochs"]) if found["epochs"] else None,
        round=int(found["round"] or 1),
        label=label,
    )


def before_rl(arm: str) -> str:
    """The checkpoints that RL of an arm starts from: ``star/mid``, or the base for vanilla."""
    return pooled(arm, "mid") if parse_arm(arm).midtrains else BASE.name


def main_arm(arms: Sequence[Arm]) -> Arm | None:
    """The arm of the main question: the one of most heuristics, or the first that mid-trains.

    Arms that are no variants come before variants. None if no arm mid-trains.
    """
    many = [arm for arm in arms if arm.kind.name == "heuristics"]
    many.sort(key=lambda arm: (arm.parent is not None, -arm.ways))
    return next(iter([*many, *(arm for arm in arms if arm.midtrains)]), None)


def check_arms(arms: Sequence[Arm], *, heuristics: int, distills: bool) -> None:
    """Raise ValueError for the first arm that needs something that the recipe lacks.

    heuristics: the recipe's ``heuristics.count``. distills: whether it has ``[distill]``.
    """
    before: set[str] = set()
    for arm in arms:
        if arm.heuristics > heuristics:
            raise ValueError(
                f"arms: '{arm.name}' needs heuristics.count >= {arm.heuristics}, it is {heuristics}"
            )
        if arm.kind.foreign and not distills:
            raise ValueError(f"arms: '{arm.name}' needs [distill] with attempts or a model")
        if arm.round > 1 and arm.parent not in before:
            raise ValueError(
                f"arms: '{arm.name}' goes on from '{arm.parent}': list that one before it"
            )
        before.add(arm.name)


def ways_needed(names: Iterable[str], *, least: int) -> int:
    """The most heuristics that one of these arms needs, but at least ``least``."""
    found = [least]
    for name in names:
        with suppress(ValueError):
            found.append(parse_arm(name).heuristics)
    return max(found)


def _parse_head(head: str, name: str) -> Arm | None:
    found = _HEAD.fullmatch(head)
    kind = BY_NAME[found["kind"]] if found else None
    if found is None or kind is None or kind.numbered != bool(found["ways"]):
        return None
    ways = int(found["ways"]) if kind.numbered else int(kind.pick is not None)
    return Arm(name=name, kind=kind, ways=ways)


def _unknown(name: str) -> str:
    forms = ", ".join(kind.name + ("-N" if kind.numbered else "") for kind in KINDS)
    head, *variant = name.split("@")
    # The round comes after the length in a name; try that order.
    meant = "@".join([head, *sorted(variant, key=lambda part: part.startswith("ro"))])
    close = difflib.get_close_matches(meant, list(_near(name)), n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return (
        f"unknown arm '{name}': write one of {forms} (N = 1, 2, 4, ...), with @25 after it for 25 "
        "mid-training steps, @2epochs for two epochs, @round2 for a second round, +WORD for "
        f"settings of its own{hint}"
    )


def _near(name: str) -> Iterator[str]:
    """The names of all arms that can be made with the numbers in ``name``."""
    head, at, variant = name.partition("@")
    ways = re.findall("0*([1-9][0-9]{0,2})", head) or ["8"]
    heads = [
        name
        for kind in KINDS
        for name in ([f"{kind.name}-{n}" for n in ways] if kind.numbered else [kind.name])
    ]
    if not at:
        yield from heads
        return
    amounts = [f"{float(n):g}" for n in re.findall(r"[0-9]{1,5}(?:\.[0-9]{1,3})?", variant)]
    lengths = [*amounts, *(f"{n}epochs" for n in amounts if "step" not in variant)]
    rounds = [f"round{n}" for n in amounts]
    both = [f"{length}@{late}" for length in lengths for late in rounds]
    for one in (f"@{each}" for each in (*lengths, *rounds, *both)):
        if _VARIANT.fullmatch(one):
            yield from (f"{head}{one}" for head in heads if head != VANILLA)
