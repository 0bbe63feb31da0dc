"""What the report says about its labeller."""

from dataclasses import replace

from fake_run import labeller_rows, write_run

from manyways.measures import composition, labeller
from manyways.measures.composition import COMPOSITION
from manyways.measures.labeller import LABELLER
from manyways.measures.seen import load
from manyways.reporting import Figure, Note, Table


def told(root, rows):
    seen = load(write_run(root))
    seen.rows(LABELLER)[:] = rows
    return labeller.blocks(seen)


def test_accuracy_stands_beside_chance_and_the_error_is_said(tmp_path) -> None:
    blocks = told(tmp_path, list(labeller_rows()))
    accuracy, *matrices = [block for block in blocks if isinstance(block, Table)]
    assert accuracy.rows[0][3:5] == ("0.12", "0.38")
    assert isinstance(accuracy.rows[0][1], Figure)
    (note,) = [block for block in blocks if isinstance(block, Note)]
    assert "sensitivity of 0.70" in note.sentences[0]
    assert [len(matrix.rows) for matrix in matrices] == [8, 8]
    assert matrices[0].rows[0][0] == matrices[0].head[1], "the full matrix, in one order"


def test_many_heuristics_show_their_most_frequent_confusions(tmp_path) -> None:
    wide = [replace(row, classes=64) for row in labeller_rows()]
    confusions = [b for b in told(tmp_path, wide) if isinstance(b, Table)][-1]
    assert confusions.caption.startswith("Most frequent confusions")
    assert confusions.rows[0][2:] == ("20", "60")


def test_it_says_whether_rates_are_corrected(tmp_path) -> None:
    seen = load(write_run(tmp_path))
    assert "also given corrected" in _note(seen)
    seen.rows(COMPOSITION)[:] = [replace(row, corrected=None) for row in seen.rows(COMPOSITION)]
    assert "not corrected" in _note(seen)
    assert "manyways agreement" in _note(seen)


def _note(seen) -> str:
    return next(b for b in labeller.blocks(seen) if isinstance(b, Note)).sentences[0]


def test_an_exact_labeller_has_nothing_to_show_and_no_column(tmp_path) -> None:
    seen = load(write_run(tmp_path))
    assert labeller.blocks(seen) != []
    assert "corrected" in _composition(seen).head
    seen.rows(LABELLER).clear()
    seen.rows(COMPOSITION)[:] = [replace(row, corrected=None) for row in seen.rows(COMPOSITION)]
    assert labeller.blocks(seen) == []
    assert "corrected" not in _composition(seen).head


def _composition(seen) -> Table:
    tables = [b for b in composition.blocks(seen) if isinstance(b, Table)]
    return next(table for table in tables if table.caption.startswith("Composition"))
