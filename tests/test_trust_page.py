"""docs/trust.md sentence by sentence: which tests hold what it says."""

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from typing import Literal, get_args, get_origin

import pytest
from command_line import ROOT, TESTS
from pydantic import BaseModel

from manyways import trust
from manyways.recipe import load_recipe
from manyways.recipe.section import section_of
from manyways.recipe.tree import Recipe
from manyways.third_party import names

PAGE = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
TRUST, HANDED = "test_trust.py::", "test_trust_handed_on.py::"
RUN, PAGES = "integration/test_smoke_run.py::", "reporting/test_page.py::"
PRINTING, JUDGE = "commands/test_printing.py::", "verifiers/test_verdicts.py::"
LOOKED_AT = (
    TRUST + "test_a_finished_run_is_looked_at_without_its_code",
    TRUST + "test_a_payload_in_a_run_folder_is_not_run",
    TRUST + "test_a_run_folder_with_every_payload_is_only_looked_at",
    TRUST + "test_runs_are_compared_without_their_code",
)
LOOKING = (
    TRUST + "test_looking_uses_nothing_of_any_kind_and_says_so",
    TRUST + "test_a_payload_in_a_recipe_is_not_run_by_looking",
    TRUST + "test_a_foreign_python_is_not_started",
    TRUST + "test_a_key_in_a_recipe_is_not_sent_by_looking",
)
HELD = {
    "A recipe or a run folder may come": (),
    "This page says what each of them": (),
    "`tests/test_trust_page.py` names the tests": (
        "test_trust_page.py::test_every_sentence_is_held_by_tests_that_exist",
    ),
    "Most of a recipe is numbers and": (
        "test_trust_page.py::test_other_texts_of_a_recipe_name_no_code",
    ),
    "Six things act on their own:": (
        TRUST + "test_everything_that_acts_is_listed",
        "test_trust_page.py::test_texts_that_can_act_are_listed",
    ),
    "code, as `module:function`": (TRUST + "test_everything_that_acts_is_listed",),
    "a program": (
        TRUST + "test_a_foreign_python_is_not_started",
        TRUST + "test_a_file_of_accelerates_needs_trust",
    ),
    "programs that a model or a problem": (
        TRUST + "test_unsafe_code_of_a_recipe_that_nobody_trusts_stays_off",
    ),
    "a text or a switch by which": (TRUST + "test_what_acts_is_found_below_tables_and_lists",),
    "a cluster on another machine, whose": (TRUST + "test_a_cluster_elsewhere_needs_trust",),
    "a key that goes to another": (TRUST + "test_a_key_does_not_leave_this_machine",),
    "They are used in three cases,": (TRUST + "test_a_forgotten_verb_refuses",),
    "You name a recipe file to": (
        TRUST + "test_a_recipe_that_the_user_names_is_trusted_by_run",
        TRUST + "test_a_recipe_inside_a_run_folder_is_the_folders",
    ),
    "The recipe is yours then: you": (),
    "You add `--trust`, or set": (TRUST + "test_trust_is_an_option_or_a_variable",),
    "The variable may also hold names": (TRUST + "test_names_that_are_trusted_trust_nothing_else",),
    "You type the name yourself, as": (TRUST + "test_a_name_on_the_command_line_was_asked_for",),
    "Then this one name is trusted.": (TRUST + "test_a_name_on_the_command_line_was_asked_for",),
    "`manyways.trust` decides, where a name": (
        "test_trust_page.py::test_whatever_acts_stands_where_trust_is_asked",
    ),
    "A verb cannot forget to ask.": (TRUST + "test_a_forgotten_verb_refuses",),
    "With `manyways run recipe.toml` it may": (
        TRUST + "test_a_named_recipe_may_do_all_that_is_listed",
        TRUST + "test_a_recipe_that_the_user_names_is_trusted_by_run",
    ),
    "With `run --dry-run`, `forecast` and": LOOKING,
    "Each says in one sentence what": LOOKING,
    "It may read problem sets, packs,": (
        TRUST + "test_a_recipe_reads_from_every_path",
        "problems/test_hub.py::test_every_published_set_asks_for_its_own_repository",
    ),
    "It writes into its run folder": (
        RUN + "test_a_run_writes_into_its_folder_and_talks_to_nobody",
        TRUST + "test_a_recipe_goes_to_its_own_folder_under_runs",
    ),
    "Temporary files are gone at the": (
        RUN + "test_a_run_writes_into_its_folder_and_talks_to_nobody",
    ),
    "The files of tensorboard and wandb,": (
        "train/test_tracking.py::test_trackers_and_names_reach_trl",
        "stages/test_midtrain.py::test_tensorboard_gets_the_losses_that_metrics_jsonl_has",
        "train/test_verl.py::test_verl_is_told_no_place_outside_its_folder",
    ),
    "Ray, where it is used, writes": (
        "engines/test_ray.py::test_ray_writes_where_the_page_about_trust_says",
    ),
    "The Hub's client, trackio, vLLM and": (),
    "It talks to nobody but those": (
        RUN + "test_a_run_writes_into_its_folder_and_talks_to_nobody",
        "train/test_tracking.py::test_without_trackers_nothing_is_reported",
        "train/test_tracking.py::test_trackers_are_named_in_one_place",
    ),
    "A server gets questions and attempts,": (
        "engines/test_http.py::test_each_attempt_is_a_request_with_its_own_seed",
        "train/test_tracking.py::test_trackers_and_names_reach_trl",
        TRUST + "test_a_key_in_a_recipe_is_not_sent_by_looking",
    ),
    "The reports of TRL, Ray and": (
        RUN + "test_a_run_writes_into_its_folder_and_talks_to_nobody",
        "test_trust_page.py::test_reports_to_makers_of_libraries_are_off_and_can_be_turned_on",
        "engines/test_ray.py::test_ray_writes_where_the_page_about_trust_says",
    ),
    "Code that a checkpoint brings along": (
        TRUST + "test_remote_code_is_never_on",
        TRUST + "test_remote_code_is_found_in_tables_lists_and_texts",
    ),
    "Weights are read without unpickling objects;": (
        TRUST + "test_pickled_weights_do_not_run",
        TRUST + "test_a_chat_template_is_rendered_in_a_sandbox",
    ),
    "`package:NAME/FOLDER` finds a package and": (
        TRUST + "test_a_package_path_is_found_without_importing",
    ),
    "Its recipe is not yours: to": (
        TRUST + "test_going_on_in_a_run_folder_needs_trust",
        TRUST + "test_going_on_in_a_run_folder_needs_trust_for_each_kind",
    ),
    "The error says so.": (
        TRUST + "test_going_on_in_a_run_folder_needs_trust",
        TRUST + "test_going_on_in_a_run_folder_needs_trust_for_each_kind",
    ),
    "A copy of its recipe, or": (TRUST + "test_a_recipe_inside_a_run_folder_is_the_folders",),
    "A link in it that leads": (
        TRUST + "test_a_link_out_of_a_run_folder_is_not_written_through",
        TRUST + "test_a_link_within_a_run_folder_needs_no_trust",
    ),
    "`show`, `status`, `report`, `table`, `analyse`,": LOOKED_AT,
    "They show what the folder holds,": (
        *LOOKED_AT, TRUST + "test_what_a_finished_run_holds_is_shown"
    ),
    "A run keeps the problems that": (TRUST + "test_what_a_finished_run_holds_is_shown",),
    "Where tables would have to be": (
        TRUST + "test_tables_that_need_a_foreign_labeller_stay_and_that_is_said",
    ),
    "`export dataset` needs the questions: where": (
        TRUST + "test_a_payload_in_a_run_folder_is_not_run",
    ),
    "It is text.": (PRINTING + "test_nothing_in_a_text_acts",),
    "On a terminal nothing in it": (
        PRINTING + "test_nothing_in_a_text_is_markup",
        PRINTING + "test_nothing_in_a_text_acts",
        PRINTING + "test_show_prints_what_a_model_wrote",
        PRINTING + "test_all_printing_goes_through_one_module",
    ),
    "In the report it is escaped,": (
        PAGES + "test_what_acts_or_is_not_seen_is_shown",
        PAGES + "test_hostile_texts_stay_texts",
        PAGES + "test_island_cannot_be_left",
    ),
    "Answers are compared as data: short": (
        JUDGE + "test_what_the_fast_path_decides_starts_no_worker",
        JUDGE + "test_hostile_answers_never_count_as_correct",
        JUDGE + "test_a_users_verifier_runs_in_a_worker_and_its_failures_are_undecided",
    ),
    "Programs run in a sandbox or a container without": (
        "verifiers/test_containers.py::test_a_container_is_taken_where_bubblewrap_is_missing",
        "verifiers/test_containers.py::test_a_place_of_ones_own_is_used_where_it_is_trusted",
        "verifiers/test_python_tests.py::test_hostile_programs_are_contained",
        "verifiers/test_python_tests.py::test_without_a_sandbox_nothing_runs_unless_it_is_allowed",
    ),
    "`run --jobs`, accelerate, Ray workers, verl's": (
        HANDED + "test_a_line_of_jobs_decides_as_its_parent",
        HANDED + "test_processes_of_accelerate_decide_as_their_parent",
        HANDED + "test_ray_workers_are_handed_what_is_trusted",
        HANDED + "test_verls_reward_workers_decide_as_who_wrote_their_file",
        HANDED + "test_a_verifiers_worker_decides_as_its_parent",
    ),
    "They decide alike and ask nobody.": (
        HANDED + "test_ray_workers_are_handed_what_is_trusted",
        HANDED + "test_verls_reward_workers_decide_as_who_wrote_their_file",
        HANDED + "test_a_verifiers_worker_decides_as_its_parent",
        TRUST + "test_processes_of_our_own_decide_as_their_parent",
        "engines/test_ray.py::test_workers_use_what_this_process_trusts_and_nothing_else",
    ),
}  # fmt: skip
"""How a sentence (or a row of a table) begins -> its tests; none where it claims nothing."""


