"""From pictures of any size to the small square inputs of the paper's networks, exactly as in training.

Only torch, NumPy, Pillow and transformers are imported: the file travels with a saved model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers.image_processing_utils import BaseImageProcessor, BatchFeature


class SmallImageProcessor(BaseImageProcessor):
    """Resizes the short side (bilinear), crops the centre, turns grey if need be, scales to [0, 1] and normalises.

    Args:
        image_size: side of the input in pixels.
        num_channels: 1 for grey, 3 for colour.
        image_mean, image_std: one number a channel, of pixels scaled to [0, 1].

    Example:
        >>> SmallImageProcessor(image_size=28, num_channels=1)(picture, return_tensors="pt")["pixel_values"].shape
        torch.Size([1, 1, 28, 28])
    """

    model_input_names = ["pixel_values"]

    def __init__(
        self,
        image_size: int = 32,
        num_channels: int = 3,
        image_mean: Sequence[float] = (0.0,),
        image_std: Sequence[float] = (1.0,),
        **kwargs: Any,
    ) -> None:
        if num_channels not in (1, 3):
            raise ValueError(f"`num_channels` must be 1 (grey) or 3 (colour), got {num_channels}.")
        super().__init__(**kwargs)
        self.image_size = image_size
        self.num_channels = num_channels
        self.image_mean = list(image_mean)
        self.image_std = list(image_std)

    def preprocess(self, images: Any, return_tensors: str | None = None, **kwargs: Any) -> BatchFeature:
        """`pixel_values`, float32 `(images, num_channels, image_size, image_size)`.

        Args:
            images: one or a list of Pillow images, or of uint8 arrays `(height, width)` or `(height, width, 3)`.
            return_tensors: "pt" or "np"; a list of arrays by default.
        """
        pictures = images if isinstance(images, list | tuple) else [images]
        pixels = torch.from_numpy(np.stack([self._pixels(picture) for picture in pictures])).float()
        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (self.image_mean, self.image_std))
        values = pixels.mul_(1 / (255 * std)).sub_(mean / std)
        return BatchFeature({"pixel_values": list(values.numpy())}, tensor_type=return_tensors)

    def _pixels(self, picture: Image.Image | np.ndarray) -> np.ndarray:
        """uint8 `(num_channels, image_size, image_size)`."""
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(np.asarray(picture))
        size = self.image_size
        if image.size != (size, size):
            image = image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB")
            short = min(image.size)
            left, top = (image.width - short) / 2, (image.height - short) / 2
            box = (left, top, left + short, top + short)
            image = image.resize((size, size), Image.Resampling.BILINEAR, box=box)
        pixels = np.array(image.convert("L" if self.num_channels == 1 else "RGB"))
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
