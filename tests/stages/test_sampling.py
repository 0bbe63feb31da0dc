import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import environment
from fake_engines import GuessingEngine
from sampled_runs import context

from manyways.context import model_hash
from manyways.engines import Completion, Ended, Going, SamplingSettings
from manyways.errors import MissingWork, VerifierUnwell
from manyways.fingerprint import attempt_seed, prompt_hash
from manyways.pool import attempt_files
from manyways.pool.attempt_files import Cell, Entry, Journal, Origin, Sampling
from manyways.pool.sampling import LazyEngine, collect
from manyways.recipe.engines import ModelConfig
from manyways.records import PLAIN
from manyways.tables import beside, parts, read_attempts


@pytest.fixture(autouse=True)
def fresh_engine():
    GuessingEngine.reset()


@pytest.fixture
def ctx(tmp_path):
    made = context(tmp_path)
    yield made
    made.close()


def cells_of(ctx, *, count=6, samples=4):
    problems = ctx.problems(f"made_runs:load/seed?count={count}", None)
    return [
        Cell(
            problem=problem,
            heuristic=PLAIN,
            messages=ctx.prompts.plain(problem.question),
            samples=samples,
        )
        for problem in problems
    ]


def how(ctx, part_size=8):
    return Sampling(
        settings=SamplingSettings(max_tokens=9),
        folder=ctx.run.path("there"),
        run_seed=3,
        model_hash="m",
        label="test",
        part_size=part_size,
    )


def open_engine():
    return GuessingEngine("nowhere", ModelConfig(path="nowhere"))


def gather(ctx, cells, part_size=8):
    return collect(ctx, engine=open_engine, cells=cells, sampling=how(ctx, part_size))


def test_records_say_where_they_come_from(ctx):
    cells = cells_of(ctx)
    counts = gather(ctx, cells)
    found = list(read_attempts(ctx.run.path("there")))
    assert [(a.problem_id, a.sample) for a in found] == [
        (cell.problem.id, sample) for cell in cells for sample in range(4)
    ]
    for attempt, cell in zip(found, [cell for cell in cells for _ in range(4)], strict=True):
        assert attempt.seed == attempt_seed(3, cell.problem.id, PLAIN, attempt.sample)
        assert attempt.prompt_hash == prompt_hash(cell.messages)
        assert attempt.model_hash == "m"
        right = f"\\boxed{{{cell.problem.answer}}}" in attempt.text
        assert (attempt.verdict.status == "correct") == right
    assert counts["attempts"] == 24
    assert counts["correct"] == sum(a.verdict.status == "correct" for a in found) > 0
    assert counts["no_answer"] == counts["truncated"] == sum(a.finish == "length" for a in found)
    assert counts["no_answer"] > 0
    assert counts["wrong"] + counts["correct"] + counts["no_answer"] == 24
    assert counts["undecided"] == 0
    assert counts["tokens"] == sum(a.tokens for a in found)


def test_nothing_missing_opens_nothing(ctx):
    first = gather(ctx, cells_of(ctx))
    assert (GuessingEngine.opened, GuessingEngine.closed) == (1, 1)
    assert gather(ctx, cells_of(ctx)) == first
    assert GuessingEngine.opened == 1


def test_only_what_is_missing_is_sampled(ctx):
    gather(ctx, cells_of(ctx, samples=2))
    before = set(GuessingEngine.seeds)
    counts = gather(ctx, cells_of(ctx, samples=4, count=7))
    assert counts["attempts"] == 28
    assert len(GuessingEngine.seeds) == len(set(GuessingEngine.seeds)) == 28
    assert len(before) == 12
    keys = [(a.problem_id, a.heuristic, a.sample) for a in read_attempts(ctx.run.path("there"))]
    assert len(keys) == len(set(keys)) == 28


def test_counts_leave_out_what_is_no_longer_asked_for(ctx):
    gather(ctx, cells_of(ctx, samples=4))
    assert gather(ctx, cells_of(ctx, samples=1, count=3))["attempts"] == 3


class ReadsAhead(GuessingEngine):
    """Is given one stream, and says how long it was each time."""

    reads_ahead = True
    streams: list[int] = []  # noqa: RUF012

    def sample(self, requests, settings):
        self.streams.append(len(requests))
        yield from super().sample(requests, settings)

    def facts(self):
        return {"engine": "ahead", "seeds": "honoured", "calls": len(self.streams)}


def test_an_engine_that_reads_ahead_gets_one_stream_and_the_same_parts(ctx):
    gather(ctx, cells_of(ctx))
    files = parts(ctx.run.path("there"))
    whole = [part.read_bytes() for part in files]
    for part in files[1:]:
        part.unlink()
    ReadsAhead.streams.clear()
    collect(
        ctx,
        engine=lambda: ReadsAhead("nowhere", ModelConfig(path="nowhere")),
        cells=cells_of(ctx),
        sampling=how(ctx),
    )
    assert ReadsAhead.streams == [4]
    assert [part.read_bytes() for part in parts(ctx.run.path("there"))] == whole


