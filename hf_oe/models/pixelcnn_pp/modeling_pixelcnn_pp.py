"""PixelCNN++ (Salimans, Karpathy, Chen and Kingma, ICLR 2017, https://arxiv.org/abs/1701.05517).

An autoregressive density of images: each pixel's distribution depends on the rows above and the pixels to its left.
The whole folder imports only torch, transformers and itself: it travels with a saved model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput
from transformers.utils.logging import tqdm

from .configuration_pixelcnn_pp import PixelCNNPPConfig
from .layers_pixelcnn_pp import (
    BlockPair,
    CausalConv2d,
    PointwiseConv2d,
    Stream,
    UpsamplingConv2d,
    WeightNormalised,
    filters_kept,
)
from .logistic_mixture import mixture_log_likelihood, parameters_per_mixture, sample_from_mixture


@dataclass
class PixelCNNPPOutput(ModelOutput):
    """Log-likelihoods, all float32.

    Attributes:
        loss: mean of `bits_per_dim`, a scalar.
        bits_per_dim: `(batch,)`, negative log-likelihood in bits divided by the number of pixels and channels.
        log_likelihood: `(batch,)`, of the image, in nats.
        per_pixel: `(batch, height, width)`, log-likelihood of each pixel given the earlier ones, in nats.
    """

    loss: Tensor | None = None
    bits_per_dim: Tensor | None = None
    log_likelihood: Tensor | None = None
    per_pixel: Tensor | None = None


def _both_streams(down: Tensor, right: Tensor) -> tuple[Stream, Stream]:
    return Stream(down, right=False), Stream(right, right=True)


class PixelCNNPPTrunk(nn.Module):
    """From pixels to feature maps that see the earlier pixels only, at three resolutions."""

    def __init__(self, config: PixelCNNPPConfig) -> None:
        super().__init__()
        filters, seen = config.filters, config.num_channels + 1
        self.above = CausalConv2d(seen, filters, (2, 3), right=False)
        self.row_above = CausalConv2d(seen, filters, (1, 3), right=False)
        self.left = CausalConv2d(seen, filters, (2, 1), right=True)

        def pairs(count: int, with_skips: bool) -> nn.ModuleList:
            return nn.ModuleList(
                BlockPair(filters, with_skips, config.dropout, config.num_classes) for _ in range(count)
            )

        self.shrinking = nn.ModuleList(pairs(config.blocks, False) for _ in range(3))
        self.growing = nn.ModuleList(pairs(config.blocks + (stage > 0), True) for stage in range(3))
        self.downsample = nn.ModuleList(
            nn.ModuleList(CausalConv2d(filters, filters, (2, 2 if right else 3), right, 2) for right in (False, True))
            for _ in range(2)
        )
        self.upsample = nn.ModuleList(
            nn.ModuleList(UpsamplingConv2d(filters, columns) for columns in (3, 2)) for _ in range(2)
        )

    def _first(self, pixels: Tensor) -> tuple[Stream, Stream]:
        """Shifted by one row or column, so that no place sees its own pixel."""
        # A constant channel tells the border, where it is padded with zeros, from grey pixels.
        seen = F.pad(pixels, (0, 0, 0, 0, 0, 1), value=1.0)
        # All feature maps follow in this layout, in which convolutions are fastest.
        seen = seen.contiguous(memory_format=torch.channels_last)
        above, row_above, left = (conv(conv.margin.around(seen)) for conv in (self.above, self.row_above, self.left))
        right = F.pad(row_above, (0, 0, 1, -1)) + F.pad(left, (1, -1))
        return _both_streams(F.pad(above, (0, 0, 1, -1)), right)

    def forward(self, pixels: Tensor, one_hot: Tensor | None = None) -> Tensor:
        """`(batch, num_channels, height, width)` in [-1, 1] to `(batch, filters, height, width)`.

        Args:
            one_hot: float `(batch, num_classes)`, a row of zeros where the class is unknown.
        """
        streams = self._first(pixels)
        passed = [streams]
        for stage, pairs in enumerate(self.shrinking):
            if stage > 0:
                values = [
                    conv(conv.margin.around(stream.value))
                    for conv, stream in zip(self.downsample[stage - 1], streams, strict=True)
                ]
                streams = _both_streams(*values)
                passed.append(streams)
            for pair in pairs:
                streams = pair(streams, (), one_hot)
                passed.append(streams)
        streams = passed.pop()
        for stage, pairs in enumerate(self.growing):
            if stage > 0:
                size = passed[-1][0].value.shape[2:]
                values = [
                    conv(stream.value, size) for conv, stream in zip(self.upsample[stage - 1], streams, strict=True)
                ]
                streams = _both_streams(*values)
            for pair in pairs:
                streams = pair(streams, passed.pop(), one_hot)
        return streams[1].value


class PixelCNNPPModel(PreTrainedModel):
    """PixelCNN++: the paper's density of images (section 4.3), and a sampler from it.

    Call `initialize_from_batch` before training from scratch.

    Example:
        >>> model = PixelCNNPPModel(PixelCNNPPConfig(image_size=8, filters=16, blocks=1))
        >>> model(torch.rand(4, 3, 8, 8) * 2 - 1).bits_per_dim.shape
        torch.Size([4])
    """

    config_class = PixelCNNPPConfig
    base_model_prefix = "pixelcnn_pp"
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    accepts_loss_kwargs = False
    _no_split_modules = ["BlockPair"]

    def __init__(self, config: PixelCNNPPConfig) -> None:
        super().__init__(config)
        self.pixelcnn_pp = PixelCNNPPTrunk(config)
        size = parameters_per_mixture(config.num_channels) * config.mixtures
        self.head = PointwiseConv2d(config.filters, size)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """The authors' start, from which `initialize_from_batch` sets gains and biases."""
        if isinstance(module, WeightNormalised):
            nn.init.normal_(module.weight, std=0.05)
            nn.init.ones_(module.gain)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.05)

    @torch.no_grad()
    def initialize_from_batch(self, pixel_values: Tensor, class_ids: Tensor | None = None) -> None:
        """Data-dependent initialisation (Salimans and Kingma 2016): every layer's output gets mean 0 and variance 1.

        The last convolution of a residual block gets a standard deviation of 0.1. One pass, in training mode.

        Args:
            pixel_values, class_ids: a batch of training examples, as `forward` takes them.
        """

        def normalise(layer: WeightNormalised, _: Any, output: Tensor) -> Tensor:
            variance, mean = torch.var_mean(output, dim=(0, 2, 3), correction=0)
            # In small images the coarsest maps hold nothing but what sees no pixel: a constant stays as it is.
            factor = torch.where(variance > 1e-6, layer.initial_scale * torch.rsqrt(variance), 1.0)
            layer.gain.mul_(factor)
            layer.bias.sub_(mean).mul_(factor)
            return (output - mean[:, None, None]) * factor[:, None, None]

        layers = [module for module in self.modules() if isinstance(module, WeightNormalised)]
        hooks = [layer.register_forward_hook(normalise) for layer in layers]
        was_training = self.training
        try:
            self.train()(pixel_values, class_ids)
        finally:
            self.train(was_training)
            for hook in hooks:
                hook.remove()

    def forward(
        self,
        pixel_values: Tensor,
        class_ids: Tensor | None = None,
        return_loss: bool = True,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> PixelCNNPPOutput | tuple[Tensor, ...]:
        """Evaluates the density.

        Args:
            pixel_values: float `(batch, num_channels, height, width)` in [-1, 1], pixels `p` of 256 levels as
                `p / 127.5 - 1`.
            class_ids: int64 `(batch,)`, of a model with classes; negative, or `None`, where the class is unknown. It
                is not called `labels`, so that a Trainer does not tell the model the class of in-distribution
                examples alone.
            return_loss: whether to add the loss, on which the Trainer relies.
            return_dict: False for a plain tuple.
        """
        if return_dict is None:
            return_dict = self.config.return_dict
        per_pixel = mixture_log_likelihood(self._parameters_of(pixel_values, class_ids), pixel_values)
        log_likelihood = per_pixel.sum(dim=(1, 2))
        bits_per_dim = log_likelihood / (-math.log(2) * pixel_values[0].numel())
        output = PixelCNNPPOutput(
            loss=bits_per_dim.mean() if return_loss else None,
            bits_per_dim=bits_per_dim,
            log_likelihood=log_likelihood,
            per_pixel=per_pixel,
        )
        return output if return_dict else output.to_tuple()

    def _parameters_of(self, pixel_values: Tensor, class_ids: Tensor | None) -> Tensor:
        """Parameters of the mixture at each place, see `logistic_mixture`."""
        if class_ids is not None and not self.config.num_classes:
            raise ValueError("`class_ids` are given, but the model has no classes: set `num_classes` in its config.")
        one_hot = None
        if class_ids is not None:
            one_hot = F.one_hot(class_ids.clamp(min=0), self.config.num_classes).to(pixel_values.dtype)
            one_hot = one_hot * (class_ids >= 0).unsqueeze(1)
        return self.head(F.elu(self.pixelcnn_pp(pixel_values.to(self.dtype), one_hot)))

    @torch.no_grad()
    def sample(
        self,
        num_images: int,
        class_ids: Tensor | None = None,
        generator: torch.Generator | None = None,
        progress: bool = True,
    ) -> Tensor:
        """Draws images pixel by pixel, one forward pass each.

        Args:
            class_ids: int64 `(num_images,)`, see `forward`.
            generator: of the model's device.
            progress: whether to show a progress bar.

        Returns:
            float32 `(num_images, num_channels, image_size, image_size)` in [-1, 1], on the 256 levels.
        """
        channels, size = self.config.num_channels, self.config.image_size
        images = torch.zeros(num_images, channels, size, size, device=self.device)
        was_training = self.training
        self.eval()
        with filters_kept(self):
            for place in tqdm(range(size * size), desc="Sampling pixels", disable=not progress):
                row, column = divmod(place, size)
                # The rows below are not seen by this one.
                parameters = self._parameters_of(images[:, :, : row + 1], class_ids)[..., row : row + 1, column, None]
                images[:, :, row, column] = sample_from_mixture(parameters, channels, generator)[..., 0, 0]
        self.train(was_training)
        return images
