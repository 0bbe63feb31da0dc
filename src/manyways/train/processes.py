"""The processes of a distributed training, which ``launch`` starts. Process 0 writes all files."""

import os


def count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def rank() -> int:
    """The number of this process; process 0 writes."""
    return int(os.environ.get("RANK", "0")) if "LOCAL_RANK" in os.environ else 0


def is_writer() -> bool:
    """Whether this process writes metrics, checkpoints and stamps."""
    return rank() == 0


def may_be_sharded() -> bool:
    """Whether accelerate's file asks for FSDP or DeepSpeed, so that a process may lack weights."""
    wanted = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    return any(os.environ.get(name, "").lower() == "true" for name in wanted)


def wait() -> None:
    """Wait until every process has called this. Returns at once if there is one process."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.barrier()


def own(device: str) -> str:
    """The device of this process: of several on one machine, each has a GPU of its own."""
    one_of_several = count() > 1 and device == "cuda"
    return f"cuda:{os.environ['LOCAL_RANK']}" if one_of_several else device
