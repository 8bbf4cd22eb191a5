"""Outlier Exposure for density models: an outlier must be less likely than an in-distribution example, by a margin.

Deep Anomaly Detection with Outlier Exposure (Hendrycks, Mazeika and Dietterich 2018), section 4.3 and Table 5.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..objectives import OBJECTIVES, in_distribution_mean, outlier_mean
from .method import METHODS, Method

METHODS["margin"] = Method(score="bits_per_dim")


@OBJECTIVES.register("margin")
def margin(
    outputs: Mapping[str, Tensor],
    labels: Tensor | None,
    is_outlier: Tensor,
    *,
    weight: float = 0.5,
    margin_per_pixel: float = 1.0,
) -> dict[str, Tensor]:
    """Negative log-likelihood, and `weight` times the hinge `max(0, margin - (log p(x_in) - log p(x_out)))` of pairs.

    Both parts are in nats a pixel. The i-th outlier is paired with the i-th in-distribution example; where outliers
    are more, the examples take turns, and where they are fewer, the last examples have no partner.

    Args:
        outputs: `log_likelihood`, float `(batch,)`, in nats, and `per_pixel`, `(batch, height, width)`, whose shape
            tells the number of pixels.
        labels: not used.
        is_outlier: bool `(batch,)`, in-distribution rows first.
        margin_per_pixel: in nats; the paper's is 1, so 1024 for an image of 32×32.
    """
    log_likelihood = outputs["log_likelihood"] / outputs["per_pixel"][0].numel()
    num_examples = (~is_outlier).sum().clamp(min=1)
    partner = (torch.arange(len(is_outlier), device=is_outlier.device) - num_examples).remainder(num_examples)
    hinge = (margin_per_pixel - (log_likelihood[partner] - log_likelihood)).relu()
    return {
        "in_distribution": -in_distribution_mean(log_likelihood, is_outlier),
        "outlier": weight * outlier_mean(hinge, is_outlier),
    }
