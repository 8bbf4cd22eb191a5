"""The energy of logits from a head with few weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..scores import energy
from ._base import DETECTORS, FeatureDetector
from ._pytorch_ood import library


@DETECTORS.register("dice")
class DICE(FeatureDetector):
    """Free energy after the weights of the head that contribute least on average are set to 0.

    DICE: Leveraging Sparsification for Out-of-Distribution Detection (Sun and Li, ECCV 2022, section 3).

    Args:
        sparsity: share of the weights set to 0, in [0, 1] (paper: 0.9 for CIFAR, 0.7 for ImageNet).
    """

    def __init__(self, sparsity: float = 0.9):
        self.library = library()
        self.sparsity = sparsity

    def fit(self, features: Tensor, logits: Tensor, labels: Tensor, head: nn.Linear) -> None:
        self.bias = head.bias
        zeros = torch.zeros_like(head.weight[:, 0])
        fitted = self.library.DICE(None, head.weight, zeros, self.sparsity).fit_features(features, labels)
        self.weight = fitted.masked_w.to(features.device)

    def __call__(self, features: Tensor, logits: Tensor) -> Tensor:
        # Not the library's own prediction, which holds batch × classes × features numbers in memory.
        return energy(F.linear(features, self.weight, self.bias))
