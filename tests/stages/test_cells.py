"""Which cells an adaptive pool asks next."""

from pathlib import Path

from manyways.engines import SamplingSettings
from manyways.pool.requests import Cell, Sampling
from manyways.records import Message, Problem
from manyways.stages.cells import Cells

HOW = Sampling(
    settings=SamplingSettings(max_tokens=20), folder=Path("nowhere"), run_seed=0,
    model_hash="m", label="l", part_size=9,
)  # fmt: skip
ASKED = {"rows": "A hall has {} rows of chairs.", "price": "What do {} pens cost?"}


def cells(sort, count=16):
    """Problems of one sort, under two heuristics."""
    problems = [
        Problem(id=f"{sort}/{i}", question=ASKED[sort].format(i), answer="1") for i in range(count)
    ]
    return [
        Cell(problem=p, heuristic=h, messages=(Message(role="user", content="?"),), samples=4)
        for h in ("a", "b")
        for p in problems
    ]


def test_a_heuristic_is_asked_where_it_worked_at_problems_that_read_alike():
    """``a`` solves rows, ``b`` prices: an eighth of the cells is enough to see that."""
    state = Cells([*cells("rows"), *cells("price")], HOW)

    def sample(chosen, number):
        asked = state.ask(chosen, number)
        names = [(cell.problem.id, cell.heuristic) for cell in asked]
        right = {(p, h) for p, h in names if p.startswith("rows") == (h == "a")}
        state.learn(
            {name: 10 * cell.samples for name, cell in zip(names, asked, strict=True)}, right
        )
        return len(right) / len(asked)

    first = state.choose(10_000)
    assert len(first) == 8
    sample(first, 0)
    later = [sample(state.choose(10_000), number) for number in range(1, 6)]
    assert sum(later) / len(later) > 0.8


def test_later_rounds_take_a_sixteenth():
    state = Cells(cells("rows", count=32), HOW)
    state.ask(state.choose(10_000), 0)
    assert len(state.choose(10_000)) == 4
    assert len(state.choose(None)) == 64
