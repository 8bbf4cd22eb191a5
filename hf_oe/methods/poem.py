"""Outlier mining by posterior sampling: train on outliers near the boundary that a Bayesian detector draws.

POEM: Out-of-Distribution Detection with Posterior Sampling (Ming, Fan and Li, ICML 2022), algorithm 1. Noise and prior
variances, targets, energy margins and weight are those of the authors' code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..features import classifier_head
from ..objectives import OBJECTIVES, outlier_mean
from .energy_bounded import energy_bounded
from .hard_outliers import hardest
from .method import METHODS, Method

_PRIOR_VARIANCE, _NOISE_VARIANCE, _TARGET = 20.0, 0.5, 3.0


def _with_statistics(model: Any) -> Any:
    """The classifier with the regression's sufficient statistics as buffers, which are saved and resumed with it."""
    if not hasattr(model, "poem_scatter"):
        layer = classifier_head(model)
        model.register_buffer("poem_scatter", layer.weight.new_zeros(layer.in_features, layer.in_features))
        model.register_buffer("poem_moment", layer.weight.new_zeros(layer.in_features))
    return model


METHODS["poem"] = Method(score="energy", prepare=_with_statistics)


@OBJECTIVES.register("poem")
def poem(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    is_outlier: Tensor,
    *,
    model: Any,
    features: Tensor,
    weight: float = 0.1,
    keep: float = 0.25,
    margin_in: float = -25.0,
    margin_out: float = -7.0,
    decay: float = 0.999,
) -> dict[str, Tensor]:
    """As `energy_bounded`, over the share `keep` of the outliers whose `|w features|` is least, w drawn anew.

    w is drawn from the posterior of a linear regression from features to -3 on examples and 3 on outliers. The paper
    fits it once an epoch to the last four; here the statistics are updated each step, and the old ones count `decay`
    times as much. Let `outlier_batch_size` be a few times what should be trained on.
    """
    with torch.no_grad():
        seen = features.float()
        precision = (
            model.poem_scatter / _NOISE_VARIANCE + torch.eye(seen.shape[1], device=seen.device) / _PRIOR_VARIANCE
        )
        factor, _ = torch.linalg.cholesky_ex(precision)
        mean = torch.cholesky_solve((model.poem_moment / _NOISE_VARIANCE)[:, None], factor)
        noise = torch.linalg.solve_triangular(factor.T, torch.randn_like(mean), upper=True)
        distance = (seen @ (mean + noise))[:, 0].abs()
        chosen = hardest(-distance, is_outlier, keep)
        used = torch.where((chosen | ~is_outlier)[:, None], seen, 0.0)
        target = torch.where(is_outlier, _TARGET, -_TARGET)
        model.poem_scatter.mul_(decay).add_(used.T @ used)
        model.poem_moment.mul_(decay).add_(used.T @ target)
    margins = {"margin_in": margin_in, "margin_out": margin_out}
    parts = energy_bounded(outputs, labels, is_outlier, weight=weight, **margins)
    hinge = (margin_out + outputs["logits"].float().logsumexp(dim=-1)).relu().square()
    return {**parts, "outlier": weight * outlier_mean(hinge, chosen)}
