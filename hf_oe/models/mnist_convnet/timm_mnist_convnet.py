"""The MNIST network in timm's registry."""

from __future__ import annotations

from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from .modeling_mnist_convnet import MnistConvNetTrunk

default_cfgs = generate_default_cfgs(
    {
        "oe_mnist_convnet": {
            "url": "",
            "num_classes": 10,
            "input_size": (1, 28, 28),
            "crop_pct": 1.0,
            "interpolation": "bilinear",
            "mean": (0.0,),
            "std": (1.0,),
            "first_conv": "conv1",
            "classifier": "fc2",
        }
    }
)


class MnistConvNet(MnistConvNetTrunk):
    """`MnistConvNetTrunk` with timm's interface; `drop_rate` is the channel dropout."""

    def __init__(self, num_classes: int = 10, in_chans: int = 1, drop_rate: float = 0.5) -> None:
        super().__init__(num_classes, in_chans, drop_rate)
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.feature_info = [
            {"num_chs": 10, "reduction": 2, "module": "act1"},
            {"num_chs": 20, "reduction": 4, "module": "act2"},
        ]

    @torch.jit.ignore
    def get_classifier(self) -> nn.Module:
        return self.fc2

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        if global_pool is not None:
            raise ValueError(
                f"This network has no pooling before its head: leave out `global_pool` ({global_pool!r})."
            )
        self.num_classes = num_classes
        self.fc2 = nn.Linear(self.head_hidden_size, num_classes) if num_classes > 0 else nn.Identity()
        self.fc2.to(self.fc1.weight.device, self.fc1.weight.dtype)


@register_model
def oe_mnist_convnet(pretrained: bool = False, **kwargs: Any) -> MnistConvNet:
    """The paper's MNIST network."""
    return build_model_with_cfg(
        MnistConvNet, "oe_mnist_convnet", pretrained, feature_cfg={"out_indices": (0, 1)}, **kwargs
    )
