"""What a forecast consists of, as ``RUN/forecast.json`` keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from manyways.tables import write_text

FILE = "forecast.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """Sampling one kind of prompt, measured in a small and a larger batch.

    seconds:     of n attempts: ``fixed`` for each batch + n x ``each``.
    full:        attempts in a full batch of the engine.
    tokens, prompt_tokens: means over attempts. truncated: share cut off at the limit.
    """

    attempts: int
    fixed: float
    each: float
    full: int
    tokens: float
    prompt_tokens: float
    truncated: float
    correct: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """The numbers that a forecast rests on.

    opening:    seconds to open the engine. verdict, label: seconds for each attempt.
    starting:   seconds, once in a run: the first batch warming up, the verifier's workers.
    midtrain_*, rl_*: seconds of one step, and of what is done once.
    ratio:      tokens of attempts under heuristics over those of plain ones, at least 1.
    took:       seconds that measuring took.
    """

    sampled: Mapping[str, Sampled]
    opening: float
    starting: float
    verdict: float
    label: float
    midtrain_step: float
    midtrain_once: float
    rl_step: float
    rl_once: float
    ratio: float
    attempt_bytes: float
    took: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What one piece of work is expected to cost; None where nothing was measured."""

    work: str
    stage: str
    attempts: int
    tokens: float | None
    seconds: float | None
    disk: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """A forecast of a whole recipe.

    peak: bytes on disk beyond the run's own while a training keeps its own checkpoints.
    """

    name: str
    made: float
    rows: list[Expected]
    measured: Measured | None
    peak: float | None
    versions: dict[str, str] = field(default_factory=dict)


_ADAPTER = TypeAdapter(Forecast)


def write_forecast(path: Path, forecast: Forecast) -> None:
    """Keep a forecast."""
    write_text(path, _ADAPTER.dump_json(forecast, indent=1).decode())


def read_forecast(path: Path) -> Forecast | None:
    """The forecast that was kept, None when none was."""
    return _ADAPTER.validate_json(path.read_bytes()) if path.is_file() else None
