"""Collects the image sets of an experiment: training, outliers, test, and every anomaly corpus that can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import datasets
from torch.utils.data import Dataset
from transformers.trainer_utils import has_length

from ..models.gan import DCGANGenerator
from ..protocols.images import ImageProtocol
from . import synthetic
from .corpora import is_read_as_it_comes, load_source
from .decontaminate import DecontaminationReport, decontaminate
from .generated import GeneratedImages, is_generator
from .images import (
    BatchTransform,
    ConcatImages,
    ImageDataset,
    PhotographDataset,
    decode,
    prepare_images,
    stream_photographs,
)
from .packaged import PACKAGED, load_packaged
from .reachable import load_reachable
from .streams import OutlierMixture


@dataclass
class ImageSets:
    """Datasets as the network takes them.

    Attributes:
        train, test: labelled in-distribution sets.
        plain_train: the training set as the test set is transformed, without augmentation.
        held_out: training examples that are not trained on, as the test set is transformed; `None` if none were asked.
        outliers: one set, however many were asked for.
        ood: test anomalies by name.
        left_out: anomaly corpora that could not be reached.
        label_names: of the classes, where the corpus has them.
        decontamination: by outlier set, what was removed from it; empty where that was not asked for.
    """

    train: Dataset
    plain_train: Dataset
    test: Dataset
    outliers: Dataset
    ood: dict[str, Dataset]
    left_out: list[str]
    label_names: list[str] | None
    held_out: Dataset | None = None
    decontamination: dict[str, DecontaminationReport] = field(default_factory=dict)


def load_image_sets(
    protocol: ImageProtocol,
    outliers: Sequence[str],
    ood_corpora: Sequence[str],
    data_dir: str | None = None,
    exclude: str | None = None,
    outlier_crop: str = "auto",
    hold_out: int | None = None,
    remove_copies: bool = False,
    outlier_shares: Sequence[float] | None = None,
    max_unreadable: float = 0.05,
    seed: int = 0,
) -> ImageSets:
    """Loads and prepares everything; a test corpus out of reach is left out with a warning.

    Args:
        outliers, ood_corpora: sources as `load_source` takes them, names of synthetic anomalies or of `PACKAGED`
            data; outliers also the folder of a saved generator.
        exclude: boolean column; outliers for which it is true are dropped.
        outlier_crop: "random", "center" or "auto", see `ImageExperimentArguments`.
        hold_out: number of training examples to set aside; by default the protocol's, at most a tenth of them all.
        remove_copies: whether outliers that are copies of in-distribution or test images are dropped, see
            `hf_oe.data.decontaminate`.
        outlier_shares: how much of each outlier set is drawn; by default as much as there is of it, or equal shares
            if one is streamed.
        max_unreadable: share of an outlier set's images that may be damaged; they are left out.

    Raises `CorpusNotFoundError` if the in-distribution set, an outlier set or all test corpora are out of reach.
    """
    train = _load(protocol.name, protocol.train_split, data_dir)
    plain = BatchTransform(protocol.mean, protocol.std)
    augmented = BatchTransform(protocol.mean, protocol.std, protocol.crop_padding, protocol.flip)
    test = _load(protocol.name, protocol.test_split, data_dir)
    test_set = _prepared(test, protocol, plain)
    others: dict[str, datasets.Dataset] = {f"{protocol.name} {protocol.test_split}": test}

    def anomalies(source: str, name: str) -> Dataset:
        if source in synthetic.NAMES:
            return _synthetic(source, len(test_set), protocol, seed)
        others[name] = _load(source, "test", data_dir)
        return _anomalies(others[name], name, protocol)

    ood, left_out = load_reachable(ood_corpora, anomalies)
    label = train.features.get("label")
    # Another seed than the test anomalies', which may be of the same kind.
    made = {source: _made_outliers(source, protocol, seed + 1) for source in outliers if _is_made(source)}
    raw_outliers = {source: _raw_outliers(source, data_dir, exclude) for source in outliers if source not in made}
    reports = _remove_copies(raw_outliers, train, others) if remove_copies else {}
    held_out = None
    if hold_out is None:
        hold_out = min(protocol.hold_out, len(train) // 10)
    if hold_out:
        if not 0 < hold_out < len(train):
            raise ValueError(f"`hold_out` must be less than the {len(train)} training examples, got {hold_out}.")
        parts = train.train_test_split(test_size=hold_out, seed=seed)
        train, held_out = parts["train"], _prepared(parts["test"], protocol, plain)
    train_set = _prepared(train, protocol, augmented)
    return ImageSets(
        train=train_set,
        plain_train=ImageDataset(train_set.dataset, protocol.image_size, protocol.num_channels, plain),
        test=test_set,
        outliers=_joined(
            {
                source: made[source]
                if source in made
                else _outlier_images(raw_outliers[source], protocol, outlier_crop, max_unreadable)
                for source in outliers
            },
            outlier_shares,
        ),
        ood=ood,
        left_out=left_out,
        label_names=getattr(label, "names", None),
        held_out=held_out,
        decontamination=reports,
    )


def _load(source: str, split: str, data_dir: str | None) -> datasets.Dataset:
    parts = [
        load_packaged(source, part) if source in PACKAGED else load_source(source, part, data_dir)
        for part in split.split("+")
    ]
    return parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)


def _prepared(
    dataset: datasets.Dataset, protocol: ImageProtocol, transform: BatchTransform, max_unreadable: float = 0.0
) -> ImageDataset:
    prepared = prepare_images(dataset, protocol.image_size, protocol.num_channels, max_unreadable=max_unreadable)
    return ImageDataset(prepared, protocol.image_size, protocol.num_channels, transform)


def _synthetic(name: str, count: int, protocol: ImageProtocol, seed: int) -> Dataset:
    return synthetic.SyntheticDataset(
        name, count, protocol.image_size, protocol.num_channels, protocol.value_range, seed
    )


def _is_made(source: str) -> bool:
    return source in synthetic.NAMES or is_generator(source)


def _made_outliers(source: str, protocol: ImageProtocol, seed: int, count: int = 50_000) -> Dataset:
    """Noise by its name, or images of the generator in a folder."""
    if source in synthetic.NAMES:
        return _synthetic(source, count, protocol, seed)
    generator = DCGANGenerator.from_pretrained(source)
    shape = (generator.config.num_channels, generator.config.image_size)
    if shape != (protocol.num_channels, protocol.image_size):
        raise ValueError(
            f"`outliers` names the generator {source!r}, whose images have {shape[0]} channels and {shape[1]} pixels "
            f"a side; {protocol.name} has {protocol.num_channels} and {protocol.image_size}."
        )
    return GeneratedImages(generator, count, seed)


def _anomalies(dataset: datasets.Dataset, name: str, protocol: ImageProtocol) -> Dataset:
    transform = BatchTransform(protocol.mean, protocol.std, invert=name in protocol.inverted)
    return _prepared(dataset.select_columns("image"), protocol, transform)


def _raw_outliers(
    source: str, data_dir: str | None, exclude: str | None
) -> datasets.Dataset | datasets.IterableDataset:
    streamed = is_read_as_it_comes(source, data_dir)
    dataset = load_source(source, "train", data_dir, streaming=True) if streamed else _load(source, "train", data_dir)
    if exclude and exclude in dataset.column_names:
        dataset = dataset.filter(lambda excluded: not excluded, input_columns=exclude)
    elif exclude:
        raise ValueError(
            f"`exclude` names {exclude!r}, which is no column of the outlier set {source!r}, whose columns are "
            f"{', '.join(dataset.column_names)}."
        )
    return dataset.select_columns("image")


def _remove_copies(
    outliers: dict[str, Any], train: datasets.Dataset, others: dict[str, datasets.Dataset]
) -> dict[str, DecontaminationReport]:
    """Takes copies of in-distribution and test images out of each set of `outliers`; returns what was removed."""
    reports = {}
    for source, dataset in outliers.items():
        if not isinstance(dataset, datasets.Dataset):
            raise ValueError(
                f"`decontaminate` needs the whole outlier set, but {source!r} is streamed: name another set, or "
                "decontaminate a copy of it beforehand."
            )
        outliers[source], reports[source] = decontaminate(dataset, train, others)
    return reports


def _outlier_images(
    dataset: datasets.Dataset | datasets.IterableDataset, protocol: ImageProtocol, crop: str, max_unreadable: float
) -> Dataset:
    transform = BatchTransform(protocol.mean, protocol.std, protocol.outlier_crop_padding, protocol.outlier_flip)
    if isinstance(dataset, datasets.IterableDataset):
        return stream_photographs(dataset, protocol.image_size, protocol.num_channels, transform)
    if crop == "random" or (crop == "auto" and _are_photographs(dataset, 2 * protocol.image_size)):
        return PhotographDataset(dataset, protocol.image_size, protocol.num_channels, transform)
    return _prepared(dataset, protocol, transform, max_unreadable)


def _joined(parts: dict[str, Dataset], shares: Sequence[float] | None) -> Dataset | OutlierMixture:
    if len(parts) == 1:
        return next(iter(parts.values()))
    if shares is not None or not all(has_length(part) for part in parts.values()):
        return OutlierMixture(list(parts.values()), shares)
    return ConcatImages(parts.values())


def _are_photographs(dataset: datasets.Dataset, side: int) -> bool:
    """Whether most of the first pictures are at least `side` pixels on their short side."""
    first = dataset.select(range(min(15, len(dataset)))).cast_column("image", datasets.Image(decode=False))
    images = [decode(image) for image in first["image"]]
    sides = sorted(min(image.size) for image in images if not isinstance(image, Exception)) or [0]
    return sides[len(sides) // 2] >= side
