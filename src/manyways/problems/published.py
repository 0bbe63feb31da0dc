"""The published problem sets: source, licence, counts and verifier of each, one entry a set.

Repository ids and row counts are those of the public listings. Column names are checked whenever a
set is loaded, and so are the counts. Where the rows of a set carry an identifier of their own, ids
use it; dapo-math-17k, whose copies differ in order, is numbered by content; the others by position.
"""

from manyways.problems import rows
from manyways.problems.rows import Row
from manyways.problems.spec import SetSpec, Split, by_content, by_number


def _task_number(record: Row, number: int) -> str:
    """``HumanEval/12`` and ``mbpp_12`` are 00012."""
    return f"{int(str(record['task_id']).replace('_', '/').rpartition('/')[2]):05d}"


def _last_number(record: Row, number: int) -> str:
    """``aime24_60`` in the normalised file and 60 on the Hub are 00060."""
    return f"{int(str(record['id']).rpartition('_')[2]):05d}"


def _math500_key(record: Row, number: int) -> str:
    """``test/precalculus/807.json`` on the Hub and in the normalised source: precalculus-807."""
    path = str(record.get("unique_id") or record["source"]).removesuffix(".json")
    return "-".join(path.split("/")[-2:])


def _mbpp_split(low: int, high: int, hub: str, rows_: int) -> Split:
    """MBPP's usual splits are ranges of task numbers."""
    return Split(
        stem="mbpp_sanitized",
        hub=hub,
        rows=rows_,
        only=lambda record: low <= int(str(record["task_id"]).rpartition("_")[2]) <= high,
    )


def _musr_split(task: str, rows_: int) -> Split:
    return Split(stem="musr", hub=task, rows=rows_, only=lambda record: record["task"] == task)


GSM8K = SetSpec(
    name="gsm8k",
    title="GSM8K: grade-school word problems (Cobbe et al. 2021)",
    hub_id="openai/gsm8k",
    hub_config="main",
    licence="MIT",
    verifier="math",
    columns=("question", "answer"),
    splits={
        "train": Split(stem="gsm8k_train", hub="train", rows=7473),
        "test": Split(stem="gsm8k_test", hub="test", rows=1319),
    },
    from_hub=rows.gsm8k_from_hub,
    build=rows.maths,
    key=by_number,
)

MATH = SetSpec(
    name="math",
    title="MATH: competition problems (Hendrycks et al. 2021)",
    hub_id="DigitalLearningGmbH/MATH-lighteval",
    licence="MIT (the problems come from competitions: redistribute with care)",
    verifier="math",
    columns=("problem", "solution", "level", "type"),
    splits={"train": Split(stem="math_train", hub="train", rows=7500)},
    from_hub=rows.math_from_hub,
    build=rows.maths,
    key=by_number,
    filters={"level": "all"},
)

MATH500 = SetSpec(
    name="math500",
    title="MATH-500: the held-out test problems of MATH (Lightman et al. 2023)",
    hub_id="HuggingFaceH4/MATH-500",
    licence="MIT",
    verifier="math",
    columns=("problem", "answer", "level", "subject", "unique_id"),
    splits={"test": Split(stem="math500", hub="test", rows=500)},
    from_hub=rows.problem_from_hub,
    build=rows.maths,
    key=_math500_key,
    filters={"level": "all"},
)

DAPO = SetSpec(
    name="dapo-math-17k",
    title="DAPO-Math-17k: competition problems with integer answers (Yu et al. 2025)",
    hub_id="open-r1/DAPO-Math-17k-Processed",
    hub_config="all",
    licence="Apache-2.0",
    verifier="math",
    columns=("prompt", "solution"),
    splits={"train": Split(stem="dapo_math_17k", hub="train", rows=17243, hub_rows=17398)},
    from_hub=rows.dapo_from_hub,
    build=rows.maths,
    key=by_content,
    merge=True,
    filters={"lang": "en"},
)

AIME24 = SetSpec(
    name="aime24",
    title="AIME 2024, I and II (Mathematical Association of America)",
    hub_id="HuggingFaceH4/aime_2024",
    licence="none stated; the normalised copy comes from an MIT repository",
    verifier="math",
    columns=("id", "problem", "answer"),
    splits={"test": Split(stem="aime24", hub="train", rows=30)},
    from_hub=rows.aime_from_hub,
    build=rows.maths,
    key=_last_number,
)

