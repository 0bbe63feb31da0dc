"""Rows of a dataset on the Hugging Face Hub, or of a local mirror in the Hub's layout.

With ``MANYWAYS_HUB_MIRROR=/folder`` the repository ``owner/name`` is read from
``/folder/owner/name``: the files of the dataset repository as they are (a clone), README included.

Rows become problems in two steps, so that a set is the same whether it is read from the Hub or from
a folder of normalised files: ``<set>_from_hub`` turns a row of the Hub into a normalised record,
and ``maths``, ``humaneval``, ``mbpp`` or ``musr`` turn a normalised record into a problem.
"""

import ast
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyways.errors import DataError
from manyways.progress import say
from manyways.records import Problem
from manyways.verifiers.programs import whole_tests

MIRROR = "MANYWAYS_HUB_MIRROR"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True, slots=True)
class HubDataset:
    """What to load. ``columns``: columns that must exist."""

    id: str
    config: str | None = None
    split: str
    revision: str | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class HubRows:
    """Rows in the repository's order. ``commit``: None if it is not known."""

    rows: list[dict[str, Any]]
    origin: str
    commit: str | None


def read_hub(wanted: HubDataset) -> HubRows:
    """Load a split.

    Raises DataError when it cannot be loaded, a column is missing (naming those found), or the
    commit that ``datasets`` has is another than the one pinned.
    """
    path, origin = _place(wanted)
    dataset = _load(wanted, path)
    missing = [name for name in wanted.columns if name not in dataset.column_names]
    if missing:
        raise DataError(
            f"{origin}: no column {', '.join(missing)}; it has {', '.join(dataset.column_names)}. "
            "Pin an older revision, or map the columns yourself with hub:owner/name?question=..."
        )
    commit = _commit(dataset) if path == wanted.id else None
    if commit:
        _check_pin(wanted, commit)
    return HubRows(rows=[dict(row) for row in dataset], origin=origin, commit=commit)


def _place(wanted: HubDataset) -> tuple[str, str]:
    """(the path for ``datasets``, the same in words for messages)."""
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return wanted.id, f"{wanted.id} on the Hugging Face Hub"
    if wanted.revision:
        raise DataError(
            f"{wanted.id}: a revision is pinned ({wanted.revision}), which a mirror cannot honour. "
            f"Unset {MIRROR}, or remove the revision."
        )
    folder = Path(mirror).expanduser() / wanted.id
    if not folder.is_dir():
        raise DataError(f"{MIRROR}={mirror} has no folder {wanted.id}: clone the dataset there.")
    return str(folder), f"{wanted.id} in the mirror {mirror}"


def _load(wanted: HubDataset, path: str) -> Any:  # noqa: ANN401 - datasets has no types
    from datasets import config, load_dataset

    known = Path(config.HF_DATASETS_CACHE, wanted.id.replace("/", "___"))
    if path == wanted.id and not known.exists() and not config.HF_HUB_OFFLINE:
        say(f"'{wanted.id}' is downloaded from the Hugging Face Hub, once: it stays in its cache.")
    try:
        return load_dataset(path, wanted.config, split=wanted.split, revision=wanted.revision)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DataError(
            f"cannot load {wanted.id} (config {wanted.config or 'default'}, split {wanted.split}"
            f"{', revision ' + wanted.revision if wanted.revision else ''}) from the Hugging Face "
            f"Hub: {reason}. Check the connection and the revision, or set data_dir "
            "(or MANYWAYS_DATA) to a folder of normalised files, or "
            f"{MIRROR} to a folder of clones."
        ) from error


def _commit(dataset: Any) -> str | None:  # noqa: ANN401 - datasets has no types
    """The commit that the rows in memory were made from, online or from the cache.

    ``datasets`` keeps them in ``.../<version>/<commit>/<name>-<split>.arrow``.
    """
    folders = {Path(file["filename"]).parent.name for file in dataset.cache_files}
    commit = folders.pop() if len(folders) == 1 else ""
    return commit if _COMMIT.fullmatch(commit) else None


def _check_pin(wanted: HubDataset, commit: str) -> None:
    pinned = wanted.revision or ""
    if _COMMIT.fullmatch(pinned) and pinned != commit:
        raise DataError(
            f"{wanted.id}: revision {pinned} is pinned, but the copy at hand (offline cache) is "
            f"commit {commit}. Go online once, or pin that one."
        )


Row = Mapping[str, Any]
CHINESE = re.compile(r"[\u3400-\u9fff]")


def gsm8k_from_hub(row: Row) -> dict[str, Any]:
    """The answer is what follows ``####``, without thousands commas."""
    answer = str(row["answer"]).rpartition("####")[2].strip().replace(",", "")
    return {"question": row["question"], "answer": answer}


def math_from_hub(row: Row) -> dict[str, Any]:
    r"""The answer is the last ``\boxed``.

    Two solutions of the training set box nothing, and say that the answer is 0.
    """
    level = re.search(r"\d", str(row["level"]))
    return {
        "question": row["problem"],
        "answer": last_boxed(row["solution"]) or "0",
        "level": level.group() if level else None,
        "subject": row["type"],
    }


def problem_from_hub(row: Row) -> dict[str, Any]:
    """Columns ``problem`` and ``answer``, and ``level`` and ``subject`` where they exist."""
    return {**row, "question": row["problem"]}


def aime_from_hub(row: Row) -> dict[str, Any]:
    r"""As ``problem_from_hub``; answers are integers, some written ``070`` or ``336^\circ``."""
    return {**row, "question": row["problem"], "answer": plain_number(row["answer"])}


