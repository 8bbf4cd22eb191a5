"""Distances to Gaussians fitted to the features of each class."""

from __future__ import annotations

from torch import Tensor, nn

from ._base import DETECTORS, FeatureDetector
from ._pytorch_ood import library


@DETECTORS.register("mahalanobis")
class Mahalanobis(FeatureDetector):
    """Squared Mahalanobis distance to the nearest class mean, up to a factor, with one covariance for all classes.

    A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks (Lee, Lee, Lee and
    Shin, NeurIPS 2018, equation 2), of the penultimate features alone and without input noise.
    """

    def __init__(self) -> None:
        self.fitted = library().Mahalanobis(encoder=None)

    def fit(self, features: Tensor, logits: Tensor, labels: Tensor, head: nn.Linear) -> None:
        # A class that the sample lacks would be an error in the library: number those that are there.
        self.fitted.fit_features(features, labels.unique(return_inverse=True)[1])

    def __call__(self, features: Tensor, logits: Tensor) -> Tensor:
        return self.fitted.predict_features(features)


@DETECTORS.register("relative_mahalanobis")
class RelativeMahalanobis(Mahalanobis):
    """The same distance less the one to a single Gaussian of all examples.

    A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection (Ren et al. 2021, equations 2 and 3).
    """

    def __init__(self) -> None:
        self.fitted = library().RMD(encoder=None)
