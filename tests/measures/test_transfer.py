"""D4 needs parts that were trained apart: when it can be measured, and what it then says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_runs import context

from manyways.measures.solutions import Policy, Solutions
from manyways.measures.theory.transfer import (
    PartSets,
    Trained,
    parts_of,
    read_parts,
    transfer_rows,
)
from manyways.metrics.composition import Ways, ways_of
from manyways.metrics.intervals import Resampling
from manyways.records import Checkpoint, Problem

FEW = Resampling(resamples=100)
SEEDS = (0, 1, 2)
OWN = {"sum": "a", "product": "b"}
"""Part -> the heuristic that is right for it; the other one is wrong."""
ALONE = {f"t sum/{i}": "sum" for i in range(20)} | {f"t product/{i}": "product" for i in range(20)}
JOINED = {f"t both/{i}": ("sum", "product") for i in range(20)}
SETS = PartSets(joined=JOINED, alone=ALONE)


def problem(name: str, operations: str) -> Problem:
    tags = {"operations": operations} if operations else {}
    return Problem(id=name, question="?", answer="1", tags=tags)


SINGLE = [problem("t/0", "sum"), problem("t/1", "product")]


@pytest.mark.parametrize(
    ("trained", "asked", "why"),
    [
        ([problem("t/0", "")], "sum product", "do not say which parts a problem has"),
        ([*SINGLE, problem("t/2", "sum rule")], "sum product", "1 of the 3 problems trained on"),
        (SINGLE, "sum", "no benchmark joins the parts trained on"),
        (SINGLE, "sum rule", "no benchmark joins the parts trained on"),
        (SINGLE, "sum product", ""),
    ],
)
def test_what_it_needs(trained, asked: str, why: str) -> None:
    sets = parts_of(trained, {"bench": [problem("b/0", asked), problem("b/1", "sum")]})
    assert why in sets.why
    assert sets.joined == ({} if why else {"bench b/0": ("sum", "product")})
    if not why:
        assert sets.alone == {"bench b/1": "sum"}


def test_sets_without_tags_cannot_tell(tmp_path: Path) -> None:
    assert "tag 'operations'" in read_parts(context(tmp_path)).why


def policy(name: str, right: float, *, sticky: float = 0.0, seeds=SEEDS, mute=0.0) -> Policy:
    """Attempts that give a part its own heuristic with the chance ``right``.

    sticky: chance that the second part of a problem gets the heuristic of the first one.
    mute: chance of a direct step.
    """
    found = {}
    for seed in seeds:
        rng = np.random.default_rng([len(name), seed or 0])
        rows = [(p, (part,)) for p, part in ALONE.items()] + list(JOINED.items())
        problems = [(p, parts) for p, parts in rows for _ in range(8)]
        ways = [attempt(rng, parts, right, sticky, mute) for _, parts in problems]
        found[seed] = Solutions(
            checkpoint=Checkpoint(arm="x", seed=seed, phase="mid"), benchmark="t",
            problem=[p for p, _ in problems], ways=ways, correct=[True] * len(ways),
        )  # fmt: skip
    return Policy(name=name, seeds=found)


def attempt(rng, parts, right: float, sticky: float, mute: float) -> Ways:
    labels: list[str | None] = []
    for part in parts:
        own = OWN[part]
        if labels and labels[-1] and rng.random() < sticky:
            labels.append(labels[-1])
        elif rng.random() < mute:
            labels.append(None)
        else:
            labels.append(own if rng.random() < right else "ab".replace(own, ""))
    return ways_of(labels)


def rows_of(trained: Trained, sets: PartSets = SETS):
    return {row.quantity.removeprefix("Change of the composition rate "): row
            for row in transfer_rows(trained, sets, FEW)}  # fmt: skip


MAIN = "on problems whose parts were trained apart"
AS_ALONE = "expected of parts as they are solved alone"
MEETING = "Composition rate where parts meet − as expected of them alone"


def test_preferences_that_grow_and_are_shared_agree() -> None:
    """From 0.5 to 0.9 a part: two parts differ with 0.5, then with 0.9 * 0.9 + 0.1 * 0.1."""
    few = policy("few/mid", 0.5, sticky=1.0), policy("few/rl", 0.5, sticky=1.0)
    base = policy("base", 0.5, sticky=1.0, seeds=(None,))
    trained = Trained(before=policy("x/mid", 0.5), after=policy("x/rl", 0.9), base=base, few=few)
    found = rows_of(trained)
    for name, value in ((MAIN, 0.32), (f"{MAIN}, many ways − few", 0.32), (AS_ALONE, 0.32),
                        (f"{MAIN}, by all training", 0.82)):  # fmt: skip
        row = found[name]
        assert row.measured.value == pytest.approx(value, abs=0.06), name
        assert (row.outcome, row.measured.n) == ("agrees", 20), name
        assert row.seeds is not None
    row = found[MEETING]
    assert row.measured.low < 0 < row.measured.high
    assert row.outcome == "no sign expected"
    assert row.note.endswith("where they meet")


def test_preferences_that_are_not_shared_leave_composition_as_it_was() -> None:
    """Alone the parts are solved ever more by their own heuristic; joined they are not."""
    before, after = policy("x/mid", 0.5), policy("x/rl", 0.9)
    seeds = {seed: unmoved(before.seeds[seed], one) for seed, one in after.seeds.items()}
    found = rows_of(Trained(before=before, after=replace(after, seeds=seeds)))
    assert found[AS_ALONE].outcome == "agrees"
    assert found[MAIN].outcome == "cannot tell"
    assert found[MAIN].measured.value == 0.0
    assert found[MEETING].measured.high < 0


def unmoved(old: Solutions, new: Solutions) -> Solutions:
    ways = [a if p in JOINED else b
            for p, a, b in zip(new.problem, old.ways, new.ways, strict=True)]  # fmt: skip
    return replace(new, ways=ways)


def test_a_rate_that_falls_disagrees_and_sticking_shows() -> None:
    trained = Trained(before=policy("x/mid", 0.9), after=policy("x/rl", 0.9, sticky=0.8))
    found = rows_of(trained)
    assert found[MAIN].outcome == "disagrees"
    assert found[AS_ALONE].outcome == "cannot tell"
    assert found[MEETING].measured.high < -0.4


def test_direct_parts_are_no_heuristics() -> None:
    found = rows_of(Trained(before=policy("x/mid", 1.0, mute=1.0), after=policy("x/rl", 1.0)))
    assert found[MAIN].measured.value == pytest.approx(1.0)
    assert found[AS_ALONE].measured.value == pytest.approx(1.0)


def test_one_row_with_the_reason_where_nothing_was_trained_apart() -> None:
    found = rows_of(Trained(before=policy("x/mid", 1.0), after=policy("x/rl", 1.0)),
                    PartSets(why="so it is"))  # fmt: skip
    assert [row.note for row in found.values()] == ["cannot be measured here because so it is"]
    assert found[MAIN].outcome == "cannot tell"


def test_what_was_not_evaluated_is_said() -> None:
    trained = Trained(before=policy("x/mid", 0.5), after=policy("x/rl", 0.9))
    found = rows_of(trained, PartSets(joined=JOINED, alone={}))
    assert found[MAIN].measured is not None
    assert "not every part was evaluated alone" in found[AS_ALONE].note
    assert found[AS_ALONE].measured is found[MEETING].measured is None
    found = rows_of(trained, PartSets(joined={"elsewhere": ("sum", "product")}, alone=ALONE))
    assert found[MAIN].note.startswith("cannot be measured here because no such problem")