def question_from_hub(row: Row) -> dict[str, Any]:
    """Columns ``question`` and ``answer``; answers are numbers, some written ``27.0``."""
    return {**row, "answer": plain_number(row["answer"])}


def dapo_from_hub(row: Row) -> dict[str, Any]:
    """The column ``solution`` holds the answer alone."""
    question = str(row["prompt"]).strip()
    lang = "zh" if CHINESE.search(question) else "en"
    return {"question": question, "answer": plain_number(row["solution"]), "lang": lang}


def olympiadbench_from_hub(row: Row) -> dict[str, Any]:
    """The answer is a list of one LaTeX text, without dollar signs and a closing full stop."""
    final = row["final_answer"]
    answer = final if isinstance(final, str) else ",".join(final)
    return {**row, "answer": answer.replace("$", "").strip().rstrip(".").strip()}


def mbpp_from_hub(row: Row) -> dict[str, Any]:
    """The function asked for is the one of the solution that the tests call."""
    return {
        **row,
        "task_id": f"mbpp_{row['task_id']}",
        "canonical_solution": row["code"],
        "entry_point": called_function(row["code"], row["test_list"]),
    }


def musr_from_hub(row: Row) -> dict[str, Any]:
    """The choices are written as a Python list."""
    choices = row["choices"]
    return {**row, "choices": ast.literal_eval(choices) if isinstance(choices, str) else choices}


def as_it_is(row: Row) -> dict[str, Any]:
    """The Hub's columns are those of the normalised file."""
    return dict(row)


def maths(record: Row, *, problem_id: str) -> Problem:
    """A question with one reference answer; other spellings of it in ``alt_answers``."""
    return Problem(
        id=problem_id,
        question=record["question"].strip(),
        answer=str(record["answer"]).strip(),
        verifier="math",
        alternatives=tuple(record.get("alt_answers") or ()),
        tags=_tags(record, "level", "subject", "lang", "unit", "answer_type"),
    )


def humaneval(record: Row, *, problem_id: str) -> Problem:
    """The question is the prompt itself (a signature and its docstring): a completion follows it.

    The reference is a whole program: prompt and canonical solution.
    """
    name = record["entry_point"]
    return Problem(
        id=problem_id,
        question=record["prompt"],
        answer=record["prompt"] + record["canonical_solution"],
        verifier="python_tests",
        tests=f"{record['test'].strip()}\n\ncheck({name})\n",
        entry_point=name,
    )


def mbpp(record: Row, *, problem_id: str) -> Problem:
    """The question shows the tests, as is usual: the text alone does not fix name and arguments."""
    tests = "\n".join(record["test_list"])
    question = (
        f"{record['prompt'].strip()}\n\nYour program must pass these tests:\n\n"
        f"```python\n{tests}\n```"
    )
    return Problem(
        id=problem_id,
        question=question,
        answer=record["canonical_solution"],
        verifier="python_tests",
        tests=whole_tests(
            tests, imports=record.get("test_imports"), setup=record.get("test_setup_code")
        ),
        entry_point=record["entry_point"],
    )


def musr(record: Row, *, problem_id: str) -> Problem:
    """The story, the question, and the choices with their letters."""
    choices = tuple(record["choices"])
    return Problem(
        id=problem_id,
        question=with_choices(f"{record['narrative'].strip()}\n\n{record['question']}", choices),
        answer=letter(int(record["answer_index"])),
        verifier="choice",
        choices=choices,
    )


def with_choices(question: str, choices: Sequence[str]) -> str:
    """``question`` followed by the choices, one a line, and the request for a letter."""
    options = "\n".join(f"{letter(i)}) {text}" for i, text in enumerate(choices))
    return (
        f"{question.strip()}\n\nPick one of the following choices and answer with its letter.\n"
        f"{options}"
    )


def letter(index: int) -> str:
    """The letter of the choice at ``index``, counted from 0."""
    return chr(ord("A") + index)


def plain_number(value: object) -> str:
    """Text of an answer: whole numbers without a decimal point, leading zeros or degree sign."""
    text = str(value).strip()
    if re.fullmatch(r"-?\d+(?:\.0+)?(?:\^?\\circ|\^\{\\circ\})?", text):
        return str(int(re.match(r"-?\d+", text).group()))  # type: ignore[union-attr]
    return text


def last_boxed(text: str) -> str | None:
    r"""The inside of the last ``\boxed{...}`` of a reference solution, None when there is none.

    For curated references alone: what a model wrote is read by ``verifiers.final_answer``.
    """
    start = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    if start < 0:
        return None
    bare = re.match(r"\\f?box(?:ed)?\s+([^\s${}]+)", text[start:])
    if bare:
        return bare.group(1)
    opening, depth = text.find("{", start), 0
    for i in range(opening, len(text)) if opening >= 0 else ():
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return text[opening + 1 : i].strip()
    return None


def called_function(code: str, tests: Sequence[str]) -> str:
    """The last function defined in ``code`` that one of ``tests`` calls."""
    defined = [node.name for node in _parsed(code).body if isinstance(node, ast.FunctionDef)]
    called = {
        node.func.id
        for test in tests
        for node in ast.walk(_parsed(test))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return [name for name in defined if name in called][-1]


def _parsed(source: str) -> ast.Module:
    """Silently: programs of benchmarks hold escapes that newer Pythons warn about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return ast.parse(source)


def _tags(record: Row, *names: str) -> dict[str, str]:
    return {name: str(record[name]) for name in names if record.get(name) is not None}
