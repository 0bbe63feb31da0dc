"""Forecast against actual, both in processor seconds, so that other work is no noise.

    python bench/forecast.py [recipes/smoke.toml] [--set A.B=C ...] [--out FILE]

Wall-clock seconds on a machine that does other work say how busy it was; processor seconds say
whether the forecast's arithmetic is right. Time in the verifier's workers is in neither.
"""

import argparse
import json
import time
import types
from pathlib import Path
from tempfile import TemporaryDirectory

import manyways.commands.forecast.measure
import manyways.run_dir
import manyways.train.trainer_log
from manyways.commands.forecast import FILE, forecast_recipe, read_forecast
from manyways.commands.run import run_recipe
from manyways.run_dir import open_for_reading

CLOCKED = (
    manyways.run_dir,
    manyways.commands.forecast.measure,
    manyways.train.trainer_log,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", nargs="?", type=Path, default=Path("recipes/smoke.toml"))
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/forecast.json"))
    given = parser.parse_args()
    for module in CLOCKED:
        module.time = types.SimpleNamespace(time=time.time, time_ns=time.time_ns,
                                            monotonic=time.process_time)  # fmt: skip
    with TemporaryDirectory() as folder:
        root = Path(folder) / "run"
        forecast_recipe(given.recipe, root, overrides=given.overrides, measured=True, data_dir=None)
        run_recipe(
            given.recipe, root, overrides=given.overrides, until="report", jobs=1, data_dir=None
        )
        forecast_recipe(root, None, overrides=[], measured=False, data_dir=None)
        found = ratios(root)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


def ratios(root: Path) -> dict[str, float]:
    """Actual over forecast, by stage and of the whole run."""
    spent = {stamp.work: stamp.seconds for stamp in open_for_reading(root).stamps()}
    kept = read_forecast(root / FILE)
    assert kept
    pairs = [(row.stage, row.seconds or 0.0, spent[row.work]) for row in kept.rows]
    names = dict.fromkeys(stage for stage, _, _ in pairs)
    stages = {name: [pair for pair in pairs if pair[0] == name] for name in names}
    return {
        name: round(sum(p[2] for p in own) / sum(p[1] for p in own), 3)
        for name, own in {**stages, "all": pairs}.items()
    }


if __name__ == "__main__":
    main()
