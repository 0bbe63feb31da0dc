"""Where the problems behind an export came from, and under which licence."""

from dataclasses import dataclass

from manyways.context import Context
from manyways.errors import Untrusted
from manyways.problems import split_name
from manyways.problems.published import ALL

HUB_LICENCES = {"MIT": "mit", "Apache-2.0": "apache-2.0", "CC-BY-4.0": "cc-by-4.0"}
"""Licence as a problem set states it -> the Hub's identifier."""
OURS = {
    "pocket": ("questions made by the package manyways", "Apache-2.0"),
    "reasoning-gym": ("questions made by the package reasoning-gym", "Apache-2.0"),
}
UNKNOWN = "not known to manyways: state it before you share this"


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFacts:
    """A problem set as a card states it.

    Example: ``SourceFacts(name="gsm8k/train", title="GSM8K: ...", licence="MIT",
    hub_licence="mit", hub_id="openai/gsm8k", commit=None, fingerprint="ab12..", problems=7473)``.
    """

    name: str
    title: str
    licence: str
    hub_licence: str
    hub_id: str | None
    commit: str | None
    fingerprint: str
    problems: int


def source_facts(ctx: Context, name: str) -> SourceFacts:
    """What is known of the problem set ``name`` of the run; of untrusted code only its name."""
    try:
        loaded = ctx.sets.load(name).provenance()
    except Untrusted:
        loaded = {"commit": None, "fingerprint": "not known", "total": 0}
    known = split_name(name)[0]
    title, licence = OURS.get(known, ("a problem set of the user's own", UNKNOWN))
    hub_id = None
    for spec in ALL:
        if spec.name == known:
            title, licence, hub_id = spec.title, spec.licence, spec.hub_id
    return SourceFacts(
        name=name,
        title=title,
        licence=licence,
        # Only a licence stated without a condition has a plain identifier.
        hub_licence=HUB_LICENCES.get(licence, "other"),
        hub_id=hub_id,
        commit=str(loaded["commit"]) if loaded["commit"] else None,
        fingerprint=str(loaded["fingerprint"]),
        problems=int(loaded["total"] or 0),
    )


def is_hub_id(path: str) -> bool:
    """Whether a model path of a recipe is a Hub id and not a folder."""
    return path.count("/") == 1 and not path.startswith((".", "/", "~", "package:"))
