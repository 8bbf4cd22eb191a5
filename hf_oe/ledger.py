"""What one process knows of the batches it trains on beside their tensors; part of every checkpoint."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from transformers import TrainerCallback

from .data.faults import UnreadableTally
from .data.mixing import BatchInfo
from .data.streams import MixtureStream
from .files import replacing


class BatchLedger(TrainerCallback):
    """Keeps the place of the outlier stream after the last batch trained on, and counts unreadable outliers.

    Loaders fetch ahead, so only what reaches the training step counts.

    Args:
        max_unreadable: largest share of map-style outliers that may be unreadable; streams check for themselves.

    Attributes:
        stream: what outliers are read from, if they are streamed.
        stream_state: its place after the last batch trained on.
    """

    def __init__(self, max_unreadable: float):
        self.stream: MixtureStream | None = None
        self.stream_state: dict[str, Any] | None = None
        self._tally = UnreadableTally(max_unreadable)
        self._stream_skipped = 0
        self._waiting: deque[BatchInfo | None] = deque()

    def on_epoch_begin(self, args, state, control, **kwargs):
        # A loader's worker gets a copy of the stream for each epoch, and what it reads from that is not seen here.
        if args.dataloader_num_workers and self.stream is not None and self.stream_state is not None:
            self.stream.load_state_dict(self.stream_state)

    @property
    def skipped(self) -> int:
        """Number of outliers left out so far because they could not be read."""
        return self._tally.skipped + self._stream_skipped

    def receive(self, infos: Sequence[BatchInfo | None]) -> None:
        """Takes what came with the micro-batches of the next step; raises `TooManyUnreadableError`."""
        self._waiting = deque(infos)
        for info in infos:
            if info is None:
                continue
            self.stream_state, self._stream_skipped = info.stream_state, info.stream_skipped
            self._tally.draw(len(info.outliers) - len(info.unreadable))
            for index, reason in info.unreadable:
                self._tally.skip(f"index {index}", reason)

    def next_batch(self) -> dict[str, Any] | None:
        """What the next micro-batch is made of, as JSON takes it."""
        info = self._waiting.popleft() if self._waiting else None
        if info is None:
            return None
        return {
            "in_distribution": info.in_distribution.tolist(),
            "outliers": info.outliers.tolist() if info.stream_state is None else {"stream": info.stream_state},
        }

    def state_dict(self) -> dict[str, Any]:
        return {
            "stream": self.stream_state,
            "stream_skipped": self._stream_skipped,
            "unreadable": self._tally.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.stream_state, self._stream_skipped = state["stream"], state["stream_skipped"]
        self._tally.load_state_dict(state["unreadable"])


def _path(folder: str, rank: int) -> str:
    return os.path.join(folder, f"resume_state_{rank}.pt")


def save_resume_state(folder: str, rank: int, state: dict[str, Any]) -> None:
    """Writes one process's state into a checkpoint: tensors, plain numbers, strings and containers."""
    with replacing(_path(folder, rank)) as temporary:
        torch.save(state, temporary)


def load_resume_state(folder: str, rank: int, world_size: int) -> dict[str, Any] | None:
    """One process's state; `None` if another trainer wrote the checkpoint.

    Raises `ValueError` if it was written by another number of processes, since each resumes its own outliers.
    """
    if not os.path.exists(_path(folder, 0)):
        return None
    written_by = sum(name.startswith("resume_state_") for name in os.listdir(folder))
    if written_by != world_size:
        raise ValueError(
            f"The checkpoint {folder} was written by {written_by} processes, and there are {world_size} now: resume "
            "it with as many, or start from its weights instead."
        )
    return torch.load(_path(folder, rank), weights_only=True)
