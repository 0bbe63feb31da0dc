"""The run's labeller, measured; and one that learns from the run's own attempts."""

from pathlib import Path

import pytest
from made_runs import attempt, context, put_evaluation, put_pool

from manyways.heuristics import load_pack
from manyways.heuristics.labelling import (
    LabellerError,
    Measured,
    PromptedText,
    folds,
    halves,
    is_exact,
    joined,
)
from manyways.measures import read_rows
from manyways.measures.composition import CompositionRow
from manyways.measures.labeller import LabellerRow
from manyways.metrics.agreement import corrected_rate
from manyways.pool.labellers import lessons, prompted_texts
from manyways.records import Segment
from manyways.stages import analyse

PACK = load_pack("pocket", 4)
TEST = "made_runs:load/test?count=12"
ODD = "Zebras graze.\nThe rest is silence."


def labelled(root: Path, name: str):
    ctx = context(root, heuristics={"labeller": name, "count": 4})
    ctx.__dict__["pack"] = PACK
    return ctx


def pool(ctx) -> None:
    """Four problems; the model's own words for the first heuristic are in no exemplar."""
    put_pool(
        ctx,
        [
            attempt(
                f"made/seed/{p:03d}", way.id, n,
                text=f"{ODD} {p}" if way is PACK[0] else way.exemplars[0].solution,
                status="wrong" if n else "correct",
            )
            for way in PACK for p in range(4) for n in range(2)
        ] + [attempt("made/seed/000", "plain", 0), attempt("made/seed/000", PACK[1].id, 9,
                                                           finish="length")],
    )  # fmt: skip


def test_lessons_are_correct_finished_and_different(tmp_path: Path) -> None:
    ctx = labelled(tmp_path, "attempts")
    assert lessons(ctx) == []
    pool(ctx)
    assert len(prompted_texts(ctx)) == 32
    found = lessons(ctx)
    assert {text.heuristic for text in found} == {way.id for way in PACK}
    assert len(found) == 7, "four different texts of the first, one of each other"


def test_it_learns_the_words_of_the_model(tmp_path: Path) -> None:
    ctx = labelled(tmp_path, "attempts")
    pool(ctx)
    text = f"{ODD} 17"
    assert ctx.labeller.adherence(text, PACK[0]) > 0.8
    plain = ctx.labeller_named("exemplars")
    assert plain.adherence(text, PACK[0]) < 0.5


def test_guesses_at_attempts_come_from_other_problems(tmp_path: Path) -> None:
    ctx = labelled(tmp_path, "attempts")
    first, *_, last = sorted(way.id for way in PACK)
    (way,) = [way for way in PACK if way.id == last]
    texts = [
        PromptedText(text=" ".join([word] * 6), heuristic=last, problem_id=word)
        for word in ("quagga", "dodo")
    ]
    taught = ctx.labeller_named("attempts", lambda: texts)
    assert min(taught.adherence(text.text, way) for text in texts) > 0.8, "it has seen the words"
    guessed = {guess.unit: guess.ranked[0] for guess in taught.guesses(texts)}
    assert guessed == {"quagga": first, "dodo": first}, "unknown words: all equal, the first named"


def test_halves_share_no_problem_and_folds_no_exemplar() -> None:
    texts = [PromptedText(text="t", heuristic="h", problem_id=f"p{i % 5}") for i in range(20)]
    one, two = halves(texts)
    assert not {t.problem_id for t in one} & {t.problem_id for t in two}
    assert len(one) + len(two) == 20
    made = list(folds(PACK))
    assert len(made) == max(len(h.exemplars) for h in PACK)
    for seen, tests in made:
        left = {e.solution for h in seen for e in h.exemplars}
        assert not left & {test.text for test in tests}


def test_joined_texts_have_the_begin_of_one_and_the_end_of_the_next() -> None:
    assert joined([["a1", "a2"], ["b1", "b2", "b3"]]) == ["a1\nb2\nb3", "b1\nb2\na2"]
    assert joined([["a"], ["b"]]) == ["a\nb", "b\na"]
    assert joined([["a"]]) == []


@pytest.mark.parametrize("name", ["exemplars", "attempts"])
def test_the_tables_hold_its_error_on_exemplars(tmp_path: Path, name: str) -> None:
    ctx = labelled(tmp_path, name)
    assert isinstance(ctx.labeller, Measured)
    pool(ctx)
    both = PACK[0].exemplars[0].solution + "\n" + PACK[1].exemplars[0].solution
    rows = [
        attempt(f"made/test/{p:03d}", sample=n, text=both if n else ODD)
        for p in range(12) for n in range(4)
    ]  # fmt: skip
    put_evaluation(ctx, "base", TEST, rows)
    analyse.run(ctx)
    exemplars, attempts = read_rows(ctx.run.path("7-tables", "labeller.json"), LabellerRow)
    assert (exemplars.texts, exemplars.accuracy.n, attempts.texts) == (8, 8, 7)
    assert attempts.accuracy.n == 4, "problems"
    assert sum(sum(row.values()) for row in exemplars.confusion.values()) == 8
    assert exemplars.sensitivity is not None
    assert attempts.sensitivity is None
    (row,) = read_rows(ctx.run.path("7-tables", "composition.json"), CompositionRow)
    error = ctx.labeller.exemplar_error()
    assert exemplars.sensitivity.value == error.found / error.composed
    assert row.corrected is None, "an error on exemplars is none on texts of a model"


def test_a_labeller_that_knows_its_error_has_its_rates_corrected(tmp_path: Path) -> None:
    ctx = labelled(tmp_path, "pocket")
    ctx.__dict__["labeller"] = _Sure()
    rows = [attempt(f"made/test/{p:03d}", sample=n, text=f"{n}") for p in range(12) for n in (0, 1)]
    put_evaluation(ctx, "base", TEST, rows)
    analyse.run(ctx)
    (row,) = read_rows(ctx.run.path("7-tables", "composition.json"), CompositionRow)
    assert row.composed.value == 0.5
    assert row.corrected is not None
    assert row.corrected.value == pytest.approx(corrected_rate(0.5, sensitivity=0.8, specificity=1))


class _Sure:
    measured_error = LabellerError(found=40, composed=50, passed=50, single=50)

    def segments(self, text):
        return [Segment(text=text, heuristic=way) for way in ("a", "b")[: 1 + (text == "1")]]


def test_an_exact_labeller_has_no_rows(tmp_path: Path) -> None:
    ctx = labelled(tmp_path, "pocket")
    assert is_exact(ctx.labeller)
    assert not is_exact(ctx.labeller_named("exemplars"))
    pool(ctx)
    analyse.run(ctx)
    assert read_rows(ctx.run.path("7-tables", "labeller.json"), LabellerRow) == []
