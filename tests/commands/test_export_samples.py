import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from made_runs import attempt, context, put_evaluation

from manyways.commands.export.samples import PromptStyle, export_samples
from manyways.context import Context
from manyways.errors import DataError

TEST, HARD = "made_runs:load/test?count=12", "made_runs:load/hard?count=10"
MANY = "heuristics-2/seed-0/rl"
SAMPLE_KEYS = {
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
    "doc_hash", "prompt_hash", "target_hash",
}  # fmt: skip
"""``SampleResult`` of lm_eval/result_schema.py."""
RESULT_KEYS = {
    "results", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples",
    "config", "git_hash", "date", "pretty_env_info", "transformers_version", "lm_eval_version",
    "upper_git_hash", "tokenizer_pad_token", "tokenizer_eos_token", "tokenizer_bos_token",
    "eot_token_id", "max_length", "model_source", "model_name", "model_name_sanitized",
    "system_instruction", "system_instruction_sha", "fewshot_as_multiturn", "chat_template",
    "chat_template_sha", "task_hashes", "total_evaluation_time_seconds",
}  # fmt: skip
"""``EvalResults`` of lm_eval/result_schema.py, without groups and the samples themselves."""


def asking() -> PromptStyle:
    pairs = {kind: [f"<{kind}>", "1"] for kind in ("eos", "bos", "pad")}
    return PromptStyle(
        render=lambda messages: "".join(f"<{m.role}>{m.content}" for m in messages),
        template="{{ messages }}",
        tokens=pairs,
    )


def problem(split: str, number: int) -> str:
    return f"made/{split}/{number:03d}"


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    """base on both benchmarks; one trained checkpoint with 4 attempts at 2 problems of one."""
    made = context(tmp_path / "run")
    statuses = {0: ["correct", "wrong", "no_answer", "undecided"], 1: ["wrong"] * 4}
    for number, row in statuses.items():
        attempts = [
            attempt(problem("test", number), sample=i, status=status, finish="length")
            for i, status in enumerate(row)
        ]
        put_evaluation(made, MANY, TEST, attempts[::-1])
    put_evaluation(made, MANY, TEST, [attempt(problem("test", 0), sample=4)])
    for benchmark, split in ((TEST, "test"), (HARD, "hard")):
        put_evaluation(made, "base", benchmark, [attempt(problem(split, 3), status="wrong")])
    return made


def read(folder: Path, task: str) -> list[dict[str, Any]]:
    (path,) = folder.glob(f"samples_{task}_*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def results(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("results_*.json")
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_sample_has_the_harness_keys_and_hashes(ctx: Context, tmp_path: Path) -> None:
    (folder,) = export_samples(ctx, MANY, out=tmp_path / "out", style=asking())
    first, second = read(folder, "made-runs-load-test-count-12")
    assert set(first) - SAMPLE_KEYS == {"verdicts", *first["metrics"]}
    assert set(first) >= SAMPLE_KEYS
    prompt = "<user>For test: What is 0 + 0?\n\nPut your final answer within \\boxed{}."
    assert first["arguments"]["gen_args_0"]["arg_0"] == prompt
    assert first["arguments"]["gen_args_0"]["arg_1"]["max_gen_toks"] == 9
    assert first["prompt_hash"] == sha(prompt)
    assert first["doc_hash"] == sha(json.dumps(first["doc"], indent=2, ensure_ascii=False))
    assert (first["target"], first["target_hash"]) == ("0", sha("0"))
    assert (first["doc_id"], second["doc_id"]) == (0, 1)
    assert first["resps"][0][1].startswith("<plain> made/test/000 try 1")
    assert first["verdicts"] == [["correct", "wrong", "no_answer", "undecided"]]


def test_metrics_are_unbiased_and_only_of_the_attempts_asked_for(
    ctx: Context, tmp_path: Path
) -> None:
    (folder,) = export_samples(ctx, MANY, out=tmp_path / "out", style=asking())
    first = read(folder, "made-runs-load-test-count-12")[0]
    assert len(first["resps"][0]) == 4
    values = {name: first[name] for name in first["metrics"]}
    assert values == {
        "pass@1": 0.25, "pass@2": 0.5, "pass@4": 1.0,
        "no_answer": 0.25, "undecided": 0.25, "truncated": 1.0,
    }  # fmt: skip


def test_results_have_the_harness_keys_and_its_standard_error(ctx: Context, tmp_path: Path) -> None:
    (folder,) = export_samples(ctx, MANY, out=tmp_path / "out", style=asking())
    found = results(folder)
    assert set(found) == RESULT_KEYS
    (task,) = found["results"]
    scores = found["results"][task]
    assert scores["pass@1,final-answer"] == 0.125
    # values 0.25 and 0: sample deviation 0.25 / sqrt(2), divided by sqrt(2)
    assert math.isclose(scores["pass@1_stderr,final-answer"], 0.125)
    assert found["n-samples"][task] == {"original": 12, "effective": 2}
    assert found["higher_is_better"][task]["pass@4"] is True
    assert found["higher_is_better"][task]["no_answer"] is False
    listed = {metric["metric"] for metric in found["configs"][task]["metric_list"]}
    assert listed == set(read(folder, task)[0]["metrics"])
    hashes = [s["doc_hash"] + s["prompt_hash"] + s["target_hash"] for s in read(folder, task)]
    assert found["task_hashes"] == {task: sha("".join(hashes))}
    assert found["config"]["model_args"] == (
        "pretrained=arms/heuristics-2/seed-0/5-rl/checkpoint,dtype=auto"
    )


def test_every_evaluated_checkpoint_gets_a_folder(ctx: Context, tmp_path: Path) -> None:
    folders = export_samples(ctx, out=tmp_path / "out", style=asking())
    assert [f.name for f in folders] == ["made__base", "made__heuristics-2__seed-0__rl"]
    found = results(folders[0])
    assert len(found["results"]) == 2
    assert {s["pass@1_stderr,final-answer"] for s in found["results"].values()} == {"N/A"}
    again = export_samples(ctx, "base", out=tmp_path / "out", style=asking())
    assert len(list(again[0].iterdir())) == 3


def test_an_answer_that_was_not_found_is_marked(ctx: Context, tmp_path: Path) -> None:
    from dataclasses import replace

    missing = attempt(problem("hard", 4), status="no_answer")
    missing = replace(missing, verdict=replace(missing.verdict, answer=None))
    put_evaluation(ctx, "base", HARD, [missing])
    (folder,) = export_samples(ctx, "base", out=tmp_path / "out", style=asking())
    assert read(folder, "made-runs-load-hard-count-10")[1]["filtered_resps"] == [["[invalid]"]]


def test_an_unknown_checkpoint_is_answered_with_the_nearest(ctx: Context, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Did you mean 'heuristics-2/seed-0/rl'"):
        export_samples(ctx, "heuristics-2/seed-0/lr", out=tmp_path / "out", style=asking())
    with pytest.raises(DataError, match="nothing is evaluated yet"):
        export_samples(context(tmp_path / "empty"), out=tmp_path / "out", style=asking())
