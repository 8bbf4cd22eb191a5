"""Mixture Outlier Exposure: images between the classes and the outliers, and labels that fade to uniform.

Mixture Outlier Exposure: Towards Out-of-Distribution Detection in Fine-grained Environments (Zhang, Inkawhich,
Linderman, Chen and Li, WACV 2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..objectives import OBJECTIVES, in_distribution_cross_entropy, outlier_mean


@OBJECTIVES.register("mixoe")
def mixoe(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    is_outlier: Tensor,
    *,
    model: Any,
    inputs: Mapping[str, Tensor],
    weight: float = 5.0,
    alpha: float = 1.0,
    mix: str = "linear",
) -> dict[str, Tensor]:
    """Cross entropy on examples, and `weight` times the cross entropy of mixtures, whose target is
    `share onehot(y) + (1 - share) U`.

    Each outlier is mixed with an example of the batch in a second forward pass. The example's share is drawn from
    Beta(alpha, alpha) once a batch; `mix` is "linear", or "cutmix" for a box cut out of the outlier.
    """
    name = model.main_input_name
    if not inputs[name].is_floating_point() or mix not in _MIXERS:
        raise ValueError(
            f"`mixoe` mixes float inputs with `mix` one of {', '.join(_MIXERS)}, got {inputs[name].dtype} and {mix!r}."
        )
    examples = (~is_outlier).sum().clamp(min=1)
    partner = (torch.arange(len(is_outlier), device=is_outlier.device) - examples) % examples
    share = torch.distributions.Beta(*inputs[name].new_tensor([alpha, alpha], dtype=torch.float32)).sample()
    mixed, share = _MIXERS[mix](inputs[name][partner], inputs[name], share)
    log_probability = model(**{**inputs, name: mixed})["logits"].float().log_softmax(dim=-1)
    right = log_probability.gather(1, labels[partner].clamp(min=0)[:, None])[:, 0]
    mixtures = -share * right - (1 - share) * log_probability.mean(dim=-1)
    return {
        "in_distribution": in_distribution_cross_entropy(outputs["logits"], labels, is_outlier),
        "outlier": weight * outlier_mean(mixtures, is_outlier),
    }


def _linear(examples: Tensor, outliers: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    return (share * examples + (1 - share) * outliers).to(examples), share


def _cutmix(examples: Tensor, outliers: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """A box of the outlier, with its share of the area, in the example; what the border cuts off it does not count."""
    if examples.ndim != 4:
        raise ValueError(f"`mix` 'cutmix' needs images (batch, channels, height, width), got {tuple(examples.shape)}.")
    inside = []
    for size in examples.shape[-2:]:
        place = torch.arange(size, device=examples.device) + 0.5
        centre = size * torch.rand((), device=examples.device)
        inside.append((place - centre).abs() <= size * (1 - share).sqrt() / 2)
    box = inside[0][:, None] & inside[1]
    return torch.where(box, outliers, examples), 1 - box.float().mean()


_MIXERS = {"linear": _linear, "cutmix": _cutmix}
