"""Procedural problems: seeded, judged by their own scorers, an optional package."""

import sys

import pytest
from needs import needs_gym

from manyways.errors import DataError
from manyways.problems import load_problems, load_set
from manyways.verifiers.procedural import verify


def test_without_the_package_the_message_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(DataError, match=r"pip install .*\[reasoning-gym\]'"):
        load_problems("reasoning-gym:chain_sum")


@needs_gym
def test_a_larger_size_only_appends_and_a_seed_changes_all() -> None:
    few = load_problems("reasoning-gym:chain_sum?size=5&seed=3")
    many = load_problems("reasoning-gym:chain_sum?size=9&seed=3")
    other = load_problems("reasoning-gym:chain_sum?size=5&seed=4")
    assert [(p.id, p.question, p.answer) for p in few] == [
        (p.id, p.question, p.answer) for p in many[:5]
    ]
    assert {p.id for p in few}.isdisjoint(p.id for p in other)
    assert {p.question for p in few} != {p.question for p in other}


@needs_gym
def test_settings_reach_the_task_and_mark_the_ids() -> None:
    plain = load_problems("reasoning-gym:chain_sum?size=5")
    longer = load_problems("reasoning-gym:chain_sum?size=5&min_terms=8&max_terms=8")
    assert all(len(p.question) > len(max((q.question for q in plain), key=len)) for p in longer[:1])
    assert {p.id for p in plain}.isdisjoint(p.id for p in longer)


@needs_gym
def test_tasks_with_one_integer_answer_are_judged_as_maths() -> None:
    assert {p.verifier for p in load_problems("reasoning-gym:gcd?size=5")} == {"math"}


@needs_gym
def test_another_right_answer_than_the_reference_is_correct() -> None:
    [problem] = load_problems("reasoning-gym:countdown?size=1&seed=2")
    assert verify(problem, f"\\boxed{{{problem.answer}}}").status == "correct"
    assert verify(problem, f"\\boxed{{({problem.answer})}}").status == "correct"
    assert verify(problem, f"\\boxed{{${problem.answer}$}}").status == "correct"
    assert verify(problem, "\\boxed{1 + 1}").status == "wrong"
    assert verify(problem, "I give up").status == "no_answer"


@needs_gym
def test_a_package_that_makes_another_problem_is_undecided() -> None:
    [problem] = load_problems("reasoning-gym:countdown?size=1&seed=2")
    from dataclasses import replace

    changed = replace(problem, question="Something else")
    verdict = verify(changed, f"\\boxed{{{problem.answer}}}")
    assert (verdict.status, verdict.reason[:6]) == ("undecided", "error:")


@needs_gym
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("reasoning-gym:chainsum", "Did you mean 'chain_sum'"),
        ("reasoning-gym:chain_sum?size=0", "size is from 1"),
        ("reasoning-gym:chain_sum?size=many", "not a whole number"),
        ("reasoning-gym:chain_sum?colour=3", "does not take these options"),
        ("reasoning-gym:boxnet?size=2", "gives no reference answers"),
    ],
)
def test_mistakes_are_answered_with_the_fix(name: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load_problems(name)


@needs_gym
def test_the_origin_names_the_package_version() -> None:
    assert "reasoning-gym" in load_set("reasoning-gym:chain_sum?size=2").origin
