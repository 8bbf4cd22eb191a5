"""The softmax of inputs moved a little towards their predicted class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ._base import DETECTORS, InputDetector
from ._pytorch_ood import library


@DETECTORS.register("odin")
class ODIN(InputDetector):
    """Minus the maximum softmax probability at a high temperature, of inputs moved by the sign of its gradient.

    Enhancing The Reliability of Out-of-distribution Image Detection in Neural Networks (Liang, Li and Srikant, ICLR
    2018, equations 1 and 2). Takes two further forward passes and one backward.

    Args:
        noise: size of the move in units of the network's input, which has usually been normalised (paper: 0.0014 for
            DenseNet on CIFAR-10, of pixels in [0, 1]).
        temperature: of the softmax (paper: 1000).
    """

    def __init__(self, noise: float = 0.0014, temperature: float = 1000.0):
        self.library = library()
        self.noise, self.temperature = noise, temperature

    def __call__(self, model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        name = getattr(model, "main_input_name", "pixel_values")
        if not torch.is_floating_point(inputs[name]):
            raise ValueError(f"The score 'odin' moves inputs along a gradient, and {name!r} are no real numbers.")

        with torch.inference_mode(False):
            # Gradients cannot pass through what was made in inference mode.
            inputs = {key: value.clone() for key, value in inputs.items()}

            def network(moved: Tensor) -> Tensor:
                return model(**{**inputs, name: moved})["logits"].float()

            odin = self.library.ODIN(network, eps=self.noise, temperature=self.temperature)
            return odin.predict(inputs[name])
