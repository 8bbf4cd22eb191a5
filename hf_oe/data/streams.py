"""Reads an iterable outlier set without end, one share a process, and resumes it at the very example."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


class OutlierStream:
    """An endless reader of an iterable dataset: when a pass ends, the next begins (reshuffled, if the dataset can).

    Args:
        dataset: a `datasets.IterableDataset`, or any iterable of rows that can be iterated again.
        rank, world_size: which share is read; every example goes to exactly one rank.

    A `datasets` stream resumes from its own `state_dict`. Other iterables, and streams with a shuffle buffer, whose
    content no state holds, are read again up to the place where they stopped: slower, as exact.
    """

    def __init__(self, dataset: Iterable[Mapping[str, Any]], rank: int = 0, world_size: int = 1):
        self._is_hub_stream = hasattr(dataset, "state_dict") and hasattr(dataset, "set_epoch")
        if self._is_hub_stream:
            from datasets.distributed import split_dataset_by_node

            dataset = split_dataset_by_node(dataset, rank=rank, world_size=world_size)
        self._dataset = dataset
        self._share = slice(0, None, 1) if self._is_hub_stream else slice(rank, None, world_size)
        self._keeps_place = self._is_hub_stream and not _has_shuffle_buffer(dataset)
        self._passes = 0
        self._taken = 0
        self._iterator: Iterator[Mapping[str, Any]] | None = None

    def take(self, count: int) -> list[Mapping[str, Any]]:
        """The next `count` rows; raises `ValueError` if a whole pass yields none."""
        rows: list[Mapping[str, Any]] = []
        while len(rows) < count:
            if self._iterator is None:
                self._iterator = self._begin_pass()
            fresh = list(itertools.islice(self._iterator, count - len(rows)))
            rows += fresh
            self._taken += len(fresh)
            if len(rows) < count:
                if self._taken == 0:
                    raise ValueError("`outlier_dataset` yields no example for this process: give it more examples.")
                self._iterator, self._passes, self._taken = None, self._passes + 1, 0
        return rows

    def _begin_pass(self) -> Iterator[Mapping[str, Any]]:
        if hasattr(self._dataset, "set_epoch"):
            self._dataset.set_epoch(self._passes)
        return itertools.islice(iter(self._dataset), self._share.start, None, self._share.step)

    def state_dict(self) -> dict[str, Any]:
        """The place after the last row taken: plain numbers, strings and containers."""
        dataset_state = self._dataset.state_dict() if self._keeps_place and self._iterator is not None else None
        return {"passes": self._passes, "taken": self._taken, "dataset": dataset_state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes to the place that `state_dict` described."""
        self._passes, self._taken = state["passes"], state["taken"]
        if state["dataset"] is not None:
            self._dataset.load_state_dict(state["dataset"])
            self._iterator = self._begin_pass()
        else:
            self._iterator = self._begin_pass()
            for _ in itertools.islice(self._iterator, self._taken):
                pass


def _has_shuffle_buffer(dataset: Any) -> bool:
    """Whether a `datasets` stream shuffles through a buffer; `datasets` has no public question for it."""
    pending = [dataset._ex_iterable]
    while pending:
        iterable = pending.pop()
        if "BufferShuffled" in type(iterable).__name__:
            return True
        pending += (
            [iterable.ex_iterable] if hasattr(iterable, "ex_iterable") else getattr(iterable, "ex_iterables", [])
        )
    return False
