import numpy as np
import pytest

from manyways.metrics.texts import text_features

PENS = ["3 pens cost 12 cents.", "7 pens cost 21 cents.", "9 pens cost 99 cents."]
COWS = ["On a farm are 12 heads of hens and cows.", "On a farm are 7 heads of hens and cows."]


def test_texts_that_read_alike_have_the_same_features():
    x_NF = text_features(PENS + COWS)
    assert x_NF[:3] == pytest.approx(np.tile(x_NF[0], (3, 1)))
    assert x_NF[3:] == pytest.approx(np.tile(x_NF[3], (2, 1)))
    assert np.linalg.norm(x_NF[0] - x_NF[3]) > 1


def test_features_are_centred_uncorrelated_and_of_length_one():
    texts = [*PENS, *COWS, "What is 4 times 5?", "Add 7 and 5.", "Find the number of rows."]
    x_NF = text_features(texts, count=3)
    assert x_NF.shape == (8, 3)
    assert x_NF.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert np.sum(x_NF**2) / 8 == pytest.approx(1)
    squares = x_NF.T @ x_NF
    assert squares - np.diag(np.diag(squares)) == pytest.approx(np.zeros((3, 3)), abs=1e-9)
    assert all(np.diff(np.diag(squares)) <= 0)


@pytest.mark.parametrize("texts", [["one text"], ["the same"] * 4, [""] * 3])
def test_texts_without_a_difference_have_no_features(texts):
    assert text_features(texts).shape == (len(texts), 0)
