"""Runs a module in two processes (gloo, CPU), as a launcher does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch


def reports_of_two_ranks(module: str, folder: Path) -> list[dict[str, Any]]:
    """What each rank of `python -m module folder` saved as `rank_<n>.pt` in the folder."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    run = subprocess.run(
        [*command, "-m", module, str(folder)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return [torch.load(folder / f"rank_{rank}.pt", weights_only=True) for rank in range(2)]
