"""A labeller for texts that belong to no run."""

import inspect
from collections.abc import Callable
from typing import cast

from manyways import trust
from manyways.errors import UserError
from manyways.heuristics.catalogue import load_pack
from manyways.heuristics.labelling import LABELLERS, Labeller
from manyways.plugins import resolve


def labeller_for(pack: str, labeller: str | None) -> tuple[Labeller, str]:
    """The labeller and what to call it; by default the one that a pack of its own asks for.

    Raises UserError when there is no such pack or labeller, or the labeller needs a run.
    """
    name = labeller or ("pocket" if pack == "pocket" else "exemplars")
    if labeller:  # the user typed it
        trust.grant(labeller)
    load = cast(Callable[..., Labeller], resolve(name, LABELLERS, "labeller"))
    if "attempts" in inspect.signature(load).parameters:
        raise UserError(
            f"--labeller {name} learns from the attempts of a run, and these texts belong to none: "
            "use another, for example exemplars."
        )
    return load(load_pack(pack)), f"labeller {name} of pack {pack}"
