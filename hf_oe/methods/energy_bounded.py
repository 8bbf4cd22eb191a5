"""Energy-bounded Outlier Exposure: the free energy is low on in-distribution examples and high on outliers.

Energy-based Out-of-distribution Detection (Liu, Wang, Owens and Li, NeurIPS 2020), section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..objectives import OBJECTIVES, in_distribution_cross_entropy, in_distribution_mean, outlier_mean
from .method import METHODS, Method

METHODS["energy_bounded"] = Method(score="energy", largest_learning_rate=0.01)


@OBJECTIVES.register("energy_bounded")
def energy_bounded(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    is_outlier: Tensor,
    *,
    weight: float = 0.1,
    margin_in: float = -25.0,
    margin_out: float = -7.0,
) -> dict[str, Tensor]:
    """Cross entropy, and `weight` times the squared hinges `max(0, E - margin_in)^2` on examples and
    `max(0, margin_out - E)^2` on outliers, where `E = -logsumexp(logits)`.

    The defaults are those that the authors' code fine-tunes CIFAR classifiers with.
    """
    logits = outputs["logits"].float()
    energy = -logits.logsumexp(dim=-1)
    return {
        "in_distribution": in_distribution_cross_entropy(logits, labels, is_outlier),
        "energy": weight * in_distribution_mean((energy - margin_in).relu().square(), is_outlier),
        "outlier": weight * outlier_mean((margin_out - energy).relu().square(), is_outlier),
    }
