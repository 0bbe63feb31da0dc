"""The part of ``manyways doctor`` about verl, which lives in an environment of its own."""

import shutil
import sys
from pathlib import Path

from manyways import trust
from manyways.commands.doctor_check import Check, State
from manyways.errors import RecipeError
from manyways.recipe.verl import VerlConfig
from manyways.train.verl import environment

USUAL = "verl-env/bin/python"
"""Where docs/scale.md puts it."""


def verl_check(named: VerlConfig | None) -> Check:
    """Can verl be started?

    named: the recipe's table; without it the usual place is looked at, then this very Python.
    """
    given = named is not None
    if named is None:
        named = VerlConfig(python=USUAL if Path(USUAL).exists() else sys.executable)
    bad: State = "warning" if given else "missing"
    wanted, python = environment.modules(named), environment.interpreter(named)
    if shutil.which(python) is None:
        return _check(bad, f"no interpreter {named.python}", environment.INSTALL)
    if python != sys.executable and not trust.trusts(python):
        return _check(bad, f"{named.python} was not started", "if you trust it: --trust")
    try:
        found = environment.look(python, wanted)
    except RecipeError as error:
        return _check(bad, str(error))
    if not found.missing:
        number = f"verl {found.version}" if found.version else "verl"
        other = found.version not in ("", environment.VERSION)
        compared = f"; checked against {environment.VERSION}" if other else ""
        return _check("ok", f"{number} in {named.python}{compared}")
    if named.python == sys.executable:
        needs = f"needs {', '.join(wanted)} in an environment of its own, named in rl.verl.python"
        return _check(bad, needs, environment.INSTALL)
    lacks = f"no module {', '.join(found.missing)} in {named.python}"
    return _check(bad, lacks, f"{named.python} -m pip install {environment.PACKAGES}")


def _check(state: State, detail: str, fix: str = "") -> Check:
    return Check(group="RL backend", name="verl", state=state, detail=detail, fix=fix)
