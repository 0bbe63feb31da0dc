"""The page and the Markdown: what they say in good runs and in runs with nothing to show."""

import base64
import dataclasses
import gzip
import hashlib
import json
import re
import unicodedata
from html import unescape
from pathlib import Path

import pytest
from fake_run import page, summary, write_run

from manyways import __version__
from manyways.measures import explorer, read_rows, write_rows
from manyways.measures.answer import against_controls
from manyways.measures.catalogue import MEASURES, TABLES, main_sentence
from manyways.measures.curves import moving_average
from manyways.measures.explorer import ExplorerText
from manyways.measures.seen import load
from manyways.progress import HIDDEN
from manyways.reporting.page import _code, json_island
from manyways.run_dir import open_for_writing

HOSTILE = "</script><script>document.title='broken'</script><img src=x onerror=alert(1)>{{7*7}}"


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("three"), seeds=(0, 1, 2))


def change(root: Path, table: str, **fields: object) -> None:
    """Replace fields in every row of a table."""
    path, row_type = root / "7-tables" / f"{table}.json", TABLES[table]
    write_rows(path, [dataclasses.replace(row, **fields) for row in read_rows(path, row_type)])


def visible(page: str) -> str:
    """The page without scripts, styles and tags, white space collapsed."""
    body = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    body = re.sub(r'<span class="whole">(.*?)</span>', r"\1", body)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_page_is_whole_and_small(three):
    html = page(load(three))
    assert len(html.encode()) < 1_500_000
    assert re.search(r"<(link|script|img|iframe)[^>]+(src|href)=.?https?:", html) is None
    assert html.count("<h1") == 1
    text = visible(html)
    for title in ("Why", "The data", "Training", "Evaluation", "Explorer", "Costs", "Cautions"):
        assert title in text


def test_lines_do_not_end_within_the_name_of_an_arm_or_a_word_of_a_command(three):
    html = page(load(three))
    assert '<span class="whole">heuristics-8</span>: mid-trained + RL' in html
    assert re.search(r'<code>manyways run \S+ <span class="whole">--set</span> ', html)
    assert "<b" not in str(_code("`<b--c>` and <b> heuristics-8"))


def test_first_screen_has_answer_and_cells(three):
    text = visible(page(load(three)))
    assert "Partly: RL after learning many ways" in text
    assert "heuristics-8: mid-trained + RL 0.45 [0.40, 0.50] 0.69 [0.64, 0.73]" in text


def test_markdown_has_the_same_tables_and_findings(three):
    seen = load(three)
    told = summary(seen)
    plain = told.replace("\\", "")
    in_a_table = set(against_controls(seen))
    said = [finding.sentence for finding in seen.findings if finding.sentence not in in_a_table]
    assert len(said) > 10
    for sentence in said:
        assert sentence in plain
    assert told.startswith("# Did learning many ways help RL here?")
    assert "| Base model | 0.30 \\[0.25, 0.35\\] |" in told
    tables = [block for block in told.split("\n\n") if block.startswith("|")]
    assert len(tables) > 10
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_rates_stand_beside_every_score(three):
    told = summary(load(three)).replace("\\", "")
    rows = [line for line in told.splitlines() if line.startswith("| mean | star · after RL |")]
    passes, averages = (line.split(" | ") for line in rows)
    assert passes[-3:] == ["2.5%", "3.0%", "1.0% |"] == averages[-3:]
    assert averages[2:5] == ["pass@1", "0.34 [0.29, 0.38]", "0.006"]


