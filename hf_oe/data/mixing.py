"""Pairs in-distribution examples with outliers, so that a stopped and resumed run sees exactly the same batches.

One dataset, one sampler, one collator. The sampler says for every position of an epoch which in-distribution row and
which outliers belong there, as a pure function of (seed, epoch, position); hence the stock training loop, which skips
positions when it resumes and deals batches out to processes, keeps working. What datasets and collators draw at random
is drawn from generators seeded by the position, so augmentation is a function of it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from .faults import Rows, fetch_readable_rows, fetch_rows
from .seeding import seeded
from .streams import MixtureStream, OutlierStream

BATCH_INFO = "batch_info"
"""Key of a batch under which its `BatchInfo` travels to the trainer, which takes it out again."""


class Position(NamedTuple):
    """One place of an epoch: an in-distribution row, the outliers that go with it, and what seeds its randomness."""

    index: int
    outliers: np.ndarray
    seed: tuple[int, int, int]


class BatchInfo(NamedTuple):
    """Where the rows of one mixed batch come from.

    Attributes:
        in_distribution: indices into the training set.
        outliers: indices into the outlier set; for a stream only their number tells something.
        unreadable: (index, reason) of outliers that could not be read and were replaced by others of the batch.
        stream_state: the place of the stream after the batch; `None` for a map-style set.
        stream_skipped: number of the stream's rows left out so far.
    """

    in_distribution: np.ndarray
    outliers: np.ndarray
    unreadable: list[tuple[int, str]]
    stream_state: dict | None = None
    stream_skipped: int = 0


class Pair(NamedTuple):
    """The raw rows of one mixed batch."""

    in_distribution: Rows
    outliers: Rows
    seed: tuple[int, int, int]
    info: BatchInfo


class PairSampler(Sampler[Position]):
    """Shuffles both sets and deals outliers out evenly, `outlier_batch_size` to every `batch_size` positions.

    Outliers are drawn without replacement: every one is seen once before any is seen again, across epochs.

    Args:
        num_examples: size of the in-distribution set, which is the length of an epoch.
        num_outliers: size of the outlier set; `None` for a stream, whose outliers have no indices.
        batch_size, outlier_batch_size: in-distribution examples and outliers in one batch of one process.
        seed: with the epoch, determines the order.
    """

    def __init__(
        self, num_examples: int, num_outliers: int | None, batch_size: int, outlier_batch_size: int, seed: int
    ):
        self.num_examples = num_examples
        self.num_outliers = num_outliers
        self.batch_size = batch_size
        self.outlier_batch_size = outlier_batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.num_examples

    def _outlier_offset(self, position: int) -> int:
        return position * self.outlier_batch_size // self.batch_size

    def _outlier_order(self) -> np.ndarray:
        """The outliers of this epoch, a window of the endless row of permutations (one a pass over the set)."""
        needed = self._outlier_offset(self.num_examples)
        start = self.epoch * needed
        if self.num_outliers is None:
            return np.arange(start, start + needed)
        first, last = start // self.num_outliers, (start + needed) // self.num_outliers
        passes = [
            np.random.default_rng([self.seed, 1, number]).permutation(self.num_outliers)
            for number in range(first, last + 1)
        ]
        return np.concatenate(passes)[start - first * self.num_outliers :][:needed]

    def __iter__(self) -> Iterator[Position]:
        outliers = self._outlier_order()
        order = np.random.default_rng([self.seed, 0, self.epoch]).permutation(self.num_examples)
        for position, index in enumerate(order.tolist()):
            window = slice(self._outlier_offset(position), self._outlier_offset(position + 1))
            yield Position(index, outliers[window], (self.seed, self.epoch, position))


class PairedDataset(Dataset):
    """Fetches the rows of a mixed batch for the positions that a `PairSampler` yields.

    Args:
        in_distribution: map-style dataset whose rows are mappings.
        outliers: map-style dataset, an `OutlierStream` or `MixtureStream`, or `None` for the baseline.
    """

    def __init__(self, in_distribution: Dataset, outliers: Dataset | OutlierStream | MixtureStream | None):
        self.in_distribution = in_distribution
        self.outliers = outliers

    def __len__(self) -> int:
        return len(self.in_distribution)

    def __getitems__(self, positions: list[Position]) -> Pair:
        seed = positions[0].seed
        indices = np.array([position.index for position in positions])
        with seeded((0, *seed)):
            in_distribution = fetch_rows(self.in_distribution, indices.tolist())
            outliers, info = self._outliers(np.concatenate([position.outliers for position in positions]))
        return Pair(in_distribution, outliers, seed, BatchInfo(indices, *info))

    def _outliers(self, indices: np.ndarray) -> tuple[Rows, tuple]:
        """Outliers of a batch, and what `BatchInfo` holds about them."""
        if isinstance(self.outliers, (OutlierStream, MixtureStream)):
            rows = self.outliers.take(len(indices))
            return rows, (indices, [], self.outliers.state_dict(), self.outliers.skipped)
        rows, unreadable = fetch_readable_rows(self.outliers, indices.tolist()) if len(indices) else ([], [])
        return rows, (indices, unreadable)


class PairCollator:
    """Makes one batch of both halves: in-distribution rows first, then outliers, and the mask `is_outlier`.

    Both halves go through `data_collator` together, so that text is padded to one length.

    Returns (when called with a `Pair`):
        The mapping that `data_collator` makes. With outliers it also holds `is_outlier`, bool `(batch,)`, and `labels`
        are -100 where that is true.
    """

    def __init__(self, data_collator: Callable[[Rows], Mapping[str, Any]]):
        self.data_collator = data_collator

    def __call__(self, pair: Pair) -> Mapping[str, Any]:
        rows = list(pair.in_distribution)
        if pair.outliers:
            template = pair.in_distribution[0]
            rows += [_shaped_like(template, row) for row in pair.outliers]
        with seeded((1, *pair.seed)):
            batch = self.data_collator(rows)
        if pair.outliers:
            batch["is_outlier"] = torch.arange(len(rows)) >= len(pair.in_distribution)
            if "labels" in batch:
                batch["labels"][len(pair.in_distribution) :] = -100
        batch[BATCH_INFO] = pair.info
        return batch


_LABEL_COLUMNS = ("label", "labels", "label_ids")


def _shaped_like(template: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """An outlier's row with an in-distribution row's columns; its label is a stand-in that the collator accepts."""
    missing = [key for key in template if key not in row and key not in _LABEL_COLUMNS]
    if missing:
        raise ValueError(
            f"`outlier_dataset` has no column {missing[0]!r}, which `train_dataset` has (its columns are "
            f"{', '.join(row)}): prepare both sets in the same way."
        )
    return {key: value if key in _LABEL_COLUMNS else _typed_like(value, row[key]) for key, value in template.items()}


def _typed_like(template: Any, value: Any) -> Any:
    """Lists, as a dataset without a format yields them, become tensors where the in-distribution set has tensors."""
    if isinstance(template, torch.Tensor) and not isinstance(value, torch.Tensor):
        return torch.as_tensor(value, dtype=template.dtype)
    return value


class Unlabelled(Dataset):
    """A map-style dataset of anomalies without their labels, which mean nothing to the model."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in row.items() if key not in _LABEL_COLUMNS}
            for row in fetch_rows(self.dataset, indices)
        ]
