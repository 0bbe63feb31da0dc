import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from manyways.engines.decoding import choose, distribution, uniforms

LAST = float(np.nextafter(1.0, 0.0))


def test_uniforms_depend_on_the_seed_alone_and_only_append():
    many = uniforms([5, 2**63 - 1, 0], 40)
    assert many.shape == (3, 40)
    assert np.array_equal(uniforms([2**63 - 1], 40)[0], many[1])
    assert np.array_equal(uniforms([5, 0], 7), many[[0, 2], :7])
    assert not np.array_equal(many[0], many[2])
    assert many.min() >= 0.0
    assert many.max() < 1.0


def test_uniforms_of_neighbouring_seeds_are_uniform_and_unrelated():
    noise = uniforms(range(2000), 2)
    counts, _ = np.histogram(noise, bins=20, range=(0, 1))
    assert chisquare(counts).pvalue > 1e-4
    assert abs(np.corrcoef(noise[:-1, 0], noise[1:, 0])[0, 1]) < 0.1
    assert abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 0.1


def test_no_seeds_no_noise():
    assert uniforms([], 4).shape == (0, 4)


@pytest.mark.parametrize("uniform", [0.0, 0.5, LAST])
def test_a_token_of_probability_zero_is_never_chosen(uniform):
    rows = torch.tensor([[0.0, 0.3, 0.0, 0.2, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0]])
    first, second = choose(rows, torch.arange(2), torch.tensor([uniform, uniform])).tolist()
    assert first in (1, 3)
    assert second == 2


def test_choice_inverts_the_cumulative_distribution_in_vocabulary_order():
    row = torch.tensor([[0.25, 0.5, 0.25]])
    chosen = choose(row, torch.zeros(5, dtype=int), torch.tensor([0.0, 0.2499, 0.25, 0.7499, 0.75]))
    assert chosen.tolist() == [0, 0, 1, 1, 2]


def test_rows_need_not_be_normalised():
    row = torch.tensor([[0.1, 0.1], [2.0, 6.0]])
    assert choose(row, torch.arange(2), torch.tensor([0.49, 0.26])).tolist() == [0, 1]


def test_a_row_that_is_not_finite_gives_minus_one():
    rows = distribution(torch.tensor([[0.0, float("nan")], [0.0, 1.0]]), temperature=1.0, top_p=1.0)
    assert choose(rows, torch.arange(2), torch.tensor([0.5, 0.1])).tolist() == [-1, 0]


def test_frequencies_follow_the_distribution():
    weights = torch.tensor([0.5, 0.0, 0.3, 0.15, 0.05])
    draws = torch.from_numpy(uniforms(range(5000), 1)[:, 0])
    counts = torch.bincount(
        choose(weights[None], torch.zeros(5000, dtype=int), draws), minlength=5
    ).numpy()
    used = weights.numpy() > 0
    assert counts[~used].sum() == 0
    assert chisquare(counts[used], 5000 * weights.numpy()[used]).pvalue > 1e-4


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9, 0.999])
def test_nucleus_is_the_one_of_transformers(top_p):
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper

    logits = 3 * torch.randn(50, 40, generator=torch.Generator().manual_seed(0))
    warped = TopPLogitsWarper(top_p)(None, TemperatureLogitsWarper(0.7)(None, logits.clone()))
    ours = distribution(logits, temperature=0.7, top_p=top_p)
    ours = ours / ours.sum(dim=-1, keepdim=True)
    assert torch.allclose(ours, warped.softmax(dim=-1), atol=1e-6)
    assert (ours > 0).sum(dim=-1).min() >= 1


def test_a_tiny_temperature_is_greedy_not_nan():
    logits = torch.tensor([[1.0, 50.0, -2.0]])
    row = distribution(logits, temperature=1e-30, top_p=1.0)
    assert row.tolist() == [[0.0, 1.0, 0.0]]


def test_half_precision_logits_are_sampled_in_float32():
    assert distribution(torch.zeros(1, 3).bfloat16(), temperature=1.0, top_p=1.0).dtype == (
        torch.float32
    )


@pytest.mark.parametrize("vocabulary", [700, 1024, 5000])
def test_a_large_vocabulary_is_searched_in_chunks_for_the_same_tokens(vocabulary):
    torch.manual_seed(0)
    rows = torch.randn(3, vocabulary).mul(2).softmax(dim=-1)
    rows[1, -300:] = 0.0
    rows[2, :600] = 0.0
    row = torch.arange(3).repeat(400)
    uniform = torch.from_numpy(uniforms(range(1200), 1)[:, 0])
    uniform[:3], uniform[3:6] = 0.0, LAST
    whole = rows.double().cumsum(dim=-1)[row]
    target = torch.minimum(uniform * whole[:, -1], whole[:, -1].nextafter(torch.tensor(0.0)))
    expected = torch.searchsorted(whole, target[:, None], right=True)[:, 0]
    assert choose(rows, row, uniform).tolist() == expected.tolist()
