"""What a run spends on anything but sampling, judging and training.

    python bench/bookkeeping.py [recipes/pocket.toml] [--set A.B=C ...] [--out FILE]

The recipe is run in this process with a clock around every call that samples (the engine's), judges
(the judge's), trains (the trainers' own loop) and asks a model for probabilities. A clock inside a
clock counts for itself alone, so the parts add up to the whole. Apart stand imports of libraries,
which are start-up, and loading models; all that is left is bookkeeping: prompts, seeds, parts,
stamps, selection, analysis, report.
"""

import argparse
import builtins
import importlib
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
WORK = ("sampling", "judging", "training", "token probabilities")
CLOCKED = {
    "manyways.engines.transformers:TransformersEngine.__init__": "loading models",
    "manyways.verifiers.verdicts:Verifiers.timed": "judging",
    "manyways.engines.next_token:_look": "token probabilities",
    "manyways.train.trainee:load": "loading models",
    "manyways.train.trainee:train": "training",
    "manyways.train.trainee:save_checkpoint": "saving checkpoints",
    "manyways.stages.midtrain:_trainer": "building trainers",
    "manyways.train.trl:_trainer": "building trainers",
    "manyways.pool.solutions:select": "selection",
    "manyways.stages.analyse:compute": "analysis",
    "manyways.stages.report:render": "report",
}
"""``module:attribute`` -> what its time is."""


class Clock:
    """Seconds by what they were for; the innermost clock counts."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._stack = ["the rest"]
        self._since = time.perf_counter()

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """Charge the time inside to ``name``."""
        self._turn()
        self._stack.append(name)
        try:
            yield
        finally:
            self._turn()
            self._stack.pop()

    def stop(self) -> dict[str, float]:
        """Seconds by name."""
        self._turn()
        return dict(self.spent)

    def _turn(self) -> None:
        now = time.perf_counter()
        self.spent[self._stack[-1]] += now - self._since
        self._since = now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", type=Path, default=ROOT / "recipes" / "pocket.toml")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench" / "bookkeeping.json")
    given = parser.parse_args()
    clock = Clock()
    watch_imports(clock)
    from manyways.commands.run import run_recipe

    for target, name in CLOCKED.items():
        watch(target, name, clock)
    watch_engine(clock)
    with TemporaryDirectory() as folder:
        run_recipe(
            given.recipe, Path(folder, "run"), overrides=given.overrides, until="report", jobs=1,
            data_dir=None,
        )  # fmt: skip
        spent = clock.stop()
    found = summary(spent)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"recipe": given.recipe.name, **found}, indent=1) + "\n")
    print(f"written: {given.out}")


def summary(spent: dict[str, float]) -> dict[str, object]:
    """Shares of the whole, printed and returned."""
    total = sum(spent.values())
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"{name:20} {seconds:8.2f} s {seconds / total:7.2%}")
    apart = {"imports", "loading models"}
    kept = sum(seconds for name, seconds in spent.items() if name not in {*WORK, *apart})
    print(f"{'whole run':20} {total:8.2f} s; bookkeeping {kept:.2f} s, {kept / total:.2%}")
    rounded = {name: round(seconds, 3) for name, seconds in spent.items()}
    return {
        "processors": os.cpu_count(),
        "seconds": rounded,
        "whole": round(total, 2),
        "bookkeeping_share": round(kept / total, 4),
        "bookkeeping_share_with_imports_and_loading": round(
            (total - sum(spent[name] for name in WORK)) / total, 4
        ),
    }


def watch(target: str, name: str, clock: Clock) -> None:
    """Put a clock around a function or method."""
    module, _, path = target.partition(":")
    owner: object = importlib.import_module(module)
    *parents, last = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    setattr(owner, last, _clocked(getattr(owner, last), name, clock))


def watch_engine(clock: Clock) -> None:
    """Sampling happens while the engine's stream is read, not when it is opened."""
    from manyways.engines.transformers import TransformersEngine

    sample = TransformersEngine.sample

    def clocked(self: TransformersEngine, *given: object) -> Iterator[object]:
        with clock.during("sampling"):
            stream = iter(sample(self, *given))  # type: ignore[arg-type]
        while True:
            with clock.during("sampling"):
                found = next(stream, None)
            if found is None:
                return
            yield found

    TransformersEngine.sample = clocked  # type: ignore[method-assign, assignment]


def watch_imports(clock: Clock) -> None:
    """First imports of modules, also the late ones inside functions and those of lazy libraries."""
    plain, by_name = builtins.__import__, importlib.import_module

    def imported(name: str, *given: object, **named: object) -> object:
        if name in sys.modules:
            return plain(name, *given, **named)  # type: ignore[arg-type]
        with clock.during("imports"):
            return plain(name, *given, **named)  # type: ignore[arg-type]

    def import_module(name: str, package: str | None = None) -> object:
        if name in sys.modules:
            return by_name(name, package)
        with clock.during("imports"):
            return by_name(name, package)

    builtins.__import__ = imported  # type: ignore[assignment]
    importlib.import_module = import_module  # type: ignore[assignment]


def _clocked(function: Callable[..., object], name: str, clock: Clock) -> Callable[..., object]:
    @wraps(function)
    def clocked(*given: object, **named: object) -> object:
        with clock.during(name):
            return function(*given, **named)

    return clocked


if __name__ == "__main__":
    main()
