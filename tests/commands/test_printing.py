"""Texts of models, data and recipes are printed as they are, and cannot act on the terminal."""

import ast
import io
import json
from pathlib import Path

import pytest
from command_line import ROOT, in_this_process
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from manyways.pocket.world import load
from manyways.problems import Source
from manyways.progress import open_table, print_panel, print_result, print_text, say, visible
from manyways.records import Attempt, RLAttempt, Solution, Verdict
from manyways.tables import append_attempts, append_rl_attempts, solutions_table, write_table

TEXTS = {
    "type": "def f(xs: List[float]) -> Dict[str, int]: ...",
    "maths": r"\[ x^2 \] and \(y\) and [/b]",
    "closing tag": "[INST] solve [/INST] done [bold red]not bold[/bold red]",
    "emoji code": "ratio 3:x:4 :warning:",
    "link": "[link=https://example.com]click[/link]",
    "wide": "漢字かな" * 3,
    "accents": "naïve Ωmega e\u0301",
}
ACTING = {
    "colour": ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    "title": ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
    "C1": ("\x9b31m", r"\x9b31m"),
    "overwritten": ("right\rwrong", r"right\rwrong"),
    "backspace": ("no\b\byes", r"no\x08\x08yes"),
    "bidi": ("a\u202eb\u2066c", r"a\u202eb\u2066c"),
    "unseen": ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
    "separator": ("a\u2028b", r"a\u2028b"),
    "nul": ("a\0b", r"a\x00b"),
    "surrogate": ("a\ud800b", r"a\ud800b"),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_without_controls_is_unchanged(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(("text", "shown"), ACTING.values(), ids=ACTING)
def test_what_acts_on_a_terminal_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(text).isprintable()


def test_line_breaks_stay_and_tabs_have_a_width() -> None:
    assert visible("a\r\nb\n\tc") == "a\nb\n    c"


@pytest.fixture
def every_way(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Prints a text in each way there is; returns what came out, by way."""
    monkeypatch.setenv("COLUMNS", "200")

    def shown(text: str) -> dict[str, str]:
        found = {}
        table = open_table("head", text)
        table.add_row("cell", text)
        ways = {
            "text": lambda: print_text(text),
            "panel": lambda: print_panel(text, title=text),
            "table": lambda: print_result(table),
            "sentence": lambda: say(text),
        }
        for way, show in ways.items():
            capsys.readouterr()
            show()
            captured = capsys.readouterr()
            found[way] = captured.out + captured.err
        return found

    return shown


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_nothing_in_a_text_is_markup(text: str, every_way) -> None:
    for way, out in every_way(text).items():
        times = 2 if way in ("table", "panel") else 1
        assert out.count(text) == times, (way, out)


@pytest.mark.parametrize(("text", "shown"), ACTING.values(), ids=ACTING)
def test_nothing_in_a_text_acts(text: str, shown: str, every_way) -> None:
    for way, out in every_way(text).items():
        assert shown in out, (way, out)
        assert all(line.isprintable() for line in out.split("\n")), (way, out)


@pytest.mark.parametrize("text", ["漢" * 300, "x" * 700, "\x1b" * 200, "word " * 120])
def test_a_wide_text_folds_and_its_frame_stays_whole(text: str, every_way) -> None:
    found = every_way(text)
    for way in ("panel", "table"):
        assert max(cell_len(line) for line in found[way].splitlines()) <= 200
        joined = "".join(found[way].split()).replace("│", "").replace(" ", "")
        assert len(joined) >= len(visible(text).replace(" ", ""))
    framed = [line for line in found["panel"].splitlines() if line.startswith("│")]
    assert {cell_len(line) for line in framed} == {200}


NASTY = "\n".join([*TEXTS.values(), *(text for text, _ in ACTING.values() if "\ud800" not in text)])


def test_show_prints_what_a_model_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = load("seed", Source())[0]
    answer = "[/INST]\x1b[31m"
    written = Attempt(
        problem_id=problem.id, heuristic="plain", sample=0, seed=1, text=NASTY, finish="stop",
        prompt_tokens=1, tokens=1, prompt_hash="", model_hash="",
        verdict=Verdict(status="correct", answer=answer, rule="box"),
    )  # fmt: skip
    kept = Solution(
        problem_id=problem.id, heuristic="plain", sample=0, text=NASTY, status="correct",
        adherence=1.0, kept=True, reason="[/b] best",
    )  # fmt: skip
    (tmp_path / "recipe.toml").write_text((ROOT / "recipes" / "smoke.toml").read_text())
    append_attempts(tmp_path / "1-attempts", [written])
    write_table(tmp_path / "2-solutions.parquet", solutions_table([kept]))
    outcome = in_this_process(capsys, "show", tmp_path, problem.id, "--attempts")
    assert outcome.code == 0, outcome.err
    unnamed = in_this_process(capsys, "show", tmp_path)
    assert unnamed.code == 2
    assert "name one of its problems. Its sets: pocket/seed" in unnamed.err
    assert "an id looks like 'pocket/seed/00000'" in unnamed.err
    for text in (*TEXTS.values(), *(shown for _, shown in ACTING.values() if "ud800" not in shown)):
        assert text in outcome.out
    assert "[/b] best" in outcome.out
    assert r"[/INST]\x1b[31m" in outcome.out
    assert "\x1b" not in outcome.out


def test_show_prints_whole_texts_the_wrong_ones_alone_and_those_of_rl(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = load("seed", Source())[0]
    right, wrong, during = (
        Attempt(
            problem_id=problem.id, heuristic="plain", sample=0, seed=1, text=text, finish="stop",
            prompt_tokens=1, tokens=1, prompt_hash="", model_hash="",
            verdict=Verdict(status=status, answer="1"),
        )
        for text, status in (("a right", "correct"), ("a wrong", "wrong"), ("in training", "wrong"))
    )  # fmt: skip
    (tmp_path / "recipe.toml").write_text((ROOT / "recipes" / "smoke.toml").read_text())
    append_attempts(tmp_path / "1-attempts", [right, wrong])
    append_attempts(tmp_path / "6-eval" / "base" / "pocket-test", [right, wrong])
    kept = RLAttempt(attempt=during, step=7, group=0, reward=0.0, advantage=None)
    append_rl_attempts(tmp_path / "arms" / "star" / "seed-0" / "5-rl" / "attempts", [kept])
    every = in_this_process(capsys, "show", tmp_path, problem.id, "--texts")
    assert (every.out.count("a right"), every.out.count("a wrong")) == (2, 2)
    few = in_this_process(capsys, "show", tmp_path, problem.id, "--wrong", "--rl")
    assert (few.out.count("a right"), few.out.count("a wrong")) == (0, 2)
    assert "4 attempts of the pool and of checkpoints, 2 of them not correct" in few.out
    assert "star seed-0, RL step 7, plain, sample 0" in few.out
    assert few.out.count("in training") == 1


def test_problems_show_prints_what_a_set_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"question": NASTY, "answer": "4"}
    (tmp_path / "set.jsonl").write_text(json.dumps(row) + "\n")
    outcome = in_this_process(capsys, "problems", "show", f"file:{tmp_path}/set.jsonl")
    assert outcome.code == 0, outcome.err
    for text in TEXTS.values():
        assert text in outcome.out
    assert "\x1b" not in outcome.out
    assert "\u202e" not in outcome.out


def test_errors_show_what_they_quote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = in_this_process(capsys, "problems", "show", "no\x1b[31m/such")
    assert outcome.code == 2
    assert r"no\x1b[31m" in outcome.err


def test_all_printing_goes_through_one_module() -> None:
    """No command prints by itself, and no other console is made."""
    allowed = {"progress.py", "cli/app.py", "arms/__main__.py"}
    source = ROOT / "src" / "manyways"
    for path in sorted(source.rglob("*.py")):
        name = str(path.relative_to(source))
        if name in allowed or name.startswith("verifiers/harness/"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"print", "Console"}, f"{name}:{node.lineno}"
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rich"):
                assert node.module in {"rich.table", "rich.progress"}, f"{name}:{node.lineno}"


def test_a_name_is_not_broken_where_other_columns_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("manyways.progress.CONSOLE", Console(width=80))
    heads = ("heuristic", "attempts", "correct", "no answer", "not decided", "cut off", "kept")
    table = open_table(*heads)
    for name in ("compare-two-scenes", "setting-up-equations"):
        table.add_row(name, "50", "4 (8.0%)", "38", "0", "24", "1")
    lines = printed(table, 80)
    for word in ("compare-two-scenes", "setting-up-equations", "attempts", "decided"):
        assert any(word in line for line in lines), word
    lines = printed(table, 72)
    assert any("setting-up-equations" in line for line in lines)
    assert not any("…" in line for line in lines), "nothing is cut"


def test_sentences_in_the_first_column_are_folded_and_not_cut() -> None:
    table = open_table("what", "count")
    table.add_row("a sentence of many words, which is longer than any name of a thing is", "1")
    lines = printed(table, 40)
    assert " ".join(line.split(" │")[0].strip() for line in lines).endswith("a thing is")


def printed(table: Table, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return console.file.getvalue().splitlines()
