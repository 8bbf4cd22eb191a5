"""Smaller and less diverse outlier sets, for the question of section 4.5: how much diversity does exposure need?"""

from __future__ import annotations

import datasets
import numpy as np


def first_classes(dataset: datasets.Dataset, n: int, label_column: str = "label") -> datasets.Dataset:
    """Only the examples of the first `n` classes, by the number of their label.

    Raises:
        ValueError: the dataset has no such column or fewer classes than `n`.
    """
    labels = _labels(dataset, label_column)
    classes = np.unique(labels)
    if not 1 <= n <= len(classes):
        raise ValueError(f"`n` is {n}: the dataset has {len(classes)} classes, so give a number from 1 to that.")
    return dataset.select(np.flatnonzero(np.isin(labels, classes[:n])))


def random_subset(dataset: datasets.Dataset, n: int, seed: int = 0) -> datasets.Dataset:
    """`n` examples drawn at random without replacement; a larger `n` with the same `seed` keeps them.

    Raises:
        ValueError: the dataset has fewer examples than `n`.
    """
    if not 1 <= n <= len(dataset):
        raise ValueError(f"`n` is {n}: the dataset has {len(dataset)} examples, so give a number from 1 to that.")
    return dataset.select(np.random.default_rng(seed).permutation(len(dataset))[:n])


def shots_per_class(dataset: datasets.Dataset, n: int, label_column: str = "label", seed: int = 0) -> datasets.Dataset:
    """`n` examples of each class drawn at random, all of a class that has fewer; a larger `n` keeps them.

    Raises:
        ValueError: the dataset has no such column, or `n` is less than 1.
    """
    if n < 1:
        raise ValueError(f"`n` must be at least 1 example of each class, got {n}.")
    labels = _labels(dataset, label_column)
    order = np.random.default_rng(seed).permutation(len(dataset))
    return dataset.select(np.concatenate([order[labels[order] == label][:n] for label in np.unique(labels)]))


def _labels(dataset: datasets.Dataset, label_column: str) -> np.ndarray:
    if label_column not in dataset.column_names:
        raise ValueError(
            f"`label_column` {label_column!r} is not in the dataset, whose columns are "
            f"{', '.join(dataset.column_names)}: name the one that holds the classes."
        )
    return np.asarray(dataset.with_format("numpy")[label_column][:])
