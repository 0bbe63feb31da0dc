"""References of one set that are taken for each other: only those that say the same."""

import re

import pytest
from acceptance import called_equal
from needs import needs_data


def numerals(text):
    return sorted(re.findall("[0-9]+", text.split("_")[0]))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@needs_data
def test_no_reference_is_taken_for_one_of_another_value():
    found = called_equal(3000, seed=7)
    assert {(g, o) for g, o, _, _ in found if numerals(g) != numerals(o)} == set()
