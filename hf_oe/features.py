"""The penultimate features of a classifier: what its last linear layer sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def classifier_head(model: nn.Module) -> nn.Linear:
    """The last linear layer with as many outputs as `model.config.num_labels`; of any width if there is no config.

    One more output is the unit of a confidence branch. It is the head of transformers' and of timm-wrapped image
    classifiers, of text classifiers such as BERT's and of the networks of this library.

    Raises `ValueError` for a model without one.
    """
    num_labels = getattr(getattr(model, "config", None), "num_labels", None)
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    heads = [module for module in linear if num_labels is None or module.out_features - num_labels in (0, 1)]
    if not heads:
        raise ValueError(
            f"{type(model).__name__} has no linear layer with {num_labels} outputs and so no penultimate features: "
            "choose scores of logits."
        )
    return heads[-1]


@contextmanager
def captured_features(model: nn.Module, positions: bool = False) -> Iterator[list[Tensor]]:
    """Yields a list to which each forward pass in the block adds the features `(batch, features)`.

    They are part of the graph, on the model's device and in its precision. The forward pass raises `ValueError` if the
    head is applied to anything but one vector an example; with `positions` also to anything but one of every position,
    `(batch, positions, features)`, from which `features_of_logits` chooses.

    Example:
        >>> with captured_features(model) as features:
        ...     logits = model(pixel_values=images).logits
        >>> features[-1].shape
        torch.Size([8, 768])
    """
    features: list[Tensor] = []

    def capture(head: nn.Linear, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0].ndim not in ((2, 3) if positions else (2,)):
            raise ValueError(
                f"The head of {type(model).__name__} takes the shape {tuple(inputs[0].shape)} and not (batch, "
                "features), so it has no penultimate features: choose scores of logits."
            )
        features.append(inputs[0])

    handle = classifier_head(model).register_forward_pre_hook(capture)
    try:
        yield features
    finally:
        handle.remove()


def features_of_logits(seen: Tensor, logits: Tensor, head: nn.Linear) -> Tensor:
    """The features `(batch, features)`, float32, that the model's `logits` `(batch, classes)` come from.

    Sequence classifiers such as GPT-2's apply the head to every position and return the logits of one, the last that
    is not padding: the features are those of the position whose logits they are.

    Args:
        seen: what the head was applied to, `(batch, features)` or `(batch, positions, features)`.
    """
    if seen.ndim == 3:
        position = (head(seen).float() - logits.float()[:, None]).abs().sum(dim=-1).argmin(dim=1)
        seen = seen[torch.arange(len(seen), device=seen.device), position]
    return seen.float()
