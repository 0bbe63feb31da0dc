import json

from tiny_models import build_llama
from transformers import AutoModelForCausalLM

from manyways.checkpoints import load_tokenizer
from manyways.train.trainee import newest_complete, rewind_metrics, save_checkpoint, step_of


def checkpoint(folder, step: int, *, whole: bool):
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    (path / "trainer_state.json").write_text("{}")
    if whole:
        (path / "complete").write_text(str(step))
    return path


def test_the_newest_whole_checkpoint_is_found_and_halves_are_deleted(tmp_path) -> None:
    checkpoint(tmp_path, 9, whole=True)
    ten = checkpoint(tmp_path, 10, whole=True)
    half = checkpoint(tmp_path, 20, whole=False)
    assert newest_complete(tmp_path) == ten
    assert step_of(ten) == 10
    assert not half.exists()


def test_there_may_be_no_checkpoint(tmp_path) -> None:
    checkpoint(tmp_path, 5, whole=False)
    assert newest_complete(tmp_path) is None
    assert newest_complete(tmp_path / "absent") is None
    assert step_of(None) == 0


def test_rows_after_the_resumed_step_and_a_torn_line_are_dropped(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    rewind_metrics(path, 3)
    assert not path.exists()
    path.write_text("".join(f'{{"step": {i}}}\n' for i in range(1, 6)) + '{"step": 6, "lo')
    rewind_metrics(path, 3)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]


def test_a_saved_checkpoint_stops_where_training_did_and_replaces_leftovers(tmp_path) -> None:
    folder = build_llama(tmp_path / "llama")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), load_tokenizer(str(folder))
    # A generation config that transformers would refuse to save.
    model.generation_config.temperature = 0.5
    model.generation_config.do_sample = False
    target = tmp_path / "checkpoint"
    (tmp_path / ".checkpoint.partial").mkdir()
    (tmp_path / ".checkpoint.partial" / "model-00001-of-00009.safetensors").write_text("old")
    save_checkpoint(model, tokenizer, target, stops=(1, 5))
    assert {path.name for path in tmp_path.iterdir()} == {"llama", "checkpoint"}
    assert not list(target.glob("model-0*"))
    loaded = AutoModelForCausalLM.from_pretrained(target)
    assert loaded.generation_config.eos_token_id == [1, 5]
    assert load_tokenizer(str(target)).chat_template == tokenizer.chat_template
