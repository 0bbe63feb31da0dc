"""Checkpoints on disk: where a path points, what identifies it, and how it is loaded."""

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyways import trust
from manyways.errors import ModelError
from manyways.progress import say

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BASE_MODEL_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'user' %}Problem: {{ m['content'] }}\n\n"
    "{% elif m['role'] == 'assistant' %}Solution: {{ m['content'] }}{{ eos_token }}\n\n"
    "{% else %}{{ m['content'] }}\n\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Solution: {% endif %}"
)
"""For a tokenizer without a chat template (base models). Checkpoints trained from it keep it."""


QUANTIZED: dict[str, dict[str, object]] = {
    "4bit": {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
        "bnb_4bit_compute_dtype": "bfloat16",
    },
    "8bit": {"load_in_8bit": True},
}
"""Settings of bitsandbytes. (4 bits: Dettmers et al. 2023, "QLoRA", section 3.)"""


def package_path(name: str) -> Path:
    """``package:some.package/file`` as a path on disk. The package is not imported for that.

    Raises ModelError when there is no such package.
    """
    package, _, inner = name.removeprefix("package:").partition("/")
    top, *below = package.split(".")
    spec = find_spec(top) if top else None
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"'{name}': there is no package '{top}' on the Python path.")
    return Path(spec.submodule_search_locations[0]).joinpath(*below, inner)


def model_path(name: str) -> str:
    """What to pass to ``from_pretrained``: a folder, or a Hub id as it is.

    Raises ModelError when ``name`` looks like a folder that does not exist or is not a checkpoint.
    """
    if name.startswith("package:"):
        path = package_path(name)
    elif name.startswith((".", "/", "~")) or Path(name).exists():
        path = Path(name).expanduser()
    elif name.count("/") > 1:
        raise ModelError(f"no folder '{name}' (a Hub id has the form owner/name).")
    else:
        return name
    if not path.exists():
        raise ModelError(f"there is no folder '{path}' (a path starts at {Path.cwd()}).")
    if (path / "adapter_config.json").is_file() and not (path / "config.json").is_file():
        raise ModelError(
            f"'{path}' holds an adapter and no model: merge it into its base (peft: "
            "model.merge_and_unload().save_pretrained(FOLDER), the tokenizer, too)."
        )
    if not (path / "config.json").is_file():
        raise ModelError(
            f"'{path}' is not a Hugging Face checkpoint: it has no config.json. "
            "Give a folder saved with save_pretrained, or a Hub id."
        )
    return str(path)


