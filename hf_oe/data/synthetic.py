"""Synthetic anomalies of the paper (section 4.2 and appendix A), seeded.

Noise is made in the network's input space, after normalisation, and reaches the model as it is. Validation anomalies,
for choosing hyperparameters and never for testing, are made from the images of another dataset.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch.utils.data import Dataset

from ..registry import nearest_names

if TYPE_CHECKING:
    import datasets

ValueRange = Literal["signed", "unit"]
_Noise = Callable[[np.random.Generator, tuple[int, int, int]], np.ndarray]


def _gaussian(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    return np.clip(0.5 * rng.standard_normal(shape, dtype=np.float32), -1, 1)


def _gaussian_unit(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    return np.clip(0.5 + 0.5 * rng.standard_normal(shape, dtype=np.float32), 0, 1)


def _coin_flips(rng: np.random.Generator, shape: tuple[int, int, int], probability: float = 0.5) -> np.ndarray:
    return (rng.random(shape, dtype=np.float32) < probability).astype(np.float32)


def _blobs(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    height, width, channels = shape
    sigma = 2.0 if height >= 64 else 1.5
    # The paper's blobs are blurred over the colour channels, too, and cover more when they are not. So the blobs of
    # a grey image are one channel of a colour image's.
    blurred = gaussian_filter(_coin_flips(rng, (height, width, max(channels, 3)), 0.7), sigma, mode="nearest")
    return np.where(blurred < 0.75, np.float32(0), blurred)[..., :channels]


def _uniform(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    return rng.random(shape, dtype=np.float32)


# Each in [0, 1], except the Gaussian of signed inputs, which is not a stretched copy of the other.
_UNIT_NOISE: dict[str, _Noise] = {
    "gaussian": _gaussian_unit,
    "rademacher": _coin_flips,
    "bernoulli": _coin_flips,
    "blobs": _blobs,
    "uniform": _uniform,
}
NAMES = tuple(_UNIT_NOISE)
"""Names of the noise corpora; "uniform" is for validation only. Rademacher and Bernoulli are one law in two ranges."""


def _example(name: str, index: int, shape: tuple[int, int, int], value_range: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, NAMES.index(name), index])
    if value_range == "unit":
        return _UNIT_NOISE[name](rng, shape)
    return _gaussian(rng, shape) if name == "gaussian" else 2 * _UNIT_NOISE[name](rng, shape) - 1


def _check(name: str, value_range: str) -> None:
    if name not in NAMES:
        raise ValueError(
            f"Unknown synthetic corpus {name!r}: {nearest_names(name, list(NAMES))}"
            f"The known ones are {', '.join(NAMES)}."
        )
    if value_range not in ("signed", "unit"):
        raise ValueError(f"`value_range` is {value_range!r}: give 'signed' for [-1, 1] or 'unit' for [0, 1].")


def generate(
    name: str,
    num_examples: int,
    image_size: int = 32,
    num_channels: int = 3,
    value_range: ValueRange = "signed",
    seed: int = 0,
) -> np.ndarray:
    """Noise images of the paper, in the model's input space.

    A pure function of its arguments, and example i does not depend on `num_examples`: more examples keep the first.

    Args:
        name: one of `NAMES`.
        image_size: side in pixels.
        num_channels: 1 or 3; grey blobs are the first channel of the coloured ones.
        value_range: "signed" for inputs in [-1, 1] (the paper's CIFAR and Tiny ImageNet), "unit" for [0, 1] (MNIST and
            SVHN).

    Returns:
        float32 `(num_examples, image_size, image_size, num_channels)`.

    Raises:
        ValueError: for an unknown name or value range.
    """
    _check(name, value_range)
    images = np.empty((num_examples, image_size, image_size, num_channels), np.float32)
    for index in range(num_examples):
        images[index] = _example(name, index, images.shape[1:], value_range, seed)
    return images


class SyntheticDataset(Dataset):
    """Map-style noise corpus, made while it is read, so that its size costs no memory.

    Args: as `generate` takes them, whose examples these are.

    A row is `{"pixel_values": float32 (channels, height, width)}`.
    """

    def __init__(
        self,
        name: str,
        num_examples: int,
        image_size: int = 32,
        num_channels: int = 3,
        value_range: ValueRange = "signed",
        seed: int = 0,
    ):
        _check(name, value_range)
        self.name = name
        self.num_examples = num_examples
        self.shape = (image_size, image_size, num_channels)
        self.value_range = value_range
        self.seed = seed

    def __len__(self) -> int:
        return self.num_examples

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if not -self.num_examples <= index < self.num_examples:
            raise IndexError(f"index {index} is out of range for {self.num_examples} examples of {self.name!r}.")
        image = _example(self.name, index % self.num_examples, self.shape, self.value_range, self.seed)
        return {"pixel_values": torch.from_numpy(image).permute(2, 0, 1)}

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, torch.Tensor]]:
        return [self[index] for index in indices]


def as_dataset(
    name: str,
    num_examples: int = 10_000,
    image_size: int = 32,
    num_channels: int = 3,
    value_range: ValueRange = "signed",
    seed: int = 0,
) -> datasets.Dataset:
    """The corpus as a `datasets.Dataset` with one column `pixel_values`, float32 `(channels, height, width)`.

    Args: as `generate` takes them.
    """
    import datasets

    def rows(**arguments: Any) -> Any:
        yield from SyntheticDataset(**arguments)

    shape = (num_channels, image_size, image_size)
    return datasets.Dataset.from_generator(
        rows,
        features=datasets.Features({"pixel_values": datasets.Array3D(shape, "float32")}),
        gen_kwargs={
            "name": name,
            "num_examples": num_examples,
            "image_size": image_size,
            "num_channels": num_channels,
            "value_range": value_range,
            "seed": seed,
        },
    ).with_format("torch")


def _partners(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another image for each one, in a fixed random round."""
    order = rng.permutation(len(images))
    partners = np.empty_like(order)
    partners[order] = np.roll(order, 1)
    return images[partners].astype(np.float32)


