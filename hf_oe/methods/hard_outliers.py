"""Hard outliers: only those on which the model does worst count.

Section 4.5 of Deep Anomaly Detection with Outlier Exposure (2018), with Training Region-based Object Detectors with
Online Hard Example Mining (Shrivastava, Gupta and Girshick, CVPR 2016, section 4). The paper finds that the hardest
anomalies are then detected better, and noise worse.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..objectives import OBJECTIVES, in_distribution_cross_entropy, outlier_mean, to_uniform


def hardest(difficulty: Tensor, is_outlier: Tensor, keep: float, skip: float = 0.0) -> Tensor:
    """Which outliers to train on: after the `skip` hardest, the share `keep` of them, at least one.

    Args:
        difficulty: float `(batch,)`; the largest are the hardest.
        is_outlier: bool `(batch,)`.
        keep, skip: shares of the outliers; `keep + skip` is at most 1.

    Returns:
        Bool `(batch,)`; without waiting for the device.
    """
    if not 0 < keep <= 1 - skip <= 1:
        raise ValueError(f"`keep` and `skip` must be shares that add up to at most 1, got {keep} and {skip}.")
    order = difficulty.detach().masked_fill(~is_outlier, -torch.inf).argsort(descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    outliers = is_outlier.sum()
    first = torch.floor(outliers * skip)
    return is_outlier & (rank >= first) & (rank < first + torch.ceil(outliers * keep))


@OBJECTIVES.register("hard_outliers")
def hard_outliers(
    outputs: Mapping[str, Tensor], labels: Tensor, is_outlier: Tensor, *, weight: float = 0.5, keep: float = 0.5
) -> dict[str, Tensor]:
    """As `uniform`, with the outlier part over the share `keep` of the outliers whose part is largest.

    The paper does not say which share; half of them is ours.
    """
    logits = outputs["logits"]
    loss = to_uniform(logits)
    return {
        "in_distribution": in_distribution_cross_entropy(logits, labels, is_outlier),
        "outlier": weight * outlier_mean(loss, hardest(loss, is_outlier, keep)),
    }
