"""CIFAR-style Wide ResNets (Zagoruyko and Komodakis, BMVC 2016, https://arxiv.org/abs/1605.07146).

The parameters are named as in the Outlier Exposure authors' code, so that their checkpoints load. Only torch,
transformers and this folder are imported: the file travels with a saved model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutputWithNoAttention

from .configuration_wide_resnet import WideResNetConfig


class WideResNetBlock(nn.Module):
    """Pre-activation block of two 3×3 convolutions with dropout between them."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.dropout = dropout
        self.convShortcut = None
        if in_channels != out_channels:
            self.convShortcut = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        activated = F.relu(self.bn1(x), inplace=True)
        out = F.relu(self.bn2(self.conv1(activated)), inplace=True)
        out = self.conv2(F.dropout(out, self.dropout, self.training))
        return out + (x if self.convShortcut is None else self.convShortcut(activated))


@contextmanager
def _frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Normalises by the batch, as in training, without moving the running statistics."""
    norms = [child for child in module.modules() if isinstance(child, nn.BatchNorm2d)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, num_batches_tracked) in zip(norms, kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, num_batches_tracked


def _tracked_once(block: nn.Module) -> Callable[[Tensor], Tensor]:
    """The forward of `block` for checkpointing: recomputing it must not count its batch a second time."""
    recomputing = False

    def forward(x: Tensor) -> Tensor:
        nonlocal recomputing
        with _frozen_statistics(block) if recomputing else nullcontext():
            recomputing = True
            return block(x)

    return forward


class WideResNetStage(nn.Module):
    """Blocks of one width, the first of which has the stride."""

    gradient_checkpointing = False
    _gradient_checkpointing_func: Callable[..., Tensor]

    def __init__(self, num_blocks: int, in_channels: int, out_channels: int, stride: int, dropout: float) -> None:
        super().__init__()
        first = WideResNetBlock(in_channels, out_channels, stride, dropout)
        rest = [WideResNetBlock(out_channels, out_channels, 1, dropout) for _ in range(num_blocks - 1)]
        self.layer = nn.Sequential(first, *rest)

    def forward(self, x: Tensor) -> Tensor:
        if not (self.gradient_checkpointing and self.training):
            return self.layer(x)
        for block in self.layer:
            x = self._gradient_checkpointing_func(_tracked_once(block), x)
        return x


class WideResNetTrunk(nn.Module):
    """Wide ResNet for images of any size of at least 4×4; the last feature map has a quarter of it.

    Args:
        depth, widen_factor, dropout: see `WideResNetConfig`.
        num_classes: 0 leaves out the linear layer: the output is then the pooled features.
        in_channels: channels of the image.
    """

    def __init__(self, depth: int, widen_factor: int, num_classes: int, in_channels: int = 3, dropout: float = 0.0):
        super().__init__()
        num_blocks = (depth - 4) // 6
        channels = [16 * widen_factor, 32 * widen_factor, 64 * widen_factor]
        self.num_features = channels[-1]
        self.conv1 = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.block1 = WideResNetStage(num_blocks, 16, channels[0], 1, dropout)
        self.block2 = WideResNetStage(num_blocks, channels[0], channels[1], 2, dropout)
        self.block3 = WideResNetStage(num_blocks, channels[1], channels[2], 2, dropout)
        self.bn1 = nn.BatchNorm2d(channels[2])
        self.fc = nn.Linear(self.num_features, num_classes) if num_classes > 0 else nn.Identity()

    def forward_features(self, x: Tensor) -> Tensor:
        """`(batch, channels, height, width)` to `(batch, 64 widen_factor, height / 4, width / 4)`."""
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return F.relu(self.bn1(x), inplace=True)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Feature map to logits `(batch, num_classes)`, or to pooled features with `pre_logits`.

        The pooling is global, as the authors' windows are: 8×8 for 32×32 images, 16×16 for 64×64.
        """
        x = x.mean(dim=(2, 3))
        return x if pre_logits else self.fc(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


def init_wide_resnet_weights(module: nn.Module) -> None:
    """The authors' initialisation of one layer: He's by fan-out for convolutions, torch's and no bias for the head."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
        nn.init.zeros_(module.running_mean)
        nn.init.ones_(module.running_var)
        nn.init.zeros_(module.num_batches_tracked)
    elif isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5))
        nn.init.zeros_(module.bias)


class WideResNetForImageClassification(PreTrainedModel):
    """Wide ResNet classifier: the paper's network for CIFAR, SVHN and Tiny ImageNet (Appendix B).

    Example:
        >>> model = WideResNetForImageClassification(WideResNetConfig(depth=40, widen_factor=4, num_labels=10))
        >>> model(torch.randn(2, 3, 32, 32)).logits.shape
        torch.Size([2, 10])
    """

    config_class = WideResNetConfig
    base_model_prefix = "wide_resnet"
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = False
    _no_split_modules = ["WideResNetBlock"]

    def __init__(self, config: WideResNetConfig) -> None:
        super().__init__(config)
        self.wide_resnet = WideResNetTrunk(
            config.depth, config.widen_factor, config.num_labels, config.num_channels, config.dropout
        )
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        init_wide_resnet_weights(module)

    def forward(
        self,
        pixel_values: Tensor,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> ImageClassifierOutputWithNoAttention | tuple[Tensor, ...]:
        """Classifies images.

        Args:
            pixel_values: float `(batch, num_channels, height, width)`, normalised.
            labels: int64 `(batch,)`; rows with -100 do not count in the loss, the mean cross entropy.
            output_hidden_states: whether to return the pooled features `(batch, 64 widen_factor)` that the linear
                layer sees, as the only one of `hidden_states`.
            return_dict: False for a plain tuple.
        """
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        if return_dict is None:
            return_dict = self.config.return_dict
        features = self.wide_resnet.forward_head(self.wide_resnet.forward_features(pixel_values), pre_logits=True)
        logits = self.wide_resnet.fc(features)
        output = ImageClassifierOutputWithNoAttention(
            loss=None if labels is None else F.cross_entropy(logits, labels, ignore_index=-100),
            logits=logits,
            hidden_states=(features,) if output_hidden_states else None,
        )
        return output if return_dict else output.to_tuple()
