"""The pocket problem set: reproducible, disjoint splits, right answers, clear refusals."""

import re
from itertools import islice
from types import SimpleNamespace

import pytest

from manyways.errors import DataError
from manyways.fingerprint import content_hash
from manyways.pocket import world as world_module
from manyways.pocket.kinds import KINDS
from manyways.pocket.problems import load
from manyways.pocket.solutions import composed, solution
from manyways.pocket.ways import WAYS
from manyways.pocket.world import SHARED_SPLITS, SIZES, SPLITS, WORLDS, exercises, split_of
from manyways.problems import load_problems


def read(split, **options):
    return load(split, SimpleNamespace(options=options))


def contents(split, world="main", count=400):
    return [
        tuple(sorted((part.kind, part.numbers) for part in exercise.parts))
        for exercise in islice(exercises(WORLDS[world], split), count)
    ]


def test_splits_share_no_problem():
    seen = {}
    for world in WORLDS:
        for split in SPLITS:
            for content in contents(split, world):
                assert seen.setdefault(content, split) == split


def test_questions_and_ids_are_unique_within_a_split():
    for split in SHARED_SPLITS:
        problems = read(split)
        assert len({problem.id for problem in problems}) == len(problems)
        assert len({problem.question for problem in problems}) == len(problems)


def test_a_larger_count_only_appends():
    assert read("seed", count="30") == read("seed", count="50")[:30]
    assert [problem.id for problem in read("seed", count="2")] == [
        "pocket/seed/00000",
        "pocket/seed/00001",
    ]


def test_splits_have_their_numbers_of_parts():
    for split in SHARED_SPLITS:
        sizes = {int(problem.tags["parts"]) for problem in read(split, count="60")}
        assert sizes == set(SIZES[split])


@pytest.mark.parametrize(
    ("world", "wanted"), [("main", "a568c00062a702d8"), ("held-out", "1e5e5c8c84b539ce")]
)
def test_problems_are_what_they_always_were(world, wanted):
    lines = [
        f"{p.id}\t{p.question}\t{p.answer}\t{p.tags}"
        for split in SHARED_SPLITS
        for p in read(split, count="30", world=world)
    ]
    assert content_hash(lines) == wanted


@pytest.mark.parametrize("parts", ["1", "2,3", "4"])
def test_only_problems_of_so_many_parts(parts):
    for split in ("rl", "test", "ood-story"):
        sizes = {int(problem.tags["parts"]) for problem in read(split, parts=parts, count="40")}
        assert sizes == {int(word) for word in parts.split(",")}


def test_a_number_of_parts_moves_no_problem_to_another_split():
    world = WORLDS["main"]
    for split in SHARED_SPLITS:
        for exercise in islice(exercises(world, split, (1, 2)), 60):
            assert split_of(exercise.parts) == split


def test_an_id_never_means_two_problems():
    found = {}
    for parts in ("", "1", "2", "3,2", "2,3", "1,2,3"):
        for problem in read("test", count="20", **({"parts": parts} if parts else {})):
            assert found.setdefault(problem.id, problem) == problem
    assert len(found) == 4 * 20  # the split's own, twice, and three more
    own = read("test", parts="3,2", count="5")
    assert own == read("test", count="5")
    assert read("rl", parts="1", count="1")[0].id == "pocket/rl-parts-1/00000"
    assert read("rl", parts="1", count="20") == read("rl", parts="1", count="30")[:20]


def test_a_split_of_few_problems_gives_what_it_has(monkeypatch):
    monkeypatch.setattr(world_module, "PATIENCE", 4)
    found = read("rl", parts="1")
    assert 40 < len(found) < 560
    contents = {exercise.parts for exercise in exercises(WORLDS["main"], "rl", (1,))}
    assert len(contents) == len(found)
    with pytest.raises(DataError, match=f"has {len(found)} different problems, fewer than count="):
        read("rl", parts="1", count="600")


def test_harder_is_longer_than_any_seed_problem():
    assert min(SIZES["harder"]) > max(SIZES["seed"])


def test_every_operation_occurs_in_every_split():
    for split in SHARED_SPLITS:
        found = {word for p in read(split) for word in p.tags["operations"].split()}
        assert found == set(KINDS)


