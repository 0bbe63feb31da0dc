"""``manyways forecast``: of a recipe before it runs, or of a run beside what happened."""

from collections.abc import Sequence
from pathlib import Path

from manyways import foreign
from manyways.commands.forecast.predict import forecast, local_checkpoint_bytes
from manyways.commands.forecast.records import FILE, Measured, read_forecast, write_forecast
from manyways.commands.forecast.show import print_comparison, print_forecast
from manyways.context import Context
from manyways.errors import DataError, Untrusted
from manyways.progress import say
from manyways.recipe.file import load_recipe
from manyways.run_dir import RunDir, open_for_reading, open_for_writing


def forecast_recipe(
    path: Path,
    out: Path | None,
    *,
    overrides: Sequence[str],
    measured: bool,
    data_dir: Path | None,
) -> None:
    """Forecast a recipe and keep it in its run folder; of a run folder, compare.

    measured: sample and train a little first; without it only amounts are known.

    A run that has begun keeps the forecast that it has, or none: one made later is no forecast.
    """
    if path.is_dir():
        compare(open_for_reading(path))
        return
    if data_dir is not None and not any(o.startswith("data_dir") for o in overrides):
        overrides = [*overrides, f'data_dir="{data_dir}"']
    recipe = load_recipe(path, overrides)
    root = out or Path("runs") / recipe.name
    foreign.say_unused(recipe)
    ctx = Context(recipe=recipe, run=RunDir(root=root.resolve()), looking=True)
    costs, size = _measured(ctx) if measured else (None, local_checkpoint_bytes(ctx.base_path))
    made = forecast(ctx, costs, size)
    print_forecast(made, root)
    if ctx.run.stamps():
        say(f"not kept: {root} has begun. `manyways status {root}` shows a forecast made before.")
    elif costs is not None:
        with open_for_writing(root) as run:
            write_forecast(run.path(FILE), made)
        say(f"kept in {root}: `manyways status {root}` will show it beside what happened.")


def _measured(ctx: Context) -> tuple[Measured | None, float | None]:
    """Amounts alone must not wait for the engine's libraries, so these are loaded only here."""
    from manyways.commands.forecast.measure import measure
    from manyways.stages import preflight

    try:
        preflight.check_names(ctx)
    except Untrusted:
        say("A problem set that was not loaded counts as its limit, without one as 0 problems.")
        return None, local_checkpoint_bytes(ctx.base_path)
    return measure(ctx)


def compare(run: RunDir) -> None:
    """Print the forecast that was kept beside what happened.

    Raises DataError when none was kept.
    """
    kept = read_forecast(run.path(FILE))
    if kept is None:
        raise DataError(
            f"no forecast was kept in '{run.root}': run `manyways forecast RECIPE` before the run."
        )
    print_comparison(kept, run)
