"""The features before the class layer, for methods that work on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


def class_layer(model: nn.Module) -> nn.Linear:
    """The linear layer that gives the class logits; raises `ValueError` if there is none."""
    from ..models.branch.modeling_branch import class_layer_name

    return model.get_submodule(class_layer_name(model))


@contextmanager
def penultimate(model: nn.Module) -> Iterator[dict[str, Any]]:
    """Yields a mapping with the class layer, `head`, and after a forward pass in the block its input, `features`.

    The features `(batch, width)` are part of the graph. Raises `ValueError` in the forward pass if the class layer
    sees anything else than one vector an example.
    """
    head = class_layer(model)
    seen: dict[str, Any] = {"head": head}

    def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0].ndim != 2:
            raise ValueError(
                f"The class layer of {type(model).__name__} takes the shape {tuple(inputs[0].shape)}, not (batch, "
                "width): methods that work on features cannot train this model."
            )
        seen["features"] = inputs[0]

    handle = head.register_forward_pre_hook(note)
    try:
        yield seen
    finally:
        handle.remove()
