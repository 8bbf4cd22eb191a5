"""DCGAN (Radford, Metz and Chintala 2016, "Unsupervised Representation Learning with Deep Convolutional GANs").

Only torch, transformers and this folder are imported: the file travels with a saved model.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from .configuration_dcgan import DCGANConfig


class _DCGAN(PreTrainedModel):
    """What both networks have in common: the configuration and the paper's initialisation."""

    config_class = DCGANConfig
    base_model_prefix = "dcgan"
    accepts_loss_kwargs = False

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
            nn.init.normal_(module.weight, 1.0, 0.02)


class DCGANGenerator(_DCGAN):
    """From noise to images in a classifier's input space.

    Example:
        >>> generator = DCGANGenerator(DCGANConfig(image_size=28, num_channels=1))
        >>> generator(generator.noise(8)).shape
        torch.Size([8, 1, 28, 28])
    """

    main_input_name = "latents"

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__(config)
        widths = [config.base_channels * 2**level for level in range(config.halvings, 0, -1)]
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(config.latent_size, widths[0], config.image_size // 2**config.halvings, bias=False)
        ]
        for width, narrower in zip(widths, widths[1:], strict=False):
            layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.ConvTranspose2d(width, narrower, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(), nn.ConvTranspose2d(widths[-1], config.num_channels, 4, 2, 1)]
        self.layers = nn.Sequential(*layers)
        self.post_init()

    def noise(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal latents `(count, latent_size)` on the model's device, by default of the global generator."""
        return torch.randn(count, self.config.latent_size, generator=generator, device=self.device)

    def forward(self, latents: Tensor) -> Tensor:
        """`(batch, latent_size)` to `(batch, num_channels, image_size, image_size)`, normalised by mean and std."""
        pixels = self.layers(latents[:, :, None, None]).sigmoid()
        mean, std = (pixels.new_tensor(values).view(-1, 1, 1) for values in (self.config.mean, self.config.std))
        return (pixels - mean) / std


class DCGANDiscriminator(_DCGAN):
    """From images to one logit each, positive for those that it takes for real."""

    main_input_name = "pixel_values"

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__(config)
        widths = [config.base_channels * 2**level for level in range(config.halvings)]
        layers: list[nn.Module] = [nn.Conv2d(config.num_channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for width, wider in zip(widths, widths[1:], strict=False):
            layers += [nn.Conv2d(width, wider, 4, 2, 1, bias=False), nn.BatchNorm2d(wider), nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(widths[-1], 1, config.image_size // 2**config.halvings)]
        self.layers = nn.Sequential(*layers)
        self.post_init()

    def forward(self, pixel_values: Tensor) -> Tensor:
        """`(batch, num_channels, image_size, image_size)` to `(batch,)`."""
        return self.layers(pixel_values).flatten()
