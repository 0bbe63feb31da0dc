"""``python -m verl.model_merger merge``: a sharded checkpoint becomes a Hugging Face folder.

It fails when FAKE_VERL speaks of ``merge``.
"""

import argparse
import json
import os
import shutil
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("operation", choices=["merge", "test"])
parser.add_argument("--backend", required=True, choices=["fsdp", "megatron"])
parser.add_argument("--local_dir", type=Path)
parser.add_argument("--target_dir", type=Path, default=Path("tmp"))
given = parser.parse_args()
if "merge" in os.environ.get("FAKE_VERL", ""):
    raise FileNotFoundError("no room for the merged model")
world = json.loads((given.local_dir / "fsdp_config.json").read_text())["world_size"]
given.target_dir.mkdir(parents=True, exist_ok=True)
shards = [given.local_dir / f"model_world_size_{world}_rank_{i}.pt" for i in range(world)]
(given.target_dir / "model.safetensors").write_bytes(b"".join(s.read_bytes() for s in shards))
for file in (given.local_dir / "huggingface").iterdir():
    shutil.copy(file, given.target_dir)
print(f"Saving model to {given.target_dir}")
