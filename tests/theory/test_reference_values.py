"""The model's reference values, one row each, to 1e-6.

They are known to nine digits, so the two above 1000 are held to half a unit of the ninth.
"""

from collections.abc import Callable

import numpy as np
import pytest

from manyways.metrics.agreement import corrected_rate
from manyways.metrics.intervals import wilson
from manyways.metrics.pass_at_k import pass_at_k, signal_rate
from manyways.theory import dynamics, mixtures

DOMINATED = ((0.9, 0.4), (0.9, 0.4))
EVEN_EIGHT = np.full(8, 1 / 8)
Row = tuple[str, Callable[[], float], float]

ROWS: list[Row] = [
    ("A2", lambda: mixtures.logit_gap(20, modes=4, heuristics=8), 2.1773251),
    (
        "A2",
        lambda: mixtures.outside_mass(
            mixtures.logit_gap(20, modes=4, heuristics=8), modes=4, heuristics=8
        ),
        0.101805263,
    ),
    (
        "A2",
        lambda: mixtures.outside_mass(
            mixtures.logit_gap(20, modes=1, heuristics=8), modes=1, heuristics=8
        ),
        0.0522053188,
    ),
    ("B1", lambda: dynamics.natural_flow((0.05, 0.95), (0.8, 0.5), 10)[0], 0.513886683),
    ("B2", lambda: dynamics.escape_time(0.01, 0.3, "natural"), 15.3170662),
    ("B2", lambda: dynamics.escape_time(0.01, 0.3, "vanilla"), 180.300231),
    ("B2", lambda: dynamics.escape_time(0.001, 0.3, "natural"), 23.0225159),
    ("B2", lambda: dynamics.escape_time(0.001, 0.3, "vanilla"), 1688.02085),
    ("B3", lambda: dynamics.clock(0.5, 8), 1.85565595),
    ("B3", lambda: dynamics.clock(0.5, 8, bessel=True), 1.7358072),
    ("B3", lambda: dynamics.clock(0.1, 8), 2.32768905),
    ("B3", lambda: dynamics.clock(0.1, 8, bessel=True), 2.17735373),
    ("B3", lambda: dynamics.clock(0.25, 16), 2.1979136),
    ("B3", lambda: dynamics.clock(0.25, 16, bessel=True), 2.12812069),
    ("C4", lambda: signal_rate(16, 10, 8)[0], 0.996503497),
    ("C4", lambda: signal_rate(16, 4, 8)[0], 0.961538462),
    ("D2", lambda: dynamics.two_by_two_rate(0, DOMINATED, leaks=(0.233, 0.233)), 0.233),
    ("D2", lambda: dynamics.two_by_two_rate(2, DOMINATED, leaks=(0.233, 0.233)), 0.162559024),
    ("D2", lambda: dynamics.two_by_two_rate(5, DOMINATED, leaks=(0.233, 0.233)), 0.0580666768),
    ("D2", lambda: dynamics.two_by_two_rate(10, DOMINATED, leaks=(0.233, 0.233)), 0.00669415754),
    ("E1", lambda: pass_at_k(16, 4, 8)[0], 0.961538462),
    ("E1", lambda: pass_at_k(32, 3, 4)[0], 0.339516129),
    ("E3", lambda: mixtures.crossover_k(0.2, a=0.8, b=0.8), 3.09786375),
    ("E3", lambda: mixtures.two_class_pass(8, 0.2, a=0.8, b=0.8, mass=1.0), 0.799997952),
    ("E3", lambda: mixtures.two_class_pass(8, 0.2, a=0.8, b=0.8, mass=0.5), 0.98320384),
    ("G1", lambda: mixtures.coverage(200, 200), 0.633042178),
    ("G1", lambda: mixtures.budget_value(1, 3200, types=200, steps=2, untrained=0.1), 0.249999984),
    ("G1", lambda: mixtures.budget_value(8, 3200, types=200, steps=2, untrained=0.1), 0.697192783),
    ("G1", lambda: mixtures.budget_value(16, 3200, types=200, steps=2, untrained=0.1), 0.597452867),
    ("G1", lambda: mixtures.budget_value(64, 3200, types=200, steps=2, untrained=0.1), 0.292750017),
    ("H1", lambda: mixtures.best_composed(1, 2), 0.25),
    ("H1", lambda: mixtures.best_composed(4, 2), 0.64),
    ("H1", lambda: mixtures.best_composed(16, 2), 0.885813149),
    ("H1", lambda: mixtures.best_composed(64, 2), 0.969467456),
    ("H1", lambda: mixtures.best_composed(16, 4), 0.784664935),
    ("M3", lambda: corrected_rate(0.275, sensitivity=0.8, specificity=0.95), 0.3),
    ("M4", lambda: wilson(7, 30)[0], 0.117923881),
    ("M4", lambda: wilson(7, 30)[1], 0.409283262),
    ("M4", lambda: wilson(17, 30)[0], 0.39197307),
    ("M4", lambda: wilson(17, 30)[1], 0.726225144),
]


@pytest.mark.parametrize(
    ("value", "expected"),
    [row[1:] for row in ROWS],
    ids=[f"{row[0]}-{i}" for i, row in enumerate(ROWS)],
)
def test_reference_value(value: Callable[[], float], expected: float) -> None:
    assert value() == pytest.approx(expected, abs=1e-6, rel=3e-9)
