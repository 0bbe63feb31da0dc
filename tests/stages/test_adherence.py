"""Selection by a judge or a reward model: who is asked about what, how often, and what it means."""

import json
from pathlib import Path

import pytest
from fake_engines import GuessingEngine
from made_runs import attempt, put_pool
from sampled_runs import context
from tiny_models import build_llama, build_reward_model

from manyways.engines import Completion
from manyways.errors import ModelError, RecipeError, VerifierUnwell
from manyways.pool.scorers import LEVELS
from manyways.pool.solutions import yield_rows
from manyways.recipe import load_recipe, parse_recipe
from manyways.records import Solution
from manyways.stages import preflight, selection
from manyways.tables import read_solutions

P = [f"made/seed/{i:03d}" for i in range(4)]
ASKED: list[str] = []


class Judging(GuessingEngine):
    """Finds a heuristic carried by texts that say "well", in part by "so-so", else absent.

    Where a text says "first" it takes option A, whatever that is; "garbled": no JSON.
    """

    def complete(self, question: str, seed: int) -> Completion:
        text = question.split("<solution>\n")[1].split("\n</solution>", maxsplit=1)[0]
        ASKED.append(text)
        if "dies" in text:
            raise KeyboardInterrupt
        if "garbled" in text:
            return self.text("Well, I think A.")
        level = LEVELS[0 if "well" in text else 1 if "so-so" in text else 2].text
        line = next(line for line in question.splitlines() if line.endswith(level))
        letter = "A" if "first" in text else line[0]
        return self.text(json.dumps({"reason": "because", "verdict": letter}))


@pytest.fixture(autouse=True)
def nothing_asked() -> None:
    ASKED.clear()


def judged(root: Path, **changes):
    judge = {"path": "nowhere", "engine": "test_adherence:Judging"}
    select = {"scorer": "judge", "judge": judge} | changes.pop("select", {})
    return context(root, select=select, **changes)


def selected(ctx) -> dict[str, Solution]:
    selection.run(ctx)
    rows = read_solutions(ctx.run.path("2-solutions.parquet"))
    return {f"{s.problem_id[-1]} {s.heuristic}#{s.sample}": s for s in rows}


POOL = [
    attempt(P[0], "a", 0, text="so-so"),
    attempt(P[0], "a", 1, text="does well"),
    attempt(P[0], "a", 2, text="bad"),
    attempt(P[0], "b", 0, text="first so-so"),
    attempt(P[0], "b", 1, text="first well"),
    attempt(P[0], "b", 2, text="well but wrong", status="wrong"),
    attempt(P[0], "plain", 0, text="plain"),
]


def test_the_judge_is_asked_twice_about_what_could_be_kept(tmp_path: Path) -> None:
    ctx = judged(tmp_path)
    put_pool(ctx, POOL)
    rows = selected(ctx)
    assert sorted(ASKED) == sorted(2 * [a.text for a in POOL[:5]])
    found = {name: s.adherence for name, s in rows.items()}
    assert found == {
        "0 a#0": 0.5, "0 a#1": 1.0, "0 a#2": 0.0, "0 b#0": 0.5, "0 b#1": 0.5, "0 b#2": None,
        "0 plain#0": 1.0,
    }  # fmt: skip
    assert [name for name, s in rows.items() if s.kept] == ["0 a#1", "0 b#0", "0 plain#0"]
    assert rows["0 a#2"].reason == "adherence 0.00 < 0.50"
    assert rows["0 b#2"].reason == "wrong"
    counts = ctx.run.stamp("select").counts
    assert (counts["judged"], counts["judge_disagrees"]) == (5, 2)


def test_wrong_attempts_are_asked_about_where_an_arm_wants_them(tmp_path: Path) -> None:
    ctx = judged(tmp_path, arms=("vanilla", "wrong-2"))
    put_pool(ctx, POOL)
    assert selected(ctx)["0 b#2"].wrong_pool
    assert ASKED.count("well but wrong") == 2


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    put_pool(judged(tmp_path), [*POOL, attempt(P[1], "a", 0, text="does well")])
    selected(judged(tmp_path))
    assert ASKED.count("does well") == 4, "another problem is another question"
    first = len(ASKED)
    selected(judged(tmp_path, select={"near_duplicate": 0.5}))
    assert len(ASKED) == first
    selected(judged(tmp_path, select={"judge_tokens": 9}))
    assert len(ASKED) == 2 * first, "other settings of the judge are another judge"


def test_a_kill_loses_one_part_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyways.pool.scorers.PART", 2)
    put_pool(judged(tmp_path), [attempt(P[0], "a", n, text=f"{n} well") for n in range(4)])
    put_pool(judged(tmp_path), [attempt(P[1], "a", 0, text="dies")])
    with pytest.raises(KeyboardInterrupt):
        selected(judged(tmp_path))
    assert len(ASKED) == 9
    ASKED.clear()
    with pytest.raises(KeyboardInterrupt):
        selected(judged(tmp_path))
    assert ASKED == ["dies"]


