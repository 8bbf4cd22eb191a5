"""Virtual outlier synthesis: unlikely features drawn from the classes' Gaussians stand in for outliers.

VOS: Learning What You Don't Know by Virtual Outlier Synthesis (Du, Wang, Cai and Li, ICLR 2022). No outlier
set is needed: what it makes of the baseline is the method. Outliers, where there are any, join the virtual ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..features import classifier_head
from ..objectives import OBJECTIVES, in_distribution_cross_entropy, in_distribution_mean, outlier_mean
from .method import METHODS, Method


def _with_gaussians(model: Any) -> Any:
    """The classifier with a logistic regression on the energy, and the features' moments as buffers."""
    if not hasattr(model, "vos_logistic"):
        weight = classifier_head(model).weight
        classes, width = weight.shape
        model.vos_logistic = nn.Linear(1, 1).to(weight)
        model.register_buffer("vos_count", weight.new_zeros(classes))
        model.register_buffer("vos_sum", weight.new_zeros(classes, width))
        model.register_buffer("vos_scatter", weight.new_zeros(width, width))
        model.register_forward_hook(_tie_logistic)
    return model


METHODS["vos"] = Method(score="energy", prepare=_with_gaussians, own_baseline=True)


@OBJECTIVES.register("vos")
def vos(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    is_outlier: Tensor,
    *,
    model: Any,
    features: Tensor,
    head: nn.Linear,
    weight: float = 0.1,
    queue: int = 1000,
    candidates: int = 1000,
) -> dict[str, Tensor]:
    """Cross entropy, and `weight` times the logistic loss that tells examples from (virtual) outliers by their energy.

    The Gaussians have a mean a class and one covariance, of about the last `queue` examples a class: moving moments
    instead of the paper's queue. A class's virtual outlier is the least likely of `candidates` draws (paper: 10,000);
    there are none until half a queue has been seen (paper: from epoch 40 of 100).
    """
    parts = {"in_distribution": in_distribution_cross_entropy(outputs["logits"], labels, is_outlier)}
    logit = _logit(model, outputs["logits"])
    parts["outlier"] = weight * outlier_mean(F.softplus(-logit), is_outlier)
    if model.training:
        _update(model, features.detach().float(), labels, is_outlier, queue)
        ready = (model.vos_count.min() >= queue / 2).float()
        virtual = _logit(model, head(_virtual_outliers(model, candidates).to(features)))
        parts["energy"] = weight * ready * in_distribution_mean(F.softplus(logit), is_outlier)
        parts["virtual"] = weight * ready * F.softplus(-virtual).mean()
    return parts


def _tie_logistic(model: Any, _: Any, outputs: Any) -> Any:
    """Adds nothing to the logits: DistributedDataParallel must see each parameter at work in the forward pass."""
    nothing = 0.0 * sum(parameter.sum() for parameter in model.vos_logistic.parameters())
    outputs["logits"] = outputs["logits"] + nothing.to(outputs["logits"])
    return outputs


def _logit(model: Any, logits: Tensor) -> Tensor:
    """Of being an outlier, `(batch,)`: the logistic regression on the free energy."""
    return model.vos_logistic(-logits.logsumexp(dim=-1, keepdim=True).to(model.vos_logistic.weight))[:, 0].float()


@torch.no_grad()
def _update(model: Any, features: Tensor, labels: Tensor, is_outlier: Tensor, queue: int) -> None:
    member = (labels[:, None] == torch.arange(len(model.vos_count), device=labels.device)) & ~is_outlier[:, None]
    member = member.to(features)
    forget = 1 - (member.sum() / (queue * len(model.vos_count))).clamp(max=1)
    model.vos_count.mul_(forget).add_(member.sum(dim=0))
    model.vos_sum.mul_(forget).add_(member.T @ features)
    centred = (features - member @ _means(model)) * member.sum(dim=1, keepdim=True)
    model.vos_scatter.mul_(forget).add_(centred.T @ centred)


def _means(model: Any) -> Tensor:
    return model.vos_sum / model.vos_count.clamp(min=1)[:, None]


@torch.no_grad()
def _virtual_outliers(model: Any, candidates: int) -> Tensor:
    """One a class, `(classes, width)`; the likelihood of a draw falls with the length of the noise behind it."""
    means = _means(model)
    covariance = model.vos_scatter / model.vos_count.sum().clamp(min=1)
    covariance = covariance + 1e-4 * torch.eye(means.shape[1], device=means.device)
    noise = torch.randn(len(means), candidates, means.shape[1], device=means.device)
    least_likely = noise.square().sum(dim=-1).argmax(dim=1)
    chosen = noise[torch.arange(len(means), device=means.device), least_likely]
    return means + chosen @ torch.linalg.cholesky_ex(covariance)[0].T
