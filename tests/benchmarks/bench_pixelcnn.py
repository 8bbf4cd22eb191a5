"""PixelCNN++ against a straightforward port: images a second of a training step and of evaluation, and peak memory.

    python -m tests.benchmarks.bench_pixelcnn [--filters 32 --blocks 2 --image_size 16 --batch_size 64]

The port is written as the paper reads: weight normalisation as a parametrization that every forward pass computes,
padding and shifting by copies, each layer's activation made where it is needed, torch's dropout, and a likelihood that
holds pixels × mixtures × channels at every step. It has the same parameters; `tests/models/test_pixelcnn_pp.py` checks
that both give the same likelihoods.
"""

from __future__ import annotations

import argparse
import itertools
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from hf_oe.models.pixelcnn_pp import PixelCNNPPConfig, PixelCNNPPModel

from .memory import peak_mib
from .results import Result, table
from .timing import median_seconds


def concat_elu(x: Tensor) -> Tensor:
    return F.elu(torch.cat([x, -x], dim=1))


class PaddedConv(nn.Module):
    """Sees the rows above and either both sides or the left one."""

    def __init__(self, in_channels, out_channels, kernel_size, right, stride=1):
        super().__init__()
        rows, columns = kernel_size
        beside = columns - 1 if right else columns // 2
        self.padding = (beside, 0 if right else beside, rows - 1, 0)
        self.conv = weight_norm(nn.Conv2d(in_channels, out_channels, kernel_size, stride))

    def forward(self, x):
        return self.conv(F.pad(x, self.padding))


class CroppedDeconv(nn.Module):
    def __init__(self, channels, columns):
        super().__init__()
        self.crop = (columns - 1) // 2
        deconv = nn.ConvTranspose2d(channels, channels, (2, columns), 2, output_padding=1)
        self.conv = weight_norm(deconv, dim=1)

    def forward(self, x):
        x = self.conv(x)
        return x[:, :, :-1, self.crop : x.shape[-1] - 1]


class Block(nn.Module):
    def __init__(self, channels, right, num_skips, dropout):
        super().__init__()
        kernel_size = (2, 2) if right else (2, 3)
        self.conv_in = PaddedConv(2 * channels, channels, kernel_size, right)
        self.skip = weight_norm(nn.Conv2d(2 * num_skips * channels, channels, 1)) if num_skips else None
        self.dropout = nn.Dropout(dropout)
        self.conv_out = PaddedConv(2 * channels, 2 * channels, kernel_size, right)

    def forward(self, x, skip=None):
        hidden = self.conv_in(concat_elu(x))
        if self.skip is not None:
            hidden = hidden + self.skip(concat_elu(skip))
        value, gate = self.conv_out(self.dropout(concat_elu(hidden))).chunk(2, dim=1)
        return x + value * torch.sigmoid(gate)


class Pair(nn.Module):
    def __init__(self, channels, with_skips, dropout):
        super().__init__()
        self.down = Block(channels, False, int(with_skips), dropout)
        self.right = Block(channels, True, 1 + int(with_skips), dropout)


