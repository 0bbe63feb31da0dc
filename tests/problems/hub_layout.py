"""Datasets in the Hub's own layout (README with configurations, parquet files), made from records.

``as_on_hub`` undoes what ``problems.rows`` does, so that a set can be loaded both ways.
"""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from needs import DATA

Record = Mapping[str, Any]


def records(stem: str) -> list[dict[str, Any]]:
    plain = DATA / f"{stem}.jsonl"
    if plain.is_file():
        return [json.loads(line) for line in plain.read_text(encoding="utf-8").splitlines()]
    with gzip.open(DATA / f"{stem}.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def write_lines(path: Path, rows: Sequence[Record]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_repository(
    mirror: Path, hub_id: str, config: str | None, splits: Mapping[str, Sequence[Record]]
) -> Path:
    """``mirror/owner/name`` with one parquet file a split and a README that names them."""
    from datasets import Dataset

    folder = mirror / hub_id
    (folder / "data").mkdir(parents=True)
    lines = ["---", "configs:", f"- config_name: {config or 'default'}", "  data_files:"]
    for split, rows in splits.items():
        path = folder / "data" / f"{split}-00000-of-00001.parquet"
        Dataset.from_list([dict(row) for row in rows]).to_parquet(path)
        lines += [f"  - split: {split}", f"    path: data/{path.name}"]
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]), encoding="utf-8")
    return folder


def _gsm8k(record: Record) -> Record:
    return {"question": record["question"], "answer": record["solution"]}


def _math(record: Record) -> Record:
    return {
        "problem": record["question"],
        "solution": record["solution"],
        "level": f"Level {record['level'] or '?'}",
        "type": record["subject"],
    }


def _math500(record: Record) -> Record:
    return {
        "problem": record["question"],
        "answer": record["answer"],
        "level": record["level"],
        "subject": record["subject"],
        "unique_id": record["source"].removeprefix("MATH-500/"),
    }


def _dapo(record: Record) -> Record:
    return {"prompt": record["question"], "solution": record["answer"]}


def _aime24(record: Record) -> Record:
    return {
        "id": int(record["id"].split("_")[1]),
        "problem": record["question"],
        "answer": record["answer"].zfill(3),
    }


def _aime25(record: Record) -> Record:
    degrees = "^\\circ" if record["answer"] == "336" else ""
    return {"problem": record["question"], "answer": record["answer"] + degrees}


def _amc23(record: Record) -> Record:
    return {"question": record["question"], "answer": float(record["answer"])}


def _minerva(record: Record) -> Record:
    return {"question": record["question"], "answer": record["answer"]}


def _olympiadbench(record: Record) -> Record:
    return {
        "id": int(record["id"].split("_")[1]),
        "question": record["question"],
        "final_answer": [f"{record['answer_raw']}."],
    }


def _mbpp(record: Record) -> Record:
    return {
        "task_id": int(record["task_id"].split("_")[1]),
        "prompt": record["prompt"],
        "code": record["canonical_solution"],
        "test_imports": record["test_imports"],
        "test_list": record["test_list"],
    }


def _musr(record: Record) -> Record:
    return {
        "narrative": record["narrative"],
        "question": record["question"],
        "choices": repr(record["choices"]),
        "answer_index": record["answer_index"],
    }


as_on_hub: dict[str, Callable[[Record], Record]] = {
    "gsm8k": _gsm8k,
    "math": _math,
    "math500": _math500,
    "dapo-math-17k": _dapo,
    "aime24": _aime24,
    "aime25": _aime25,
    "amc23": _amc23,
    "minerva": _minerva,
    "olympiadbench": _olympiadbench,
    "humaneval": dict,
    "mbpp": _mbpp,
    "musr": _musr,
}
