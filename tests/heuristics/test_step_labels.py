from manyways.heuristics.labelling import step_labels
from manyways.records import Segment


def test_lines_that_only_state_the_answer_are_no_steps() -> None:
    rows = [
        ("Part 1, sum: 95.", None),
        ("split 4 as 3 and 1", "split"),
        ("so x = \\boxed{4} by splitting", "split"),
        ("Answer: \\boxed{4}", None),
        ("The final answer is 4.", None),
    ]
    assert step_labels(Segment(text=t, heuristic=h) for t, h in rows) == [None, "split", "split"]
