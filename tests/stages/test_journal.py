"""The journal of ended attempts: what a kill, a full disk and a part leave of it."""

import os
from dataclasses import replace

import pytest

from manyways.engines import Completion
from manyways.pool import attempt_files
from manyways.pool.attempt_files import FILE, Entry, Journal, Origin
from manyways.tables import beside

ORIGIN = Origin(seed=5, prompt_hash="p", model_hash="m")


def line(number, text="so \\boxed{4} ä\n\u2028"):
    completion = Completion(text=text, finish="stop", prompt_tokens=7, tokens=3)
    return Entry(key=("problem", "plain", number), origin=ORIGIN, completion=completion)


def opened(folder, have=(), clock=lambda: 0.0):
    return Journal(folder, have=set(have), clock=clock)


def write(folder, count):
    with opened(folder) as ended:
        for number in range(count):
            ended.add(line(number))
        ended.save()


def test_what_is_saved_is_read_back_and_goes_on(tmp_path):
    write(tmp_path, 3)
    assert list(attempt_files.read_journal(tmp_path)) == [line(0), line(1), line(2)]
    with opened(tmp_path) as ended:
        assert ended.find(("problem", "plain", 2)) == line(2)
        assert ended.find(("problem", "plain", 3)) is None
        ended.add(line(3))
    assert [one.key[2] for one in attempt_files.read_journal(tmp_path)] == [0, 1, 2, 3]


@pytest.mark.parametrize("lost", [1, 5, 40])
def test_a_torn_last_line_is_left_out_and_overwritten(tmp_path, lost):
    write(tmp_path, 3)
    path = beside(tmp_path, FILE)
    path.write_bytes(path.read_bytes()[:-lost])
    assert list(attempt_files.read_journal(tmp_path)) == [line(0), line(1)]
    with opened(tmp_path) as ended:
        assert ended.find(line(2).key) is None
        ended.add(line(2))
        ended.add(line(3))
    assert list(attempt_files.read_journal(tmp_path)) == [line(n) for n in range(4)]


@pytest.mark.parametrize("damage", [b"\0\0\0\n", b"{}\n", b'{"key": 3}\n', b"\xff\n"])
def test_what_cannot_be_read_ends_it(tmp_path, damage):
    write(tmp_path, 2)
    path = beside(tmp_path, FILE)
    path.write_bytes(path.read_bytes() + damage + line(9).text())
    assert list(attempt_files.read_journal(tmp_path)) == [line(0), line(1)]


def test_attempts_of_a_part_leave_it_and_the_last_one_takes_the_file_with_it(tmp_path):
    with opened(tmp_path) as ended:
        for number in range(4):
            ended.add(line(number))
        ended.save()
        ended.fold([line(0).key, line(2).key])
        assert beside(tmp_path, FILE).exists()
        ended.fold([line(1).key, line(3).key])
        assert not beside(tmp_path, FILE).exists()
        ended.add(line(5))
    assert list(attempt_files.read_journal(tmp_path)) == [line(5)]
    with opened(tmp_path, have=[line(5).key]) as ended:
        assert ended.find(line(5).key) is None
    assert not beside(tmp_path, FILE).exists()


def test_an_attempt_whose_part_comes_first_is_never_written(tmp_path):
    with opened(tmp_path) as ended:
        ended.add(line(0))
        ended.fold([line(0).key])
        ended.save()
    assert list(tmp_path.iterdir()) == []


def test_dead_lines_are_dropped_when_they_are_the_greater_part(tmp_path):
    long = "x" * (attempt_files.SMALL // 4)
    with opened(tmp_path) as ended:
        for number in range(8):
            ended.add(line(number, text=long))
        ended.save()
        before = beside(tmp_path, FILE).stat().st_size
        ended.fold([line(n).key for n in range(4)])
        assert beside(tmp_path, FILE).stat().st_size == before
        ended.fold([line(n).key for n in range(4, 7)])
        assert beside(tmp_path, FILE).stat().st_size < before / 7
        ended.add(line(8))
        ended.save()
        # As after a kill: the file is read while the writer has not closed it.
        assert [one.key[2] for one in attempt_files.read_journal(tmp_path)] == [7, 8]


def test_a_newer_attempt_of_the_same_key_counts(tmp_path):
    other = replace(line(0), origin=replace(ORIGIN, prompt_hash="q"))
    write(tmp_path, 1)
    with opened(tmp_path) as ended:
        ended.add(other)
    with opened(tmp_path) as ended:
        assert ended.find(other.key) == other


def test_a_full_disk_is_told_and_loses_nothing_before_it(tmp_path, monkeypatch):
    written = os.write
    write(tmp_path, 2)

    def full(file, data):
        if len(data) > 20:
            return written(file, bytes(data[:20]))
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), opened(tmp_path) as ended:
        monkeypatch.setattr(os, "write", full)
        ended.add(line(2))
        ended.add(line(3))
        ended.save()
    monkeypatch.setattr(os, "write", written)
    with opened(tmp_path) as ended:
        ended.add(line(3))
    # The third was written whole before the disk was full.
    assert list(attempt_files.read_journal(tmp_path)) == [line(n) for n in range(4)]


def test_the_disk_is_waited_for_now_and_then(tmp_path, monkeypatch):
    now, synced = [0.0], []
    monkeypatch.setattr(os, "fsync", synced.append)
    with opened(tmp_path, clock=lambda: now[0]) as ended:
        for second in range(31):
            now[0] = second
            ended.add(line(second))
            ended.save()
    assert len(synced) == 3
