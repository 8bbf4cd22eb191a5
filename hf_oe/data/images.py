"""Images: decoded once, fetched by the batch, augmented and normalised by the batch.

`prepare_images` decodes a dataset to uint8 pixels in the Arrow cache. `ImageDataset` reads rows of it as one array and
sends that through a `BatchTransform`, about ten times as fast as per-image PIL transforms. `PhotographDataset` keeps
pictures of any size and cuts a new crop each time one is drawn.
"""

from __future__ import annotations

import logging
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset

from .faults import UNREADABLE, TooManyUnreadableError, describe, is_unreadable

if TYPE_CHECKING:
    import datasets

logger = logging.getLogger(__name__)

_MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True)
class BatchTransform:
    """From uint8 pixels to the network's input, a whole batch at once.

    Randomness comes from torch's global generator, which the mixed loader seeds for each batch.

    Attributes:
        mean, std: one number a channel, of pixels scaled to [0, 1].
        crop_padding: zero padding in pixels before a random crop of the original size; 0 for no crop.
        flip: whether to mirror each image left to right with probability 1/2.
        invert: whether to turn black into white first.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    crop_padding: int = 0
    flip: bool = False
    invert: bool = False

    def __call__(self, pixels: np.ndarray) -> Tensor:
        """uint8 to float32, both `(batch, channels, height, width)`."""
        if self.invert:
            pixels = 255 - pixels
        if self.crop_padding or self.flip:
            pixels = self._augment(pixels)
        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (self.mean, self.std))
        return torch.from_numpy(pixels).float().mul_(1 / (255 * std)).sub_(mean / std)

    def _augment(self, pixels: np.ndarray) -> np.ndarray:
        count, channels, height, width = pixels.shape
        pad = self.crop_padding
        offsets = torch.randint(2 * pad + 1, (count, 2)).tolist() if pad else [(0, 0)] * count
        flips = torch.randint(2, (count,)).tolist() if self.flip else [0] * count
        padded = pixels
        if pad:
            padded = np.zeros((count, channels, height + 2 * pad, width + 2 * pad), np.uint8)
            padded[:, :, pad : pad + height, pad : pad + width] = pixels
        augmented = np.empty_like(pixels)
        for target, source, (top, left), flip in zip(augmented, padded, offsets, flips, strict=True):
            crop = source[:, top : top + height, left : left + width]
            target[...] = crop[:, :, ::-1] if flip else crop
        return augmented


def prepare_images(
    dataset: datasets.Dataset,
    image_size: int,
    num_channels: int = 3,
    image_column: str = "image",
    label_column: str = "label",
    max_unreadable: float = 0.0,
) -> datasets.Dataset:
    """Decodes every image once, to uint8 pixels of one size, kept in the `datasets` cache.

    Args:
        dataset: with an `image_column` of the feature type `datasets.Image` and, if labelled, integer labels.
        image_size: side in pixels; other sizes are resized (bilinear, short side) and cropped at the centre.
        num_channels: 1 for grey, 3 for colour.
        max_unreadable: share of images that may be damaged, or so large that decoding them would exhaust the memory;
            they are left out with a warning.

    Raises `TooManyUnreadableError`, which names some of them, if there are more.

    Returns:
        A dataset with `pixels`, uint8 of length `num_channels * image_size * image_size` in the order (channel,
        height, width), the fastest to crop and to normalise, and `labels`, if there were any.
    """
    import datasets

    _check_column(dataset, image_column)
    labelled = label_column in dataset.column_names
    features = {"pixels": datasets.List(datasets.Value("uint8"), length=image_size * image_size * num_channels)}
    if labelled:
        features["labels"] = datasets.Value("int64")
    encoded = _undecoded(dataset, image_column)
    prepared = encoded.map(
        _decode_batch,
        batched=True,
        batch_size=500,
        remove_columns=dataset.column_names,
        features=datasets.Features(features),
        fn_kwargs={
            "image_size": image_size,
            "mode": _MODES[num_channels],
            "image_column": image_column,
            "label_column": label_column if labelled else None,
        },
        desc="Decoding images",
    )
    if len(prepared) < len(dataset):
        _report_unreadable(encoded[image_column], len(dataset) - len(prepared), max_unreadable)
    return prepared


def _undecoded(dataset: Any, image_column: str) -> Any:
    """The dataset or stream with its images as they are stored, so that a damaged one does not end the reading."""
    import datasets

    if dataset.features is None or not isinstance(dataset.features.get(image_column), datasets.Image):
        return dataset
    return dataset.cast_column(image_column, datasets.Image(decode=False))


def _report_unreadable(images: Sequence[dict[str, Any]], number: int, max_unreadable: float) -> None:
    message = f"{number} of {len(images)} images cannot be decoded"
    if number <= max_unreadable * len(images):
        logger.warning("%s and are left out.", message)
        return
    found = ((row, decode(image)) for row, image in enumerate(images))
    examples = [f"row {row} ({describe(image)})" for row, image in found if isinstance(image, Exception)]
    raise TooManyUnreadableError(f"{message}, such as {'; '.join(examples[:3])}: mend them or leave them out.")


def decode(image: dict[str, Any] | Image.Image) -> Image.Image | Exception:
    """A picture from what `datasets` stores, or what is wrong with it: damaged, or a decompression bomb."""
    import datasets

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return image if isinstance(image, Image.Image) else datasets.Image().decode_example(image)
    except Exception as error:
        if not is_unreadable(error):
            raise
        return error


def _decode_batch(
    batch: dict[str, list], image_size: int, mode: str, image_column: str, label_column: str | None
) -> dict[str, Any]:
    images = [decode(image) for image in batch[image_column]]
    readable = [place for place, image in enumerate(images) if not isinstance(image, Exception)]
    pixels = [_planes(_resized(images[place], image_size).convert(mode)).ravel() for place in readable]
    decoded: dict[str, Any] = {"pixels": np.stack(pixels) if pixels else []}
    if label_column:
        decoded["labels"] = [batch[label_column][place] for place in readable]
    return decoded


def _planes(image: Image.Image) -> np.ndarray:
    """uint8 `(channels, height, width)`."""
    pixels = np.array(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _resized(image: Image.Image, size: int) -> Image.Image:
    """The centre of the picture, its short side resized to `size`."""
    if image.size == (size, size):
        return image
    image = image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB")
    short = min(image.size)
    left, top = (image.width - short) / 2, (image.height - short) / 2
    return image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + short, top + short))


def _check_column(dataset: datasets.Dataset, image_column: str) -> None:
    if image_column not in dataset.column_names:
        raise ValueError(
            f"`image_column` {image_column!r} is not in the dataset, whose columns are "
            f"{', '.join(dataset.column_names)}: name the one that holds the images."
        )


class ImageDataset(Dataset):
    """Rows of a prepared dataset as the network's input.

    Args:
        dataset: what `prepare_images` returns; `select` and `shuffle` it as any other.
        image_size, num_channels: as given to `prepare_images`.
        transform: from a batch of pixels to a batch of inputs.

    A row is `{"pixel_values": float32 (channels, height, width)}`, and `labels`, an int, if there are any.
    """

    def __init__(self, dataset: datasets.Dataset, image_size: int, num_channels: int, transform: BatchTransform):
        self.dataset = dataset
        self.shape = (num_channels, image_size, image_size)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [{"pixel_values": image} for image in self.transform(self.pixels(indices))]
        if self._labels is not None:
            for row, label in zip(rows, self._labels[indices].tolist(), strict=True):
                row["labels"] = label
        return rows

    def pixels(self, indices: Sequence[int]) -> np.ndarray:
        """uint8 `(rows, channels, height, width)`."""
        indices = np.asarray(indices)
        # `datasets` keeps a selection or a shuffle as indices into the whole table.
        if self.dataset._indices is not None:
            indices = self.dataset._indices.column(0).to_numpy()[indices].astype(np.int64)
        chunks, starts = self._chunks
        pixels = np.empty((len(indices), *self.shape), np.uint8)
        numbers = np.searchsorted(starts, indices, side="right") - 1
        for target, number, offset in zip(pixels, numbers, indices - starts[numbers], strict=True):
            target[...] = chunks[number][offset]
        return pixels

    @cached_property
    def _chunks(self) -> tuple[list[np.ndarray], np.ndarray]:
        """The memory-mapped column as arrays, without a copy, and the row that each begins with."""
        column = self.dataset.data.column("pixels")
        chunks = [chunk.flatten().to_numpy().reshape(-1, *self.shape) for chunk in column.chunks]
        return chunks, np.cumsum([0] + [len(chunk) for chunk in chunks[:-1]])

    @cached_property
    def _labels(self) -> np.ndarray | None:
        return np.asarray(self.dataset["labels"][:]) if "labels" in self.dataset.column_names else None

    def __getstate__(self) -> dict[str, Any]:
        # Sent to a worker process, the arrays would be copied; it maps the file itself.
        return {key: value for key, value in self.__dict__.items() if key not in ("_chunks", "_labels")}


class PhotographDataset(Dataset):
    """Pictures of any size, cropped at random place and scale anew each time they are drawn.

    A few hundred large photographs make a diverse outlier set that way. The crop's side is drawn log-uniformly between
    the input size and the picture's short side (smaller pictures are used whole), its place uniformly.

    Args:
        dataset: with an `image_column` of the feature type `datasets.Image`.
        image_size: side of the crop as the network sees it, in pixels (bilinear).
        num_channels: 1 for grey, 3 for colour.
        transform: from a batch of pixels to a batch of inputs.
        max_side: larger pictures are shrunk to this short side, in pixels.
        max_in_memory: so many pictures are kept decoded; those of a larger set are decoded at each draw.
    """

    def __init__(
        self,
        dataset: datasets.Dataset,
        image_size: int,
        num_channels: int,
        transform: BatchTransform,
        image_column: str = "image",
        max_side: int = 256,
        max_in_memory: int = 2000,
    ):
        _check_column(dataset, image_column)
        self.dataset = dataset.select_columns(image_column)
        self.image_size = image_size
        self.mode = _MODES[num_channels]
        self.transform = transform
        self.max_side = max_side
        self._decoded: dict[int, Image.Image] | None = {} if len(dataset) <= max_in_memory else None

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        crops = np.stack([_random_crop(self._picture(index), self.image_size) for index in indices])
        return [{"pixel_values": image} for image in self.transform(crops)]

    def _picture(self, index: int) -> Image.Image:
        if self._decoded is not None and index in self._decoded:
            return self._decoded[index]
        (image,) = self.dataset[index].values()
        image = image.convert(self.mode)
        scale = self.max_side / min(image.size)
        if scale < 1:
            image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BOX)
        if self._decoded is not None:
            self._decoded[index] = image
        return image


def _random_crop(picture: Image.Image, size: int) -> np.ndarray:
    """uint8 `(channels, size, size)`, drawn with torch's global generator."""
    scale, across, down = torch.rand(3).tolist()
    short, smallest = min(picture.size), min(size, *picture.size)
    side = smallest * (short / smallest) ** scale
    left, top = across * (picture.width - side), down * (picture.height - side)
    crop = picture.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
    return _planes(crop)