class StraightforwardPixelCNNPP(nn.Module):
    """Returns the log-likelihood of each pixel, `(batch, height, width)`."""

    def __init__(self, filters, blocks, mixtures, dropout):
        super().__init__()
        self.mixtures = mixtures
        self.above = PaddedConv(4, filters, (2, 3), right=False)
        self.row_above = PaddedConv(4, filters, (1, 3), right=False)
        self.left = PaddedConv(4, filters, (2, 1), right=True)

        def pairs(count, with_skips):
            return nn.ModuleList(Pair(filters, with_skips, dropout) for _ in range(count))

        self.shrinking = nn.ModuleList(pairs(blocks, False) for _ in range(3))
        self.growing = nn.ModuleList(pairs(blocks + (stage > 0), True) for stage in range(3))
        self.downsample = nn.ModuleList(
            nn.ModuleList(PaddedConv(filters, filters, (2, 2 if right else 3), right, 2) for right in (False, True))
            for _ in range(2)
        )
        self.upsample = nn.ModuleList(
            nn.ModuleList(CroppedDeconv(filters, columns) for columns in (3, 2)) for _ in range(2)
        )
        self.head = weight_norm(nn.Conv2d(filters, 10 * mixtures, 1))

    def forward(self, pixels):
        x = torch.cat([pixels, torch.ones_like(pixels[:, :1])], dim=1)
        above, row_above, left = self.above(x), self.row_above(x), self.left(x)
        zeros = torch.zeros_like(above)
        downs = [torch.cat([zeros[:, :, :1], above[:, :, :-1]], dim=2)]
        row_above = torch.cat([zeros[:, :, :1], row_above[:, :, :-1]], dim=2)
        rights = [row_above + torch.cat([zeros[..., :1], left[..., :-1]], dim=3)]
        for stage, pairs in enumerate(self.shrinking):
            if stage > 0:
                downs.append(self.downsample[stage - 1][0](downs[-1]))
                rights.append(self.downsample[stage - 1][1](rights[-1]))
            for pair in pairs:
                downs.append(pair.down(downs[-1]))
                rights.append(pair.right(rights[-1], downs[-1]))
        down, right = downs.pop(), rights.pop()
        for stage, pairs in enumerate(self.growing):
            if stage > 0:
                down, right = self.upsample[stage - 1][0](down), self.upsample[stage - 1][1](right)
            for pair in pairs:
                down = pair.down(down, downs.pop())
                right = pair.right(right, torch.cat([down, rights.pop()], dim=1))
        return self.log_likelihood(self.head(F.elu(right)), pixels)

    def log_likelihood(self, parameters, pixels):
        parameters, pixels = parameters.permute(0, 2, 3, 1), pixels.permute(0, 2, 3, 1)
        logits, own = parameters[..., : self.mixtures], parameters[..., self.mixtures :].unflatten(-1, (3, 3, -1))
        means, log_scales, coefficients = own[..., 0, :], own[..., 1, :].clamp(min=-7), own[..., 2, :].tanh()
        x = pixels.unsqueeze(-1) + torch.zeros_like(means)
        red, green = x[..., 0, :], x[..., 1, :]
        green_mean = means[..., 1, :] + coefficients[..., 0, :] * red
        blue_mean = means[..., 2, :] + coefficients[..., 1, :] * red + coefficients[..., 2, :] * green
        centred = x - torch.stack([means[..., 0, :], green_mean, blue_mean], dim=-2)
        inverse_scales = torch.exp(-log_scales)
        plus, minus = inverse_scales * (centred + 1 / 255), inverse_scales * (centred - 1 / 255)
        middle = inverse_scales * centred
        mass = torch.sigmoid(plus) - torch.sigmoid(minus)
        density = middle - log_scales - 2 * F.softplus(middle) - math.log(127.5)
        inside = torch.where(mass > 1e-5, mass.clamp(min=1e-12).log(), density)
        upper_edge = torch.where(x > 0.999, -F.softplus(minus), inside)
        channels = torch.where(x < -0.999, plus - F.softplus(plus), upper_edge)
        return torch.logsumexp(channels.sum(dim=-2) + logits.log_softmax(dim=-1), dim=-1)


@dataclass
class Size:
    """Of the networks and of the batch."""

    filters: int = 32
    blocks: int = 2
    image_size: int = 16
    batch_size: int = 64

    def pixels(self) -> Tensor:
        return torch.randint(256, (self.batch_size, 3, self.image_size, self.image_size)).float() / 127.5 - 1

    def models(self) -> dict[str, nn.Module]:
        config = PixelCNNPPConfig(image_size=self.image_size, filters=self.filters, blocks=self.blocks)
        port = StraightforwardPixelCNNPP(config.filters, config.blocks, config.mixtures, config.dropout)
        return {"port": port, "ours": PixelCNNPPModel(config)}


def per_pixel(model: nn.Module, pixels: Tensor) -> Tensor:
    output = model(pixels)
    return output if isinstance(output, Tensor) else output.per_pixel


def training_step(model: nn.Module, pixels: Tensor) -> None:
    model.train()
    model.zero_grad()
    (-per_pixel(model, pixels).mean()).backward()


@torch.inference_mode()
def evaluation(model: nn.Module, pixels: Tensor) -> None:
    per_pixel(model.eval(), pixels)


def peak_in_a_process(size: Size, name: str) -> float:
    """Of one training step, above what the process has before it; each model in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_pixelcnn", "--peak_of", name]
    command += [part for key, value in asdict(size).items() for part in (f"--{key}", str(value))]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def own_peak(size: Size, name: str) -> float:
    model, pixels = size.models()[name], size.pixels()
    before = peak_mib()
    training_step(model, pixels)
    return peak_mib() - before


def results(data_dir: Path | None = None, size: Size | None = None, repeats: int = 7) -> Iterator[Result]:
    size = size or Size()
    peaks = {name: peak_in_a_process(size, name) for name in size.models()}
    pixels = size.pixels()
    for function, mixed in itertools.product((training_step, evaluation), (False, True)):
        calls = {name: partial(function, model, pixels) for name, model in size.models().items()}
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            seconds = median_seconds(calls, repeats)
        name = function.__name__.replace("_", " ") + (", bfloat16" if mixed else "")
        yield Result(f"{name}, images/s", "ours / port", seconds["port"] / seconds["ours"], at_least=1.5)
    yield Result("training step, peak memory", "ours / port", peaks["ours"] / peaks["port"], at_most=1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in asdict(Size()).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--peak_of", help=argparse.SUPPRESS)
    args = parser.parse_args()
    size = Size(**{name: getattr(args, name) for name in asdict(Size())})
    if args.peak_of:
        print(own_peak(size, args.peak_of))
    else:
        print(table(("pixelcnn", result) for result in results(None, size, args.repeats)))


if __name__ == "__main__":
    main()
