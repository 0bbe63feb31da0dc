from hypothesis import given
from hypothesis import strategies as st

from manyways.engines import SampleRequest
from manyways.engines.batching import batches, windows
from manyways.records import Message


def request(count):
    return SampleRequest(messages=(Message(role="user", content="?"),), seeds=tuple(range(count)))


def test_windows_keep_order_and_close_once_they_are_full():
    requests = [request(n) for n in (3, 3, 1, 9, 2)]
    found = list(windows(iter(requests), size=6))
    assert [[len(r.seeds) for r in window] for window in found] == [[3, 3], [1, 9], [2]]
    assert list(windows([], size=6)) == []


def test_windows_read_no_further_than_they_must():
    read = []

    def requests():
        for number in range(10):
            read.append(number)
            yield request(2)

    next(windows(requests(), size=4))
    assert read == [0, 1]


def test_equal_prompts_are_prefilled_once():
    (batch,) = batches([(1, 2), (1, 2), (3,)], [(7, 8), (9,), (5,)], max_tokens=5, batch_tokens=99)
    assert batch.prompts == ((3,), (1, 2))
    assert batch.owners == (0, 1, 1, 1)
    assert batch.seeds == (5, 7, 8, 9)
    assert batch.rows == (3, 0, 1, 2)


PROMPTS = st.lists(
    st.tuples(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.integers(0, 5)), max_size=12
)


@given(PROMPTS, st.integers(1, 20), st.integers(1, 120))
def test_every_attempt_is_in_one_batch_and_batches_stay_within_bounds(cells, most, bound):
    prompts = [tuple(prompt) for prompt, _ in cells]
    seeds, start = [], 0
    for _, count in cells:
        seeds.append(tuple(range(start, start + count)))
        start += count
    found = list(batches(prompts, seeds, max_tokens=most, batch_tokens=bound))
    owner = [prompt for prompt, own in zip(prompts, seeds, strict=True) for _ in own]
    assert sorted(row for batch in found for row in batch.rows) == list(range(start))
    for batch in found:
        longest = max(len(prompt) for prompt in batch.prompts)
        assert len(batch.rows) == 1 or len(batch.rows) * (longest + most) <= bound
        assert len(set(batch.prompts)) == len(batch.prompts)
        assert [batch.prompts[o] for o in batch.owners] == [owner[row] for row in batch.rows]
        # Seeds were numbered as rows are.
        assert batch.seeds == batch.rows
    lengths = [len(prompt) for batch in found for prompt in batch.prompts]
    assert lengths == sorted(lengths)