def stream_photographs(
    dataset: datasets.IterableDataset,
    image_size: int,
    num_channels: int,
    transform: BatchTransform,
    image_column: str = "image",
) -> datasets.IterableDataset:
    """What `PhotographDataset` is to a dataset, to a stream: a new random crop of each picture as it passes.

    A picture that cannot be decoded becomes a row that says so, under the key `UNREADABLE`.
    """

    def crop(encoded: dict[str, Any] | Image.Image) -> dict[str, Any]:
        image = decode(encoded)
        if isinstance(image, Exception):
            return {UNREADABLE: describe(image)}
        pixels = _random_crop(image.convert(_MODES[num_channels]), image_size)
        return {"pixel_values": transform(pixels[None])[0]}

    return _undecoded(dataset, image_column).map(crop, input_columns=image_column, remove_columns=dataset.column_names)


class ImageProcessorCollator:
    """Makes batches of raw images with a transformers image processor, for any pretrained classifier.

    Pass `remove_unused_columns=False` to the trainer's arguments, since models do not take the column of raw images.

    Args:
        processor: what `AutoImageProcessor.from_pretrained` returns.
        image_column, label_column: of the rows; the label may be missing.

    Example:
        >>> OETrainer(model, args, data_collator=ImageProcessorCollator(processor), train_dataset=…)
    """

    def __init__(self, processor: Any, image_column: str = "image", label_column: str = "label"):
        self.processor = processor
        self.image_column = image_column
        self.label_column = label_column

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        images = [row[self.image_column].convert("RGB") for row in rows]
        batch = dict(self.processor(images, return_tensors="pt"))
        if self.label_column in rows[0]:
            batch["labels"] = torch.tensor([row[self.label_column] for row in rows])
        return batch


class ConcatImages(ConcatDataset):
    """`torch.utils.data.ConcatDataset` that still fetches the rows of each part as one batch."""

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        places: dict[int, list[int]] = {}
        for place, index in enumerate(indices):
            places.setdefault(bisect_right(self.cumulative_sizes, index), []).append(place)
        rows: list[dict[str, Any]] = [{}] * len(indices)
        for part, part_places in places.items():
            start = self.cumulative_sizes[part - 1] if part else 0
            fetched = self.datasets[part].__getitems__([indices[place] - start for place in part_places])
            for place, row in zip(part_places, fetched, strict=True):
                rows[place] = row
        return rows
