"""Distributional-augmented learning: exposure to the worst features in a Wasserstein ball around the outliers'.

Learning to Augment Distributions for Out-of-Distribution Detection (Wang, Fang, Zhang, Liu, Li and Han, NeurIPS 2023),
algorithm 1; defaults are those of the authors' code for CIFAR-10.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..objectives import OBJECTIVES, in_distribution_cross_entropy, outlier_mean, to_uniform
from .method import METHODS, Method

_LARGEST_PRICE = 10.0


def _with_price(model: Any) -> Any:
    """The classifier with the price of distance, which training adapts, as a buffer."""
    if not hasattr(model, "dal_price"):
        model.register_buffer("dal_price", torch.tensor(_LARGEST_PRICE))
    return model


METHODS["dal"] = Method(prepare=_with_price)


@OBJECTIVES.register("dal")
def dal(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    is_outlier: Tensor,
    *,
    model: Any,
    features: Tensor,
    head: nn.Linear,
    weight: float = 0.5,
    radius: float = 10.0,
    step: float = 1.0,
    steps: int = 10,
    price_rate: float = 0.01,
) -> dict[str, Tensor]:
    """As `uniform`, with the outliers' features moved by `steps` gradient steps of length `step` up their own loss.

    Distance, the mean absolute change of a feature, is paid for at the price gamma, kept in the model's buffer
    `dal_price`; it rises by `price_rate` times the excess of the distance over `radius`, within [0, 10].
    """
    start = features.detach()
    shift = 1e-4 * torch.rand_like(start)
    with torch.enable_grad():
        for _ in range(steps):
            shift = shift.detach().requires_grad_(True)
            distance = shift.abs().mean(dim=-1)
            gain = to_uniform(head(start + shift)) - model.dal_price * distance
            (gradient,) = torch.autograd.grad(gain.sum(), shift)
            shift = shift + step * gradient / gradient.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    if model.training:
        with torch.no_grad():
            excess = outlier_mean(distance, is_outlier) - radius
            model.dal_price.add_(price_rate * excess).clamp_(0.0, _LARGEST_PRICE)
    worst = to_uniform(head(features + shift.detach()))
    return {
        "in_distribution": in_distribution_cross_entropy(outputs["logits"], labels, is_outlier),
        "outlier": weight * outlier_mean(worst, is_outlier),
    }
