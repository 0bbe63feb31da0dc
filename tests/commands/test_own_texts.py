"""`manyways diversity` and `manyways composition` on texts of one's own."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import in_this_process

from manyways.commands.texts import Texts, measure
from manyways.measures.diversity import Described, diversity_row
from manyways.measures.solutions import Reader
from manyways.metrics.intervals import Resampling, wilson

PURE = "Part 1, product: split 12 as 10 + 2: 12 * 3 = 36\nAnswer: \\boxed{36}"
BOTH = PURE.replace("Answer", "Part 2, unknown: from the end: 5\nAnswer")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [
        {"problem": f"p{i // 2}", "text": BOTH if i < 6 else PURE, "correct": i < 8}
        for i in range(20)
    ]
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_composition_of_a_file(file: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out.json"
    done = in_this_process(capsys, "composition", file, "--pack", "pocket", "--out", out)
    assert done.code == 0
    row = json.loads(out.read_text())
    assert row["composed"]["value"] == pytest.approx(0.3)
    assert row["composed"]["n"] == 10
    assert row["composed_correct"]["value"] == pytest.approx(6 / 8)
    assert row["pairs"] == {"decomposing > working-backwards": 6}
    assert row["switch"]["value"] == 1.0
    for words in ("composition rate", "switch rate", "decomposing", "1.000"):
        assert words in done.out


def test_each_text_its_own_problem_gives_the_plain_wilson_interval() -> None:
    class Marks:
        def segments(self, text: str):
            from manyways.records import Segment

            return [Segment(text=c, heuristic=c) for c in text]

        def adherence(self, text: str, heuristic: object) -> float:
            return 1.0

    texts = ["ab"] * 7 + ["aa"] * 23
    found = Texts(texts=texts, problems=[str(i) for i in range(30)], correct=None, named=False)
    row = measure("file", found, Reader(Marks()))
    assert (row.composed.low, row.composed.high) == pytest.approx(wilson(7, 30), abs=0.01)
    assert row.composed_correct is None


def test_correction_needs_both_errors_and_a_labeller_better_than_chance(file: Path, capsys) -> None:
    half = in_this_process(capsys, "composition", file, "--sensitivity", "0.9")
    assert half.code == 2
    assert "together" in half.err
    pack = ("--pack", "pocket")
    errors = ("--sensitivity", "0.8", "--specificity", "0.9")
    done = in_this_process(capsys, "composition", file, *pack, *errors)
    assert f"{(0.3 + 0.9 - 1) / 0.7:.4f}" in done.out
    useless = ("--sensitivity", "0.5", "--specificity", "0.5")
    assert in_this_process(capsys, "composition", file, *pack, *useless).code == 2
    low = ("--sensitivity", "0.8", "--specificity", "0.5")
    done = in_this_process(capsys, "composition", file, *pack, *low)
    assert "does not fit" in done.out + done.err


def test_diversity_of_a_file(file: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out.json"
    done = in_this_process(capsys, "diversity", file, "--pack", "pocket", "--out", out)
    assert done.code == 0
    row = json.loads(out.read_text())
    assert 1 < row["vendi"]["value"] < 2, "two different texts, one of them more often"
    assert row["vendi"]["n"] == 10
    assert row["per_problem"]["value"] == pytest.approx(1.0)
    assert row["heuristics"]["value"] == 1.0, "all open with decomposing"
    assert "randomly" in done.out + done.err, "the embedder is named"


def test_texts_too_short_for_a_measure_have_none(tmp_path: Path, capsys) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    out = tmp_path / "out.json"
    done = in_this_process(capsys, "diversity", tmp_path / "a.jsonl", "--out", out)
    assert (done.code, json.loads(out.read_text())["distinct_3"]) == (0, None)
    assert "no 2 words in a row" in done.out
    assert "nan" not in done.out


def test_any_embedder_can_be_given() -> None:
    def axes(texts):
        return np.array([[1.0, 0.0] if "a" in text else [0.0, 1.0] for text in texts])

    texts = Described(texts=["a", "b"] * 9, problems=[str(i // 2) for i in range(18)])
    row = diversity_row("made", texts, Resampling(), embedder=(axes, "two axes"))
    assert (row.vendi.value, row.per_problem.value) == pytest.approx((2.0, 2.0))
    assert (row.embedder, row.heuristics) == ("two axes", None)


def test_a_missing_model_is_an_error_that_names_the_folder(file: Path, capsys) -> None:
    done = in_this_process(capsys, "diversity", file, "--embedder", file.parent)
    assert done.code == 2
    assert "there is no model" in done.err


@pytest.mark.slow
def test_a_local_model_embeds() -> None:
    from manyways.checkpoints import package_path
    from manyways.commands.texts import load_embedder

    embed, name = load_embedder(package_path("package:manyways.pocket/base"))
    x_ND = embed([PURE, BOTH, "", PURE])
    assert np.linalg.norm(x_ND, axis=1) == pytest.approx(np.ones(4))
    assert x_ND[0] == pytest.approx(x_ND[3], abs=1e-5), "whatever else is in the batch"
    assert x_ND[0] @ x_ND[1] < 0.999
    assert name == "mean of the last hidden states of base"
    assert embed([]).shape == (0, x_ND.shape[1])


def test_a_labeller_that_learns_from_a_run_is_refused(file: Path, capsys) -> None:
    done = in_this_process(capsys, "composition", file, "--labeller", "attempts")
    assert done.code == 2
    assert "belong to no run" in done.err
