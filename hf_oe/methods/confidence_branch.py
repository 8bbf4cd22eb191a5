"""The confidence branch: the network learns to say how sure it is, and is told to be unsure of outliers.

Learning Confidence for Out-of-Distribution Detection in Neural Networks (DeVries and Taylor, arXiv:1802.04865, 2018),
section 2; its exposure to outliers is that of Outlier Exposure (2018), section 4.2.3 and Table 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..objectives import OBJECTIVES, in_distribution_mean, outlier_mean
from ..scores import SCORES, as_float
from .method import METHODS, Method
from .reject import add_branch

_SMALLEST = 1e-12
METHODS["confidence_branch"] = Method(score="confidence_branch", prepare=add_branch, own_baseline=True)


@OBJECTIVES.register("confidence_branch")
def confidence_branch(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    is_outlier: Tensor,
    *,
    model: Any,
    weight: float = 0.5,
    budget: float = 0.3,
) -> dict[str, Tensor]:
    """`NLL(c p + (1 - c) onehot(y)) - lambda log c` on examples, half of them with c = 1 there; `weight log c` on
    outliers.

    A network that asks for hints, by a low confidence c, pays for them. lambda, kept in the model's buffer
    `confidence_weight`, moves by one percent a step so that the mean of `-log c` stays near `budget` nats.
    """
    log_confidence = F.logsigmoid(outputs["branch_logits"].float())
    probability = outputs["logits"].float().softmax(dim=-1)
    right = probability.gather(1, labels.masked_fill(is_outlier, 0)[:, None])[:, 0]
    confidence = log_confidence.exp()
    if model.training:
        confidence = torch.where(torch.rand_like(confidence) < 0.5, confidence, 1.0)
    with_hints = (confidence * right + 1 - confidence).clamp(min=_SMALLEST)
    asked = in_distribution_mean(-log_confidence, is_outlier)
    parts = {
        "in_distribution": in_distribution_mean(-with_hints.log(), is_outlier),
        "confidence": model.confidence_weight.clone() * asked,
        "outlier": weight * outlier_mean(log_confidence.clamp(min=math.log(_SMALLEST)), is_outlier),
    }
    if model.training:
        with torch.no_grad():
            model.confidence_weight.div_(torch.where(asked < budget, 1.01, 0.99))
    return parts


@SCORES.register("confidence_branch")
def doubt(logits: Tensor, *, branch_logits: Tensor) -> Tensor:
    """`1 - c`, in [0, 1]: the paper's `-c` up to a constant, and exact where c is near 1."""
    return (-branch_logits).to(as_float(logits)).sigmoid()
