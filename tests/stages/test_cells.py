"""Which cells an adaptive pool asks again."""

from manyways.pool.adaptive import Cells, Totals
from manyways.pool.attempt_files import Cell
from manyways.records import Message, Problem


def cells(count):
    return [
        Cell(
            problem=Problem(id=f"made/{i}", question="?", answer="1"),
            heuristic="a",
            messages=(Message(role="user", content="?"),),
            samples=2,
        )
        for i in range(count)
    ]


def test_every_open_cell_is_asked_until_it_is_solved_or_given_up():
    state = Cells(cells(3))
    assert [cell.samples for cell in state.ask()] == [1, 1, 1]
    names = [(f"made/{i}", "a") for i in range(3)]
    state.learn(dict.fromkeys(names, 10), {names[1]})
    assert state.totals() == Totals(accepted=1, open=2, given_up=0, tokens=30)
    assert [(cell.problem.id, cell.samples) for cell in state.ask()] == [
        ("made/0", 2),
        ("made/2", 2),
    ]
    state.learn({names[0]: 20, names[2]: 25}, {names[2]})
    assert state.ask() == []
    assert state.totals() == Totals(accepted=2, open=0, given_up=1, tokens=55)
    assert state.requests() == {names[0]: 2, names[1]: 1, names[2]: 2}


def test_a_cell_that_loses_its_solution_is_asked_again():
    state = Cells(cells(1))
    state.ask()
    state.learn({("made/0", "a"): 5}, {("made/0", "a")})
    assert state.ask() == []
    state.learn({("made/0", "a"): 5}, set())
    assert [cell.samples for cell in state.ask()] == [2]
