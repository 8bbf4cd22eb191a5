"""The Wide ResNets in timm's registry.

The features of `features_only=True` are the outputs of the three stages, before the last batch norm.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from timm.layers import SelectAdaptivePool2d
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .modeling_wide_resnet import WideResNetStage, WideResNetTrunk, init_wide_resnet_weights

WIDE_RESNETS = {
    "wrn_40_4": {"depth": 40, "widen_factor": 4, "dropout": 0.3},
    "wrn_40_2": {"depth": 40, "widen_factor": 2, "dropout": 0.3},
    "wrn_28_10": {"depth": 28, "widen_factor": 10, "dropout": 0.3},
    "wrn_16_4": {"depth": 16, "widen_factor": 4, "dropout": 0.4},
    "wrn_16_2": {"depth": 16, "widen_factor": 2, "dropout": 0.3},
    # With 16 to 64 channels it has none to spare: dropout costs it a third of its accuracy in a few epochs.
    "wrn_16_1": {"depth": 16, "widen_factor": 1, "dropout": 0.0},
}
"""Architectures by name; dropout as in the paper's Appendix B, and as the authors' code has it for SVHN (16-4)."""

default_cfgs = generate_default_cfgs(
    {
        name: {
            "url": "",
            "num_classes": 10,
            "input_size": (3, 32, 32),
            "pool_size": (8, 8),
            "crop_pct": 1.0,
            "interpolation": "bilinear",
            "mean": (125.3 / 255, 123.0 / 255, 113.9 / 255),
            "std": (63.0 / 255, 62.1 / 255, 66.7 / 255),
            "first_conv": "conv1",
            "classifier": "fc",
        }
        for name in WIDE_RESNETS
    }
)


def _pool(pool_type: str) -> SelectAdaptivePool2d:
    """timm's pooling; without one (`""`) the feature map keeps its shape."""
    return SelectAdaptivePool2d(pool_type=pool_type, flatten=bool(pool_type))


class WideResNet(WideResNetTrunk):
    """`WideResNetTrunk` with timm's interface; `drop_rate` is the dropout inside the blocks."""

    def __init__(
        self,
        depth: int,
        widen_factor: int,
        num_classes: int = 10,
        in_chans: int = 3,
        drop_rate: float = 0.3,
        global_pool: str = "avg",
    ) -> None:
        super().__init__(depth, widen_factor, num_classes, in_chans, drop_rate)
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.head_hidden_size = self.num_features
        self.global_pool = _pool(global_pool)
        self.feature_info = [
            {"num_chs": self.num_features // 4, "reduction": 1, "module": "block1"},
            {"num_chs": self.num_features // 2, "reduction": 2, "module": "block2"},
            {"num_chs": self.num_features, "reduction": 4, "module": "block3"},
        ]
        self.apply(init_wide_resnet_weights)

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        for module in self.modules():
            if isinstance(module, WideResNetStage):
                module.gradient_checkpointing = enable
                module._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)

    @torch.jit.ignore
    def get_classifier(self) -> nn.Module:
        return self.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        self.num_classes = num_classes
        if global_pool is not None:
            self.global_pool = _pool(global_pool)
        self.fc = nn.Linear(self.num_features, num_classes) if num_classes > 0 else nn.Identity()
        init_wide_resnet_weights(self.fc)
        self.fc.to(self.conv1.weight.device, self.conv1.weight.dtype)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        x = self.global_pool(x)
        return x if pre_logits else self.fc(x)


def _wide_resnet(name: str, pretrained: bool, **kwargs: Any) -> WideResNet:
    architecture = dict(WIDE_RESNETS[name])
    settings = {"drop_rate": architecture.pop("dropout"), **architecture, **kwargs}
    return build_model_with_cfg(WideResNet, name, pretrained, feature_cfg={"out_indices": (0, 1, 2)}, **settings)


@register_model
def wrn_40_4(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """WRN 40-4: CIFAR in the paper."""
    return _wide_resnet("wrn_40_4", pretrained, **kwargs)


@register_model
def wrn_40_2(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """WRN 40-2: Tiny ImageNet in the paper, CIFAR in the authors' code."""
    return _wide_resnet("wrn_40_2", pretrained, **kwargs)


@register_model
def wrn_28_10(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """WRN 28-10: the large one of Zagoruyko and Komodakis (2016)."""
    return _wide_resnet("wrn_28_10", pretrained, **kwargs)


@register_model
def wrn_16_4(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """WRN 16-4: SVHN in the paper."""
    return _wide_resnet("wrn_16_4", pretrained, **kwargs)


@register_model
def wrn_16_2(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """WRN 16-2: small."""
    return _wide_resnet("wrn_16_2", pretrained, **kwargs)


@register_model
def wrn_16_1(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """WRN 16-1: smallest, for a CPU."""
    return _wide_resnet("wrn_16_1", pretrained, **kwargs)
