"""Runs a script as FSDP or DeepSpeed would have it, with CPUs in place of GPUs.

accelerate launch --config_file recipes/accelerate/fsdp.yaml --num_processes 2 tests/sharded_on_cpus.py SCRIPT …

accelerate takes processes without GPUs for plain data-parallel ones, though torch shards models on CPUs just as well.
"""

import os
import runpy
import sys

from accelerate.state import PartialState
from accelerate.utils import DistributedType
from transformers import training_args


def pretend_gpus() -> None:
    """Has accelerate go its way for several GPUs, with the device "cpu" and gloo."""
    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    PartialState._prepare_backend = lambda *_: ("gloo", DistributedType.MULTI_GPU)
    training_args.is_torch_bf16_gpu_available = lambda: True


if __name__ == "__main__":
    pretend_gpus()
    sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(sys.argv[0])
    runpy.run_path(sys.argv[0], run_name="__main__")