def _arithmetic_mean(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (images + _partners(images, rng)) / 2


def _geometric_mean(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.sqrt(images * _partners(images, rng))


def _jigsaw(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count, height, width, channels = images.shape
    if height % 4 or width % 4:
        raise ValueError(f"`images` are {height}x{width}: for 4x4 tiles both sides must be multiples of 4.")
    tiles = images.reshape(count, 4, height // 4, 4, width // 4, channels).swapaxes(2, 3)
    tiles = tiles.reshape(count, 16, height // 4, width // 4, channels)
    order = rng.permuted(np.tile(np.arange(16), (count, 1)), axis=1)
    tiles = np.take_along_axis(tiles, order[:, :, None, None, None], axis=1)
    return tiles.reshape(count, 4, 4, height // 4, width // 4, channels).swapaxes(2, 3).reshape(images.shape)


def _speckled(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return images * (1 + rng.standard_normal(images.shape, dtype=np.float32))


def _pixelated(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A fifth of the resolution: each pixel takes the mean of its cell."""
    means = images.astype(np.float32)
    for axis in (1, 2):
        side = images.shape[axis]
        cells = np.arange(side) * math.ceil(side / 5) // side
        starts = np.flatnonzero(np.diff(cells, prepend=-1))
        sizes = np.diff(starts, append=side).reshape([-1 if place == axis else 1 for place in range(4)])
        means = (np.add.reduceat(means, starts, axis=axis) / sizes).take(cells, axis=axis)
    return means


def _rgb_ghosted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The colour channels moved apart, by a fifth of the side in different directions."""
    if images.shape[-1] != 3:
        raise ValueError(f"`images` have {images.shape[-1]} channels: RGB ghosts need 3.")
    shift = math.ceil(images.shape[1] / 5)
    red, green, blue = np.moveaxis(images, -1, 0)
    return np.stack([np.roll(red, shift, axis=1), np.roll(green, shift, axis=2), np.roll(blue, -shift, axis=1)], -1)


def _inverted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 255 - images


_VALIDATION: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "arithmetic_mean": _arithmetic_mean,
    "geometric_mean": _geometric_mean,
    "jigsaw": _jigsaw,
    "speckled": _speckled,
    "pixelated": _pixelated,
    "rgb_ghosted": _rgb_ghosted,
    "inverted": _inverted,
}
VALIDATION_NAMES = tuple(_VALIDATION)
"""Names of the validation anomalies that are made from images."""


def validation_anomalies(images: np.ndarray, name: str, seed: int = 0) -> np.ndarray:
    """Anomalies to choose hyperparameters with (section 4.2 of the paper), made from in-distribution images.

    Args:
        images: uint8 `(batch, height, width, channels)`; at least two for the means.
        name: one of `VALIDATION_NAMES`: arithmetic or geometric mean of two images, jigsaw of 16 tiles, speckle noise,
            pixelation, shifted colour channels, negative.
        seed: with the images, determines the result.

    Returns:
        uint8, of the same shape.

    Raises:
        ValueError: for an unknown name, or images that it cannot be made from.
    """
    if name not in _VALIDATION:
        known = list(VALIDATION_NAMES)
        raise ValueError(
            f"Unknown validation anomaly {name!r}: {nearest_names(name, known)}The known ones are {', '.join(known)}."
        )
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ValueError(
            f"`images` are {images.dtype} of shape {images.shape}: give uint8 (batch, height, width, channels)."
        )
    if name.endswith("_mean") and len(images) < 2:
        raise ValueError(f"`images` has {len(images)} image: a mean needs two.")
    anomalies = _VALIDATION[name](images, np.random.default_rng([seed, VALIDATION_NAMES.index(name)]))
    return np.clip(np.rint(anomalies), 0, 255).astype(np.uint8)


def validation_dataset(dataset: datasets.Dataset, name: str, seed: int = 0) -> datasets.Dataset:
    """`validation_anomalies` of an image dataset, in batches of 1,000 that share partners for the means.

    Args:
        dataset: with a column `image` of pictures of one size.
        name, seed: as `validation_anomalies` takes them.

    Returns:
        A dataset with the column `image` alone.
    """
    from PIL import Image

    def convert(batch: dict[str, list], indices: list[int]) -> dict[str, list]:
        pixels = np.stack([np.asarray(image) for image in batch["image"]])
        grey = pixels.ndim == 3
        anomalies = validation_anomalies(pixels[..., None] if grey else pixels, name, seed + indices[0])
        return {"image": [Image.fromarray(image[..., 0] if grey else image) for image in anomalies]}

    return dataset.map(
        convert,
        batched=True,
        with_indices=True,
        remove_columns=[column for column in dataset.column_names if column != "image"],
        desc=f"Making {name} anomalies",
    )
