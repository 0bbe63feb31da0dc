"""GSM8K: grade-school word problems with integer answers (Cobbe et al. 2021, MIT licence)."""

from typing import Any

from manyways.errors import DataError
from manyways.problems import Source
from manyways.problems.normalised import read_records
from manyways.records import Problem

HUB_ID = "openai/gsm8k"
COUNTS = {"train": 7473, "test": 1319}


def load(split: str, source: Source) -> list[Problem]:
    """The ``train`` or ``test`` split.

    Raises DataError for another split, a missing column or a number of rows other than published.
    """
    if split not in COUNTS:
        raise DataError(f"gsm8k has the splits train and test, not '{split}'.")
    rows = (
        list(read_records(source.data_dir, f"gsm8k_{split}"))
        if source.data_dir
        else _from_hub(split, source.revision)
    )
    if len(rows) != COUNTS[split]:
        raise DataError(f"gsm8k/{split} has {len(rows)} rows, {COUNTS[split]} are published.")
    return [_problem(row, split, number) for number, row in enumerate(rows)]


def _from_hub(split: str, revision: str | None) -> list[dict[str, Any]]:
    from datasets import load_dataset

    try:
        rows = load_dataset(HUB_ID, "main", split=split, revision=revision)
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot load {HUB_ID} from the Hugging Face Hub ({type(error).__name__}): check the "
            "connection, or set data_dir (or MANYWAYS_DATA) to a folder with gsm8k_train.jsonl."
        ) from error
    return [dict(row) for row in rows]


def _problem(row: dict[str, Any], split: str, number: int) -> Problem:
    if not {"question", "answer"} <= row.keys():
        raise DataError(
            f"gsm8k/{split} row {number}: needs 'question' and 'answer', has {sorted(row)}."
        )
    answer = str(row["answer"]).rpartition("####")[2].strip().replace(",", "")
    return Problem(
        id=f"gsm8k/{split}/{number:05d}", question=row["question"].strip(), answer=answer
    )
