"""The energy of logits from features that are cut off above."""

from __future__ import annotations

from torch import Tensor, nn

from ..scores import energy
from ._base import DETECTORS, FeatureDetector
from ._pytorch_ood import library


@DETECTORS.register("react")
class ReAct(FeatureDetector):
    """Free energy after the features are cut off at a quantile of all in-distribution ones.

    ReAct: Out-of-distribution Detection With Rectified Activations (Sun, Guo and Li, NeurIPS 2021, equation 3).

    Args:
        percentile: the quantile, in (0, 1] (paper: 0.9).
    """

    def __init__(self, percentile: float = 0.9):
        self.library = library()
        self.percentile = percentile

    def fit(self, features: Tensor, logits: Tensor, labels: Tensor, head: nn.Linear) -> None:
        self.fitted = self.library.ReAct(None, head, percentile=self.percentile, detector=energy)
        self.fitted.fit_feature_maps(features, labels)

    def __call__(self, features: Tensor, logits: Tensor) -> Tensor:
        return self.fitted.predict_feature_maps(features)
