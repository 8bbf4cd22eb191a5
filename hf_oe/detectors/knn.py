"""Distance to the k-th nearest neighbour among the features of in-distribution examples."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._base import DETECTORS, FeatureDetector

_SIMILARITIES_AT_ONCE = 25_000_000


@DETECTORS.register("knn")
class KNN(FeatureDetector):
    """Euclidean distance to the k-th nearest in-distribution example, features scaled to length 1.

    Out-of-Distribution Detection with Deep Nearest Neighbors (Sun, Ming, Zhu and Li, ICML 2022, equation 3).

    Args:
        k: which neighbour; the paper takes 50 for CIFAR-10, 200 for CIFAR-100 and 1000 for ImageNet. Among fewer
            examples it is the farthest.
    """

    def __init__(self, k: int = 50):
        if k < 1:
            raise ValueError(f"`k` must be at least 1, got {k}.")
        self.k = k
        self.normal: Tensor | None = None

    def fit(self, features: Tensor, logits: Tensor, labels: Tensor, head: nn.Linear) -> None:
        self.normal = F.normalize(features, dim=-1)

    def __call__(self, features: Tensor, logits: Tensor) -> Tensor:
        k = min(self.k, len(self.normal))
        rows = max(1, _SIMILARITIES_AT_ONCE // len(self.normal))
        # The k-th nearest has the k-th largest cosine, and |a - b|² = 2 - 2 cos for vectors of length 1.
        cosine = [
            (chunk @ self.normal.T).topk(k, dim=-1, sorted=False).values.amin(dim=-1)
            for chunk in F.normalize(features, dim=-1).split(rows)
        ]
        return (2 - 2 * torch.cat(cosine)).clamp(min=0).sqrt()
