"""Rows of the result tables about training: gate, curves, arms, costs. See ``results.tables``."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class GateRow:
    """Measurements of the gate on one checkpoint, and what it decided."""

    checkpoint: str
    arm: str
    seed: int
    attempts: int
    stop: float
    no_answer: float
    undecided: float
    passed: float
    all_right: float
    all_wrong: float
    mixed: float
    switch: float | None
    effective: float
    decision: Literal["fit", "refused", "overridden"]
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CurveRow:
    """One logged step of training. ``stage``: midtrain or rl; absent measurements are None."""

    arm: str
    seed: int
    stage: Literal["midtrain", "rl"]
    step: int
    loss: float | None = None
    reward: float | None = None
    mixed: float | None = None
    all_right: float | None = None
    all_wrong: float | None = None
    entropy: float | None = None
    length: float | None = None
    truncated: float | None = None
    undecided: float | None = None
    composed: float | None = None
    seconds: float | None = None
    openings: dict[str, tuple[int, int]] | None = None
    """Heuristic -> how many labelled attempts open with it, how many of these are correct."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmRow:
    """What one (arm, seed) was trained on, and how far it came.

    epochs: passes over its examples in mid-training, None where it has not trained.
    """

    arm: str
    seed: int
    examples: int
    problems: int
    ways: float
    midtrain_steps: int
    rl_steps: int
    outcome: str
    """``complete``, or the sentence that says why it stopped."""
    epochs: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CostRow:
    """Seconds and tokens of one piece of work."""

    work: str
    seconds: float
    attempts: int
    tokens: int
