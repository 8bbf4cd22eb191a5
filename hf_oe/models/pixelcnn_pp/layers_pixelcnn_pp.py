"""Layers of PixelCNN++: causal convolutions with weight normalisation, and gated residual blocks of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .logistic_mixture import LOG2_E


class Margin(NamedTuple):
    """Rows and columns of zeros around feature maps, which a causal convolution looks at beyond their edges."""

    left: int
    right: int
    top: int

    def around(self, x: Tensor) -> Tensor:
        return F.pad(x, (self.left, self.right, self.top, 0))

    def without(self, x: Tensor) -> Tensor:
        return x[..., self.top :, self.left : x.shape[-1] - self.right]

    def clear(self, x: Tensor) -> None:
        x[..., : self.top, :].zero_()
        x[..., : self.left].zero_()
        if self.right:
            x[..., -self.right :].zero_()


def concat_elu(x: Tensor, margin: Margin) -> Tensor:
    """ELU of `x` and of `-x`, one behind the other, with a margin: of `(batch, channels, height, width)`, makes
    `(batch, 2 channels, height + margin, width + margins)`.
    """
    return _ConcatELU.apply(x, margin)


class _ConcatELU(torch.autograd.Function):
    """One exponential for both halves, of `x` and `-x` the negative one, written to where it will be looked at.

    The backward pass needs only the result, which the next convolution keeps anyway.
    """

    @staticmethod
    def forward(ctx, x: Tensor, margin: Margin) -> Tensor:
        batch, channels, height, width = x.shape
        rows, columns = margin.top + height, margin.left + width + margin.right
        # Channels last, which convolutions are fastest with.
        padded = x.new_empty(batch, rows, columns, 2 * channels).permute(0, 3, 1, 2)
        margin.clear(padded)
        own, negated = margin.without(padded).chunk(2, dim=1)
        torch.neg(x, out=negated)
        below = torch.minimum(x, negated).to(torch.promote_types(x.dtype, torch.float32))
        # exp(x) - 1 is exact to the rounding of float32 at 1, and by base 2 takes a twentieth of the time of expm1.
        below = below.mul_(LOG2_E).exp2_().sub_(1).to(x.dtype)
        torch.maximum(x, below, out=own)
        torch.maximum(negated, below, out=negated)
        ctx.save_for_backward(padded)
        ctx.margin = margin
        return padded

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (padded,) = ctx.saved_tensors
        result, gradient = ctx.margin.without(padded), ctx.margin.without(gradient)
        own, negated = torch.ops.aten.elu_backward(gradient, 1, 1, 1, True, result).chunk(2, dim=1)
        return own - negated, None


class Stream:
    """A stream's feature maps, and their concat-ELU, which up to four layers take: it is made once, by the first."""

    def __init__(self, value: Tensor, right: bool) -> None:
        self.value = value
        self.margin = causal_margin(_kernel_size(right), right)

    @cached_property
    def activated(self) -> Tensor:
        return concat_elu(self.value, self.margin)


def _kernel_size(right: bool) -> tuple[int, int]:
    """Of the convolutions of the right or the down stream."""
    return (2, 2) if right else (2, 3)


