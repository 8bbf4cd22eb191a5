"""The reject option: a further class that outliers belong to.

Section 4.5 of Deep Anomaly Detection with Outlier Exposure (2018), after Classification with a Reject Option using a
Hinge Loss (Bartlett and Wegkamp, JMLR 2008). The paper gives no formula; this is the usual cross entropy over the
classes and one more, as in ATOM (Chen et al., ECML 2021). The baseline has the class but never sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..objectives import OBJECTIVES, in_distribution_cross_entropy, outlier_mean
from ..scores import SCORES, as_float
from .method import METHODS, Method


def add_branch(model: Any) -> Any:
    """The classifier with one more output unit, see `hf_oe.models.branch`."""
    from ..models.branch import with_branch

    return with_branch(model)


METHODS["reject"] = Method(score="reject", prepare=add_branch, own_baseline=True)


@OBJECTIVES.register("reject")
def reject(
    outputs: Mapping[str, Tensor], labels: Tensor, is_outlier: Tensor, *, weight: float = 0.5
) -> dict[str, Tensor]:
    """Cross entropy over classes and reject class: the label's on examples, `weight` times the reject class's on
    outliers, in nats."""
    logits = torch.cat([outputs["logits"], outputs["branch_logits"][:, None]], dim=1)
    return {
        "in_distribution": in_distribution_cross_entropy(logits, labels, is_outlier),
        "outlier": weight * outlier_mean(-logits.log_softmax(dim=-1)[:, -1], is_outlier),
    }


@SCORES.register("reject")
def reject_probability(logits: Tensor, *, branch_logits: Tensor) -> Tensor:
    """The probability of the reject class, in [0, 1]. Predictions are made among the other classes."""
    return (branch_logits - as_float(logits).logsumexp(dim=-1)).sigmoid()
