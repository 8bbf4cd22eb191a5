"""Leaves out classes of a labelled outlier set by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...registry import nearest_names

if TYPE_CHECKING:
    import datasets


def drop_classes(dataset: datasets.Dataset, names: Sequence[str], column: str = "label") -> datasets.Dataset:
    """Leaves out examples of classes that overlap with the in-distribution or test classes.

    Args:
        dataset: with a `column` of class labels or of strings.
        names: class names or WordNet ids, without regard to case and underscores. A class called `"n02123045: tabby,
            tabby cat"` answers to all of it, to `"n02123045"`, `"tabby"` and `"tabby cat"`.

    Raises:
        TypeError: `names` is one string, or `column` holds neither class labels nor strings.
        ValueError: `column` is no column, or a name is no class of it; the nearest ones are named.

    Example:
        >>> outliers = drop_classes(load_corpus("tiny_imagenet", "train"), ["tabby cat", "n02106662"])
    """
    if isinstance(names, str):
        raise TypeError(f"`names` is the string {names!r}: give a list of class names.")
    labels, classes = _labels(dataset, column)
    classes_of: dict[str, set[int]] = {}
    for number, name in enumerate(classes):
        for alias in _aliases(name):
            classes_of.setdefault(alias, set()).add(number)
    dropped: set[int] = set()
    for name in names:
        alias = _normalised(name)
        if alias not in classes_of:
            raise ValueError(
                f"`names` has {name!r}, which is no class of column {column!r}: "
                f"{nearest_names(alias, sorted(classes_of))}The column has {len(classes)} classes, such as "
                f"{', '.join(map(repr, classes[:3]))}."
            )
        dropped |= classes_of[alias]
    return dataset.select(np.flatnonzero(~np.isin(labels, list(dropped))))


def _labels(dataset: datasets.Dataset, column: str) -> tuple[np.ndarray, Sequence[str]]:
    """Class of each row as a number, and the classes' names."""
    import datasets

    if column not in dataset.column_names:
        raise ValueError(
            f"`column` {column!r} is not in the dataset, whose columns are {', '.join(dataset.column_names)}."
        )
    feature = dataset.features[column]
    values = dataset.with_format(None)[column][:]
    if isinstance(feature, datasets.ClassLabel):
        return np.array(values), feature.names
    if isinstance(feature, datasets.Value) and feature.dtype in ("string", "large_string"):
        names, labels = np.unique(np.array(values), return_inverse=True)
        return labels, names.tolist()
    raise TypeError(f"`column` {column!r} holds {feature}: name one of class labels (datasets.ClassLabel) or strings.")


def _normalised(name: str) -> str:
    return name.replace("_", " ").strip().lower()


def _aliases(name: str) -> set[str]:
    synset, colon, synonyms = name.partition(":")
    parts = [name, synset, synonyms] if colon else [name]
    return {_normalised(alias) for part in parts for alias in (part, *part.split(","))}
