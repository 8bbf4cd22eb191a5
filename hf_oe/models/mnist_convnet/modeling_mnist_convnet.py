"""The MNIST network of the Outlier Exposure authors' code, with its parameter names; 21,840 parameters.

Only torch, transformers and this folder are imported: the file travels with a saved model.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutputWithNoAttention

from .configuration_mnist_convnet import MnistConvNetConfig


class SigmoidGELU(nn.Module):
    """`x sigmoid(1.702 x)`, the sigmoid approximation of the GELU (Hendrycks and Gimpel 2016, section 2)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class MnistConvNetTrunk(nn.Module):
    """Two convolutions and two linear layers for 28×28 images.

    Args:
        num_classes: 0 leaves out the last linear layer: the output is then the 50 hidden units.
        in_channels: channels of the image.
        dropout: probability of dropping a channel of the second convolution.
    """

    num_features = 20
    head_hidden_size = 50

    def __init__(self, num_classes: int, in_channels: int = 1, dropout: float = 0.5) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 10, 5)
        self.pool1 = nn.MaxPool2d(2)
        self.act1 = SigmoidGELU()
        self.conv2 = nn.Conv2d(10, self.num_features, 5)
        self.dropout = nn.Dropout2d(dropout)
        self.pool2 = nn.MaxPool2d(2)
        self.act2 = SigmoidGELU()
        self.fc1 = nn.Linear(4 * 4 * self.num_features, self.head_hidden_size)
        self.act3 = SigmoidGELU()
        self.fc2 = nn.Linear(self.head_hidden_size, num_classes) if num_classes > 0 else nn.Identity()

    def forward_features(self, x: Tensor) -> Tensor:
        """`(batch, channels, 28, 28)` to `(batch, 20, 4, 4)`; raises `ValueError` for images of another size."""
        if x.shape[-2:] != (28, 28):
            raise ValueError(
                f"This network takes images of 28x28 pixels, got {x.shape[-2]}x{x.shape[-1]}: resize them."
            )
        x = self.act1(self.pool1(self.conv1(x)))
        return self.act2(self.pool2(self.dropout(self.conv2(x))))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Feature map to logits `(batch, num_classes)`, or to the hidden units `(batch, 50)` with `pre_logits`."""
        x = self.act3(self.fc1(x.flatten(1)))
        return x if pre_logits else self.fc2(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


class MnistConvNetForImageClassification(PreTrainedModel):
    """The classifier of the paper's MNIST experiments (Appendix A).

    Example:
        >>> model = MnistConvNetForImageClassification(MnistConvNetConfig(num_labels=10))
        >>> model(torch.rand(2, 1, 28, 28)).logits.shape
        torch.Size([2, 10])
    """

    config_class = MnistConvNetConfig
    base_model_prefix = "mnist_convnet"
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    accepts_loss_kwargs = False

    def __init__(self, config: MnistConvNetConfig) -> None:
        super().__init__(config)
        self.mnist_convnet = MnistConvNetTrunk(config.num_labels, config.num_channels, config.dropout)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()

    def forward(
        self,
        pixel_values: Tensor,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> ImageClassifierOutputWithNoAttention | tuple[Tensor, ...]:
        """Classifies images.

        Args:
            pixel_values: float `(batch, num_channels, 28, 28)`, in [0, 1] in the paper.
            labels: int64 `(batch,)`; rows with -100 do not count in the loss, the mean cross entropy.
            output_hidden_states: whether to return the hidden units `(batch, 50)` that the last layer sees, as the
                only one of `hidden_states`.
            return_dict: False for a plain tuple.

        Raises:
            ValueError: if the images are not 28×28.
        """
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        if return_dict is None:
            return_dict = self.config.return_dict
        features = self.mnist_convnet.forward_head(self.mnist_convnet.forward_features(pixel_values), pre_logits=True)
        logits = self.mnist_convnet.fc2(features)
        output = ImageClassifierOutputWithNoAttention(
            loss=None if labels is None else F.cross_entropy(logits, labels, ignore_index=-100),
            logits=logits,
            hidden_states=(features,) if output_hidden_states else None,
        )
        return output if return_dict else output.to_tuple()
