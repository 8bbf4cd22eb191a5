"""The mixture of discretized logistics that PixelCNN++ puts on a pixel (Salimans et al., ICLR 2017, section 2).

Pixels are float `(batch, channels, height, width)` in [-1, 1], with 256 levels a channel; grey images have one,
coloured ones three. The mixture's parameters are float `(batch, size, height, width)`, of `size`
`parameters_per_mixture(channels) * mixtures`: logits, then for each channel means, log-scales and, in colour,
coefficients, as many of each as mixtures. The coefficients make the mean of green depend on red (those in the place of
red), and that of blue on red and green (those in the places of green and blue).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

_HALF_BIN = 1 / 255
_MIN_LOG_SCALE = -7.0
_PIXELS_AT_ONCE = 8192
LOG2_E = math.log2(math.e)


def parameters_per_mixture(num_channels: int) -> int:
    """How many numbers describe one logistic of the mixture: 3 for grey pixels, 10 for coloured ones."""
    return 3 if num_channels == 1 else 1 + 3 * num_channels


def mixture_log_likelihood(parameters: Tensor, pixels: Tensor) -> Tensor:
    """Log-likelihood of each pixel in nats, all channels together, float32 `(batch, height, width)`.

    Computed in float32, a few images at a time, and differentiable once with respect to `parameters`: the gradient is
    computed on the way, so that nothing but it, of the size of `parameters`, is kept for the backward pass.
    """
    return _LogLikelihood.apply(parameters, pixels)


class _LogLikelihood(torch.autograd.Function):
    @staticmethod
    def forward(ctx, parameters: Tensor, pixels: Tensor) -> Tensor:
        images_at_once = max(1, _PIXELS_AT_ONCE // pixels[0, 0].numel())
        values, gradients = [], []
        for part, part_pixels in zip(parameters.split(images_at_once), pixels.split(images_at_once), strict=True):
            # Not in the convolutions' layout, in which each kind of parameter is scattered.
            part = part.to(torch.float32, memory_format=torch.contiguous_format)
            part_pixels = part_pixels.to(torch.float32, memory_format=torch.contiguous_format)
            *_, joint = component_log_probabilities(part, part_pixels)
            values.append(joint.logsumexp(dim=1))
            if ctx.needs_input_grad[0]:
                gradients.append(_gradient(part, part_pixels, joint.softmax(dim=1)).to(parameters.dtype))
        if gradients:
            ctx.save_for_backward(torch.cat(gradients))
        return torch.cat(values)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (own,) = ctx.saved_tensors
        return own * gradient.unsqueeze(1).to(own.dtype), None


def _split(parameters: Tensor, num_channels: int) -> tuple[Tensor, Tensor]:
    """Logits `(batch, mixtures, height, width)`, and the rest `(batch, channels, kinds, mixtures, height, width)`."""
    mixtures = parameters.shape[1] // parameters_per_mixture(num_channels)
    kinds = 2 if num_channels == 1 else 3
    return parameters[:, :mixtures], parameters[:, mixtures:].unflatten(1, (num_channels, kinds, mixtures))


def _coefficients(channel: int, values: list[Tensor]) -> Iterator[tuple[int, Tensor]]:
    """Where the coefficients are that a channel's means depend on earlier channels by, and the values of those."""
    return enumerate(values[:channel], start=channel * (channel - 1) // 2)


def _mean(own: Tensor, channel: int, values: list[Tensor]) -> Tensor:
    """Means of a channel's logistics given the earlier of the pixel's `values`, each `(batch, 1, height, width)`."""
    mean = own[:, channel, 0]
    for place, value in _coefficients(channel, values):
        mean = mean + own[:, place, 2].tanh() * value
    return mean


def component_log_probabilities(parameters: Tensor, pixels: Tensor) -> Iterator[Tensor]:
    """For each channel the log-probability of a mixture component and all channels up to this one.

    Yields `(batch, mixtures, height, width)` in nats; the last one's `logsumexp` over components is the likelihood.
    """
    num_channels = pixels.shape[1]
    logits, own = _split(parameters, num_channels)
    joint = logits.log_softmax(dim=1)
    values = list(pixels.split(1, dim=1))
    for channel, value in enumerate(values):
        mean = _mean(own, channel, values)
        joint = joint + discretized_logistic_log_probability(value, mean, own[:, channel, 1])
        yield joint


def discretized_logistic_log_probability(pixels: Tensor, means: Tensor, log_scales: Tensor) -> Tensor:
    """Log of the mass that a logistic puts on the bin of each pixel, in nats; the 256 bins share all of it.

    The difference of the distribution function at the bin's edges a > b is sigmoid(a) sigmoid(-b) (1 - exp(b - a)),
    whose logarithm is exact and has a finite gradient however small the mass is; the authors' code goes over to the
    density in the middle of the bin instead where the mass is below 1e-5. The bins at both ends reach to infinity.
    """
    log_scales = log_scales.clamp(min=_MIN_LOG_SCALE)
    inverse_scales, above, below, ends_above, ends_below = _bins(pixels, means, log_scales)
    # -log(sigmoid(a) sigmoid(-b)), from exponentials that cannot overflow.
    missed = torch.log((1 + ends_above * _exp(-above.abs())) * (1 + ends_below * _exp(-below.abs())))
    missed = missed + ends_above * F.relu(-above) + ends_below * F.relu(below)
    width = _log_one_minus_exp(2 * _HALF_BIN * inverse_scales, log_scales)
    return ends_above * ends_below * width - missed


def _exp(x: Tensor) -> Tensor:
    """By base 2, which on CPUs takes half of the time."""
    return torch.exp2(x * LOG2_E)


def _bins(pixels: Tensor, means: Tensor, log_scales: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Inverse scales, then the upper and the lower edges of the pixels' bins in units of the scales, then whether the
    bins end there: 1, or 0 where they reach to infinity.
    """
    inverse_scales = _exp(-log_scales)
    centred = pixels - means
    above = inverse_scales * (centred + _HALF_BIN)
    below = inverse_scales * (centred - _HALF_BIN)
    return inverse_scales, above, below, (pixels <= 0.999).to(pixels.dtype), (pixels >= -0.999).to(pixels.dtype)


def _logistic_slopes(pixels: Tensor, means: Tensor, log_scales: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of `discretized_logistic_log_probability` with respect to means and log-scales."""
    clamped = log_scales.clamp(min=_MIN_LOG_SCALE)
    inverse_scales, above, below, ends_above, ends_below = _bins(pixels, means, clamped)
    slope_above = torch.sigmoid(-above).mul_(ends_above)
    slope_below = torch.sigmoid(below).mul_(ends_below)
    by_mean = (slope_below - slope_above) * inverse_scales
    # Only bins that end on both sides have a width; its part tends to 1 as the width does to 0.
    width = (2 * _HALF_BIN * inverse_scales).clamp(min=1e-30)
    by_width = (width / torch.expm1(width)).mul_(ends_above * ends_below)
    by_log_scale = below * slope_below - above * slope_above - by_width
    return by_mean, by_log_scale.mul_((log_scales >= _MIN_LOG_SCALE).to(log_scales.dtype))


def _gradient(parameters: Tensor, pixels: Tensor, responsibilities: Tensor) -> Tensor:
    """Of the log-likelihood of each pixel with respect to its parameters, in the shape of `parameters`.

    Args:
        responsibilities: `(batch, mixtures, height, width)`, the probability that a component made the pixel.
    """
    gradient = torch.zeros_like(parameters)
    logits, own = _split(parameters, pixels.shape[1])
    by_logits, by_own = _split(gradient, pixels.shape[1])
    torch.sub(responsibilities, logits.softmax(dim=1), out=by_logits)
    values = list(pixels.split(1, dim=1))
    for channel, value in enumerate(values):
        mean = _mean(own, channel, values)
        by_mean, by_log_scale = _logistic_slopes(value, mean, own[:, channel, 1])
        by_mean *= responsibilities
        by_own[:, channel, 0] = by_mean
        torch.mul(by_log_scale, responsibilities, out=by_own[:, channel, 1])
        for place, earlier in _coefficients(channel, values):
            by_own[:, place, 2] = by_mean * earlier * (1 - own[:, place, 2].tanh().square())
    return gradient


def _log_one_minus_exp(width: Tensor, log_scales: Tensor) -> Tensor:
    """log(1 - exp(-width)) for bins of `width` = 2/255 exp(-log_scales), also where that is close to 0."""
    # The first terms of the series, exact to float32 as far as the difference below loses digits.
    small = math.log(2 * _HALF_BIN) - log_scales - width / 2 + width.square() / 24
    return torch.where(width < 0.1, small, torch.log(1 - _exp(-width.clamp(min=0.1))))


def sample_from_mixture(parameters: Tensor, num_channels: int, generator: torch.Generator | None = None) -> Tensor:
    """Draws one pixel for each place, float32 `(batch, channels, height, width)` on the 256 levels of [-1, 1]."""
    logits, own = _split(parameters.float(), num_channels)
    uniform = _uniform_like(logits, generator)
    chosen = (logits - torch.log(-torch.log(uniform))).argmax(dim=1, keepdim=True)
    own = own.gather(3, chosen[:, None, None].expand(-1, *own.shape[1:3], -1, -1, -1))
    values: list[Tensor] = []
    for channel in range(num_channels):
        scale = own[:, channel, 1].clamp(min=_MIN_LOG_SCALE).exp()
        uniform = _uniform_like(scale, generator)
        value = _mean(own, channel, values) + scale * (torch.log(uniform) - torch.log1p(-uniform))
        levels = ((value.clamp(-1, 1) + 1) * 127.5).round()
        values.append(levels / 127.5 - 1)
    return torch.cat(values, dim=1)


def _uniform_like(values: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform on the open interval (0, 1), so that its logarithms are finite."""
    uniform = torch.rand(values.shape, generator=generator, device=values.device)
    return uniform.clamp(1e-5, 1 - 1e-5)
