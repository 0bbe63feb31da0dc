"""The pocket problem set: reproducible, disjoint splits, right answers, clear refusals."""

import re
from itertools import islice
from types import SimpleNamespace

import pytest

from manyways.errors import DataError
from manyways.fingerprint import content_hash
from manyways.pocket import world as world_module
from manyways.pocket.corpus import composed_solution, solution
from manyways.pocket.ways import EASY, KINDS, PAIRS, TYPES, WAYS, step, type_of
from manyways.pocket.world import (
    SHAPES,
    SHARED_SPLITS,
    SIZES,
    WORLDS,
    exercises,
    is_told,
    load,
    split_of,
)
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
        for split in ("base", *SHARED_SPLITS):
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
    ("world", "wanted"), [("main", "f71c9cb99a55472d"), ("held-out", "b6d75ecfd9cb697e")]
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
    monkeypatch.setattr(world_module, "PATIENCE", 20)
    found = read("rl", parts="1")
    assert 40 < len(found) < 560
    contents = {exercise.parts for exercise in exercises(WORLDS["main"], "rl", (1,))}
    assert len(contents) == len(found)
    with pytest.raises(DataError, match=f"has {len(found)} different problems, fewer than count="):
        read("rl", parts="1", count="600")


def test_harder_is_longer_than_any_seed_problem():
    assert min(SIZES["harder"]) > max(SIZES["seed"])


def test_every_operation_and_type_occurs_in_every_split():
    for split in SHARED_SPLITS:
        found = {word for p in read(split) for word in p.tags["operations"].split()}
        assert found == set(KINDS)
        types = {word for p in read(split) for word in p.tags["types"].split()}
        assert types == {*TYPES, "easy"}


def test_tags_list_the_type_of_every_part():
    drawn = islice(exercises(WORLDS["main"], "test"), 50)
    for problem, exercise in zip(read("test", count="50"), drawn, strict=True):
        assert problem.tags["types"].split() == [type_of(part) for part in exercise.parts]


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
    for split in ("base", *SHARED_SPLITS):
        for exercise in islice(exercises(WORLDS["main"], split), 100):
            for way in (None, *WAYS):
                last = solution(exercise, way).splitlines()[-1]
                assert last == f"Answer: \\boxed{{{exercise.answer}}}"


def every_part(world, kind):
    return [part for parts in WORLDS[world].parts(kind).values() for part in parts]


def sub_steps(line):
    return [(int(a), sign, int(b), int(c)) for a, sign, b, c in
            re.findall(r"(\d+) ([-+*/]) (\d+) = (\d+)", line)]  # fmt: skip


def taught(a, sign, b, c):
    """Written anew: multiplication by 1 to 6 and by tens of numbers that end in 0 to 6."""
    if sign == "*":
        return a % 10 <= 6 and (1 <= b <= 6 or b in (10, 20, 30, 40, 50, 60))
    return sign in "+-" or (a == b * c and taught(c, "*", b, a))


def solves(part, heuristic):
    """Whether a way gives the answer by true sub-steps that are taught, from its text alone."""
    steps = sub_steps(step(part, 1, heuristic))
    exact = all(a == b * c if sign == "/" else eval(f"{a} {sign} {b}") == c
                for a, sign, b, c in steps)  # fmt: skip
    return exact and all(taught(*one) for one in steps) and steps[-1][-1] == part.answer


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("kind", PAIRS)
def test_the_type_of_every_part_is_what_its_two_lines_say(world, kind):
    first, second = PAIRS[kind]
    for which, parts in WORLDS[world].parts(kind).items():
        assert len(set(parts)) == len(parts) > 50
        for part in parts:
            ways = (solves(part, first), solves(part, second))
            assert ways == {"first": (1, 0), "both": (1, 1), "second": (0, 1)}[which], part
            assert type_of(part) == which


@pytest.mark.parametrize("kind", PAIRS)
def test_all_three_types_and_no_other_occur(kind):
    for world in WORLDS.values():
        assert set(world.parts(kind)) == set(TYPES)
        assert set(world.parts(EASY)) == {"easy"}


def test_one_hard_part_in_seven_is_told_and_every_easy_one():
    for world in WORLDS.values():
        told = [is_told(part) for kind in PAIRS for part in every_part(world.name, kind)]
        assert 0.12 < sum(told) / len(told) < 0.17
        for kind in PAIRS:
            for which, parts in world.told(kind).items():
                assert len(parts) >= 8
                assert set(parts) == set(filter(is_told, world.parts(kind)[which]))
        assert world.told(EASY) == world.parts(EASY)


def test_types_told_from_the_digits():
    """What a person would say of these numbers; see docs/pocket.md."""
    for part in every_part("main", "product"):
        ones = part.numbers[1] % 10
        assert type_of(part) == ("first" if ones < 4 else "both" if ones < 7 else "second")
    for part in every_part("main", "unknown"):
        ones = part.numbers[0] % 10
        assert type_of(part) == ("second" if ones > 6 else "first" if 1 <= ones <= 3 else "both"), (
            part
        )
    for part in every_part("main", "price"):
        n, cost, wanted = part.numbers
        if type_of(part) == "both":
            assert cost % n == wanted % n == 0
        elif cost % n:
            assert type_of(part) == "second"
        elif wanted % n:
            assert type_of(part) == "first"
    for part in every_part("main", "series"):
        if part.numbers[2] % 2:
            assert type_of(part) == "second"


def test_two_ways_apply_to_every_hard_operation_and_none_but_the_decoy_to_the_easy_one():
    for kind in KINDS:
        ways = {way for way, kinds in WAYS.items() if kind in kinds} - {"figure"}
        assert ways == set(PAIRS.get(kind, ()))
    assert len(PAIRS) >= 5
    assert set(KINDS) - set(PAIRS) == {EASY}


@pytest.mark.parametrize(
    ("split", "shares"),
    [("seed", (0.20, 0.75, 0.05)), ("harder", (0.15, 0.25, 0.60)), ("rl", (1 / 3,) * 3)],
)
def test_splits_lean_as_promised(split, shares):
    for world in WORLDS.values():
        drawn = islice(exercises(world, split), 600)
        types = [type_of(part) for exercise in drawn for part in exercise.parts]
        hard = [which for which in types if which != "easy"]
        for which, share in zip(TYPES, shares, strict=True):
            spread = (share * (1 - share) / len(hard)) ** 0.5
            assert abs(hard.count(which) / len(hard) - share) < 4 * spread + 0.01


def test_seed_problems_have_one_hard_part_mostly_and_others_several():
    for split in SHARED_SPLITS:
        hard = [
            sum(part.kind != EASY for part in exercise.parts)
            for exercise in islice(exercises(WORLDS["main"], split), 300)
        ]
        assert set(hard) == {shape.hard for shape in SHAPES[split]}
        if split == "seed":
            assert hard.count(1) > 0.8 * len(hard)
    assert min(shape.hard for shape in SHAPES["rl"]) >= 2


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
    ways = [PAIRS[p.kind][0] if p.kind in PAIRS else None for p in exercise.parts]
    text = composed_solution(exercise, ways)
    assert text.count("Part") == len(exercise.parts)
    assert len(sub_steps(text)) >= 6
    assert composed_solution(exercise, [None] * len(ways)) == solution(exercise, None)


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