def test_held_out_world_has_other_problems():
    ours, theirs = read("test"), read("test", world="held-out")
    assert not {p.question for p in ours} & {p.question for p in theirs}
    assert not {p.id for p in ours} & {p.id for p in theirs}
    assert not set(contents("test")) & set(contents("test", "held-out"))


def test_answers_follow_from_the_question():
    for problem in read("ood-code", count="80"):
        for line, answer in zip(
            problem.question.splitlines()[1:], re.findall(r"\d+", problem.answer), strict=True
        ):
            assert run_program(line.partition(": ")[2]) == answer


def run_program(line):
    """What the one-line program prints, run by Python itself."""
    printed = []
    scope = {"print": lambda value: printed.append(str(value))}
    if line.startswith("x ="):
        first, loop, last = line.split("; ")
        line = f"{first}\n{loop}\n{last}"
    elif line.startswith("for"):
        line = line.replace(": if", ":\n if")
    exec(line, scope)
    (only,) = printed
    return only


def test_solutions_end_in_the_problem_answer():
    for split in SPLITS:
        for exercise in islice(exercises(WORLDS["main"], split), 100):
            for way in (None, *WAYS):
                last = solution(exercise, way).splitlines()[-1]
                assert last == f"Answer: \\boxed{{{exercise.answer}}}"


def test_every_equation_of_every_way_is_true():
    for exercise in islice(exercises(WORLDS["main"], "rl"), 400):
        for part in exercise.parts:
            for way, kinds in WAYS.items():
                if part.kind not in kinds:
                    continue
                line = kinds[part.kind](part)
                assert re.findall(r"\d+", line)[-1] == str(part.answer)
                for a, sign, b, c in re.findall(r"(\d+) ([-+*/]) (\d+) = (\d+)", line):
                    assert eval(f"{a} {sign} {b}") == int(c), (way, line)


def test_choice_answers_name_the_right_option():
    for exercise in islice(exercises(WORLDS["main"], "ood-story"), 100):
        answers = [part.answer for part in exercise.parts]
        right = exercise.choices["ABCD".index(exercise.answer)]
        assert [int(n) for n in re.findall(r"\d+", right)] == answers
        assert len(set(exercise.choices)) == 4
        assert all(f"{letter}: {text}" in exercise.question
                   for letter, text in zip("ABCD", exercise.choices, strict=True))  # fmt: skip
    letters = {p.answer for p in read("ood-story")}
    assert letters == set("ABCD")


def test_pure_solutions_use_one_heuristic_and_composed_ones_several():
    (exercise,) = islice(exercises(WORLDS["main"], "harder"), 1)
    ways = [
        next((h for h in WAYS if h != "figure" and p.kind in WAYS[h]), None) for p in exercise.parts
    ]
    assert composed(exercise, ways).count("Part") == 4
    assert composed(exercise, [None] * 4) == solution(exercise, None)


def test_verifiers_of_the_sets():
    assert {p.verifier for p in read("ood-story")} == {"choice"}
    assert {p.verifier for s in SHARED_SPLITS if s != "ood-story" for p in read(s)} == {"math"}


def test_loads_by_name_with_options():
    problems = load_problems("pocket/test?count=3&world=held-out")
    assert [p.id for p in problems] == [f"pocket-held-out/test/0000{i}" for i in range(3)]


@pytest.mark.parametrize(
    ("split", "options", "words"),
    [
        ("base", {}, "Known: seed, rl"),
        ("tset", {}, "Known: seed, rl"),
        ("test", {"cuont": "3"}, "Did you mean 'count'"),
        ("test", {"count": "0"}, "1 to 20000"),
        ("test", {"count": "many"}, "1 to 20000"),
        ("test", {"parts": "one"}, "numbers from 1 to 4"),
        ("test", {"parts": "0"}, "numbers from 1 to 4"),
        ("test", {"parts": "2,5"}, "numbers from 1 to 4"),
        ("test", {"parts": "2,"}, "numbers from 1 to 4"),
        ("test", {"world": "heldout"}, "Did you mean 'held-out'"),
    ],
)
def test_refuses_what_it_does_not_know(split, options, words):
    with pytest.raises(DataError, match=words):
        read(split, **options)
