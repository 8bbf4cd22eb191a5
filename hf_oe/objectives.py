"""Training objectives: what the model must do on in-distribution examples and on outliers.

An objective is a pure function of a mixed batch's outputs that returns its weighted parts by name. The trainer adds
them up, and logs each as `loss_<name>`. A new one is one function:

    >>> from hf_oe.objectives import OBJECTIVES, in_distribution_cross_entropy, outlier_mean
    >>> @OBJECTIVES.register("low_max_logit")
    ... def low_max_logit(outputs, labels, is_outlier, *, weight=0.5):
    ...     return {
    ...         "in_distribution": in_distribution_cross_entropy(outputs["logits"], labels, is_outlier),
    ...         "outlier": weight * outlier_mean(outputs["logits"].amax(dim=-1), is_outlier),
    ...     }

All take
    outputs: the model's output, a mapping whose `"logits"` are float, `(batch, classes)`;
    labels: int64 `(batch,)`; undefined where the example is an outlier;
    is_outlier: bool `(batch,)`;
    weight: the factor of the outlier part;
and, if they name them among their keyword parameters,
    model: the bare module, for further forward passes;
    inputs: what went into it, a mapping without labels and mask;
    features, head: what its last linear layer saw in this pass, `(batch, width)`, and that layer.
Any other keyword parameter is a setting that `objective_kwargs` may give.
The two halves may differ in size: each part is a mean over its own half, never over the whole batch. Nothing is copied
to the host, so a step never waits for the device.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from .registry import Registry

OBJECTIVES = Registry("objective")

CONTEXT = ("model", "inputs", "features", "head")
"""What the trainer passes to an objective that names it."""

_IGNORED = -100


def in_distribution_cross_entropy(logits: Tensor, labels: Tensor, is_outlier: Tensor) -> Tensor:
    """Mean cross entropy in nats over the in-distribution half; a scalar, 0 where that half is empty."""
    labels = labels.masked_fill(is_outlier, _IGNORED)
    total = F.cross_entropy(logits, labels, ignore_index=_IGNORED, reduction="sum")
    return total / (~is_outlier).sum().clamp(min=1)


def outlier_mean(values: Tensor, is_outlier: Tensor) -> Tensor:
    """Mean of `values` `(batch,)` over the outlier half; a scalar, 0 where that half is empty."""
    return torch.where(is_outlier, values, 0.0).sum() / is_outlier.sum().clamp(min=1)


def in_distribution_mean(values: Tensor, is_outlier: Tensor) -> Tensor:
    """Mean of `values` `(batch,)` over the in-distribution half; a scalar, 0 where that half is empty."""
    return outlier_mean(values, ~is_outlier)


def to_uniform(logits: Tensor) -> Tensor:
    """`KL[U || p]` of each example `(batch,)` up to the constant log(classes), in nats."""
    return logits.logsumexp(dim=-1) - logits.mean(dim=-1)


@OBJECTIVES.register("uniform")
def uniform(
    outputs: Mapping[str, Tensor], labels: Tensor, is_outlier: Tensor, *, weight: float = 0.5
) -> dict[str, Tensor]:
    """Cross entropy on the labels, and cross entropy from the uniform distribution to the softmax on outliers.

    `E_in[-log p_y(x)] + weight * E_out[KL[U || p(x)]]` up to the constant log(classes), in nats: section 4.2.3 of Deep
    Anomaly Detection with Outlier Exposure (Hendrycks, Mazeika and Dietterich 2018), where `weight` is 0.5.
    """
    logits = outputs["logits"]
    return {
        "in_distribution": in_distribution_cross_entropy(logits, labels, is_outlier),
        "outlier": weight * outlier_mean(to_uniform(logits), is_outlier),
    }
