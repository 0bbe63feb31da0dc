"""Shards a checkpoint over processes, as FSDP does, in the files that verl saves a policy in.

python -m torch.distributed.run --nproc-per-node 2 sharded_training.py CHECKPOINT ACTOR
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import AutoModelForCausalLM, AutoTokenizer


def main(base: str, actor: Path) -> None:
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    mesh = init_device_mesh("cpu", (world,), mesh_dim_names=("fsdp",))
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    fully_shard(model, mesh=mesh)
    (actor / "huggingface").mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), actor / f"model_world_size_{world}_rank_{rank}.pt")
    if rank == 0:
        sizes = {"FSDP_version": 2, "world_size": world}
        (actor / "fsdp_config.json").write_text(json.dumps(sizes))
        model.config.save_pretrained(actor / "huggingface")
        AutoTokenizer.from_pretrained(base).save_pretrained(actor / "huggingface")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
