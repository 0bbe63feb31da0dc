"""The kinds of mistakes that graders make: docs/verifiers.md has the rule for each.

``kinds.jsonl`` holds cases of our own. Cases found in public are read from the folder that
MANYWAYS_DATA names, where it has them.
"""

import json
from pathlib import Path

import pytest
from needs import DATA, needs

from manyways.commands.answers import Reader
from manyways.row_files import Row
from manyways.verifiers.verdicts import Verifiers

HERE = Path(__file__).parent
FOUND = ("verify_cases.jsonl", "reference_cases.jsonl")


def rows(path):
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def judged_otherwise(cases):
    """The cases whose verdict is not the expected one, as whoever reads a failure wants them."""
    reader = Reader(HERE)
    read = [reader.cases(Row(number, case))[0] for number, case in enumerate(cases, 1)]
    with Verifiers(workers=1, timeout=20) as judge:
        verdicts = [
            judge.verdicts([(c.problem, c.text)], policy="lenient" if c.bare else "strict")[0]
            for c in read
        ]
    return [
        (case["kind"], case.get("gold", case.get("problem")), c.text, verdict)
        for case, c, verdict in zip(cases, read, verdicts, strict=True)
        if (verdict.status == "correct") is not case["expected"]
    ]


OWN = rows(HERE / "kinds.jsonl")


@pytest.mark.parametrize("kind", sorted({case["kind"] for case in OWN}))
def test_cases_of_our_own(kind):
    assert judged_otherwise([case for case in OWN if case["kind"] == kind]) == []


@needs(
    "MANYWAYS_DATA",
    there=(DATA / FOUND[0]).is_file(),
    how=f"set it to a folder that holds {FOUND[0]}",
)
@pytest.mark.parametrize("name", FOUND)
def test_cases_found_in_public(name):
    cases = rows(DATA / name)
    assert cases and judged_otherwise(cases) == []
