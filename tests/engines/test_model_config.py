"""What attempts depend on, as the recipe says it: not on where and how fast they are sampled."""

import pytest

from manyways.recipe.engines import ModelConfig

URL = {"url": "http://there/v1"}


def model(engine, **tables):
    return ModelConfig(path="x/y", engine=engine, **tables)


def test_a_cluster_does_not_change_what_attempts_are():
    alone, many = model("transformers"), model("ray", ray={"workers": 8, "gpus": 1.0})
    assert alone.identity == many.identity
    table = {"quantization": "fp8"}
    assert model("vllm", vllm=table).identity == model(
        "ray", ray={"engine": "vllm"}, vllm=table
    ).identity  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "same", "other"),
    [
        ("vllm", {"vllm": {"tensor_parallel_size": 4}}, {"vllm": {"quantization": "fp8"}}),
        (
            "http",
            {"http": {"url": "https://elsewhere/v1", "concurrency": 9, "retries": 1}},
            {"http": {**URL, "endpoint": "completions"}},
        ),
    ],
)
def test_speed_and_place_do_not_count_and_the_rest_does(engine, same, other):
    plain = model(engine, http=URL)
    assert model(engine, **{"http": URL, **same}).identity == plain.identity
    assert model(engine, **{"http": URL, **other}).identity != plain.identity


def test_a_served_model_is_remote_also_from_a_cluster():
    assert model("http", http=URL).remote
    assert model("ray", ray={"engine": "http"}, http=URL).remote
    assert not model("ray", ray={"engine": "vllm"}).remote
    assert model("transformers", http=URL).under("http").remote


@pytest.mark.parametrize(
    ("engine", "tables", "sentence"),
    [
        ("http", {}, "set model.http.url"),
        ("ray", {}, "set model.ray.workers"),
        ("ray", {"ray": {"engine": "http"}}, "set model.http.url"),
        ("ray", {"ray": {"engine": "ray"}}, "another engine than 'ray'"),
    ],
)
def test_a_missing_table_is_named(engine, tables, sentence):
    with pytest.raises(ValueError, match=sentence):
        model(engine, **tables)
