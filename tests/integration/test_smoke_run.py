"""recipes/smoke.toml through the command line: to the report, again, killed, misused."""

import json
import os
import re
import shutil
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_line import (
    ROOT,
    TESTS,
    dying,
    environment,
    in_a_process,
    in_a_terminal,
    in_this_process,
)
from rich.cells import cell_len

from manyways.commands.forecast import planned_work
from manyways.context import Context
from manyways.fingerprint import versions
from manyways.recipe import load_recipe
from manyways.run_dir import RunDir

SMOKE = ROOT / "recipes" / "smoke.toml"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a command is watched: with a home, and a place for temporary files."""
    folder = tmp_path_factory.mktemp("watched")
    for name in ("home", "temporary"):
        (folder / name).mkdir()
    return folder


@pytest.fixture(scope="module")
def shown(watched: Path) -> tuple[Path, str]:
    """A smoke run on a terminal of 80 columns, and all that was shown there."""
    out = watched / "run"
    extra = {
        "PYTHONPATH": os.pathsep.join((str(TESTS / "watching"), environment()["PYTHONPATH"])),
        "PYTHONDONTWRITEBYTECODE": "1",
        "WATCH_LOG": str(watched / "log.txt"),
        "HOME": str(watched / "home"),
        "TMPDIR": str(watched / "temporary"),
        "TORCHINDUCTOR_CACHE_DIR": str(watched / "temporary" / "torch"),
        "HF_HUB_OFFLINE": "0",
    }
    outcome = in_a_terminal("run", SMOKE, "--out", out, extra=extra)
    assert outcome.code == 0, outcome.out[-4000:]
    return out, outcome.out


@pytest.fixture(scope="module")
def finished(shown: tuple[Path, str]) -> Path:
    """A finished smoke run; copy it before changing anything in it."""
    return shown[0]


def sampled(root: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every attempt under ``root``, whatever parts it was written in."""
    folders = {part.parent for part in root.rglob("part-*.parquet") if "stale" not in part.parts}
    return {
        str(folder.relative_to(root)): sorted(
            tuple(row.values())
            for part in folder.glob("part-*.parquet")
            for row in pq.read_table(part).to_pylist()
        )
        for folder in folders
    }


def trained(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.glob("arms/*/seed-*/*/checkpoint/model.safetensors"))
    }


def test_a_terminal_shows_whole_names_our_bars_alone_and_what_comes_next(
    shown: tuple[Path, str],
) -> None:
    root, text = shown
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(cell_len, lines)) <= 80
    # Nothing is cut; no bar of tqdm, which all the libraries use, is drawn.
    assert "…" not in text
    assert not re.search(r"\d+%\|| ?it/s\b|s/it\b|Loading", text)
    # The bar over the run, with the bar of what is worked on below it.
    overall = [number for number, line in enumerate(lines) if re.match(r"smoke ━.* \d+/19", line)]
    assert overall
    assert any(lines[n + 1].startswith("rl heuristics-2/seed-0 ━") for n in overall)
    assert re.search(r"smoke ━.* \d+/19 (about|at least) \d+ (s|min) left", text)
    # One sentence a piece of work.
    told = " ".join(lines)
    for piece in ("generate", "midtrain star/seed-0", "rl vanilla/seed-0",
                  "evaluate heuristics-2/seed-0/mid on pocket/ood-story"):  # fmt: skip
        assert len(re.findall(rf"(?<!\S){re.escape(piece)}: \d+ (?:attempts|steps) in", told)) == 1
    end = "".join(lines[-12:])
    assert f"Report: {root}/report.html" in end
    assert "Next: open the report" in end


def test_every_stage_left_what_it_promises(finished: Path) -> None:
    for name in ("recipe.toml", "manifest.json", "2-solutions.parquet", "report.html", "report.md"):
        assert (finished / name).is_file(), name
    assert (finished / "arms/heuristics-2/seed-0/4-gate.json").is_file()
    assert len(trained(finished)) == 5
    folders = {part.parent for part in finished.rglob("part-*.parquet")}
    assert {file.suffix for folder in folders for file in folder.iterdir()} == {".parquet"}
    manifest = json.loads((finished / "manifest.json").read_text())
    works = [row["work"] for row in manifest["work"]]
    assert works[:3] == ["preflight", "generate", "select"]
    assert works[-1] == "report"
    keys = [row[:3] for row in sampled(finished)["1-attempts"]]
    assert len(keys) == len(set(keys)) == 12 * (2 * 2 + 2)


def test_a_run_writes_into_its_folder_and_talks_to_nobody(finished: Path, watched: Path) -> None:
    """From sampling through both trainings to the report, verifier's processes aside.

    What libraries write without Python would lie in the home, or be left among temporary files.
    """
    noted = {tuple(line.split(" ", 1)) for line in (watched / "log.txt").read_text().splitlines()}
    written = {Path(path) for what, path in noted if what == "write"}
    assert len([path for path in written if finished in path.parents]) > 100
    ours = (finished, watched / "temporary", Path("/dev"))
    assert [p for p in written if p not in ours and not {*p.parents} & {*ours}] == []
    assert [address for what, address in noted if what == "talk"] == []
    assert {path.name for path in (watched / "temporary").rglob("*")} <= {"torch"}
    assert list((watched / "home").rglob("*")) == []


