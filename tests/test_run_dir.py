"""The run folder: stamps, what makes work run again, set-aside outputs, one writer."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import attempt

from manyways.errors import DataError, RunDirError
from manyways.run_dir import RunDir, benchmark_slug, open_for_reading, open_for_writing
from manyways.tables import append_attempts, read_attempts


def do(run: RunDir, text: str = "x", **identity: object) -> None:
    work = run.work("stage/a", identity=identity, outputs=(run.path("out.txt"),))
    with work:
        run.path("out.txt").write_text(text)
        work.counts["rows"] = 3


def test_finished_work_is_done_until_identity_request_or_output_changes(tmp_path: Path) -> None:
    with open_for_writing(tmp_path) as run:
        do(run, rate=1)
        out = (run.path("out.txt"),)
        assert run.work("stage/a", identity={"rate": 1}, outputs=out).done
        changed = run.work("stage/a", identity={"rate": 2}, outputs=out)
        assert changed.why == "inputs or settings changed: rate"
        more = run.work("stage/a", identity={"rate": 1}, request={"n": 5}, outputs=out)
        assert more.why == "amount changed: n"
        run.path("out.txt").unlink()
        assert "output missing" in run.work("stage/a", identity={"rate": 1}, outputs=out).why
        manifest = json.loads(run.path("manifest.json").read_text())
        assert [row["work"] for row in manifest["work"]] == ["stage/a"]
        assert manifest["work"][0]["counts"] == {"rows": 3}


def test_changed_settings_set_old_outputs_aside(tmp_path: Path) -> None:
    with open_for_writing(tmp_path) as run:
        do(run, "old", rate=1)
        do(run, "new", rate=2)
        assert run.path("out.txt").read_text() == "new"
        [kept] = run.path("stale").iterdir()
        assert kept.read_text() == "old"


def test_interrupted_work_keeps_its_outputs_and_is_not_done(tmp_path: Path) -> None:
    with open_for_writing(tmp_path) as run:
        do(run, rate=1)
        work = run.work("stage/a", identity={"rate": 1}, request={"n": 2}, outputs=())
        with pytest.raises(RuntimeError), work:
            raise RuntimeError
        assert run.stamp("stage/a") is None
        assert run.path("out.txt").read_text() == "x"
        assert not run.path("stale").exists()


def test_second_writer_is_refused_and_reader_is_not(tmp_path: Path) -> None:
    with open_for_writing(tmp_path) as run:
        run.path("recipe.toml").write_text("")
        with (
            pytest.raises(RunDirError, match=f"process {os.getpid()}"),
            open_for_writing(tmp_path),
        ):
            pass
        reader = open_for_reading(tmp_path)
        with (
            pytest.raises(RunDirError, match="reading only"),
            reader.work("s", identity={}, outputs=()),
        ):
            pass
    with open_for_writing(tmp_path):
        pass


def test_the_lock_goes_with_a_killed_process(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from manyways.run_dir import open_for_writing\n"
        f"with open_for_writing(Path({str(tmp_path)!r})):\n"
        "    print('held', flush=True); time.sleep(3600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(RunDirError), open_for_writing(tmp_path):
            pass
        child.send_signal(signal.SIGKILL)
        child.wait()
    with open_for_writing(tmp_path):
        pass


def test_not_a_run_folder(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match=r"no recipe\.toml"):
        open_for_reading(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirError, match="cannot create"), open_for_writing(tmp_path / "file"):
        pass


def test_slug() -> None:
    assert benchmark_slug("pocket/test?count=9") == "pocket-test-count-9"


def test_a_stamp_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    with open_for_writing(tmp_path) as run:
        do(run, rate=1)
        assert [stamp.identity["rate"] for stamp in run.stamps()] == [1]
        do(run, rate=2)
        assert [stamp.identity["rate"] for stamp in run.stamps()] == [2]
        for damaged in (b"{", b"\xff", b"[1]", b"{}", b""):
            run.stamp_path("stage/a").write_bytes(damaged)
            assert run.stamp("stage/a") is None
            assert run.stamps() == []
        run.stamp_path("stage/a").write_text("{")
        assert run.stamp("stage/a") is None


@pytest.mark.parametrize("left", [0, 400])
def test_a_part_that_was_cut_off_is_named(tmp_path: Path, left: int) -> None:
    part = append_attempts(tmp_path, [attempt("p1")])
    os.truncate(part, left)
    with pytest.raises(DataError, match=r"part-00000.parquet' is damaged.*made anew"):
        list(read_attempts(tmp_path))
