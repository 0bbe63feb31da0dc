from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from manyways.engines import SampleRequest
from manyways.engines.queueing import LONG, queue, windows
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


def test_equal_prompts_wait_together():
    short, long = queue([(1, 2), (1, 2), (3,)], [(7, 8), (9,), (5,)])
    assert (short.prompt, short.rows, short.seeds) == ((3,), (3,), (5,))
    assert (long.prompt, long.rows, long.seeds) == ((1, 2), (0, 1, 2), (7, 8, 9))
    first, rest = long.split(2)
    assert (first.rows, first.seeds, rest.rows, rest.seeds) == ((0, 1), (7, 8), (2,), (9,))


def test_the_beginning_that_saves_most_is_shared():
    """A system prompt is common to all, exemplars to those under one heuristic."""
    system = tuple(range(20))
    heuristics = [(*system, *[100 + n] * 200) for n in range(3)]
    prompts = [(*head, 500 + q, 600) for q in range(4) for head in heuristics]
    plain = [(*system, 900 + q) for q in range(4)]
    found = queue(prompts + plain, [(n,) for n in range(16)])
    assert {one.shared for one in found if len(one.prompt) > 200} == {220}
    assert {one.shared for one in found if len(one.prompt) < 30} == {20}
    groups = [one.beginning for one in found]
    assert [a != b for a, b in pairwise(groups)].count(True) == 3


def test_a_short_or_lonely_beginning_is_not_worth_a_pass():
    head = tuple(range(LONG - 1))
    assert {one.shared for one in queue([(*head, 98, 99), (*head, 97, 99)], [(1,), (2,)])} == {0}
    assert [one.shared for one in queue([tuple(range(50))], [(1, 2)])] == [0]
    # A prompt that begins as the whole of another keeps a token of its own.
    long = tuple(range(40))
    assert [one.shared for one in queue([long, long[:30]], [(1,), (2,)])] == [29, 29]


PROMPTS = st.lists(
    st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(0, 3)), max_size=12
)


@given(PROMPTS, st.booleans())
def test_every_attempt_waits_once_under_its_own_prompt(cells, share):
    # Every second prompt goes on from the one before: beginnings of all lengths.
    prompts, seeds, start = [], [], 0
    for number, (prompt, count) in enumerate(cells):
        before = prompts[-1] if number % 2 else ()
        prompts.append((*before, *prompt))
        seeds.append(tuple(range(start, start + count)))
        start += count
    found = queue(prompts, seeds, share=share)
    owner = [prompt for prompt, own in zip(prompts, seeds, strict=True) for _ in own]
    assert sorted(row for one in found for row in one.rows) == list(range(start))
    for one in found:
        assert {owner[row] for row in one.rows} == {one.prompt}
        assert one.seeds == one.rows, "seeds were numbered as rows are"
        assert one.shared == 0 or (share and LONG <= one.shared < len(one.prompt))
    for a, b in pairwise(found):
        if a.beginning == b.beginning:
            assert len(a.prompt) <= len(b.prompt)


@given(PROMPTS)
@example([([0], 0), ([0] * 10, 0)])
def test_groups_leave_no_more_tokens_to_compute_than_any_one_cut(cells):
    """Against grouping all prompts that share their first ``n`` tokens, for every ``n``."""
    head = tuple(range(3, 30))
    prompts = sorted({(*head[: LONG + len(p) % 9], *p) for p, _ in cells})
    found = queue(prompts, [(n,) for n in range(len(prompts))])
    groups = {one.beginning for one in found}
    fed = sum(len(one.prompt) - one.shared for one in found) + sum(map(len, groups))
    for cut in range(LONG, 60):
        shared = {}
        for prompt in prompts:
            # A prompt no longer than the cut stays alone, also where it is what others begin with.
            key = (len(prompt) > cut, prompt[:cut])
            shared.setdefault(key, []).append(prompt)
        other = sum(
            cut + sum(len(p) - cut for p in group) if len(group) > 1 else len(group[0])
            for group in shared.values()
        )
        assert fed <= other