def test_a_slow_judge_says_how_far_it_is_and_each_opinion_is_kept_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("manyways.pool.scorers.SECONDS", 0.0)
    monkeypatch.setattr("manyways.progress.FIRST_SECONDS", 0.0)
    ctx = judged(tmp_path)
    put_pool(ctx, [attempt(P[0], "a", n, text=f"{n} well") for n in range(4)])
    selected(ctx)
    [folder] = (tmp_path / "adherence").iterdir()
    assert len(list(folder.glob("part-*"))) == 4, "one file a case: no wait for a full part"
    assert "adherence by judge" in capsys.readouterr().err


@pytest.mark.parametrize(("word", "changed"), [("first", 8), ("well", 0)])
def test_a_judge_that_goes_by_the_place_of_an_option_is_called_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str, changed: int
) -> None:
    ctx = judged(tmp_path)
    put_pool(ctx, [attempt(P[n % 2], "a", n // 2, text=f"{n} {word}") for n in range(8)])
    selected(ctx)
    said = capsys.readouterr().err
    assert f"changes with the order for {changed} of the 8" in said
    assert ("It goes by the place of an option" in said) == (changed > 0)


def test_some_malformed_replies_are_counted_many_end_it(tmp_path: Path, capsys) -> None:
    garbled = [attempt(P[0], "b", 0, text="garbled")]
    ctx = judged(tmp_path / "few", verify={"max_undecided": 0.5})
    put_pool(ctx, [*POOL[:3], *garbled])
    rows = selected(ctx)
    assert rows["0 b#0"].reason == "not scored: no readable verdict of the judge"
    assert "2 of 8 replies malformed" in capsys.readouterr().err
    ctx = judged(tmp_path / "many")
    put_pool(ctx, [*POOL[:3], *garbled])
    with pytest.raises(VerifierUnwell, match=r"1 of 4\s.*one began 'Well, I think A.'"):
        selected(ctx)


def test_a_model_that_cannot_judge_ends_in_a_sentence(tmp_path: Path) -> None:
    path = str(build_llama(tmp_path / "model", context=4096))
    judge = {"path": path, "engine": "transformers", "dtype": "float32"}
    ctx = context(tmp_path / "run", select={"scorer": "judge", "judge": judge, "judge_tokens": 8})
    put_pool(ctx, POOL)
    with pytest.raises(VerifierUnwell, match="no readable verdict on 5 of 5 attempts"):
        selected(ctx)


def test_a_reward_model_ranks_and_has_no_threshold_of_its_own(tmp_path: Path) -> None:
    path = build_reward_model(tmp_path / "model")
    ctx = context(tmp_path / "run", select={"scorer": f"reward-model:{path}"})
    put_pool(ctx, POOL)
    rows = selected(ctx)
    assert sorted(rows[f"0 a#{n}"].adherence for n in range(3)) == [0.0, 0.5, 1.0]
    assert sorted(rows[f"0 b#{n}"].adherence for n in range(2)) == [0.0, 1.0]
    kept = {name: s.adherence for name, s in rows.items() if s.kept}
    assert sorted(kept.values()) == [1.0, 1.0, 1.0], "the best of each way and the plain one"
    assert not any("adherence" in s.reason for s in rows.values())
    assert {row.adherence for row in yield_rows(ctx)} == {None}, "a mean of ranks says nothing"


def test_a_threshold_on_ranks_is_one_if_given(tmp_path: Path) -> None:
    path = build_reward_model(tmp_path / "model")
    select = {"scorer": f"reward-model:{path}", "min_adherence": 0.75}
    ctx = context(tmp_path / "run", select=select)
    put_pool(ctx, POOL[:3])
    reasons = [s.reason for s in selected(ctx).values()]
    assert sorted(reasons) == [
        "adherence 0.00 < 0.75",
        "adherence 0.50 < 0.75",
        "best of 3 correct",
    ]


def test_scorers_that_do_not_exist_are_refused_before_the_run(tmp_path: Path) -> None:
    ctx = context(tmp_path, select={"scorer": "reward-model:./not/there"})
    with pytest.raises(ModelError, match="not/there"):
        preflight.check_names(ctx)
    tree = load_recipe(Path(__file__).parents[2] / "recipes" / "pocket.toml").model_dump()
    tree["select"]["scorer"] = "rewardmodel"
    with pytest.raises(RecipeError, match=r"select.scorer"):
        parse_recipe(tree, "r.toml")
    tree["select"] = {"scorer": "judge", "judge": {"path": "x", "engin": "y"}}
    with pytest.raises(
        RecipeError, match=r"select.judge.engin: unknown key. Did you mean 'engine'"
    ):
        parse_recipe(tree, "r.toml")


def test_a_labeller_adds_nothing_to_the_identity_of_selection(tmp_path: Path) -> None:
    work = selection.plan(context(tmp_path))
    assert set(work.identity) == {"format", "attempts", "select", "wanted", "pack", "heuristics"}
    assert work.identity["select"] == {}
