"""Diversified Outlier Exposure: some outliers are moved to where the model is surest of them.

Diversified Outlier Exposure for Out-of-Distribution Detection via Informative Extrapolation (Zhu, Yu, Yao, Liu, Niu,
Sugiyama and Han, NeurIPS 2023): its objective with the extrapolated share, and its multi-step optimisation of inputs.
The default settings were not checked against the authors' code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..objectives import OBJECTIVES, in_distribution_cross_entropy, outlier_mean, to_uniform


@OBJECTIVES.register("divoe")
def divoe(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    is_outlier: Tensor,
    *,
    model: Any,
    inputs: Mapping[str, Tensor],
    weight: float = 0.5,
    ratio: float = 0.5,
    epsilon: float = 0.05,
    steps: int = 5,
) -> dict[str, Tensor]:
    """As `uniform`, with about the share `ratio` of the outliers replaced by extrapolated ones.

    Those are found by `steps` sign-gradient steps of `epsilon / 4`, in units of the model's input and at most
    `epsilon` away, up the outlier's own loss; in evaluation mode, so that batch statistics and dropout stay as they
    are. Costs `steps + 1` further forward passes.
    """
    name = model.main_input_name
    if not inputs[name].is_floating_point():
        raise ValueError(f"`divoe` moves float inputs along their gradient, got {inputs[name].dtype}.")
    start = inputs[name].detach()
    moved = start
    with _evaluation_mode(model), torch.enable_grad():
        for _ in range(steps):
            moved = moved.detach().requires_grad_(True)
            loss = outlier_mean(to_uniform(model(**{**inputs, name: moved})["logits"]), is_outlier)
            (gradient,) = torch.autograd.grad(loss, moved)
            moved = moved + epsilon / 4 * gradient.sign()
            moved = (start + (moved - start).clamp(-epsilon, epsilon)).clamp(start.amin(), start.amax())
    extrapolated = to_uniform(model(**{**inputs, name: moved.detach()})["logits"])
    is_moved = torch.rand_like(extrapolated) < ratio
    loss = torch.where(is_moved, extrapolated, to_uniform(outputs["logits"]))
    return {
        "in_distribution": in_distribution_cross_entropy(outputs["logits"], labels, is_outlier),
        "outlier": weight * outlier_mean(loss, is_outlier),
    }


@contextmanager
def _evaluation_mode(model: torch.nn.Module) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
