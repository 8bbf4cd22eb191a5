"""Configuration of the MNIST convolutional network."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig


class MnistConvNetConfig(PretrainedConfig):
    """Configuration of a `MnistConvNetForImageClassification`.

    Args:
        dropout: probability of dropping a channel of the second convolution.
        num_channels: channels of the 28×28 image.
        kwargs: what every `PretrainedConfig` takes: `num_labels`, `id2label` …

    Raises:
        ValueError: if `dropout` is not a probability below 1 or `num_channels` not positive.
    """

    model_type = "oe_mnist_convnet"

    def __init__(self, dropout: float = 0.5, num_channels: int = 1, **kwargs: Any) -> None:
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be a probability below 1, got {dropout}.")
        if num_channels < 1:
            raise ValueError(f"`num_channels` must be at least 1, got {num_channels}.")
        self.dropout = dropout
        self.num_channels = num_channels
        super().__init__(**kwargs)
