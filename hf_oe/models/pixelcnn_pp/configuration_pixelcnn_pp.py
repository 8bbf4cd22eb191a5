"""Configuration of PixelCNN++."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig


class PixelCNNPPConfig(PretrainedConfig):
    """Configuration of a `PixelCNNPPModel`; the defaults are those of the authors for CIFAR-10.

    Args:
        num_channels: 1 for grey, 3 for colour.
        image_size: side in pixels of the images that are sampled; images of any size can be evaluated.
        filters: feature maps of each stream.
        blocks: residual blocks of a resolution on the way up; the lower two have one more on the way back.
        mixtures: discretized logistics that make up the distribution of a pixel.
        dropout: probability of dropout between the two convolutions of a block, rounded to a multiple of 1/256.
        num_classes: of the class conditioning; 0 for none.
        kwargs: what every `PretrainedConfig` takes.

    Raises:
        ValueError: if a size is not positive, the images are neither grey nor coloured, or `dropout` is not a
            probability below 1.
    """

    model_type = "oe_pixelcnn_pp"
    # One number an example is what an evaluation collects; the loss comes apart.
    keys_to_ignore_at_inference = ["loss", "log_likelihood", "per_pixel"]

    def __init__(
        self,
        num_channels: int = 3,
        image_size: int = 32,
        filters: int = 160,
        blocks: int = 5,
        mixtures: int = 10,
        dropout: float = 0.5,
        num_classes: int = 0,
        **kwargs: Any,
    ) -> None:
        if num_channels not in (1, 3):
            raise ValueError(f"`num_channels` must be 1 (grey) or 3 (colour), got {num_channels}.")
        sizes = {"image_size": image_size, "filters": filters, "blocks": blocks, "mixtures": mixtures}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"`{name}` must be at least 1, got {size}.")
        if num_classes < 0:
            raise ValueError(f"`num_classes` must not be negative, got {num_classes}: 0 is no class conditioning.")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be a probability below 1, got {dropout}.")
        self.num_channels = num_channels
        self.image_size = image_size
        self.filters = filters
        self.blocks = blocks
        self.mixtures = mixtures
        self.dropout = dropout
        self.num_classes = num_classes
        super().__init__(**kwargs)