AIME25 = SetSpec(
    name="aime25",
    title="AIME 2025, I and II (Mathematical Association of America)",
    hub_id="math-ai/aime25",
    licence="none stated; the normalised copy comes from an Apache-2.0 repository",
    verifier="math",
    columns=("problem", "answer"),
    splits={"test": Split(stem="aime25", hub="test", rows=30)},
    from_hub=rows.aime_from_hub,
    build=rows.maths,
    key=by_number,
)

AMC23 = SetSpec(
    name="amc23",
    title="AMC 12 2023: the 40 problems edited to integer answers",
    hub_id="math-ai/amc23",
    licence="none stated; the normalised copy comes from an MIT repository",
    verifier="math",
    columns=("question", "answer"),
    splits={"test": Split(stem="amc23", hub="test", rows=40)},
    from_hub=rows.question_from_hub,
    build=rows.maths,
    key=by_number,
)

MINERVA = SetSpec(
    name="minerva",
    title="Minerva Math: 272 undergraduate questions of MIT courses (Lewkowycz et al. 2022)",
    hub_id="math-ai/minervamath",
    licence="none stated; the normalised copy comes from MIT repositories",
    verifier="math",
    columns=("question", "answer"),
    splits={"test": Split(stem="minerva", hub="test", rows=272)},
    from_hub=rows.as_it_is,
    build=rows.maths,
    key=by_number,
)

OLYMPIADBENCH = SetSpec(
    name="olympiadbench",
    title="OlympiadBench, OE_TO_maths_en_COMP (He et al. 2024)",
    hub_id="math-ai/olympiadbench",
    licence="MIT",
    verifier="math",
    columns=("id", "question", "final_answer"),
    splits={"test": Split(stem="olympiadbench", hub="test", rows=674)},
    from_hub=rows.olympiadbench_from_hub,
    build=rows.maths,
    key=_last_number,
)

HUMANEVAL = SetSpec(
    name="humaneval",
    title="HumanEval: Python functions from docstrings (Chen et al. 2021)",
    hub_id="openai/openai_humaneval",
    licence="MIT",
    verifier="python_tests",
    columns=("task_id", "prompt", "canonical_solution", "test", "entry_point"),
    splits={"test": Split(stem="humaneval", hub="test", rows=164)},
    from_hub=rows.as_it_is,
    build=rows.humaneval,
    key=_task_number,
)

MBPP = SetSpec(
    name="mbpp",
    title="MBPP, sanitized: basic Python problems (Austin et al. 2021)",
    hub_id="google-research-datasets/mbpp",
    hub_config="sanitized",
    licence="CC-BY-4.0 (as the dataset card states it)",
    verifier="python_tests",
    columns=("task_id", "prompt", "code", "test_imports", "test_list"),
    splits={
        "test": _mbpp_split(11, 510, "test", 257),
        "train": _mbpp_split(601, 974, "train", 120),
        "validation": _mbpp_split(511, 600, "validation", 43),
        "prompt": _mbpp_split(2, 10, "prompt", 7),
        "all": _mbpp_split(2, 974, "prompt+test+validation+train", 427),
    },
    from_hub=rows.mbpp_from_hub,
    build=rows.mbpp,
    key=_task_number,
)

MUSR = SetSpec(
    name="musr",
    title="MuSR: multistep reasoning over stories (Sprague et al. 2024)",
    hub_id="TAUR-Lab/MuSR",
    licence="MIT (code repository); CC-BY-4.0 is quoted for the dataset card",
    verifier="choice",
    columns=("narrative", "question", "choices", "answer_index"),
    splits={
        "murder": _musr_split("murder_mysteries", 250),
        "object": _musr_split("object_placements", 256),
        "team": _musr_split("team_allocation", 250),
    },
    from_hub=rows.musr_from_hub,
    build=rows.musr,
    key=by_number,
)

ALL = (
    GSM8K, MATH, MATH500, DAPO, AIME24, AIME25, AMC23, MINERVA, OLYMPIADBENCH, HUMANEVAL, MBPP,
    MUSR,
)  # fmt: skip
