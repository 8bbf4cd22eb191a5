"""Reads outlier sets without end, one share a process, and resumes them at the very example."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .faults import Rows, UnreadableTally, describe, network_errors
from .seeding import seeded
from .stream_readers import IterableReader, MapReader

logger = logging.getLogger(__name__)

_BLOCK = 64
_PAUSES = (1, 2, 4, 8, 16, 32, 64, 128)


class OutlierStream:
    """An endless reader of an outlier set: when a pass ends, the next begins (reshuffled, if the dataset can).

    Rows are read in blocks, and what functions mapped over the dataset draw at random is seeded by the block. Hence a
    resumed stream reads its last block again and goes on with the very rows that would have come; so does one whose
    network failed, after pauses that double from one second to two minutes.

    Args:
        dataset: a `datasets.IterableDataset`, any iterable of rows that can be iterated again, or a map-style dataset,
            which is read in a new random order in each pass.
        rank, world_size: which share is read; every example goes to exactly one rank.
        seed: of the order within blocks, and of what mapped functions draw.
        shuffle_block: shuffle within blocks of so many rows, which are kept in memory. Unlike a shuffle buffer it
            loses nothing on resume; together with shuffled shards it mixes well.
        max_unreadable: largest share of rows that may be unreadable and are skipped, see `UnreadableTally`.
    """

    def __init__(
        self,
        dataset: Iterable[Mapping[str, Any]],
        rank: int = 0,
        world_size: int = 1,
        *,
        seed: int = 0,
        shuffle_block: int | None = None,
        max_unreadable: float = 0.05,
    ):
        is_map_style = hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
        self._reader = (
            MapReader(dataset, rank, world_size, seed) if is_map_style else IterableReader(dataset, rank, world_size)
        )
        self._seed, self._shuffles = (seed, rank), shuffle_block is not None
        self._block_size = shuffle_block or _BLOCK
        self._tally = UnreadableTally(max_unreadable)
        self._rows: Rows = []
        self._offset = 0
        self._next_block = (0, 0)
        self._place: dict[str, Any] = {"pass": 0, "block": 0, "reader": None, "tally": self._tally.state_dict()}
        self._must_go_to_place = True

    @property
    def skipped(self) -> int:
        """Number of rows left out so far because they could not be read."""
        return self._tally.skipped

    def take(self, count: int) -> Rows:
        """The next `count` rows.

        Raises:
            ValueError: a whole pass yields none.
            TooManyUnreadableError: more than the allowed share cannot be read.
            ConnectionError: the network failed for longer than about four minutes.
        """
        rows: Rows = []
        while len(rows) < count:
            if self._must_go_to_place or self._offset == len(self._rows):
                self._read_block()
            fresh = self._rows[self._offset : self._offset + count - len(rows)]
            rows, self._offset = rows + fresh, self._offset + len(fresh)
        return rows

    def state_dict(self) -> dict[str, Any]:
        """The place after the last row taken: plain numbers, strings and containers."""
        return {**copy.deepcopy(self._place), "offset": self._offset}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes to the place that `state_dict` described, as soon as rows are asked for."""
        self._place = {key: value for key, value in state.items() if key != "offset"}
        self._rows, self._offset, self._must_go_to_place = [], state["offset"], True
        self._tally.load_state_dict(state["tally"])

    def _read_block(self) -> None:
        """Reads the block at `_place` if that is to be gone to, else the next that holds a row."""
        rows: Rows = []
        while not rows:
            if not self._must_go_to_place:
                number, block = self._next_block
                self._rows, self._offset = [], 0
                self._place = {
                    "pass": number,
                    "block": block,
                    "reader": self._reader.state_dict() if block else None,
                    "tally": self._tally.state_dict(),
                }
            rows = self._read_patiently()
            number, block = self._place["pass"], self._place["block"]
            if len(rows) == self._block_size:
                self._next_block = (number, block + 1)
            elif rows or block:
                self._next_block = (number + 1, 0)
                self._reader.begin_pass(number + 1)
            else:
                raise ValueError("`outlier_dataset` yields no example for this process: give it more examples.")
        self._rows = rows

    def _read_patiently(self) -> Rows:
        """The block at `_place`, tried again while the network fails."""
        for pause in (*_PAUSES, None):
            try:
                if self._must_go_to_place:
                    self._go_to_place()
                return self._read(self._place["block"])
            except network_errors() as error:
                if pause is None:
                    raise ConnectionError(
                        f"`outlier_dataset` cannot be read: the network failed {len(_PAUSES) + 1} times in a row, "
                        f"last with {describe(error)}. Resume from the last checkpoint when it is back."
                    ) from error
                logger.warning("Reading outliers failed (%s); trying again in %d s.", describe(error), pause)
                time.sleep(pause)
                self._must_go_to_place = True
                self._tally.load_state_dict(self._place["tally"])
        raise AssertionError

    def _read(self, block: int) -> Rows:
        with seeded((2, *self._seed, self._place["pass"], block)):
            rows = self._reader.read(self._block_size, self._tally)
            return [rows[place] for place in np.random.permutation(len(rows))] if self._shuffles else rows

    def _go_to_place(self) -> None:
        place = self._place
        self._reader.begin_pass(place["pass"], place["reader"])
        if place["reader"] is None and place["block"]:
            for block in range(place["block"]):
                self._read(block)
            self._tally.load_state_dict(place["tally"])
        self._must_go_to_place = False


