"""Progress of sampling: attempts that run and have ended, tokens per second, and the time left.

The model of lengths is a log-normal distribution that is cut off at the token limit. Running
attempts are censored observations in its fit (Tanner 1996, "Tools for statistical inference",
section 4.1): short attempts end first, so their mean alone would be too small. A step of the model
costs a fixed time, and a time for each attempt in it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from manyways.engines import Ended, Event
from manyways.progress import Meter, Metered, duration

SPREAD, TRUST = 0.5, 8.0
"""Prior of the standard deviation of log lengths, and its weight in attempts."""
FIXED = 0.5
"""Prior of the share of a step's time that does not depend on the number of attempts."""
GRID = 65
"""Points of a numerical integral."""
ENOUGH = 2000
"""With more ended attempts than this, only every n-th one is used in a fit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """The distribution of an attempt's tokens: log-normal, cut off at ``most``.

    Example: ``Lengths(mean=5.0, spread=0.5, most=512)`` has a median of 148 tokens.

    mean, spread: mean and standard deviation of the logarithm.
    """

    mean: float
    spread: float
    most: int

    def left(self, sampled: Sequence[int]) -> np.ndarray:
        """Expected further tokens of attempts with ``sampled`` tokens so far; the same shape.

        It is the integral of the survival function from ``sampled`` to ``most``, divided by its
        value at ``sampled``.
        """
        begun = np.clip(np.asarray(sampled, dtype=float), 0.5, self.most)
        share = np.linspace(0.0, 1.0, GRID)
        grid = begun[:, None] + (self.most - begun)[:, None] * share
        log_survival = self._log_survival(grid)
        survival = np.exp(log_survival - log_survival[:, :1])
        return np.asarray(np.trapezoid(survival, grid, axis=1))

    def longest(self, sampled: Sequence[int]) -> float:
        """About how many further tokens the longest of these attempts needs.

        It is the number of tokens after which the expected number of running attempts is 0.5.
        """
        begun = np.clip(np.asarray(sampled, dtype=float), 0.5, self.most)
        now = self._log_survival(begun)
        low, high = 0.0, float(self.most - begun.min())
        while high - low > 1.0:
            middle = (low + high) / 2
            ends = begun + middle
            going = np.exp(self._log_survival(ends) - now)[ends < self.most].sum()
            low, high = (middle, high) if going > 0.5 else (low, middle)
        return high

    def _log_survival(self, tokens: np.ndarray) -> np.ndarray:
        from scipy.special import log_ndtr

        return np.asarray(log_ndtr((self.mean - np.log(tokens)) / self.spread))


def fit(ended: Sequence[int], censored: Sequence[int], most: int) -> Lengths | None:
    """Fit the distribution by EM; None while no attempt has ended by itself.

    ended:    tokens of attempts that ended by themselves.
    censored: tokens of attempts that run, or that were cut off at ``most``.
    """
    from scipy.special import log_ndtr

    if not len(ended):
        return None
    step = 1 + len(ended) // ENOUGH
    events = np.log(np.maximum(np.asarray(ended[::step], dtype=float), 1.0))
    limits = np.log(np.maximum(np.asarray(censored[::step], dtype=float), 1.0))
    count = len(events) + len(limits)
    mean, spread = float(np.concatenate([events, limits]).mean()), SPREAD
    for _ in range(300):
        above = (limits - mean) / spread
        hazard = np.exp(-0.5 * above**2 - log_ndtr(-above)) / np.sqrt(2 * np.pi)
        first = mean + spread * hazard
        second = mean**2 + spread**2 + spread * hazard * (limits + mean)
        new = float((events.sum() + first.sum()) / count)
        squares = float((events**2).sum() + second.sum()) - count * new**2
        wide = float(np.sqrt((squares + TRUST * SPREAD**2) / (count + TRUST)))
        moved = abs(new - mean) + abs(wide - spread)
        mean, spread = new, wide
        if moved < 1e-4:
            break
    return Lengths(mean=mean, spread=spread, most=most)


@dataclass(kw_only=True)
class Pace:
    """Observes a stream of attempts and estimates the time left.

    total: number of attempts in the stream.
    most:  token limit of an attempt.
    """

    total: int
    most: int
    clock: Callable[[], float] = time.monotonic
    ended: list[int] = field(default_factory=list)
    cut_off: int = 0
    sampled: int = 0
    running: int = 0
    begun: int = 0
    tokens: Callable[[], Sequence[int]] = tuple
    _began: float = 0.0
    _last: float = 0.0
    _starting: float = 0.0
    _sums: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))
    _right: np.ndarray = field(default_factory=lambda: np.zeros(2))

    def __post_init__(self) -> None:
        self._began = self._last = self.clock()

    def end(self, tokens: int, *, cut_off: bool) -> None:
        """Note that an attempt ended, by itself or at the limit."""
        self.sampled += tokens
        if cut_off:
            self.cut_off += 1
        else:
            self.ended.append(tokens)

    def step(self, running: int, begun: int, tokens: Callable[[], Sequence[int]]) -> None:
        """Note a ``Going`` event. The time since the last one belongs to this step."""
        now = self.clock()
        if begun:
            self._starting += now - self._last
            self.begun += begun
        elif self.running:
            row = np.array([1.0, self.running])
            self._sums += np.outer(row, row)
            self._right += row * (now - self._last)
        self._last, self.running, self.tokens = now, running, tokens

    @property
    def finished(self) -> int:
        """Number of attempts that ended, by themselves or at the limit."""
        return len(self.ended) + self.cut_off

    @property
    def rate(self) -> float:
        """Tokens per second so far, including those of running attempts."""
        sampled = self.sampled + sum(self.tokens())
        return sampled / max(self.clock() - self._began, 1e-9)

    def left(self) -> float | None:
        """Seconds left; None while nothing is known. An upper bound while no attempt has ended."""
        sampled = list(self.tokens())
        if not sampled:
            done, spent = self.finished, self.clock() - self._began
            return (self.total - done) * spent / done if done else None
        if not self._sums.any():
            return None
        lengths = fit(self.ended, sampled + [self.most] * self.cut_off, self.most)
        # While none has ended, every attempt may run to its limit.
        lengths = lengths or Lengths(mean=np.log(1e6 * self.most), spread=1.0, most=self.most)
        waiting = max(0, self.total - self.finished - len(sampled))
        running = lengths.left(sampled)
        tokens = float(running.sum() + waiting * lengths.left([0])[0])
        drain = max(0.0, lengths.longest(sampled) - float(running.mean()))
        fixed, each = self._step_time()
        start = self._starting / self.begun if self.begun else 0.0
        return fixed * (tokens / len(sampled) + drain) + each * tokens + start * waiting

    def _step_time(self) -> tuple[float, float]:
        """(fixed seconds of a step, seconds for each attempt in it), neither negative.

        By least squares with one prior observation: the fixed time is ``FIXED`` of the mean step.
        """
        (steps, _), (_, squares) = self._sums
        if not steps:
            return 0.0, 0.0
        mean = self._right[0] / steps
        prior = np.array([[1.0, 0.0], [0.0, 1e-9]])
        thought = np.array([FIXED * mean, 0.0])
        fixed, each = np.linalg.solve(self._sums + prior, self._right + thought)
        if each < 0:
            return float(mean), 0.0
        return (float(fixed), float(each)) if fixed >= 0 else (0.0, float(self._right[1] / squares))


class SamplingMeter(Metered):
    """Shows the progress of ``Engine.stream``. Use as a context manager.

    Example: ``with SamplingMeter("generate", total=40, most=512) as meter: meter.take(event)``.

    total, most: see ``Pace``. The stage itself reports the results.
    """

    def __init__(
        self, label: str, *, total: int, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._meter = Meter(label, total=total, unit="attempts", summary=False, clock=clock)
        self._pace = Pace(total=total, most=most, clock=clock)

    def take(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, Ended):
            self.end(event.completion.tokens, cut_off=event.completion.finish == "length")
        else:
            self.step(event.running, event.begun, event.tokens)

    def end(self, tokens: int, *, cut_off: bool) -> None:
        """Count an attempt that ended, by itself or at the limit."""
        self._pace.end(tokens, cut_off=cut_off)
        self._meter.count(1, tokens=tokens)

    def step(self, running: int, begun: int, tokens: Callable[[], Sequence[int]]) -> None:
        """Note that the engine is working, with the fields of ``Going``."""
        self._pace.step(running, begun, tokens)
        self._meter.pulse(self._state)

    def _state(self) -> str:
        pace = self._pace
        words = [f"{pace.running} running"] if pace.running else []
        words.append(f"{pace.rate:,.0f} tokens/s")
        left = pace.left()
        if left is not None:
            # While none has ended by itself, every attempt may run to its limit.
            words.append(f"{'about' if pace.ended else 'at most'} {duration(left)} left")
        return ", ".join(words)