def causal_margin(kernel_size: tuple[int, int], right: bool) -> Margin:
    """Of a kernel that ends at its place's row, and whose columns are centred there or, if `right`, end there."""
    rows, columns = kernel_size
    return Margin(columns - 1, 0, rows - 1) if right else Margin(columns // 2, columns // 2, rows - 1)


class WeightNormalised(nn.Module):
    """Parameters of a convolution: the direction of each filter, its length (gain), and a bias.

    Args:
        filter_shape: of `weight`, whose axis `out_axis` numbers the filters.
        initial_scale: standard deviation of the output after data-dependent initialisation.
    """

    def __init__(self, filter_shape: Sequence[int], out_axis: int = 0, initial_scale: float = 1.0) -> None:
        super().__init__()
        self.initial_scale = initial_scale
        self.out_axis = out_axis
        self.weight = nn.Parameter(torch.empty(*filter_shape))
        self.gain = nn.Parameter(torch.empty(filter_shape[out_axis]))
        self.bias = nn.Parameter(torch.empty(filter_shape[out_axis]))
        self._kept: Tensor | None = None

    def filters(self) -> Tensor:
        """The filters at their lengths, in the shape of `weight`."""
        if self._kept is not None:
            return self._kept
        shape = [-1 if axis == self.out_axis else 1 for axis in range(4)]
        # What torch.nn.utils.weight_norm calls: one operation each way.
        return torch._weight_norm(self.weight, self.gain.view(shape), self.out_axis)


@contextmanager
def filters_kept(model: nn.Module) -> Iterator[None]:
    """Normalises all filters once for the many forward passes of the block, none of which may be trained on."""
    layers = [module for module in model.modules() if isinstance(module, WeightNormalised)]
    for layer in layers:
        layer._kept = layer.filters().detach()
    try:
        yield
    finally:
        for layer in layers:
            layer._kept = None


class CausalConv2d(WeightNormalised):
    """Convolution that sees no row below its place and, if `right`, no column to the right of it.

    Its input has the margin `self.margin` already.

    Args:
        kernel_size: rows and columns, see `causal_margin`.
        stride: 1, or 2 to halve the resolution (rounded up).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        right: bool,
        stride: int = 1,
        initial_scale: float = 1.0,
    ) -> None:
        super().__init__((out_channels, in_channels, *kernel_size), initial_scale=initial_scale)
        self.margin = causal_margin(kernel_size, right)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.filters(), self.bias, self.stride)


class UpsamplingConv2d(WeightNormalised):
    """Transposed causal convolution of stride 2, with kernels of 2 rows."""

    def __init__(self, channels: int, columns: int) -> None:
        super().__init__((channels, channels, 2, columns), out_axis=1)
        self.padding = (0, (columns - 1) // 2)

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """To the feature maps' `size` before they were halved, rows and columns."""
        x = F.conv_transpose2d(x, self.filters(), self.bias, 2, self.padding, output_padding=self.padding)
        return x[..., : size[0], : size[1]]


class PointwiseConv2d(WeightNormalised):
    """1×1 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__((out_channels, in_channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.filters(), self.bias)


class SkipConnection(PointwiseConv2d):
    """1×1 convolution of the activations of several streams as the channels of one input, without joining them."""

    def forward(self, *streams: Stream) -> Tensor:
        parts = self.filters().split([stream.activated.shape[1] for stream in streams], dim=1)
        biases = [self.bias] + [None] * (len(streams) - 1)
        # Leaving the margin out before would copy, which takes longer than to convolve it.
        outs = [
            stream.margin.without(F.conv2d(stream.activated, filters, bias))
            for stream, filters, bias in zip(streams, parts, biases, strict=True)
        ]
        for out in outs[1:]:
            outs[0].add_(out)
        return outs[0]


class Dropout(nn.Module):
    """Dropout with a probability of so many 256ths, from one random byte an element.

    torch's own draws a random float each, which takes a fifth of a training step on a CPU.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.dropped = round(256 * probability)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.dropped == 0:
            return x
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=x.device).random_(-(2**63), None)
        # Compared as numbers of the kind that `x` holds, since comparing bytes takes several times as long.
        kept = words.view(torch.uint8)[: x.numel()].to(x.dtype).ge_(self.dropped)
        # In the memory layout of `x`, which is dense.
        return x * kept.mul_(256 / (256 - self.dropped)).as_strided(x.shape, x.stride())


class GatedBlock(nn.Module):
    """Residual block: two causal convolutions, a skip connection into the first, and a gate on the second.

    Args:
        channels: of the stream.
        right: whether the stream sees pixels to the left in its own row, too (2×2 kernels instead of 2×3).
        num_skips: number of streams that enter by the skip connection.
        dropout: see `Dropout`.
        num_classes: 0 for no conditioning.
    """

    def __init__(self, channels: int, right: bool, num_skips: int, dropout: float, num_classes: int) -> None:
        super().__init__()
        self.right = right
        kernel_size = _kernel_size(right)
        self.conv_in = CausalConv2d(2 * channels, channels, kernel_size, right)
        self.skip = SkipConnection(2 * num_skips * channels, channels) if num_skips else None
        self.dropout = Dropout(dropout)
        self.conv_out = CausalConv2d(2 * channels, 2 * channels, kernel_size, right, initial_scale=0.1)
        self.class_bias = nn.Linear(num_classes, 2 * channels, bias=False) if num_classes else None

    def forward(self, stream: Stream, skips: Sequence[Stream], one_hot: Tensor | None) -> Stream:
        hidden = self.conv_in(stream.activated)
        if self.skip is not None:
            hidden = hidden + self.skip(*skips)
        hidden = self.conv_out(self.dropout(concat_elu(hidden, self.conv_out.margin)))
        if self.class_bias is not None and one_hot is not None:
            hidden = hidden + self.class_bias(one_hot)[..., None, None]
        return Stream(F.glu(hidden, dim=1).add_(stream.value), self.right)


class BlockPair(nn.Module):
    """A block of the down stream, which sees the rows above, and one of the right stream, which sees it, too.

    Args:
        with_skips: whether the block is on the way back up and takes in what the way down left at its resolution.
    """

    def __init__(self, channels: int, with_skips: bool, dropout: float, num_classes: int) -> None:
        super().__init__()
        self.down = GatedBlock(channels, False, int(with_skips), dropout, num_classes)
        self.right = GatedBlock(channels, True, 1 + int(with_skips), dropout, num_classes)

    def forward(
        self, streams: tuple[Stream, Stream], skips: Sequence[Stream], one_hot: Tensor | None
    ) -> tuple[Stream, Stream]:
        down = self.down(streams[0], skips[:1], one_hot)
        return down, self.right(streams[1], [down, *skips[1:]], one_hot)