def test_a_finished_run_is_not_run_again(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*.parquet")}
    plan = in_this_process(capsys, "run", SMOKE, "--out", finished, "--dry-run")
    assert "would run" not in plan.out.replace("what would", "")
    assert in_this_process(capsys, "run", SMOKE, "--out", finished).code == 0
    assert before == {p: p.stat().st_mtime_ns for p in finished.rglob("*.parquet")}


def test_a_run_consists_of_what_the_forecast_lists(finished: Path) -> None:
    """Token modes (branch) among it. The list is made from the recipe alone, for no folder yet."""
    listed = planned_work(
        Context(recipe=load_recipe(SMOKE), run=RunDir(root=finished / "elsewhere"))
    )
    done = {stamp.work for stamp in RunDir(root=finished).stamps()} - {"preflight"}
    assert {work.work for work in listed} == done
    assert "branch" in {work.split("/")[0] for work in done}


def test_a_release_redoes_nothing(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions.cache_clear()
    for place in ("manyways", "manyways.run_dir"):
        monkeypatch.setattr(f"{place}.__version__", "999.0")
    plan = in_this_process(capsys, "run", SMOKE, "--out", finished, "--dry-run").out
    said = [line.split("│")[1].strip() for line in plan.splitlines() if line.count("│") == 1]
    assert len(said) > 15
    assert set(said) == {"finished"}


def test_a_changed_recipe_reruns_only_what_depends_on_it(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    change = ("--set", "rl.learning_rate=1e-5")
    plan = in_this_process(capsys, "run", SMOKE, "--out", copy, "--dry-run", *change).out
    rows = {line.split("│")[0].strip(): line for line in plan.splitlines() if line.count("│") == 1}
    assert "finished" in rows["generate"]
    assert "finished" in rows["midtrain/star/seed-0"]
    assert "inputs or settings changed" in rows["rl/star/seed-0"]
    assert "would run after" in rows["analyse"]
    before = trained(copy)
    assert in_this_process(capsys, "run", SMOKE, "--out", copy, *change).code == 0
    after = trained(copy)
    assert {n: w for n, w in before.items() if "3-midtrain" in n} == {
        n: w for n, w in after.items() if "3-midtrain" in n
    }
    # Weights may come out the same (no reward at this size): what was done again was set aside.
    set_aside = {path.name.split("-5-rl")[0] for path in (copy / "stale").glob("arms__*5-rl*")}
    assert len(set_aside) == 3
    kept = [path.name for path in (copy / "stale").iterdir() if "3-midtrain" in path.name]
    assert kept == []


def test_show_prints_the_life_of_a_problem(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem_id = str(sampled(finished)["1-attempts"][0][0])
    shown = in_this_process(capsys, "show", finished, problem_id)
    assert shown.code == 0
    for part in (problem_id, "reference answer", "6 attempts in the pool", "correct"):
        assert part in shown.out
    wrong = in_this_process(capsys, "show", finished, "pocket/seed/99999")
    assert wrong.code == 2
    assert "no problem 'pocket/seed/99999'" in wrong.err


def test_status_lists_finished_work(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = in_this_process(capsys, "status", finished)
    assert outcome.code == 0
    assert "evaluate/heuristics-2/seed-0/rl/pocket-test" in outcome.out
    assert "being written to now: no" in outcome.out


@pytest.mark.slow
def test_arms_in_processes_give_the_same_checkpoints(finished: Path, tmp_path: Path) -> None:
    outcome = in_a_process("run", SMOKE, "--out", tmp_path / "run", "--jobs", "2")
    assert outcome.code == 0, outcome.err
    assert trained(tmp_path / "run") == trained(finished)
    assert sampled(tmp_path / "run") == sampled(finished)


MOMENTS = (
    ("*/1-attempts/part-00002.parquet", False),
    ("*/2-solutions.parquet", True),
    ("*/vanilla/seed-0/5-rl/trainer/checkpoint-2/complete", False),
    ("*/star/seed-0/3-midtrain/checkpoint", True),
    ("*/manifest.json", False),
    ("*/star/seed-0/5-rl/checkpoint", False),
    ("*/6-eval/star/seed-0/mid/pocket-test/part-00001.parquet", True),
    ("*/7-tables/*", True),
    ("*/report.html", False),
)
"""Which file a run is killed at, and whether only after that file is in its place."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_in_every_stage_it_ends_with_the_same_records(
    finished: Path, tmp_path: Path
) -> None:
    """SIGKILL between and in the middle of writes; the end is that of an undisturbed run."""
    out = tmp_path / "run"
    for pattern, after in MOMENTS:
        outcome = dying("run", SMOKE, "--out", out, at=pattern, after=after)
        assert outcome.code == -signal.SIGKILL, (pattern, outcome.err)
    last = in_a_process("run", SMOKE, "--out", out)
    assert last.code == 0, last.err
    assert sampled(out) == sampled(finished)
    assert trained(out) == trained(finished)