def checkpoint_hash(path: str) -> str:
    """16 hex digits over config, tokenizer and weights; for a Hub id, over its resolved commit.

    Raises ModelError when a Hub id cannot be resolved.
    """
    folder = Path(path)
    digest = hashlib.sha256()
    if not folder.is_dir():
        digest.update(f"{path}@{_hub_commit(path)}".encode())
        return digest.hexdigest()[:16]
    names = sorted(
        file.name
        for file in folder.iterdir()
        if file.suffix in {".json", ".safetensors", ".jinja", ".model", ".bin", ".txt"}
        and file.name not in {"trainer_state.json", "stamp.json"}
    )
    for name in names:
        digest.update(name.encode())
        with (folder / name).open("rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()[:16]


def chat_template_hash(path: str) -> str:
    """16 hex digits over the chat template that prompts are rendered with.

    Reads the files of a folder, or of a Hub id in the local cache; loading the tokenizer would take
    too long. ``unknown`` for a model behind a server.
    """
    template = _template_file(path, "chat_template.jinja")
    if template is None:
        config = _template_file(path, "tokenizer_config.json")
        if config is None:
            return "unknown"
        template = json.loads(config).get("chat_template") or BASE_MODEL_TEMPLATE
    text = template if isinstance(template, str) else json.dumps(template, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def facts_of(path: str) -> dict[str, str]:
    """The facts about a checkpoint that a stamp keeps: its chat template and, if known, size."""
    size = parameters(path)
    return {"chat_template": chat_template_hash(path)} | ({"parameters": str(size)} if size else {})


def parameters(path: str) -> int | None:
    """The number of parameters, from the headers of the safetensors files.

    Reads a folder, or a Hub id in the local cache. None without such files, as for a model behind a
    server.
    """
    config = _file_of(path, "config.json")
    weights = sorted(config.parent.glob("*.safetensors")) if config else []
    return sum(map(_numbers, weights)) if weights else None


def checkpoint_bytes(path: str) -> float | None:
    """Bytes of a checkpoint's files; None for a Hub id that is not in the local cache."""
    config = _file_of(path, "config.json")
    if config is None:
        return None
    return float(sum(file.stat().st_size for file in config.parent.iterdir() if file.is_file()))


def _numbers(weights: Path) -> int:
    with weights.open("rb") as stream:
        head = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    return sum(math.prod(of["shape"]) for name, of in head.items() if name != "__metadata__")


def _template_file(path: str, name: str) -> str | None:
    file = _file_of(path, name)
    return file.read_text(encoding="utf-8") if file else None


def _file_of(path: str, name: str) -> Path | None:
    if Path(path).is_dir():
        file = Path(path, name)
        return file if file.is_file() else None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(path, name)
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None


def announce_download(path: str) -> None:
    """Say that a Hub model will be downloaded, and how large it is, unless it is in the cache."""
    if Path(path).is_dir() or _file_of(path, "config.json") is not None:
        return
    from huggingface_hub import HfApi

    try:
        found = HfApi().model_info(path, files_metadata=True).siblings or []
    except Exception:  # noqa: BLE001 - whoever loads it says what is wrong
        return
    weights = sum(one.size or 0 for one in found if one.rfilename.endswith(".safetensors"))
    size = f" ({weights / 1e9:.1f} GB)" if weights else ""
    say(f"'{path}' is downloaded from the Hugging Face Hub{size}, once: it stays in its cache.")


@contextlib.contextmanager
def cache_alone_without_hub() -> Iterator[str]:
    """Use the local cache only, if the Hub does not answer one request. Yields why it did not.

    Without this its libraries would ask six times for each file, with half a minute of pauses.
    """
    from datasets import config
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        yield "HF_HUB_OFFLINE is set"
        return
    try:
        get_session().head(constants.ENDPOINT, timeout=5)
    except Exception as error:  # noqa: BLE001 - its HTTP library, which changes, has its own
        # The switch that the environment variable sets when they are imported.
        kept = config.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = config.HF_HUB_OFFLINE = True
        try:
            yield type(error).__name__
        finally:
            constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE = False, kept
        return
    yield ""


def _hub_commit(name: str) -> str:
    """The newest commit; without a connection, the one in the local cache."""
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return str(HfApi().model_info(name).sha)
    except Exception as error:  # its HTTP library, which changes, has errors of its own
        with contextlib.suppress(HFValidationError):
            cached = try_to_load_from_cache(name, "config.json")
            if isinstance(cached, str):
                return Path(cached).parent.name
        raise ModelError(
            f"cannot reach '{name}' on the Hugging Face Hub ({type(error).__name__}), and there is "
            f"no such folder in {Path.cwd()}: check the name and your connection, or give a local "
            "folder."
        ) from error


def load_tokenizer(
    path: str, template: Mapping[str, object] | None = None
) -> "PreTrainedTokenizerBase":
    """The checkpoint's tokenizer, padding on the left, always with a chat template and a pad token.

    template: switches of the chat template. Everything that renders a chat with this tokenizer
        uses them, trainers too.

    Raises ModelError when it cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot load a tokenizer from '{path}': {_first_line(error)}") from error
    # transformers saves whether this machine was offline: equal checkpoints would not look equal.
    tokenizer.init_kwargs.pop("local_files_only", None)
    if tokenizer.eos_token is None:
        raise ModelError(
            f"the tokenizer of '{path}' has no EOS token, so that a model could never stop: name "
            "one as eos_token in its tokenizer_config.json."
        )
    if tokenizer.chat_template is None:
        tokenizer.chat_template = BASE_MODEL_TEMPLATE
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    if template:
        tokenizer.apply_chat_template = partial(tokenizer.apply_chat_template, **template)
    return tokenizer


def load_model(
    path: str, *, dtype: str, device: str, how: Mapping[str, object] | None = None
) -> "PreTrainedModel":
    """The causal LM at ``path`` in evaluation mode on ``device``.

    dtype: ``auto`` (as saved, see ``pick_dtype``), ``float32`` or ``bfloat16``.
    how:   further arguments of ``from_pretrained``, as in the recipe's ``model.load``.

    Raises ModelError when it cannot be loaded, or when it is to be quantised and bitsandbytes is
    missing; Untrusted when ``how`` names code.
    """
    from transformers import AutoModelForCausalLM

    announce_download(path)
    try:
        picked = pick_dtype(path, dtype, device)
        given = _given(how or {}, device)
        model: Any = AutoModelForCausalLM.from_pretrained(
            path, dtype=picked, trust_remote_code=False, **given
        )
    except (OSError, ValueError, ImportError, TypeError) as error:
        settings = f" with model.load = {dict(how)}" if how else ""
        raise ModelError(
            f"cannot load a causal LM from '{path}'{settings}: {_first_line(error)}"
        ) from error
    return (model if "device_map" in given else model.to(device)).eval()


def check_quantization(how: Mapping[str, object]) -> None:
    """Raise ModelError when weights are to be quantised and bitsandbytes is missing."""
    if how.get("quantization") and find_spec("bitsandbytes") is None:
        raise ModelError(
            "model.load.quantization needs the package bitsandbytes, which is not installed: pip "
            "install bitsandbytes (or leave quantization out)."
        )


def _given(how: Mapping[str, object], device: str) -> dict[str, Any]:
    """The arguments of ``from_pretrained`` for ``model.load``."""
    trust.require_plain(how, "model.load")
    check_quantization(how)
    given = dict(how)
    quantization = given.pop("quantization", None)
    if quantization:
        from transformers import BitsAndBytesConfig

        table = quantization if isinstance(quantization, dict) else QUANTIZED[str(quantization)]
        given["quantization_config"] = BitsAndBytesConfig(**table)
        # Quantised while they are loaded, so they have to be loaded where they stay.
        given["device_map"] = {"": device}
    return given


def pick_dtype(path: str, wanted: str, device: str) -> str:
    """Replace ``auto`` by ``float32`` if the weights' own dtype would be slow on this CPU.

    A CPU without instructions for bfloat16 is many times slower in it than in float32.
    """
    from transformers import AutoConfig

    if wanted != "auto" or device != "cpu":
        return wanted
    saved = str(
        getattr(AutoConfig.from_pretrained(path, trust_remote_code=False), "dtype", None)
    ).removeprefix("torch.")
    slow = saved == "float16" or (saved == "bfloat16" and not has_bfloat16())
    return "float32" if slow else wanted


def has_bfloat16() -> bool:
    """Whether this machine's processor multiplies in bfloat16 (AVX-512 BF16, AMX, Arm BF16)."""
    import torch

    # On Arm the library itself is asked. On x86 it also says yes when it only emulates bfloat16.
    capable = torch.backends.cpu.get_cpu_capability()
    if capable.startswith("AVX"):
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def pick_device(wanted: str) -> str:
    """Replace ``auto`` by the accelerator that torch sees (``cuda``, ``mps``, ``xpu``), or ``cpu``.

    Raises ModelError when the accelerator that is named does not exist here.
    """
    import torch

    found = torch.accelerator.current_accelerator(check_available=True)
    if wanted == "auto":
        return found.type if found else "cpu"
    kind = wanted.split(":", maxsplit=1)[0]
    if kind != "cpu" and (found is None or found.type != kind):
        there = f"'{found.type}'" if found else "none"
        raise ModelError(
            f"model.device = '{wanted}', but torch sees no such accelerator (it sees {there}): set "
            "it to 'auto'."
        )
    return wanted


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def stop_ids(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> tuple[int, ...]:
    """Ids of the tokens that end a text: EOS and those of the generation config, sorted."""
    named = getattr(model.generation_config, "eos_token_id", None)
    several = named if isinstance(named, list) else [named]
    return tuple(sorted({int(i) for i in (*several, tokenizer.eos_token_id) if i is not None}))
