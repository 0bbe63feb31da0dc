import pytest
from transformers import TrainingArguments

from manyways.errors import RecipeError
from manyways.train.trainer_config import build_config, in_micro_batches, passes


def build(tmp_path, **extra):
    return build_config(
        TrainingArguments,
        "midtrain",
        fixed={"output_dir": str(tmp_path), "learning_rate": 1e-4, "use_cpu": True},
        defaults={"weight_decay": 0.5},
        extra=extra,
    )


def test_extra_replaces_defaults(tmp_path) -> None:
    assert build(tmp_path).weight_decay == 0.5
    assert build(tmp_path, weight_decay=0.25).weight_decay == 0.25


def test_an_unknown_extra_key_names_the_nearest(tmp_path) -> None:
    with pytest.raises(RecipeError, match=r"midtrain.extra.weight_decai: .*'weight_decay'"):
        build(tmp_path, weight_decai=0.25)


def test_an_extra_key_that_the_recipe_decides_is_refused(tmp_path) -> None:
    with pytest.raises(RecipeError, match=r"midtrain\.extra\.learning_rate"):
        build(tmp_path, learning_rate=1.0)


def test_evaluations_by_the_trainer_are_refused_with_what_there_is_instead(tmp_path) -> None:
    with pytest.raises(RecipeError, match=r"midtrain.extra.eval_strategy: .*evaluate_every"):
        build(tmp_path, eval_strategy="steps")
    assert build(tmp_path, eval_strategy="no").eval_strategy == "no"


def test_what_the_library_refuses_is_a_recipe_error(tmp_path) -> None:
    with pytest.raises(RecipeError, match="midtrain: TRL refuses"):
        build(tmp_path, lr_scheduler_type="zigzag")


@pytest.mark.parametrize(
    ("batch", "micro", "device", "sizes"),
    [(128, None, "cpu", (32, 4)), (48, None, "cpu", (24, 2)), (8, None, "cpu", (8, 1)),
     (128, None, "cuda", (128, 1)), (128, 16, "cuda", (16, 8)), (8, 64, "cpu", (8, 1)),
     (37, None, "cpu", (1, 37))],
)  # fmt: skip
def test_micro_batches_make_up_a_whole_step(batch, micro, device, sizes) -> None:
    given = in_micro_batches(batch, micro, "rl.micro_batch", device=device)
    assert tuple(given.values()) == sizes


def test_a_micro_batch_that_does_not_divide_the_step_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"rl.micro_batch = 5: it must divide 8"):
        in_micro_batches(8, 5, "rl.micro_batch", device="cpu")


def test_passes_are_whole_shuffled_and_seeded() -> None:
    order = passes(5, 13, seed=1)
    assert sorted(order[:5]) == sorted(order[5:10]) == [0, 1, 2, 3, 4]
    assert len(order) == 13
    assert order == passes(5, 13, seed=1)
    assert order[:5] != order[5:10]
    assert order != passes(5, 13, seed=2)
    assert passes(5, 40, seed=1)[:13] == order
