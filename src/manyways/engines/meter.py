"""Progress of sampling: attempts that run and ended, tokens per second, and the time left.

Lengths of attempts follow a log-normal distribution cut off at the token limit, fitted with the
running attempts as censored observations (Tanner 1996, "Tools for statistical inference", section
4.1): the first to end are the short ones, and their mean alone would promise too much. A step of
the model costs a fixed time and a time for each attempt in it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from manyways.engines import Ended, Event
from manyways.progress import Meter, Metered, duration

SPREAD, TRUST = 0.5, 8.0
"""What the standard deviation of log lengths is thought to be, and worth how many attempts."""
FIXED = 0.5
"""The share of a step's time that is thought not to depend on how many attempts are in it."""
GRID = 65
ENOUGH = 2000
"""Ended attempts of which no more are looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """The distribution of an attempt's tokens: the exponential of a normal one, at most ``most``.

    Example: ``Lengths(mean=5.0, spread=0.5, most=512)`` has a median of 148 tokens.
    """

    mean: float
    spread: float
    most: int

    def left(self, sampled: Sequence[int]) -> np.ndarray:
        """Expected further tokens of attempts that have ``sampled`` so far; shape of ``sampled``.

        The integral of the survival function from there to ``most``, over that at the start.
        """
        begun = np.clip(np.asarray(sampled, dtype=float), 0.5, self.most)
        share = np.linspace(0.0, 1.0, GRID)
        grid = begun[:, None] + (self.most - begun)[:, None] * share
        log_survival = self._log_survival(grid)
        survival = np.exp(log_survival - log_survival[:, :1])
        return np.asarray(np.trapezoid(survival, grid, axis=1))

    def longest(self, sampled: Sequence[int]) -> float:
        """About how many further tokens the last of these attempts will need.

        The number at which half an attempt is expected to be left.
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
    """The most probable distribution given tokens of attempts; None while none ended by itself.

    By EM over the lengths of censored attempts. censored: tokens of attempts that run, or were cut
    off at ``most``.
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
    """What is known of a stream of attempts so far, and the time left that follows from it.

    total: attempts of the stream.  most: tokens at which an attempt is cut off.
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
        """An attempt ended, by itself or at the limit."""
        self.sampled += tokens
        if cut_off:
            self.cut_off += 1
        else:
            self.ended.append(tokens)

    def step(self, running: int, begun: int, tokens: Callable[[], Sequence[int]]) -> None:
        """The engine gave a sign of life; the time since the last one belongs to it."""
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
        """Attempts that ended, in whatever way."""
        return len(self.ended) + self.cut_off

    @property
    def rate(self) -> float:
        """Sampled tokens per second so far, those of running attempts included."""
        sampled = self.sampled + sum(self.tokens())
        return sampled / max(self.clock() - self._began, 1e-9)

    def left(self) -> float | None:
        """Seconds left; None while nothing is known, at most that many while no attempt ended."""
        sampled = list(self.tokens())
        if not sampled:
            return self._left_by_count()
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

    def _left_by_count(self) -> float | None:
        if not self.finished:
            return None
        return (self.total - self.finished) * (self.clock() - self._began) / self.finished

    def _step_time(self) -> tuple[float, float]:
        """Seconds of a step, and more of it for each attempt in it, neither negative.

        Least squares; one observation more says that ``FIXED`` of the mean step is for no attempt.
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
    """Shows what ``Engine.stream`` tells. Use as a context manager.

    Example: ``with SamplingMeter("generate", total=40, most=512) as meter: meter.take(event)``.

    total, most: as ``Pace``. What came of the attempts is for their stage to say.
    """

    def __init__(
        self,
        label: str,
        *,
        total: int,
        most: int,
        clock: Callable[[], float] = time.monotonic,
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
        """As ``Going``."""
        self._pace.step(running, begun, tokens)
        self._meter.pulse(self._state)

    def _state(self) -> str:
        pace = self._pace
        words = [f"{pace.running} running"] if pace.running else []
        words.append(f"{pace.rate:,.0f} tokens/s")
        left = pace.left()
        if left is not None:
            # While none has ended by itself, each is taken to run to its limit.
            words.append(f"{'about' if pace.ended else 'at most'} {duration(left)} left")
        return ", ".join(words)
