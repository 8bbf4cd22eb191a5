"""Pictures that are all different, and datasets of them."""

from __future__ import annotations

import datasets
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter


def structured_images(count, seed, size=32):
    """uint8 (count, size, size, 3): coloured blotches with grey detail, no two alike."""
    noise = np.random.default_rng(seed).normal(size=(count, size, size, 4))
    blotches = 6 * gaussian_filter(noise[..., :3], (0, size / 8, size / 8, 0)) * size / 32
    detail = gaussian_filter(noise[..., 3:], (0, 1, 1, 0))
    return np.clip(128 + 60 * blotches + 40 * detail, 0, 255).astype(np.uint8)


def as_dataset(pictures, column="image"):
    pictures = [Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture for picture in pictures]
    return datasets.Dataset.from_dict({column: pictures}, features=datasets.Features({column: datasets.Image()}))
