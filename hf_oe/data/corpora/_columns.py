"""One convention for the columns of every set: `image`, `text` and `label`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import datasets

AnyDataset = TypeVar("AnyDataset", datasets.Dataset, datasets.IterableDataset)

_USUAL_NAMES = {
    "image": ("img", "jpg", "jpeg", "png", "webp"),
    "text": ("sentence", "content", "review"),
    "label": ("labels", "fine_label", "cls", "coarse_label"),
}


def rename_columns(dataset: AnyDataset, columns: Mapping[str, str]) -> AnyDataset:
    """The dataset with those of `columns` renamed that it has."""
    present = set(dataset.column_names or ())
    renamed = {old: new for old, new in columns.items() if old in present}
    return dataset.rename_columns(renamed) if renamed else dataset


def conventional_columns(dataset: AnyDataset) -> AnyDataset:
    """The dataset with its image, text and label columns renamed to the convention, where they are recognised."""
    present = set(dataset.column_names or ())
    renamed = {}
    for name, usual_names in _USUAL_NAMES.items():
        found = [usual for usual in usual_names if usual in present]
        if name not in present and found:
            renamed[found[0]] = name
    return dataset.rename_columns(renamed) if renamed else dataset


def image_features(label_names: Sequence[str] | None = None) -> datasets.Features:
    """Features of images, labelled if there are names of classes."""
    features = {"image": datasets.Image()}
    if label_names:
        features["label"] = datasets.ClassLabel(names=list(label_names))
    return datasets.Features(features)


def text_features(label_names: Sequence[str] | None = None, **others: str) -> datasets.Features:
    """Features of texts, labelled if there are names of classes; `others` are types of more columns by name."""
    features: dict[str, object] = {"text": datasets.Value("string")}
    if label_names:
        features["label"] = datasets.ClassLabel(names=list(label_names))
    features |= {name: datasets.Value(kind) for name, kind in others.items()}
    return datasets.Features(features)
