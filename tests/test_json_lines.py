"""What other programs write into a file of JSON lines is read, or refused with its line."""

import gzip
import os
from pathlib import Path

import pytest

from manyways.errors import DataError
from manyways.json_lines import read_json_lines

GOOD = b'{"a": "\xc3\xa9"}\n'


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plain.jsonl", GOOD + b"\n" + GOOD),
        ("mark.jsonl", b"\xef\xbb\xbf" + GOOD + b"  \n" + GOOD),
        ("windows.jsonl", (GOOD + b"\n" + GOOD).replace(b"\n", b"\r\n")),
        ("packed.jsonl.gz", gzip.compress(GOOD + b"\n" + GOOD, mtime=0)),
    ],
    ids=["plain", "byte order mark", "line ends of Windows", "packed"],
)
def test_what_is_read(tmp_path: Path, name: str, written: bytes) -> None:
    (tmp_path / name).write_bytes(written)
    assert list(read_json_lines(tmp_path / name)) == [(1, {"a": "é"}), (3, {"a": "é"})]


@pytest.mark.parametrize(
    ("name", "second", "said"),
    [
        ("a.jsonl", b"{", "line 2: not JSON"),
        ("a.jsonl", b'"\xff"', r"line 2: not UTF-8 \(byte 2\)"),
        ("a.jsonl", b"[" * 100_000, "line 2: nested too deeply"),
        ("a.jsonl", b"1" * 5_000, "line 2: a number is too long"),
        ("a.jsonl", b'{"a": {"b": 1, "b": 2}}', "line 2: the key 'b' stands twice"),
        ("a.jsonl", b"\0" * 50, "line 2: not JSON"),
        ("a.jsonl.gz", b"", "cannot be read to its end"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, second: bytes, said: str) -> None:
    written = GOOD + second
    (tmp_path / name).write_bytes(gzip.compress(written)[:-6] if "gz" in name else written)
    with pytest.raises(DataError, match=said):
        list(read_json_lines(tmp_path / name))


def test_utf_16_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}', encoding="utf-16")
    with pytest.raises(DataError, match="UTF-16"):
        list(read_json_lines(tmp_path / "a.jsonl"))


def test_bytes_of_another_encoding_stay_apart_where_they_are_let_in(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'["\xe9", "\xe8"]')
    [(_, found)] = read_json_lines(tmp_path / "a.jsonl", strict=False)
    assert isinstance(found, list)
    assert found[0] != found[1]


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, said in {
        "gone": "no file",
        ".": "folder",
        "loop": "no file",
        "x" * 300: "long",
    }.items():
        with pytest.raises(DataError, match=said):
            list(read_json_lines(tmp_path / name))
    assert list(read_json_lines(Path(os.devnull))) == []