class Backwards(GuessingEngine):
    """Its attempts end last first; it dies after some of them. Says which seeds it was given."""

    reads_ahead = True
    dies_after = 0
    asked: list[int] = []  # noqa: RUF012

    def stream(self, requests, settings):
        requests = list(requests)
        self.asked += [seed for request in requests for seed in request.seeds]
        ends = [
            (n, place) for n, request in enumerate(requests) for place in range(len(request.seeds))
        ]
        for count, (number, place) in enumerate(ends[::-1]):
            if count == self.dies_after:
                raise KeyboardInterrupt
            request = requests[number]
            text = self.complete(request.messages[-1].content, request.seeds[place])
            yield Ended(request=number, place=place, completion=text)
            yield Going(running=len(ends) - count - 1)


def test_attempts_that_ended_are_kept_whatever_their_order(ctx):
    """Stopped when only the last have ended: no part is whole, and yet nothing is lost."""
    gather(ctx, cells_of(ctx))
    whole = [part.read_bytes() for part in parts(ctx.run.path("there"))]
    shutil.rmtree(ctx.run.path("there"))
    kept = 0
    for more in (5, 0, 7, 11):
        Backwards.asked.clear()
        Backwards.dies_after = more
        with pytest.raises(KeyboardInterrupt):
            collect(
                ctx,
                engine=lambda: Backwards("nowhere", ModelConfig(path="nowhere")),
                cells=cells_of(ctx),
                sampling=how(ctx),
            )
        assert len(Backwards.asked) == 24 - kept
        kept += more
        held = {line.key for line in attempt_files.read_journal(ctx.run.path("there"))}
        held |= attempt_files.held(ctx.run.path("there")).keys
        assert len(held) == kept
    GuessingEngine.seeds.clear()
    gather(ctx, cells_of(ctx))
    assert len(GuessingEngine.seeds) == 24 - kept
    assert [part.read_bytes() for part in parts(ctx.run.path("there"))] == whole
    assert not beside(ctx.run.path("there"), attempt_files.FILE).exists()


def test_what_ended_last_needs_no_engine(ctx):
    gather(ctx, cells_of(ctx))
    folder = ctx.run.path("there")
    whole = [part.read_bytes() for part in parts(folder)]
    with Journal(folder, have=()) as ended:
        for attempt in read_attempts(folder):
            origin = Origin(
                seed=attempt.seed, prompt_hash=attempt.prompt_hash, model_hash=attempt.model_hash
            )
            key = (attempt.problem_id, attempt.heuristic, attempt.sample)
            text = Completion(
                text=attempt.text, finish=attempt.finish, prompt_tokens=attempt.prompt_tokens,
                tokens=attempt.tokens,
            )  # fmt: skip
            ended.add(Entry(key=key, origin=origin, completion=text))
    for part in parts(folder):
        part.unlink()
    GuessingEngine.reset()
    gather(ctx, cells_of(ctx))
    assert GuessingEngine.opened == 0
    assert [part.read_bytes() for part in parts(folder)] == whole


def test_what_engines_say_about_themselves_is_kept_beside_the_attempts(ctx):
    gather(ctx, cells_of(ctx))
    gather(ctx, cells_of(ctx, samples=6))
    facts = json.loads(ctx.run.path(".there.engine.json").read_text())
    assert facts == [{"engine": "guessing", "seeds": "honoured"}] * 2


def test_a_given_engine_is_left_open(ctx):
    collect(ctx, engine=open_engine(), cells=cells_of(ctx), sampling=how(ctx))
    assert GuessingEngine.closed == 0


@pytest.mark.parametrize(("part_size", "sizes"), [(8, [8, 8, 8]), (9, [8, 8, 8]), (3, [3, 1] * 6)])
def test_parts_hold_whole_cells_unless_these_are_larger(ctx, part_size, sizes):
    gather(ctx, cells_of(ctx), part_size)
    found = [len(list(read_attempts_of(part))) for part in parts(ctx.run.path("there"))]
    assert found == sizes


def read_attempts_of(part):
    import pyarrow.parquet as pq

    return pq.read_table(part).to_pylist()


@pytest.mark.parametrize("part_size", [3, 8, 9, 100])
def test_losing_the_last_parts_changes_nothing(ctx, part_size):
    gather(ctx, cells_of(ctx), part_size)
    files = parts(ctx.run.path("there"))
    whole = [part.read_bytes() for part in files]
    for kept in range(len(files)):
        for part in parts(ctx.run.path("there"))[kept:]:
            part.unlink()
        gather(ctx, cells_of(ctx), part_size)
        assert [part.read_bytes() for part in parts(ctx.run.path("there"))] == whole


