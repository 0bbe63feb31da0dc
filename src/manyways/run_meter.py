"""The progress bar of a whole run: how many pieces are done, and about how long the rest takes."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from manyways.progress import Meter, Metered, duration
from manyways.run_dir import Amount, RunDir


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """Seconds of the work that is left. ``whole``: False if some of it cannot be estimated yet."""

    seconds: float
    whole: bool


def remaining(
    todo: Iterable[Amount],
    every: Sequence[Amount],
    *,
    took: Mapping[str, float],
    expected: Mapping[str, float],
) -> Left:
    """Estimate how long ``todo`` will take, from the finished pieces of the same stage.

    Within a stage, time is proportional to a piece's size: its steps, or else its attempts, or 1.
    For a stage without a finished piece the estimate is ``expected``. Sampling that is not in
    ``expected`` goes at the pace of other sampling, by its bound of tokens.

    took, expected: seconds by the name of a piece.
    """
    paces = _paces((one.stage, _size(one), took[one.work]) for one in every if one.work in took)
    # Trainings sample too, but their time is mostly that of their steps.
    samples = [one for one in every if one.work in took and one.prompts and not one.steps]
    sampling = _paces(("", one.bound, took[one.work]) for one in samples).get("")
    seconds, whole = 0.0, True
    for one in todo:
        if one.stage in paces:
            seconds += paces[one.stage] * _size(one)
        elif one.work in expected:
            seconds += expected[one.work]
        elif sampling is not None and one.prompts and not one.steps:
            seconds += sampling * one.bound
        else:
            whole = whole and one.stage in QUICK
    return Left(seconds=seconds, whole=whole)


QUICK = ("select", "analyse", "report")
"""Stages that take seconds while others take minutes; the estimate may leave them out."""


def _size(one: Amount) -> int:
    return one.steps or one.attempts or 1


def _paces(done: Iterable[tuple[str, int, float]]) -> dict[str, float]:
    """Seconds for each unit of size, by name."""
    sums: dict[str, tuple[int, float]] = {}
    for name, size, seconds in done:
        sizes, spent = sums.get(name, (0, 0.0))
        sums[name] = sizes + size, spent + seconds
    return {name: spent / sizes for name, (sizes, spent) in sums.items() if sizes}


class RunMeter(Metered):
    """Shows how far a run is. Use as a context manager.

    Example: ``with RunMeter("smoke", run, pieces, expected={}) as meter: with
    meter.piece("rl/star/seed-0"): ...``.

    pieces:   name of a step -> its amounts.
    expected: name of a piece of work -> seconds, from a forecast; empty without one.
    jobs:     how many steps run at once.
    """

    def __init__(
        self,
        name: str,
        run: RunDir,
        pieces: Mapping[str, Sequence[Amount]],
        *,
        expected: Mapping[str, float],
        jobs: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._expected, self._jobs, self._clock = run, expected, jobs, clock
        self._every = [one for amounts in pieces.values() for one in amounts]
        self._todo = dict(pieces)
        self._now: str | None = None
        self._meter = Meter(
            name, total=len(pieces), unit="pieces of work", state=self._words, clock=clock
        )
        self._look()

    @contextmanager
    def piece(self, name: str) -> Iterator[None]:
        """While in this context, work on the piece. It counts as passed at the end, even failed."""
        self._now = name
        self._estimate()
        try:
            yield
        finally:
            self.passed([name])

    def passed(self, names: Iterable[str]) -> None:
        """Count pieces that are finished, or that will be left out."""
        gone = [name for name in names if self._todo.pop(name, None) is not None]
        self._now = None
        self._look()
        self._meter.advance(len(gone))

    def _look(self) -> None:
        """Read which pieces are finished, and estimate again."""
        self._took = {stamp.work: stamp.seconds for stamp in self._run.stamps()}
        self._estimate()

    def _estimate(self) -> None:
        self._since = self._clock()
        self._piece, self._rest = (
            remaining(
                (one for name, amounts in self._todo.items() for one in amounts
                 if (name == self._now) is current),
                self._every, took=self._took, expected=self._expected,
            )
            for current in (True, False)
        )  # fmt: skip

    def _words(self) -> str:
        """``about 3 min left``; ``at least`` while some stage cannot be estimated."""
        elapsed = self._clock() - self._since
        seconds = self._rest.seconds / self._jobs
        # A piece that takes longer than expected must not shorten the estimate of the others.
        if self._now is None:
            seconds = max(0.0, seconds - elapsed)
        seconds += max(0.0, self._piece.seconds - elapsed)
        whole = self._piece.whole and self._rest.whole
        if not whole and not seconds:
            return ""
        return f"{'about' if whole else 'at least'} {duration(seconds)} left"
