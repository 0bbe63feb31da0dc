"""How the report writes numbers and names."""

import re
from collections.abc import Iterable

from manyways.arms import parse_arm
from manyways.records import BASE, Checkpoint, Score
from manyways.reporting import Figure

NONE = "–"
_CHECKPOINT = re.compile(r"(?<![\w/])(?P<arm>[a-z][a-z0-9@.+-]*)(?:/seed-\d+)?/(?:mid|rl)(?![\w/])")
PHASES = {"base": "base model", "mid": "mid-trained", "rl": "after RL"}


def percent(value: float | None, digits: int = 1) -> str:
    """0.531 -> ``53.1%``."""
    return NONE if value is None else f"{100 * value:.{digits}f}%"


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed digits and a true minus sign. Zero has no sign."""
    return NONE if value is None else f"{value:z.{digits}f}".replace("-", "−")


def plus(value: float, digits: int = 2) -> str:
    """``+0.15`` or ``−0.02``; a value that rounds to zero has no sign."""
    text = number(value, digits)
    return text if text.startswith("−") or not float(text) else f"+{text}"


def count(value: float) -> str:
    """12345 -> ``12,345``."""
    return f"{value:,.0f}"


def duration(seconds: float) -> str:
    """4000 -> ``1 h 06 min``."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def quantity(score: Score | None, digits: int = 2) -> Figure | str:
    """A score with its interval; a dash if there is none."""
    if score is None:
        return NONE
    low, high = number(score.low, digits), number(score.high, digits)
    return Figure(value=number(score.value, digits), interval=f"{low}, {high}")


def difference(score: Score | None) -> Figure | str:
    """A difference with its sign and interval; a dash if there is none."""
    return signed(score) if score else NONE


def signed(score: Score) -> Figure:
    """A difference with its interval, with enough digits to see all signs.

    Two digits; up to four if an end of the interval is not zero but would round to zero.
    """
    # This removes errors of floating point. Printing must round only once more: if 0.0450456 became
    # 0.0450 first, it would print as 0.04.
    found = [round(v, 9) for v in (score.value, score.low, score.high)]
    ends = [v for v in found[1:] if round(v, 4)]
    digits = next((d for d in (2, 3) if all(round(v, d) for v in ends)), 4)
    value, low, high = (plus(v, digits) for v in found)
    return Figure(value=value, interval=f"{low}, {high}")


def p_value(p: float) -> str:
    """Three decimals; ``<0.001`` for smaller ones."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def checkpoint_label(name: str) -> str:
    """``star/seed-0/rl`` -> ``star · after RL · seed 0``; other names stay unchanged."""
    try:
        checkpoint = Checkpoint.parse(name)
    except ValueError:
        return name
    if checkpoint == BASE:
        return PHASES["base"]
    seed = [] if checkpoint.seed is None else [f"seed {checkpoint.seed}"]
    return " · ".join([checkpoint.arm, PHASES[checkpoint.phase], *seed])


def with_labels(text: str) -> str:
    """``base − star/rl`` -> ``base − star · after RL``: the labels of checkpoints, as in tables.

    Names of the same form that are no checkpoints, such as problem sets, stay unchanged.
    """
    return _CHECKPOINT.sub(_label, text)


def _label(found: re.Match[str]) -> str:
    return checkpoint_label(found[0]) if arm_words(found["arm"]) else found[0]


def arm_words(name: str) -> str:
    """What an arm is mid-trained on, in words; "" for a name that is no arm."""
    try:
        return parse_arm(name).words
    except ValueError:
        return ""


def listing(words: Iterable[str]) -> str:
    """``a, b and c``."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def plural(amount: int, noun: str) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"