def test_a_half_written_part_is_removed(ctx):
    gather(ctx, cells_of(ctx))
    left = ctx.run.path("there", ".part-00003.parquet.77.tmp")
    left.write_bytes(b"PAR1")
    gather(ctx, cells_of(ctx, samples=5))
    assert not left.exists()


def test_changed_prompts_set_earlier_attempts_aside(ctx, capsys):
    gather(ctx, cells_of(ctx))
    cells = cells_of(ctx)
    asked = replace(cells[0].messages[0], content="What is 0 + 0? Now in French.")
    cells[0] = replace(cells[0], messages=(asked,))
    assert gather(ctx, cells)["attempts"] == 24
    assert len(GuessingEngine.seeds) == 48
    assert "prompts have changed" in capsys.readouterr().err
    assert len(list(ctx.run.path("stale").glob("there-*"))) == 1


def test_ended_attempts_of_changed_prompts_are_set_aside(ctx, capsys):
    Backwards.dies_after = 5
    with pytest.raises(KeyboardInterrupt):
        collect(
            ctx,
            engine=lambda: Backwards("nowhere", ModelConfig(path="nowhere")),
            cells=cells_of(ctx),
            sampling=how(ctx),
        )
    cells = cells_of(ctx)
    asked = replace(cells[-1].messages[0], content="What is 0 + 0? Now in French.")
    cells[-1] = replace(cells[-1], messages=(asked,))
    assert gather(ctx, cells)["attempts"] == 24
    assert len(GuessingEngine.seeds) == 24
    assert "prompts have changed" in capsys.readouterr().err
    (aside,) = ctx.run.path("stale").iterdir()
    assert aside.name.endswith(attempt_files.FILE)


def test_too_many_undecided_stop_the_stage_early_and_again(tmp_path):
    ctx = context(tmp_path, verify={"verifier": "fake_verifiers:often_unwell", "workers": 1})
    cells = cells_of(ctx, count=100)
    with pytest.raises(VerifierUnwell, match="timeout"):
        gather(ctx, cells, part_size=50)
    held = len(list(read_attempts(ctx.run.path("there"))))
    assert attempt_files.ENOUGH <= held < 400
    lenient = context(
        tmp_path,
        verify={"verifier": "fake_verifiers:often_unwell", "workers": 1, "max_undecided": 1.0},
    )
    assert gather(lenient, cells, part_size=50)["undecided"] > 60
    with pytest.raises(VerifierUnwell):
        gather(ctx, cells, part_size=50)
    assert len(GuessingEngine.seeds) == 400
    ctx.close()
    lenient.close()


def test_a_few_undecided_are_fine(tmp_path):
    ctx = context(
        tmp_path,
        verify={"verifier": "fake_verifiers:often_unwell", "workers": 1, "max_undecided": 0.6},
    )
    assert gather(ctx, cells_of(ctx))["undecided"] > 0
    ctx.close()


def test_a_lazy_engine_opens_once_and_closes_what_it_opened(ctx):
    lazy = LazyEngine(open_engine)
    lazy.close()
    assert GuessingEngine.opened == GuessingEngine.closed == 0
    collect(ctx, engine=lazy, cells=cells_of(ctx), sampling=how(ctx))
    collect(ctx, engine=lazy, cells=cells_of(ctx, samples=6), sampling=how(ctx))
    assert GuessingEngine.opened == 1
    lazy.close()
    lazy.close()
    assert GuessingEngine.closed == 1


def test_a_checkpoint_that_does_not_exist_yet_is_missing_work(ctx, tmp_path):
    with pytest.raises(MissingWork, match="run the stage that makes it"):
        model_hash(ctx, str(tmp_path / "arms" / "checkpoint"))
    assert model_hash(ctx, ctx.base_path) == "hash-of-base"


@pytest.mark.parametrize("rated", [(), pytest.param(("rated",), marks=pytest.mark.slow)])
def test_killed_at_its_writes_the_records_are_those_of_an_uninterrupted_run(tmp_path, rated):
    script = Path(__file__).parent / "killed_generate.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path, *rated],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert len(seen["held"]) == 6
    assert seen["held"] == sorted(seen["held"]), "nothing is lost once it was written"
    assert len(set(seen["held"])) >= 4
    assert not seen["journal"]
    assert seen["same"]
    counts = seen["counts"]
    assert seen["attempts"] == counts["attempts"] == 5 * 4 + counts["problems"] * 2 * 6
    assert counts["problems"] + counts.get("too_hard", 0) + counts.get("too_easy", 0) == 5
    assert counts["problems"] < 5 if rated else counts["problems"] == 5
