"""Smaller and less diverse outlier sets, for the question of section 4.5: how much diversity does exposure need?"""

from __future__ import annotations

import datasets
import numpy as np


def first_classes(dataset: datasets.Dataset, n: int, label_column: str = "label") -> datasets.Dataset:
    """Only the examples of the first `n` classes, by the number of their label.

    Raises:
        ValueError: the dataset has no such column or fewer classes than `n`.
    """
    if label_column not in dataset.column_names:
        raise ValueError(
            f"`label_column` {label_column!r} is not in the dataset, whose columns are "
            f"{', '.join(dataset.column_names)}: name the one that holds the classes."
        )
    labels = np.asarray(dataset.with_format("numpy")[label_column][:])
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
