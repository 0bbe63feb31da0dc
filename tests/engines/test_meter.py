"""Lines of progress, on a clock of the test's own: nothing waits."""

from manyways.engines import Completion, Ended, Going
from manyways.engines.meter import SamplingMeter
from manyways.progress import Meter, duration


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def ended(tokens, finish="stop"):
    one = Completion(text="", finish=finish, prompt_tokens=1, tokens=tokens)
    return Ended(request=0, place=0, completion=one)


def lines(capsys):
    return capsys.readouterr().err.splitlines()


def test_a_line_comes_within_half_a_minute_and_then_each_half_minute(capsys):
    clock = Clock()
    with SamplingMeter("generate", total=40, most=100, clock=clock) as meter:
        meter.take(Going(running=40, begun=40, tokens=lambda: [0] * 40))
        assert lines(capsys) == []
        for step in range(1, 30):
            clock.now += 4.0
            meter.take(Going(running=40, tokens=lambda step=step: [step] * 40))
        said = lines(capsys)
    assert len(said) == 4
    assert said[0] == "generate: 0/40 attempts, 40 running, 10 tokens/s, at most 6 min left"


def test_the_time_left_is_one_of_tokens_once_attempts_end(capsys):
    clock = Clock()
    with SamplingMeter("gate", total=8, most=1000, clock=clock) as meter:
        meter.take(Going(running=8, begun=8, tokens=lambda: [0] * 8))
        for step in range(1, 51):
            clock.now += 1.0
            if step in (40, 44, 48):
                meter.take(ended(step))
            running = 8 - (step >= 40) - (step >= 44) - (step >= 48)
            meter.take(Going(running=running, tokens=lambda n=running, s=step: [s] * n))
        said = lines(capsys)
    assert "at most" in said[0]
    assert said[-1].startswith("gate: 1/8 attempts, 7 running, 8 tokens/s, about ")
    assert lines(capsys) == []  # what came of them is for the stage to say


def test_a_slow_engine_without_signs_is_told_of_when_its_attempts_come(capsys):
    clock = Clock()
    with SamplingMeter("evaluate", total=4, most=100, clock=clock) as meter:
        for _ in range(2):
            clock.now += 60.0
            meter.take(ended(30))
            meter.take(Going(running=0))
    assert lines(capsys) == [
        "evaluate: 1/4 attempts, 0 tokens/s, about 3 min left",
        "evaluate: 2/4 attempts, 0 tokens/s, about 2 min left",
    ]


def test_other_work_counts_units(capsys):
    clock = Clock()
    with Meter("rl", total=10, unit="steps", clock=clock) as meter:
        clock.now = 9.0
        meter.advance()
        assert lines(capsys) == []
        clock.now = 20.0
        meter.advance()
        clock.now = 49.0
        meter.advance()
        clock.now = 50.0
        meter.pulse(lambda: "micro-batch 2 of 8")
    assert lines(capsys) == [
        "rl: 2/10 steps, about 80 s left",
        "rl: 3/10 steps, micro-batch 2 of 8",
        "rl: 3 steps in 50.0 s",
    ]


def test_durations_are_as_exact_as_they_deserve():
    assert [duration(s) for s in (3.4, 119, 121, 7100, 9000)] == [
        "3 s", "119 s", "2 min", "118 min", "2.5 h",
    ]  # fmt: skip
