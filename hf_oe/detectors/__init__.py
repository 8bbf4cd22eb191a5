"""Post-hoc detectors: scores that need more than logits, namely features and a fit, or further passes.

They apply to any trained classifier (`hf_oe.features`), and are evaluated by name beside the scores of logits. A new
one is a class in a file of yours:

    >>> from hf_oe.detectors import DETECTORS, FeatureDetector
    >>> @DETECTORS.register("feature_norm")
    ... class FeatureNorm(FeatureDetector):
    ...     def fit(self, features, logits, labels, head):
    ...         pass
    ...
    ...     def __call__(self, features, logits):
    ...         return -features.norm(dim=-1)

All but `knn` come from pytorch-ood, the extra `hf_oe[detectors]`.
"""

from . import ash, dice, knn, mahalanobis, odin, react, vim  # noqa: F401  (each registers its detectors)
from ._base import DETECTORS, FeatureDetector, InputDetector

__all__ = ["DETECTORS", "FeatureDetector", "InputDetector"]
