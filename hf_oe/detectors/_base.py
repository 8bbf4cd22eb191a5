"""The registry of detectors and what each of them must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..registry import Registry

DETECTORS = Registry("detector")


class FeatureDetector(ABC):
    """Scores examples by their penultimate features, after a fit on in-distribution examples.

    Neither method is called with gradients enabled; features and logits are float32 and on the model's device.
    """

    @abstractmethod
    def fit(self, features: Tensor, logits: Tensor, labels: Tensor, head: nn.Linear) -> None:
        """Learns what is normal.

        Args:
            features, logits: `(examples, features)` and `(examples, classes)`, of in-distribution examples.
            labels: int64 `(examples,)`.
            head: the layer between the two.
        """

    @abstractmethod
    def __call__(self, features: Tensor, logits: Tensor) -> Tensor:
        """Anomaly scores `(batch,)`, higher for more anomalous, each from its own example only."""


class InputDetector(ABC):
    """Scores examples by further passes through the network; it has no fit."""

    @abstractmethod
    def __call__(self, model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        """Anomaly scores `(batch,)`, higher for more anomalous; `inputs` are the model's, without labels."""
