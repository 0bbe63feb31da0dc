import numpy as np
import pytest

from manyways.metrics.diversity import (
    BLOCK,
    NUMBER,
    VOCABULARY,
    WORD,
    _features,
    distinct_n,
    embed,
    vendi,
    vendi_scores,
)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def kernel_score(x: np.ndarray) -> float:
    """The score by its definition: eigenvalues of the n x n kernel."""
    values = np.linalg.eigvalsh(x @ x.T / len(x))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def test_alike_is_one_and_orthogonal_is_n() -> None:
    assert vendi(np.tile([1.0, 0.0], (9, 1))) == pytest.approx(1.0)
    assert vendi(np.eye(7)) == pytest.approx(7.0)
    assert vendi(np.repeat(np.eye(5), 20, axis=0)) == pytest.approx(5.0)
    assert np.isnan(vendi(np.empty((0, 4))))


@pytest.mark.parametrize(("n", "d"), [(40, 8), (8, 40)])
def test_the_dual_form_equals_the_kernel_form(n: int, d: int) -> None:
    x = unit(np.random.default_rng(n).normal(size=(n, d)))
    assert vendi(x) == pytest.approx(kernel_score(x))


def test_streaming_equals_all_at_once() -> None:
    texts = [f"{word} number {i % 7} and {i % 11}" for i in range(BLOCK + 50) for word in ("a",)]
    texts = [t.replace("7", "seven") for t in texts]
    score, low, high = vendi_scores(texts, list(range(len(texts))), embed).pooled
    assert score == pytest.approx(vendi(embed(texts)))
    assert low <= score <= high


def test_the_interval_covers_a_fresh_set() -> None:
    random = np.random.default_rng(0)

    def world(count: int) -> tuple[list[str], list[int]]:
        words = [["add"], ["split", "half"], ["guess", "check", "try"], ["back"]]
        rows = [(p, words[random.integers(4)]) for p in range(count) for _ in range(3)]
        return [" ".join([*w, "then", "done"]) for _, w in rows], [p for p, _ in rows]

    truth = vendi_scores(*world(4000), embed).pooled[0]
    hits = 0
    for _ in range(60):
        _, low, high = vendi_scores(*world(60), embed).pooled
        hits += low <= truth <= high
    assert hits >= 52


def test_one_problem_has_no_interval() -> None:
    assert np.isnan(vendi_scores(["a b", "c d"], ["p", "p"], embed).pooled[1])
    assert np.isnan(vendi_scores([], [], embed).pooled[0])


def test_per_problem_scores() -> None:
    texts = ["add one two", "add one two", "x y z w", "unlike this at all", "alone"]
    scores = vendi_scores(texts, ["p", "p", "q", "q", "r"], embed).per_problem_P
    assert scores[0] == pytest.approx(1.0)
    assert scores[1] > 1.8
    assert len(scores) == 2


def test_a_problem_whose_texts_lie_apart_or_across_blocks_is_one_problem() -> None:
    random = np.random.default_rng(1)
    texts = [" ".join(random.choice(list("abcdefgh"), 4)) for _ in range(BLOCK + 30)]
    problems = [i // 7 for i in range(len(texts))]
    expected = [vendi(embed(texts[i : i + 7])) for i in range(0, len(texts) - 1, 7)]
    found = vendi_scores(texts, problems, embed)
    assert found.per_problem_P == pytest.approx(expected)
    shuffled = random.permutation(len(texts))
    mixed = vendi_scores([texts[i] for i in shuffled], [problems[i] for i in shuffled], embed)
    assert sorted(mixed.per_problem_P) == pytest.approx(sorted(expected))
    assert mixed.pooled[0] == pytest.approx(found.pooled[0])


def test_embedding_is_unit_deterministic_and_blind_to_figures() -> None:
    x = embed(["Split 35 as 30 and 5.", "Split 46 as 40 and 6.", "guess", ""])
    assert np.linalg.norm(x, axis=1) == pytest.approx(np.ones(4))
    assert x[0] @ x[1] == pytest.approx(1.0)
    assert abs(x[0] @ x[2]) < 0.4
    assert (embed(["guess"])[0] == x[2]).all()
    assert embed([]).shape == (0, 256)


def test_embedding_keeps_similarities_on_average() -> None:
    """Signed hashing has no bias: texts that share nothing have cosine 0 on average."""
    texts = [" ".join(f"w{i}{c}" for c in "abcdefgh") for i in "abcdefghijklmnopqrstuvwxyz"]
    x = embed(texts)
    off = (x @ x.T)[np.triu_indices(26, 1)]
    assert abs(off.mean()) < 0.01


def test_distinct_n() -> None:
    assert distinct_n(["a b c d"]) == 1.0
    assert distinct_n(["a b c", "a b c"]) == 0.5
    assert np.isnan(distinct_n(["a b"]))


def test_features_are_those_of_the_usual_hashing() -> None:
    from sklearn.feature_extraction.text import HashingVectorizer

    text = "Split 35 as 30 and 5: Äpfel, äpfel!"
    usual = HashingVectorizer(
        n_features=VOCABULARY, ngram_range=(1, 2), token_pattern=WORD.pattern, binary=True,
        norm=None, alternate_sign=False,
    )  # fmt: skip
    assert _features(text) == set(usual.transform([NUMBER.sub("0", text)]).indices.tolist())
