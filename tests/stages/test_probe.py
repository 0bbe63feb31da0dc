"""Prefix swap: what is cut, what is asked, what the matrix says."""

from pathlib import Path

import numpy as np
import pytest
from fake_engines import Swapping
from made_runs import attempt, put_pool, seen_of
from sampled_runs import context

from manyways.errors import MissingWork
from manyways.measures.predictions import PredictionRow
from manyways.measures.probe import PROBE, ProbeRow
from manyways.measures.theory.training import swap_row
from manyways.records import Score
from manyways.stages import probe
from manyways.stages.probe import first_half
from manyways.tables import append_attempts, read_attempts

STEPS = "<a> one\n<a> two\n<a> three\n\\boxed{1}"


@pytest.mark.parametrize(
    ("text", "half"),
    [
        ("one\ntwo\nAnswer: \\boxed{3}", "one\n"),
        ("one\n\ntwo\nthree\nfour\n\\boxed{3}", "one\n\ntwo\n"),
        ("one\ntwo\nthree\nThe answer is 3", "one\n"),
        ("First this. Then that; and more. So \\boxed{3}", "First this. "),
        ("only one\n\\boxed{3}", None),
        ("One. The answer is 3.", None),
        ("\\boxed{3}\none\ntwo", None),
        ("", None),
    ],
)
def test_texts_are_cut_between_steps_before_the_answer(text: str, half: str | None) -> None:
    assert first_half(text) == half


def probed(root: Path, **settings: int):
    """Four problems with an attempt under each of three heuristics."""
    small = {"heuristics": 2, "problems": 4, "samples": 3}
    ctx = context(root, engine="Swapping", probe=small | settings)
    if not (root / "1-attempts").exists():
        put_pool(
            ctx,
            [
                attempt(f"made/seed/00{i}", way, text=STEPS.replace("<a>", f"<{way}>"))
                for i in range(4)
                for way in "abc"
            ],
        )
    return ctx


def test_every_pair_goes_on_from_the_same_cut(tmp_path: Path) -> None:
    ctx = probed(tmp_path)
    cells = list(probe.cells(ctx))
    assert [c.heuristic for c in cells[:4]] == ["a > a", "a > b", "b > a", "b > b"]
    assert len(cells) == 4 * 4
    assert {c.messages[-1].role for c in cells} == {"assistant"}
    assert {c.messages[-1].content for c in cells} == {"<a> one\n", "<b> one\n"}
    assert "B: Do it." in cells[1].messages[0].content, "the prompt is that of the second"


def test_a_run_can_be_resumed_and_widened(tmp_path: Path) -> None:
    Swapping.reset()
    ctx = probed(tmp_path)
    probe.run(ctx)
    assert len(Swapping.asked) == 16
    probe.run(ctx)
    assert len(Swapping.asked) == 16, "finished work is not done again"
    probe.run(probed(tmp_path, samples=4))
    attempts = list(read_attempts(tmp_path / "6-probe"))
    assert len(attempts) == 64
    assert len({(a.problem_id, a.heuristic, a.sample) for a in attempts}) == 64


def test_complementary_heuristics_are_found(tmp_path: Path) -> None:
    ctx = probed(tmp_path)
    probe.run(ctx)
    (row,) = seen_of(ctx).rows(PROBE)
    assert [[cell.value for cell in line] for line in row.matrix] == [[0.0, 1.0], [1.0, 0.0]]
    assert (row.complementarity.value, row.complementarity.n) == (1.0, 4)
    assert row.covariance.value == -0.5
    assert row.attempts == 48


def put_probe(ctx, strengths: list[tuple[float, float]], problems: int) -> None:
    """Attempts whose halves succeed independently: R_ij = s_1i s_2j."""
    random = np.random.default_rng(0)
    rows = []
    for p in range(problems):
        for i, (start, _) in enumerate(strengths):
            for j, (_, end) in enumerate(strengths):
                name = f"{'abc'[i]}{probe.BETWEEN}{'abc'[j]}"
                for n in range(3):
                    right = random.random() < start * end
                    status = "correct" if right else "wrong"
                    rows.append(attempt(f"made/{p:04d}", name, n, status=status))
    append_attempts(ctx.run.path("6-probe"), rows)


def test_the_estimate_is_that_of_the_theory(tmp_path: Path) -> None:
    ctx = probed(tmp_path)
    strengths = [(0.9, 0.4), (0.4, 0.9)]
    put_probe(ctx, strengths, 700)
    (row,) = seen_of(ctx).rows(PROBE)
    truth = float(np.cov(np.array(strengths).T, bias=True)[0, 1])
    assert row.covariance.low < truth < row.covariance.high < 0
    assert row.complementarity.low < -2 * truth < row.complementarity.high
    assert row.dependence.value < 0.08, "independent halves: one singular value"
    assert row.dependence.low == 0.0


def test_without_attempts_that_can_be_cut_it_says_so(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    put_pool(ctx, [attempt("made/seed/000", way, text="\\boxed{1}") for way in "ab"])
    with pytest.raises(MissingWork, match="cut in the middle"):
        probe.run(ctx)
    assert seen_of(ctx).rows(PROBE) == []


def swap(low: float, high: float) -> ProbeRow:
    score = Score(name="x", value=(low + high) / 2, low=low, high=high, n=9)
    return ProbeRow(
        model="base", heuristics=["a", "b"], matrix=[], complementarity=score, covariance=None,
        dependence=None, attempts=9,
    )  # fmt: skip


def change(low: float, high: float) -> PredictionRow:
    measured = Score(name="x", value=(low + high) / 2, low=low, high=high, n=9)
    return PredictionRow(
        part="through RL", quantity="q", proposition="D2", of="x", measured=measured,
        expected="", outcome="agrees",
    )  # fmt: skip


def test_the_swap_is_compared_with_what_composition_did() -> None:
    assert swap_row(swap(0.1, 0.2), change(0.1, 0.2)).outcome == "agrees"
    assert swap_row(swap(-0.2, -0.1), change(0.1, 0.2)).outcome == "disagrees"
    assert swap_row(swap(-0.2, 0.1), change(0.1, 0.2)).outcome == "cannot tell"
    assert swap_row(swap(0.1, 0.2), change(-0.1, 0.2)).outcome == "cannot tell"
    assert swap_row(swap(-0.2, -0.1), change(-0.3, -0.2)).outcome == "agrees"
    assert swap_row(swap(0.1, 0.2), None).outcome == "cannot tell"
