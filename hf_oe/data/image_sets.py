"""Collects the image sets of an experiment: training, outliers, test, and every anomaly corpus that can be reached."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
from torch.utils.data import Dataset
from transformers.trainer_utils import has_length

from ..protocols import ImageProtocol
from . import synthetic
from .corpora import CorpusNotFoundError, list_corpora, load_source
from .images import (
    BatchTransform,
    ConcatImages,
    ImageDataset,
    PhotographDataset,
    prepare_images,
    stream_photographs,
)
from .packaged import PACKAGED, load_packaged

logger = logging.getLogger(__name__)


@dataclass
class ImageSets:
    """Datasets as the network takes them.

    Attributes:
        train, test: labelled in-distribution sets.
        held_out: training examples that are not trained on, as the test set is transformed; `None` if none were asked.
        outliers: one set, however many were asked for.
        ood: test anomalies by name.
        left_out: anomaly corpora that could not be reached.
        label_names: of the classes, where the corpus has them.
    """

    train: Dataset
    test: Dataset
    outliers: Dataset
    ood: dict[str, Dataset]
    left_out: list[str]
    label_names: list[str] | None
    held_out: Dataset | None = None


def load_image_sets(
    protocol: ImageProtocol,
    outliers: Sequence[str],
    ood_corpora: Sequence[str],
    data_dir: str | None = None,
    exclude: str | None = None,
    outlier_crop: str = "auto",
    hold_out: int = 0,
    seed: int = 0,
) -> ImageSets:
    """Loads and prepares everything; a test corpus out of reach is left out with a warning.

    Args:
        outliers, ood_corpora: sources as `load_source` takes them, names of synthetic anomalies or of `PACKAGED`
            data.
        exclude: boolean column; outliers for which it is true are dropped.
        outlier_crop: "random", "center" or "auto", see `ImageExperimentArguments`.
        hold_out: number of training examples to set aside.

    Raises `CorpusNotFoundError` if the in-distribution set, an outlier set or all test corpora are out of reach.
    """
    train = _load(protocol.name, protocol.train_split, data_dir)
    plain = BatchTransform(protocol.mean, protocol.std)
    augmented = BatchTransform(protocol.mean, protocol.std, protocol.crop_padding, protocol.flip)
    test_set = _prepared(_load(protocol.name, protocol.test_split, data_dir), protocol, plain)
    ood, left_out = {}, []
    for source in ood_corpora:
        name = Path(source).stem if Path(source).suffix else source
        try:
            ood[name] = _anomalies(source, name, protocol, len(test_set), data_dir, seed)
        except CorpusNotFoundError as error:
            logger.warning("Test corpus %s is left out: %s", name, error)
            left_out.append(name)
    if not ood:
        raise CorpusNotFoundError(
            f"None of the test corpora {', '.join(ood_corpora)} can be reached: name others with --ood_corpora, or "
            "put <corpus>/test.parquet files into --data_dir."
        )
    label = train.features.get("label")
    held_out = None
    if hold_out:
        if not 0 < hold_out < len(train):
            raise ValueError(f"`hold_out` must be less than the {len(train)} training examples, got {hold_out}.")
        parts = train.train_test_split(test_size=hold_out, seed=seed)
        train, held_out = parts["train"], _prepared(parts["test"], protocol, plain)
    return ImageSets(
        train=_prepared(train, protocol, augmented),
        test=test_set,
        outliers=_outliers(outliers, protocol, data_dir, exclude, outlier_crop, seed),
        ood=ood,
        left_out=left_out,
        label_names=getattr(label, "names", None),
        held_out=held_out,
    )


def _load(source: str, split: str, data_dir: str | None) -> datasets.Dataset:
    parts = [
        load_packaged(source, part) if source in PACKAGED else load_source(source, part, data_dir)
        for part in split.split("+")
    ]
    return parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)


def _prepared(dataset: datasets.Dataset, protocol: ImageProtocol, transform: BatchTransform) -> ImageDataset:
    prepared = prepare_images(dataset, protocol.image_size, protocol.num_channels)
    return ImageDataset(prepared, protocol.image_size, protocol.num_channels, transform)


def _synthetic(name: str, count: int, protocol: ImageProtocol, seed: int) -> Dataset:
    return synthetic.SyntheticDataset(
        name, count, protocol.image_size, protocol.num_channels, protocol.value_range, seed
    )


def _anomalies(
    source: str, name: str, protocol: ImageProtocol, count: int, data_dir: str | None, seed: int
) -> Dataset:
    if source in synthetic.NAMES:
        return _synthetic(source, count, protocol, seed)
    transform = BatchTransform(protocol.mean, protocol.std, invert=name in protocol.inverted)
    dataset = _load(source, "test", data_dir)
    return _prepared(dataset.select_columns("image"), protocol, transform)


def _outliers(
    sources: Sequence[str],
    protocol: ImageProtocol,
    data_dir: str | None,
    exclude: str | None,
    crop: str,
    seed: int,
) -> Dataset:
    parts = []
    for source in sources:
        if source in synthetic.NAMES:
            # Another seed than the test anomalies', which may be of the same kind.
            parts.append(_synthetic(source, 50_000, protocol, seed + 1))
        else:
            parts.append(_outlier_images(source, protocol, data_dir, exclude, crop))
    if len(parts) == 1:
        return parts[0]
    if not all(has_length(part) for part in parts):
        raise ValueError(
            f"`outliers` {', '.join(sources)} cannot be mixed, since one is streamed: name that one alone."
        )
    return ConcatImages(parts)


def _outlier_images(
    source: str, protocol: ImageProtocol, data_dir: str | None, exclude: str | None, crop: str
) -> Dataset:
    info = list_corpora().get(source)
    streamed = info is not None and info.streamed_only
    dataset = load_source(source, "train", data_dir, streaming=True) if streamed else _load(source, "train", data_dir)
    if exclude and exclude in dataset.column_names:
        dataset = dataset.filter(lambda excluded: not excluded, input_columns=exclude)
    elif exclude:
        raise ValueError(
            f"`exclude` names {exclude!r}, which is no column of the outlier set {source!r}, whose columns are "
            f"{', '.join(dataset.column_names)}."
        )
    dataset = dataset.select_columns("image")
    transform = BatchTransform(protocol.mean, protocol.std, protocol.outlier_crop_padding, protocol.outlier_flip)
    if streamed:
        return stream_photographs(dataset, protocol.image_size, protocol.num_channels, transform)
    if crop == "random" or (crop == "auto" and _are_photographs(dataset, 2 * protocol.image_size)):
        return PhotographDataset(dataset, protocol.image_size, protocol.num_channels, transform)
    return _prepared(dataset, protocol, transform)


def _are_photographs(dataset: datasets.Dataset, side: int) -> bool:
    """Whether most of the first pictures are at least `side` pixels on their short side."""
    sides = sorted(min(image.size) for image in dataset[:15]["image"])
    return sides[len(sides) // 2] >= side
