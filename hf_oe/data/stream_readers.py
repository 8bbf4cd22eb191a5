"""Read one process's share of an outlier set, pass by pass, past examples that cannot be read."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from .faults import UNREADABLE, Rows, UnreadableTally, fetch_readable_rows, is_unreadable

logger = logging.getLogger(__name__)


class IterableReader:
    """Reads a `datasets.IterableDataset`, or any iterable of rows that can be iterated again.

    Every example goes to exactly one rank. A `datasets` stream whose number of shards is a multiple of `world_size` is
    dealt out by shards; of anything else every process reads all and keeps each `world_size`-th row.

    Attributes:
        keeps_place: whether `state_dict` leads back to the very row. It does not for streams with a shuffle buffer,
            whose content no state holds, and for iterables without a state: they must be read again from the start.
    """

    def __init__(self, dataset: Iterable[Mapping[str, Any]], rank: int = 0, world_size: int = 1):
        is_hub_stream = hasattr(dataset, "state_dict") and hasattr(dataset, "set_epoch")
        self._rank, self._world_size = rank, world_size
        if is_hub_stream and world_size > 1:
            if dataset.num_shards % world_size == 0:
                from datasets.distributed import split_dataset_by_node

                dataset = split_dataset_by_node(dataset, rank=rank, world_size=world_size)
                self._rank, self._world_size = 0, 1
            elif rank == 0:
                logger.warning(
                    "The outlier stream has %d shards, which is no multiple of the %d processes, so each process "
                    "reads all of it and uses its share: files in a multiple of that number are read once.",
                    dataset.num_shards,
                    world_size,
                )
        self._dataset = dataset
        self.keeps_place = is_hub_stream and not _has_shuffle_buffer(dataset)
        self._iterator: Iterator[Mapping[str, Any]] = iter(())
        self._seen, self._has_read = 0, False
        self._began_at: Mapping[str, Any] = {}
        self._stuck_at: Any = None

    def begin_pass(self, number: int, state: Mapping[str, Any] | None = None) -> None:
        """Goes to the start of a pass, or to the place in it that a `state_dict` described."""
        if hasattr(self._dataset, "set_epoch"):
            self._dataset.set_epoch(number)
        state = state or {"seen": 0, "dataset": None}
        if self.keeps_place:
            self._dataset.load_state_dict(state["dataset"])
        self._began_at, self._has_read = state, False
        self._seen, self._stuck_at = state["seen"], None
        self._iterator = iter(self._dataset)

    def state_dict(self) -> dict[str, Any] | None:
        """The place after the last row read in this pass; `None` where there is no way back to it."""
        if not self.keeps_place:
            return None
        # Until its first row is asked for, a `datasets` stream still describes where it was before.
        return {"seen": self._seen, "dataset": self._dataset.state_dict()} if self._has_read else self._began_at

    def read(self, count: int, tally: UnreadableTally) -> Rows:
        """The next `count` readable rows of the pass, fewer at its end."""
        rows: Rows = []
        while len(rows) < count:
            is_own = self._seen % self._world_size == self._rank
            self._seen, self._has_read = self._seen + 1, True
            try:
                row = next(self._iterator)
            except StopIteration:
                break
            except Exception as error:
                if not is_unreadable(error):
                    raise
                self._step_over(error)
                row = {UNREADABLE: error}
            if not is_own:
                continue
            if UNREADABLE in row:
                tally.skip(f"example {self._seen - 1} of a stream", row[UNREADABLE])
            else:
                tally.draw()
                rows.append(row)
        return rows

    def _step_over(self, error: Exception) -> None:
        """Makes the iterator go on after an example that it failed at; raises that error where it cannot."""
        if self.keeps_place:
            state = self._dataset.state_dict()
            if state == self._stuck_at:
                raise error
            self._stuck_at = state
            self._dataset.load_state_dict(state)
            self._iterator = iter(self._dataset)
        elif inspect.isgenerator(self._iterator):
            raise ValueError(
                "`outlier_dataset` cannot go on after an example that it cannot read: catch the error where that is "
                "decoded, or shuffle with `outlier_shuffle_block` instead of a shuffle buffer."
            ) from error


class MapReader:
    """Reads a map-style dataset in a new random order in each pass, every example by one rank."""

    keeps_place = True

    def __init__(self, dataset: Any, rank: int = 0, world_size: int = 1, seed: int = 0):
        self._dataset, self._rank, self._world_size, self._seed = dataset, rank, world_size, seed
        self._order = np.empty(0, np.int64)
        self._taken = 0

    def begin_pass(self, number: int, state: Mapping[str, Any] | None = None) -> None:
        order = np.random.default_rng([self._seed, 1, number]).permutation(len(self._dataset))
        self._order = order[self._rank :: self._world_size]
        self._taken = state["taken"] if state is not None else 0

    def state_dict(self) -> dict[str, Any]:
        return {"taken": self._taken}

    def read(self, count: int, tally: UnreadableTally) -> Rows:
        indices = self._order[self._taken : self._taken + count].tolist()
        self._taken += len(indices)
        rows, unreadable = fetch_readable_rows(self._dataset, indices) if indices else ([], [])
        for index, reason in unreadable:
            tally.skip(f"index {index}", reason)
        tally.draw(len(indices) - len(unreadable))
        return rows


def _has_shuffle_buffer(dataset: Any) -> bool:
    """Whether a `datasets` stream shuffles through a buffer of more than one row, which only shuffles shards.

    `datasets` has no public question for it.
    """
    pending = [dataset._ex_iterable]
    while pending:
        iterable = pending.pop()
        if getattr(iterable, "buffer_size", 1) > 1:
            return True
        pending += (
            [iterable.ex_iterable] if hasattr(iterable, "ex_iterable") else getattr(iterable, "ex_iterables", [])
        )
    return False
