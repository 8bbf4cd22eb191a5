"""Configuration of the CIFAR-style Wide ResNets."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig


class WideResNetConfig(PretrainedConfig):
    """Configuration of a `WideResNetForImageClassification`: WRN `depth`-`widen_factor`.

    Args:
        depth: number of convolutions and the linear layer, `6 n + 4` for `n` blocks in each of the three stages.
        widen_factor: the stages have 16, 32 and 64 times as many channels.
        dropout: probability of dropout between the two convolutions of a block (0.3 in the paper's
            Appendix B; 0.4 on SVHN in the authors' code).
        num_channels: channels of the image.
        kwargs: what every `PretrainedConfig` takes: `num_labels`, `id2label` …

    Raises:
        ValueError: if no such depth exists, a size is not positive, or `dropout` is not a probability below 1.
    """

    model_type = "oe_wide_resnet"

    def __init__(
        self, depth: int = 40, widen_factor: int = 2, dropout: float = 0.3, num_channels: int = 3, **kwargs: Any
    ) -> None:
        if depth < 10 or depth % 6 != 4:
            raise ValueError(f"`depth` must be 6 n + 4 for some n > 0 (10, 16, 22, 28, 34, 40 …), got {depth}.")
        if widen_factor < 1 or num_channels < 1:
            raise ValueError(
                f"`widen_factor` and `num_channels` must be at least 1, got {widen_factor} and {num_channels}."
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be a probability below 1, got {dropout}.")
        self.depth = depth
        self.widen_factor = widen_factor
        self.dropout = dropout
        self.num_channels = num_channels
        super().__init__(**kwargs)