def test_how_attempts_were_sampled_is_said(tmp_path):
    root = write_run(tmp_path)
    identity = {
        "settings": {"temperature": 0.7, "top_p": 0.95, "max_tokens": 3072},
        "engine": "vllm", "dtype": "bfloat16", "prompt": {"instruction": "Box it.", "system": ""},
        "verify": {"policy": "strict"},
    }  # fmt: skip
    with open_for_writing(root) as run:
        for name in ("base", "star/seed-0/rl"):
            work = run.work(
                f"evaluate/{name}/made-test", identity=identity, request={"attempts": 64},
                outputs=(),
            )  # fmt: skip
            with work:
                work.facts["chat_template"] = "0123456789abcdef"
    text = visible(page(load(root)))
    said = "0.7 0.95 3072 64 vllm bfloat16 0123456789abcdef Box it. strict manyways"
    assert f"{said} {__version__}" in text
    assert "base/made-test, star/seed-0/rl/made-test" in text


def test_the_page_holds_the_library_that_its_policy_lets_in_and_its_licence(three):
    html = page(load(three))
    packed = re.search(r'id="library">([^<]*)</script>', html)
    assert packed
    script = gzip.decompress(base64.b64decode(packed[1]))
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    assert f"'sha256-{digest}'" in unescape(html)
    assert b"plotly.js" in script[:200]
    assert "Permission is hereby granted" in html


def test_island_cannot_be_left():
    text = json_island({"a": HOSTILE, "b": "<!--<script>", "c": "\u2028\u2029\x00\ud800\U0001f600"})
    assert text.isascii()
    assert not set(text) & set("<>&\n\u2028")
    assert json.loads(text)["a"] == HOSTILE


def test_hostile_texts_stay_texts(tmp_path):
    root = write_run(tmp_path)
    change(root, "gate", sentence=HOSTILE)
    change(root, "yield", name=HOSTILE, heuristic=HOSTILE)
    text = ExplorerText(
        source=HOSTILE, heuristic=HOSTILE, status="correct", answer=HOSTILE, kept=True,
        note=HOSTILE, steps=[(HOSTILE, HOSTILE)],
    )  # fmt: skip
    change(root, "explorer", question=HOSTILE, problem_id=HOSTILE, texts=[text])
    html = page(load(root))
    assert "<img src=x" not in html
    assert html.count("<script>") == 3
    assert html.count('<script type="application/json"') == 2
    assert "&lt;/script&gt;" in html
    assert "{{7*7}}" in html
    assert re.search(r"(?<!\\)<(img|/?script)", summary(load(root))) is None


ACTING = "a\x1b[31m b\u202ec\u200b \x9b\x07"
SHOWN = r"a\x1b[31m b\u202ec\u200b \x9b\x07"


def test_what_acts_or_is_not_seen_is_shown(tmp_path):
    """On a page that is read, in the explorer, and in Markdown that is printed on a terminal."""
    root = write_run(tmp_path)
    change(root, "yield", name=f"`{ACTING}` {ACTING}")
    change(root, "gate", decision="refused", sentence=f"`{ACTING}` {ACTING}")
    change(root, "arms", outcome=f"refused by the gate: `{ACTING}` {ACTING}")
    text = ExplorerText(
        source=ACTING, heuristic=ACTING, status="correct", answer=ACTING, kept=True,
        note=ACTING, steps=[(ACTING, ACTING)],
    )  # fmt: skip
    change(root, "explorer", question=ACTING, problem_id=ACTING, texts=[text])
    html, told = page(load(root)), summary(load(root))
    for made in (html, told):
        assert not {c for c in made if c != "\n" and unicodedata.category(c) in HIDDEN}
    assert f"<code>{SHOWN}</code> {SHOWN}" in html
    island = json.loads(html.split('type="application/json" id="explorer-data">')[1].split("<")[0])
    assert json.dumps(SHOWN) in json.dumps(island)
    assert SHOWN in told.replace("\\\\", "\\").replace("\\[", "[")


def test_a_run_without_evaluations_says_so_and_shows_what_there_is(tmp_path):
    root = write_run(tmp_path, tables=("yield", "costs"))
    change(root, "yield", correct=0, kept=0, problems=0, dropped={})
    seen = load(root)
    assert main_sentence(seen) == "Nothing has been evaluated yet: there is nothing to compare."
    text = visible(page(seen))
    assert "No checkpoint was evaluated." in text
    assert "No RL step was logged." in text
    assert "Nothing has been evaluated yet" in summary(seen)