def sentences() -> list[str]:
    """Those of paragraphs and of list items, and the rows of tables."""
    found = []
    for block in re.split(r"\n\s*\n|\n(?=- |\d\. |\|)", PAGE):
        text = " ".join(block.split())
        if text.startswith("|"):
            found += [] if re.match(r"\|(---| what )", text) else [text.strip("| ")]
        elif not text.startswith("#"):
            found += re.split(r"(?<=\.) (?=[A-Z`])", re.sub(r"^(-|\d\.) ", "", text))
    return found


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    named = (node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    return frozenset(name for name in named if name.startswith("test_"))


def test_every_sentence_is_held_by_tests_that_exist() -> None:
    found = sentences()
    assert len(found) > 45
    entries = {one: [begun for begun in HELD if one.startswith(begun)] for one in found}
    assert [one for one, begun in entries.items() if len(begun) != 1] == []
    assert {begun for [begun] in entries.values()} == set(HELD)
    for name in {name for held in HELD.values() for name in held}:
        file, _, test = name.partition("::")
        assert test in names_in(file), name


@pytest.mark.parametrize("begun", [begun for begun, names in HELD.items() if not names])
def test_what_no_test_holds_says_nothing_of_manyways_itself(begun: str) -> None:
    assert begun in (
        "A recipe or a run folder may come",
        "This page says what each of them",
        "The recipe is yours then: you",
        "The Hub's client, trackio, vLLM and",
    )


CODE, SET = '"cProfile:run"', '"cProfile:run/set"'
ACTS = {
    "model.engine": CODE,
    "model.load": '{ attn_implementation = "someone/kernels" }',
    "model.vllm": '{ worker_cls = "evil.Worker" }',
    "model.http.url": '"http://10.0.0.5/v1"',
    "model.http.api_key_env": '"SECRET"',
    "model.ray.engine": CODE,
    "model.ray.address": '"10.0.0.5:6379"',
    "heuristics.labeller": CODE,
    "verify.verifier": CODE,
    "verify.isolation": CODE,
    "generate.problems": SET,
    "generate.engine": CODE,
    "midtrain.extra": '{ deepspeed = "theirs.json" }',
    "rl.backend": CODE,
    "rl.problems": SET,
    "rl.evaluate": f"[{SET}]",
    "rl.extra": '{ deepspeed = "theirs.json" }',
    "launch.accelerate_config": '"theirs.yaml"',
    "evaluate.benchmarks": f"[{SET}]",
}
"""Texts of a recipe that can act, each with something that does."""
OF_VERL = {"rl.verl.python", "rl.verl.extra"}
"""What they hold is used by the program that the first of them names, which needs trust."""
NAMES_NO_CODE = {
    "extends": "a recipe outside run folders, read as this one is",
    "unset": "keys",
    "name": "of the run's folder",
    "data_dir": "a folder to read",
    "arms": "names",
    "arm.base": "a name",
    "arm.rl": "as rl",
    "arm.midtrain": "as midtrain",
    "arm.select": "as select",
    "model.path": "weights: no pickle, no code of theirs",
    "model.device": "a word of torch",
    "model.chat_template_kwargs": "for the chat template, which is rendered in a sandbox",
    "model.http.model": "sent to the server",
    "model.http.tokenizer": "read as model.path is",
    "model.http.extra": "sent to the server",
    "prompt.instruction": "a prompt",
    "prompt.system": "a prompt",
    "heuristics.pack": "a file to read",
    "verify.image": "an image that the user fetched",
    "generate.stop": "texts",
    "distill.attempts": "a folder to read",
    "select.scorer": "a name of manyways",
    "midtrain.lora.target_modules": "names of weights",
    "rl.reward": "a name of manyways",
    "rl.stop.on": "a name of a benchmark",
    "tracking.project": "a name",
}


def holds_text(kind: object) -> bool:
    if get_origin(kind) is Literal:
        return False
    return kind is str or get_origin(kind) is dict or any(map(holds_text, get_args(kind)))


def keys_of_text(section: type[BaseModel], above: str, seen: set[object]) -> Iterator[str]:
    """Every key that holds a text, or a table that is handed on; a section that recurs once."""
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner is None and holds_text(field.annotation):
            yield f"{above}{name}"
        elif inner is not None and inner not in seen:
            seen.add(inner)
            yield from keys_of_text(inner, f"{above}{name}.", seen)


def test_other_texts_of_a_recipe_name_no_code() -> None:
    """A new key that holds a text is put into one of the two lists."""
    assert set(keys_of_text(Recipe, "", set())) == {*ACTS, *OF_VERL, *NAMES_NO_CODE}


@pytest.mark.parametrize("key", ACTS)
def test_texts_that_can_act_are_listed(key: str) -> None:
    beside = {
        "model.http.url": 'model.http.api_key_env="SECRET"',
        "model.http.api_key_env": 'model.http.url="http://10.0.0.5/v1"',
        "rl.evaluate": "rl.evaluate_every=1",
    }
    words = [f"{key}={ACTS[key]}", *(word for other, word in beside.items() if other == key)]
    listed = names(load_recipe(ROOT / "recipes" / "smoke.toml", words))
    assert [name for name, _ in listed if name.startswith(key.removesuffix(".api_key_env"))]


CALLS = re.compile(
    r"(importlib\.)?import_module|__import__|exec|eval|subprocess\.\w+|os\.(system|exec\w+|popen)"
    r"|runpy\.\w+|ray\.init|httpx2\.\w*Client|pickle\.loads?|torch\.load|\w*\.?urlopen|socket\.\w+"
)
WHERE = {
    "__init__.py": "import_module",  # names of a table
    "stages/__init__.py": "import_module",  # names of a table
    "plugins.py": "importlib.import_module",
    "jobs.py": "subprocess.Popen",  # this package
    "commands/pocket.py": "subprocess.run",  # this package
    "train/launch.py": "subprocess.Popen",
    "train/verl/backend.py": "subprocess.Popen subprocess.run",
    "train/verl/environment.py": "subprocess.run",
    "verifiers/worker_process.py": "subprocess.Popen",  # this package
    "verifiers/sandbox.py": "subprocess.Popen subprocess.run",
    "verifiers/harness/candidate.py": "exec",  # inside the sandbox
    "verifiers/harness/examiner.py": "exec",  # inside the sandbox
    "engines/http_client.py": "httpx2.AsyncClient",
    "engines/ray.py": "ray.init",
}
"""Every place of the source where a name becomes code, a program or a request."""
ASK = (
    "plugins.py", "train/launch.py", "train/verl/backend.py", "train/verl/environment.py",
    "engines/http_client.py", "engines/ray.py", "engines/vllm.py", "checkpoints.py",
    "train/trainer_config.py",
)  # fmt: skip
"""Those to which a recipe's names come, and where its tables are handed on."""


def test_whatever_acts_stands_where_trust_is_asked() -> None:
    source, found = ROOT / "src" / "manyways", {}
    for path in source.rglob("*.py"):
        calls = (n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call))
        named = {name for call in calls if CALLS.fullmatch(name := ast.unparse(call.func))}
        if named:
            found[str(path.relative_to(source))] = " ".join(sorted(named))
    assert found == WHERE
    for name in ASK:
        assert re.search(r"\b(trust|environment)\.require\w*\(", (source / name).read_text("utf-8"))


OTHER = {"0": "1", "1": "0"}


@pytest.mark.parametrize("name", trust.REPORTS_OFF)
def test_reports_to_makers_of_libraries_are_off_and_can_be_turned_on(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Off in a command and in a process that works for one on another machine."""
    from manyways.cli import app

    off = trust.REPORTS_OFF[name]
    for before, after in ((None, off), (OTHER[off], OTHER[off])):
        for prepare in (app._prepare, lambda: trust.take({})):
            monkeypatch.delenv(name, raising=False)
            if before is not None:
                monkeypatch.setenv(name, before)
            prepare()
            assert os.environ[name] == after
    assert off == "0" or f"{name}=0" in PAGE
    assert off == "1" or f"{name}=1" in PAGE