class OutlierMixture:
    """Several outlier sets, streamed or map-style, as one stream that draws from them in given shares.

    Pass it to `OETrainer` as `outlier_dataset`. The rows of all sets must have the same columns.

    Args:
        datasets: what `OutlierStream` takes.
        shares: of the rows, one number a set, in proportion to each other; equal by default.

    Example:
        >>> OutlierMixture([web_images, textures], shares=[0.9, 0.1])
    """

    def __init__(self, datasets: Sequence[Any], shares: Sequence[float] | None = None):
        shares = [1.0] * len(datasets) if shares is None else list(shares)
        if len(shares) != len(datasets) or not datasets:
            raise ValueError(
                f"`shares` must hold one number for each of the {len(datasets)} outlier sets, got {shares}."
            )
        if not all(0 < share < float("inf") for share in shares):
            raise ValueError(f"`shares` must be positive numbers, got {shares}: leave out sets without a share.")
        self.datasets = list(datasets)
        self.shares = np.array(shares) / sum(shares)

    def stream(self, rank: int = 0, world_size: int = 1, **settings: Any) -> MixtureStream:
        """One process's share of it; `settings` are those of `OutlierStream`."""
        streams = [OutlierStream(dataset, rank, world_size, **settings) for dataset in self.datasets]
        return MixtureStream(streams, self.shares, seed=(settings.get("seed", 0), 4, rank))


class MixtureStream:
    """Draws each row from one of several endless streams; has the methods of `OutlierStream`."""

    def __init__(self, streams: Sequence[OutlierStream], shares: np.ndarray, seed: Sequence[int]):
        self._streams, self._shares = streams, shares
        self._generator = np.random.default_rng(seed)

    @property
    def skipped(self) -> int:
        return sum(stream.skipped for stream in self._streams)

    def take(self, count: int) -> Rows:
        choices = np.searchsorted(np.cumsum(self._shares)[:-1], self._generator.random(count), side="right")
        numbers = np.bincount(choices, minlength=len(self._streams))
        drawn = [iter(stream.take(number)) for stream, number in zip(self._streams, numbers.tolist(), strict=True)]
        return [next(drawn[choice]) for choice in choices]

    def state_dict(self) -> dict[str, Any]:
        return {
            "generator": self._generator.bit_generator.state,
            "streams": [stream.state_dict() for stream in self._streams],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._generator.bit_generator.state = state["generator"]
        for stream, stream_state in zip(self._streams, state["streams"], strict=True):
            stream.load_state_dict(stream_state)
