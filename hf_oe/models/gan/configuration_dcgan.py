"""Configuration of a DCGAN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import PretrainedConfig


class DCGANConfig(PretrainedConfig):
    """Configuration of a `DCGANGenerator` and a `DCGANDiscriminator`.

    Args:
        image_size: side in pixels; even, at least 8.
        num_channels: 1 for grey, 3 for colour.
        latent_size: numbers that an image is made from.
        base_channels: of the feature maps at full size; each halving of the side doubles them.
        mean, std: one number a channel, or one for all, with which images in [0, 1] are normalised, as the
            classifier's inputs are.
        kwargs: what every `PretrainedConfig` takes.

    Raises:
        ValueError: if the image cannot be halved down to a side of at least 4, or a number is not positive.
    """

    model_type = "oe_dcgan"

    def __init__(
        self,
        image_size: int = 32,
        num_channels: int = 3,
        latent_size: int = 100,
        base_channels: int = 64,
        mean: Sequence[float] = (0.0,),
        std: Sequence[float] = (1.0,),
        **kwargs: Any,
    ) -> None:
        if image_size < 8 or image_size % 2:
            raise ValueError(f"`image_size` must be even and at least 8, got {image_size}.")
        numbers = {"num_channels": num_channels, "latent_size": latent_size, "base_channels": base_channels}
        for name, number in numbers.items():
            if number < 1:
                raise ValueError(f"`{name}` must be at least 1, got {number}.")
        self.image_size = image_size
        self.num_channels = num_channels
        self.latent_size = latent_size
        self.base_channels = base_channels
        self.mean = list(mean)
        self.std = list(std)
        super().__init__(**kwargs)

    @property
    def halvings(self) -> int:
        """How often the side is halved between the image and the smallest feature map, whose side is 4 or odd."""
        side, count = self.image_size, 0
        while side % 2 == 0 and side > 4:
            side, count = side // 2, count + 1
        return count
