"""What other programs write into a file of rows is read, or refused with its line."""

import gzip
import os
from pathlib import Path

import pytest

from manyways.errors import DataError
from manyways.row_files import Row, read_objects, read_rows

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
    assert list(read_rows(tmp_path / name)) == [Row(1, {"a": "é"}), Row(3, {"a": "é"})]


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
        list(read_rows(tmp_path / name))


def test_utf_16_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}', encoding="utf-16")
    with pytest.raises(DataError, match="UTF-16"):
        list(read_rows(tmp_path / "a.jsonl"))


def test_bytes_of_another_encoding_stay_apart_where_they_are_let_in(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'["\xe9", "\xe8"]')
    [(_, found, _)] = read_rows(tmp_path / "a.jsonl", strict=False)
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
            list(read_rows(tmp_path / name))
    assert list(read_rows(Path(os.devnull))) == []


@pytest.mark.parametrize(
    ("name", "written", "where"),
    [
        ("a.csv", "q,a\n1,2\n", "line 2"),
        ("a.csv", "\ufeffq;a\n1;2\n", "line 2"),
        ("a.csv", "q|a\n1|2\n", "line 2"),
        ("a.tsv", "q\ta\n1\t2\n", "line 2"),
        ("a.json", '[\n{"q": "1", "a": "2"}\n]', "item 1"),
        ("a.json", '{"q": "1", "a": "2"}\n', "line 1"),
        ("a.ndjson", '{"q": "1", "a": "2"}\n', "line 1"),
    ],
)
def test_rows_of_every_text_file(tmp_path: Path, name: str, written: str, where: str) -> None:
    for path, content in (
        (tmp_path / name, written.encode()),
        (tmp_path / f"{name}.gz", gzip.compress(written.encode())),
    ):
        path.write_bytes(content)
        [(row, record)] = read_objects(path)
        assert (row.where, dict(record)) == (where, {"q": "1", "a": "2"})


def test_rows_of_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"q": ["1", "2"]}), tmp_path / "a.parquet")
    assert [row.where for row in read_rows(tmp_path / "a.parquet")] == ["row 1", "row 2"]
    (tmp_path / "b.parquet").write_bytes(b"junk")
    with pytest.raises(DataError, match="as parquet"):
        list(read_rows(tmp_path / "b.parquet"))


def test_rows_that_are_no_objects_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n[1]\n')
    with pytest.raises(DataError, match="line 2: a JSON object is wanted, this is a list"):
        list(read_objects(tmp_path / "a.jsonl"))
