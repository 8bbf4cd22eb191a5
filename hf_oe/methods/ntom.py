"""Outlier mining by the reject class: train on outliers that look normal, but not on the very most normal ones.

ATOM: Robustifying Out-of-distribution Detection Using Outlier Mining (Chen, Li, Wu, Liang and Jha, ECML 2021),
algorithm 1 without its adversarial perturbations, which is their NTOM.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..objectives import OBJECTIVES
from .hard_outliers import hardest
from .method import METHODS, Method
from .reject import add_branch, reject

METHODS["ntom"] = Method(score="reject", prepare=add_branch, own_baseline=True)


@OBJECTIVES.register("ntom")
def ntom(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    is_outlier: Tensor,
    *,
    weight: float = 1.0,
    keep: float = 0.25,
    skip: float = 0.125,
) -> dict[str, Tensor]:
    """As `reject`, over the share `keep` of the outliers that comes after the share `skip` with the lowest probability
    of the reject class.

    The paper chooses 100,000 of 400,000 once an epoch, here the choice is made anew in each batch: let
    `outlier_batch_size` be 4 times what should be trained on. Its `skip` (q) is 0 for SVHN, 0.125 for CIFAR-10, 0.5
    for CIFAR-100.
    """
    difficulty = outputs["logits"].logsumexp(dim=-1) - outputs["branch_logits"]
    parts = reject(outputs, labels, is_outlier, weight=weight)
    chosen = hardest(difficulty, is_outlier, keep, skip)
    return {**parts, "outlier": reject(outputs, labels, chosen, weight=weight)["outlier"]}