def test_a_refusal_is_on_the_first_screen(tmp_path):
    root = write_run(tmp_path)
    reason = "refused by the gate: 1% of groups are mixed"
    change(root, "arms", outcome=reason, rl_steps=0)
    change(root, "gate", decision="refused", sentence="1% of groups are mixed")
    first = visible(page(load(root)).split('<section id="why"')[0])
    assert "vanilla, star and heuristics-8 (seed 0): refused by the gate" in first


def test_a_run_that_is_not_analysed_says_so(tmp_path):
    seen = load(write_run(tmp_path, tables=()))
    assert main_sentence(seen) == "This run cannot say yet: it has not been analysed."
    assert main_sentence(seen) in summary(seen)


NAMES = [measure.name for measure in MEASURES]


@pytest.mark.parametrize("left", [(), *[(name,) for name in NAMES]])
def test_any_table_may_be_missing_or_alone(tmp_path, left):
    seen = load(write_run(tmp_path, tables=left))
    assert "<h1" in page(seen)
    summary(seen)


@pytest.mark.parametrize("gone", NAMES)
def test_any_one_table_may_be_empty(tmp_path, gone):
    seen = load(write_run(tmp_path, tables=[t for t in NAMES if t != gone]))
    assert "<h1" in page(seen)


def test_seeds_are_pooled_where_pooled_rows_exist(three):
    text = visible(page(load(three)).split('id="evaluation"')[1])
    scores = text.split("pass@k of every checkpoint")[2].split("The four cells of every")[0]
    assert "star · after RL" in scores
    assert "seed 0" not in scores


def test_a_large_explorer_is_sampled_and_says_so(three, monkeypatch):
    seen = load(three)
    rows = seen.rows(explorer.EXPLORER)
    (block,) = explorer.blocks(seen)
    size = len(json.dumps(block.data["problems"]))
    kept = explorer.rows_that_fit(rows, size // 2)
    assert 0 < len(kept) < len(rows)
    monkeypatch.setattr(explorer, "MAX_BYTES", size // 2)
    left = len(rows) - len(kept)
    assert f"on {len(kept)} problems, {left} left out for size" in page(seen)


def test_moving_average_keeps_length_and_constants():
    assert moving_average([2.0] * 5, 9) == [2.0] * 5
    assert moving_average([0.0, 3.0, 6.0], 3) == [1.5, 3.0, 4.5]


def test_of_many_arms_few_are_drawn_at_first(tmp_path):
    many = ["vanilla", "star", "heuristics-1", "heuristics-2", "heuristics-8", "random"]
    seen = load(write_run(tmp_path, arms=many))
    assert [arm for arm in many if seen.at_first(arm)] == ["vanilla", "star", "heuristics-8"]
    evaluation = page(seen).split('id="evaluation"')[1]
    assert re.search(r'data-name="random" aria-pressed="false"', evaluation)
    assert re.search(r'data-name="heuristics-8" aria-pressed="true"', evaluation)


def test_disagreement_with_the_theory_is_said_first(three):
    text = visible(page(load(three)))
    assert "Of 3 expected signs, 1 agrees with what was measured, 1 disagrees and 1 cannot" in text
    said = "that disagrees (D2), heuristics-8 · after RL: −0.300 [−0.400, −0.200]; expected above"
    assert text.index(said) < text.index("✓ agrees")
    assert "Quantity that cannot tell" not in text, "those are counted"


def test_the_prefix_swap_is_a_table_with_its_finding(three):
    text = visible(page(load(three)))
    assert "Swapped minus kept: 0.120 [0.030, 0.200], so changing the heuristic" in text
    assert "1,080 continuations on 30 problems" in text
