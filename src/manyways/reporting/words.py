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
    """Fixed digits; a minus sign that is not a hyphen, and none before a zero."""
    return NONE if value is None else f"{value:z.{digits}f}".replace("-", "−")


def plus(value: float, digits: int = 2) -> str:
    """``+0.15`` or ``−0.02``; what is rounded to zero has no sign."""
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
    """A score with its interval; a dash where there is none."""
    if score is None:
        return NONE
    low, high = number(score.low, digits), number(score.high, digits)
    return Figure(value=number(score.value, digits), interval=f"{low}, {high}")


def difference(score: Score | None) -> Figure | str:
    """A signed difference with its interval."""
    return signed(score) if score else NONE


def signed(score: Score) -> Figure:
    """A difference with its interval, with as many digits as it takes to see their signs.

    Two, or up to four where an end of the interval would round to zero and is not zero.
    """
    # Without the dust of floating point. Rounded once: a second rounding of 0.0450456 by way of
    # 0.0450 would print 0.04.
    found = [round(v, 9) for v in (score.value, score.low, score.high)]
    ends = [v for v in found[1:] if round(v, 4)]
    digits = next((d for d in (2, 3) if all(round(v, d) for v in ends)), 4)
    value, low, high = (plus(v, digits) for v in found)
    return Figure(value=value, interval=f"{low}, {high}")


def p_value(p: float) -> str:
    """Three decimals; tiny ones as a bound."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def checkpoint_label(name: str) -> str:
    """``star/seed-0/rl`` -> ``star · after RL · seed 0``; what is no checkpoint stays as it is."""
    try:
        checkpoint = Checkpoint.parse(name)
    except ValueError:
        return name
    if checkpoint == BASE:
        return PHASES["base"]
    seed = [] if checkpoint.seed is None else [f"seed {checkpoint.seed}"]
    return " · ".join([checkpoint.arm, PHASES[checkpoint.phase], *seed])


def with_labels(text: str) -> str:
    """``base − star/rl`` -> ``base − star · after RL``: checkpoints are called as in tables.

    What has the same form and is no checkpoint, as a set of problems, stays as it is.
    """
    return _CHECKPOINT.sub(_label, text)


def _label(found: re.Match[str]) -> str:
    return checkpoint_label(found[0]) if arm_words(found["arm"]) else found[0]


def arm_words(name: str) -> str:
    """What an arm mid-trains on, in words; '' for a name that is no arm."""
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
