"""The part of the features that the principal subspace leaves over, as one more logit."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._base import DETECTORS, FeatureDetector
from ._pytorch_ood import library


@DETECTORS.register("vim")
class ViM(FeatureDetector):
    """Scaled norm of the residual of the features, plus the free energy of the logits.

    ViM: Out-Of-Distribution with Virtual-logit Matching (Wang, Li, Feng and Zhang, CVPR 2022, section 4).

    Args:
        dimensions: of the principal subspace; by default the paper's: 1000 of at least 2048 features, 512 of at least
            768, else half of them.
    """

    def __init__(self, dimensions: int | None = None):
        self.library = library()
        self.dimensions = dimensions

    def fit(self, features: Tensor, logits: Tensor, labels: Tensor, head: nn.Linear) -> None:
        width = features.shape[1]
        default = 1000 if width >= 2048 else 512 if width >= 768 else width // 2
        bias = head.bias if head.bias is not None else torch.zeros_like(head.weight[:, 0])
        self.fitted = self.library.ViM(None, self.dimensions or default, head.weight, bias)
        self.fitted.fit_features(features, labels)

    def __call__(self, features: Tensor, logits: Tensor) -> Tensor:
        return self.fitted.predict_features(features)
