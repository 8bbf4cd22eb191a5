"""The energy of logits from the largest features alone."""

from __future__ import annotations

from torch import Tensor, nn

from ..scores import energy
from ._base import DETECTORS, FeatureDetector
from ._pytorch_ood import library


@DETECTORS.register("ash")
class ASH(FeatureDetector):
    """Free energy after all but the largest features of each example are set to 0 and those scaled up (ASH-S).

    Extremely Simple Activation Shaping for Out-of-Distribution Detection (Djurisic, Bozanic, Ashok and Liu, ICLR 2023,
    section 2); made for features that are not negative.

    Args:
        percentile: share of the features set to 0, in [0, 1) (paper: 0.9 for ImageNet).
    """

    def __init__(self, percentile: float = 0.9):
        self.library = library()
        self.percentile = percentile

    def fit(self, features: Tensor, logits: Tensor, labels: Tensor, head: nn.Linear) -> None:
        self.shaped = self.library.ASH(
            None, lambda maps: head(maps.flatten(1)), percentile=self.percentile, detector=energy
        )

    def __call__(self, features: Tensor, logits: Tensor) -> Tensor:
        return self.shaped.predict_feature_maps(features[:, :, None, None])
