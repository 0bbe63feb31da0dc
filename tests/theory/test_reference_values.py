"""The model's reference values, one row each, to 1e-6.

They are known to nine digits, so the two above 1000 are held to half a unit of the ninth.
"""

from collections.abc import Callable

import numpy as np
import pytest

from manyways.metrics.correction import corrected_rate
from manyways.metrics.intervals import wilson
from manyways.metrics.pass_at_k import pass_at_k, signal_rate
from manyways.theory import (
    budget,
    composition,
    dynamics,
    grpo,
    large_n,
    measurement,
    mixtures,
    sft,
    shared,
    signal,
    wrong_data,
)

DOMINATED = ((0.9, 0.4), (0.9, 0.4))
EVEN_EIGHT = np.full(8, 1 / 8)
Row = tuple[str, Callable[[], float], float]

ROWS: list[Row] = [
    ("A1", lambda: sft.equal_modes_entropy(16), 2.77258872),
    ("A2", lambda: sft.logit_gap(20, modes=4, heuristics=8), 2.1773251),
    (
        "A2",
        lambda: sft.outside_mass(sft.logit_gap(20, modes=4, heuristics=8), modes=4, heuristics=8),
        0.101805263,
    ),
    (
        "A2",
        lambda: sft.outside_mass(sft.logit_gap(20, modes=1, heuristics=8), modes=1, heuristics=8),
        0.0522053188,
    ),
    ("B1", lambda: dynamics.natural_flow((0.05, 0.95), (0.8, 0.5), 10)[0], 0.513886683),
    ("B2", lambda: dynamics.escape_time(0.01, 0.3, "natural"), 15.3170662),
    ("B2", lambda: dynamics.escape_time(0.01, 0.3, "vanilla"), 180.300231),
    ("B2", lambda: dynamics.escape_time(0.001, 0.3, "natural"), 23.0225159),
    ("B2", lambda: dynamics.escape_time(0.001, 0.3, "vanilla"), 1688.02085),
    ("B2", lambda: dynamics.takeover_time(4, 0.3, "natural"), 3.66204096),
    ("B2", lambda: dynamics.takeover_time(4, 0.3, "vanilla"), 12.1597281),
    ("B2", lambda: dynamics.takeover_time(16, 0.3, "natural"), 9.026834),
    ("B2", lambda: dynamics.takeover_time(16, 0.3, "vanilla"), 63.5919804),
    ("B3", lambda: grpo.clock(0.5, 8), 1.85565595),
    ("B3", lambda: grpo.clock(0.5, 8, bessel=True), 1.7358072),
    ("B3", lambda: grpo.clock(0.1, 8), 2.32768905),
    ("B3", lambda: grpo.clock(0.1, 8, bessel=True), 2.17735373),
    ("B3", lambda: grpo.clock(0.25, 16), 2.1979136),
    ("B3", lambda: grpo.clock(0.25, 16, bessel=True), 2.12812069),
    ("B5", lambda: dynamics.discovery(0.002, 0.5, 512), 0.400857715),
    ("B6", lambda: dynamics.entropy_after((0.8, 0.5), 10), 0.190864971),
    ("B6", lambda: dynamics.entropy_speed((0.8, 0.5), 10), -0.0406589938),
    ("C2", lambda: signal.mixed_rate_bernoulli(0.3, 1, 8), 0.0),
    ("C2", lambda: signal.mixed_rate_bernoulli(0.3, 2, 8), 0.41671875),
    ("C2", lambda: signal.mixed_rate_bernoulli(0.3, 4, 8), 0.700950366),
    ("C2", lambda: signal.mixed_rate_bernoulli(0.3, 16, 8), 0.89329173),
    ("C2", lambda: signal.mixed_rate_bernoulli(0.3, 64, 8), 0.931046384),
    ("C2", lambda: signal.mixed_rate_beta(0.5, 0.5, 8), 0.60723877),
    ("C1", lambda: signal.mixed_rate(0.1, 8), 0.56953278),
    ("C1", lambda: signal.mixed_rate(0.05, 16), 0.559873331),
    ("C1", lambda: signal.mixed_rate(0.5, 8), 0.9921875),
    ("C3", lambda: signal.selection_variance((0.5, 0.5), (0.8, 0.5)), 0.0225),
    ("C3", lambda: signal.selection_variance((0.99, 0.01), (0.5, 0.8)), 0.000891),
    ("C4", lambda: signal_rate(16, 10, 8)[0], 0.996503497),
    ("C4", lambda: signal_rate(16, 4, 8)[0], 0.961538462),
    ("D2", lambda: composition.complementary_rate(0, 0.233, high=0.9, low=0.4), 0.233),
    ("D2", lambda: composition.two_by_two_rate(0, DOMINATED, leaks=(0.233, 0.233)), 0.233),
    ("D2", lambda: composition.complementary_rate(2, 0.233, high=0.9, low=0.4), 0.322220248),
    ("D2", lambda: composition.two_by_two_rate(2, DOMINATED, leaks=(0.233, 0.233)), 0.162559024),
    ("D2", lambda: composition.complementary_rate(5, 0.233, high=0.9, low=0.4), 0.599515279),
    ("D2", lambda: composition.two_by_two_rate(5, DOMINATED, leaks=(0.233, 0.233)), 0.0580666768),
    ("D2", lambda: composition.complementary_rate(10, 0.233, high=0.9, low=0.4), 0.931941777),
    ("D2", lambda: composition.two_by_two_rate(10, DOMINATED, leaks=(0.233, 0.233)), 0.00669415754),
    ("D2", lambda: composition.complementary_time(0.567, 0.233, high=0.9, low=0.4), 4.68376362),
    ("D2", lambda: composition.rate_after_selection(0.233, high=0.9, low=0.4), 0.290407967),
    ("D3", lambda: composition.best_is_composed_rate(2, 2), 0.5),
    ("D3", lambda: composition.best_is_composed_rate(4, 3), 0.9375),
    ("D3", lambda: composition.best_is_composed_rate(16, 2), 0.9375),
    ("D3", lambda: composition.best_is_composed_rate(16, 4), 0.999755859),
    ("D4", lambda: shared.shared_rate(0, 2), 0.119202922),
    ("D4", lambda: shared.shared_rate(1, 2), 0.209366715),
    ("D4", lambda: shared.shared_rate(3, 2), 0.696704901),
    ("D4", lambda: shared.shared_rate(2, 4), 0.105288329),
    ("D5", lambda: shared.frozen_leak_time(0.07, first_mass=0.6, advantage=0.48), 31.9163614),
    ("D6", lambda: shared.modal_leak(2, 3), 0.0474258732),
    ("D6", lambda: shared.modal_leak(4, 3), 0.129951493),
    ("D6", lambda: shared.modal_leak(16, 3), 0.427526591),
    ("D6", lambda: shared.unimodal_leak(16, 3, preference=6), 0.00184772665),
    ("D8", lambda: shared.natural_lag(4, high=0.9, low=0.4), 8.88888889),
    (
        "D8",
        lambda: shared.frozen_leak_time(shared.modal_leak(2, 3), first_mass=1, advantage=0.45),
        28.9286109,
    ),
    (
        "D8",
        lambda: shared.frozen_leak_time(
            shared.unimodal_leak(2, 3, preference=4), first_mass=1, advantage=0.45
        ),
        1234.03583,
    ),
    ("E1", lambda: pass_at_k(16, 4, 8)[0], 0.961538462),
    ("E1", lambda: pass_at_k(32, 3, 4)[0], 0.339516129),
    ("E3", lambda: mixtures.crossover_k(0.2, a=0.8, b=0.8), 3.09786375),
    ("E3", lambda: mixtures.two_class_pass(8, 0.2, a=0.8, b=0.8, mass=1.0), 0.799997952),
    ("E3", lambda: mixtures.two_class_pass(8, 0.2, a=0.8, b=0.8, mass=0.5), 0.98320384),
    ("E6", lambda: mixtures.vertex_pushes(0.3, a=0.8, b=0.8, group=64)[0], 1.38239718),
    ("E6", lambda: mixtures.vertex_pushes(0.3, a=0.8, b=0.8, group=64)[1], 1.90494094),
    ("F1", lambda: wrong_data.unlearning_time(0.375, 0.7, remaining=0.01), 5.83470604),
    ("F1", lambda: wrong_data.initial_success(0.375, 0.7, 4), 0.0366363525),
    ("F4", lambda: wrong_data.best_composed_of_right(16, 0, 1), 0.941176471),
    ("F4", lambda: wrong_data.best_composed_of_right(16, 8, 1), 0.888888889),
    ("F4", lambda: wrong_data.best_composed_of_right(16, 0, 3), 0.833706493),
    ("F4", lambda: wrong_data.best_composed_of_right(16, 8, 3), 0.702331962),
    ("G1", lambda: budget.coverage(200, 200), 0.633042178),
    ("G1", lambda: budget.coverage_elasticity(200, 200), 0.581127606),
    ("G1", lambda: budget.budget_value(1, 3200, types=200, steps=2, untrained=0.1), 0.249999984),
    ("G1", lambda: budget.budget_value(8, 3200, types=200, steps=2, untrained=0.1), 0.697192783),
    ("G1", lambda: budget.budget_value(16, 3200, types=200, steps=2, untrained=0.1), 0.597452867),
    ("G1", lambda: budget.budget_value(64, 3200, types=200, steps=2, untrained=0.1), 0.292750017),
    ("G2", lambda: budget.frequency_threshold(4, 200), 0.250470122),
    ("G2", lambda: budget.frequency_threshold(16, 200), 0.0626469591),
    ("H1", lambda: large_n.best_composed(1, 2), 0.25),
    ("H1", lambda: large_n.best_composed(4, 2), 0.64),
    ("H1", lambda: large_n.best_composed(16, 2), 0.885813149),
    ("H1", lambda: large_n.best_composed(64, 2), 0.969467456),
    ("H1", lambda: large_n.best_composed(16, 4), 0.784664935),
    ("H1", lambda: large_n.best_pure(2, 2), 0.37037037),
    ("H1", lambda: large_n.best_pure(16, 2), 0.714242893),
    ("H2", lambda: large_n.distinct_heuristics(EVEN_EIGHT, 4), 3.31054688),
    ("H2", lambda: large_n.distinct_heuristics(EVEN_EIGHT, 16), 7.0554633),
    ("H2", lambda: large_n.distinct_heuristics(EVEN_EIGHT, 64), 7.99844545),
    ("H2", lambda: large_n.distinct_in_group(4, 8), 3.59954834),
    ("H2", lambda: large_n.distinct_in_group(16, 8), 6.45248842),
    ("H2", lambda: large_n.distinct_in_group(64, 8), 7.57590816),
    ("H3", lambda: large_n.initial_improvement_vanilla(16), 0.0048828125),
    ("H3", lambda: large_n.initial_improvement_natural(16), 0.078125),
    ("M3", lambda: corrected_rate(0.275, sensitivity=0.8, specificity=0.95), 0.3),
    ("M4", lambda: wilson(7, 30)[0], 0.117923881),
    ("M4", lambda: wilson(7, 30)[1], 0.409283262),
    ("M4", lambda: wilson(17, 30)[0], 0.39197307),
    ("M4", lambda: wilson(17, 30)[1], 0.726225144),
    ("M4", lambda: measurement.fisher_p((7, 30), (17, 30)), 0.0168551064),
]


@pytest.mark.parametrize(
    ("value", "expected"),
    [row[1:] for row in ROWS],
    ids=[f"{row[0]}-{i}" for i, row in enumerate(ROWS)],
)
def test_reference_value(value: Callable[[], float], expected: float) -> None:
    assert value() == pytest.approx(expected, abs=1e-6, rel=3e-9)
