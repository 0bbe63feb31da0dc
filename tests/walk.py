"""The walk: the modules that are loaded from the smoke recipe to one figure of the report.

``python tests/walk.py`` runs recipes/smoke.toml up to its evaluations in this process, measures and
draws pass@k, and prints each module of the package that is loaded then, with its lines. Marked are
those that the walk has no use for and that are loaded all the same: files of other figures and of
other verbs, and those of keys that the recipe leaves alone. Not looked at: worker processes, and
packages that hold a docstring alone.
"""

import ast
import inspect
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "manyways"
OPTIONS = {
    "cli/tools.py": "other verbs",
    "cli/export.py": "other verbs",
    "commands/show.py": "other verbs",
    "commands/forecast/": "forecast",
    "jobs.py": "--jobs",
    "measures/step_scores.py": "train.watch",
    "train/verl/": "rl.backend",
    "stages/branch.py": "branch",
    "stages/distill.py": "distill",
    "stages/probe.py": "probe",
    "stages/validation.py": "rl.evaluate_pass_rate",
    "stages/watch.py": "train.watch",
    "pool/adaptive.py": "generate.sampling",
}
"""What begins with one of these, and the key or the verb that it is for."""


def walk(out: Path) -> dict[str, int]:
    """Lines of each file below src/manyways that a run in the folder ``out`` loads."""
    from manyways.cli.app import main

    sys.argv = ["manyways", "run", str(ROOT / "recipes" / "smoke.toml"), "--out", str(out)]
    sys.argv += ["--until", "evaluate"]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
    assert len(draw(out)) > 10_000
    files = {
        Path(str(module.__file__))
        for name, module in sys.modules.items()
        if name.partition(".")[0] == "manyways"
    }
    texts = {file: file.read_text(encoding="utf-8") for file in sorted(files)}
    return {
        str(file.relative_to(SOURCE)): len(text.splitlines())
        for file, text in texts.items()
        if len(ast.parse(text).body) > 1  # more than a docstring
    }


def draw(root: Path) -> str:
    """A page with pass@k alone, measured on the run in ``root``."""
    from manyways.context import Context
    from manyways.measures.material import Material
    from manyways.measures.pass_at_k import PASS_AT_K
    from manyways.measures.seen import Seen
    from manyways.recipe import load_recipe
    from manyways.reporting import Section
    from manyways.reporting.page import render_html
    from manyways.run_dir import RunDir

    recipe = load_recipe(root / "recipe.toml")
    material = Material(Context(recipe=recipe, run=RunDir(root=root)), None)  # type: ignore[arg-type]
    seen = Seen(name="walk", recipe=recipe, from_run=material)
    blocks = tuple(PASS_AT_K.shown["evaluation"](seen))
    return render_html("walk", recipe, [Section(id="walk", title="", intro="", blocks=blocks)])


def without_use(files: dict[str, int]) -> dict[str, str]:
    """The files that a walk to pass@k has no use for, and what each is for."""
    from manyways.measures.catalogue import MEASURES

    figures = {Path(inspect.getfile(measure.row)): measure.name for measure in MEASURES}
    others = {
        str(file.relative_to(SOURCE)): f"figure {name}"
        for file, name in figures.items()
        if name not in ("pass_at_k", "rates")  # the rates stand in the table of pass@k
    }
    named = {
        file: use for start, use in OPTIONS.items() for file in files if file.startswith(start)
    }
    return {file: (others | named)[file] for file in files if file in others | named}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        loaded = walk(Path(folder) / "run")
    off = without_use(loaded)
    for file, count in loaded.items():
        print(f"{count:6} {file}{f'   ({off[file]})' if file in off else ''}")
    kept = {file: count for file, count in loaded.items() if file not in off}
    print(f"{sum(loaded.values()):6} lines in {len(loaded)} files are loaded")
    print(f"{sum(kept.values()):6} lines in {len(kept)} files are the walk")
