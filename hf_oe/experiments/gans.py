"""Table 4 of the paper end to end: a classifier trained with a GAN, then Outlier Exposure of it with real images."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from ..arguments import OETrainingArguments
from ..gan import GANTrainer
from ..models import DCGANConfig
from ..protocols.images import CIFAR10, CIFAR100, DIGITS, MNIST, SVHN, ImageProtocol
from ..protocols.published import PUBLISHED
from .images import ImageExperimentArguments, image_experiment, parse_arguments
from .stages import Stage, check_output_dir, parse_with_config, run_stages

PROTOCOLS = {protocol.name: protocol for protocol in (DIGITS, MNIST, SVHN, CIFAR10, CIFAR100)}
"""In-distribution sets; DCGANs cannot model the diversity of Tiny ImageNet (section 4.2.3)."""


@dataclass
class GANExperimentArguments(ImageExperimentArguments):
    """What the GAN recipe takes besides `OETrainingArguments`."""

    in_distribution: Literal["digits", "mnist", "svhn", "cifar10", "cifar100"] = field(
        default="cifar10",
        metadata={"help": "In-distribution set; digits and its outliers come with installed packages."},
    )
    gan_epochs: float = field(default=100, metadata={"help": "Epochs of classifier and GAN (authors: 100)."})
    gan_learning_rate: float = field(
        default=2e-4, metadata={"help": "Their learning rate, a tenth of it after 60 %% of the steps (authors: 2e-4)."}
    )
    gan_channels: int = field(
        default=64, metadata={"help": "Feature maps of the GAN at full size, doubled at each halving (authors: 64)."}
    )
    beta: float | None = field(
        default=None,
        metadata={"help": "Weight of the classifier's uncertainty on generated images (authors: 1; CIFAR-10: 0.1)."},
    )


def parse_gan_arguments(
    argv: list[str] | None = None,
) -> tuple[ImageProtocol, GANExperimentArguments, OETrainingArguments]:
    """The protocol of `--in_distribution`, and command-line arguments with its defaults."""
    description = "A classifier trained with a GAN, Outlier Exposure of it, and the table of both."
    chosen, _ = parse_with_config(GANExperimentArguments, description, {"output_dir": "runs/gan_oe"}, argv)
    protocol = PROTOCOLS[chosen.in_distribution]
    args, training_args = parse_arguments(protocol, argv, GANExperimentArguments)
    if args.beta is None:
        args.beta = 0.1 if protocol is CIFAR10 else 1.0
    return protocol, args, training_args


def run_gan_experiment(
    protocol: ImageProtocol, args: GANExperimentArguments, training_args: OETrainingArguments
) -> dict[str, Any]:
    """Trains and evaluates the stages `gan` and `oe`, and writes what `run_stages` writes.

    The generator is in the subfolder `gan/generator` of `output_dir`.
    """
    if args.baseline or args.mode == "scratch":
        raise ValueError(
            "`baseline` and `mode` have no effect here: the GAN's classifier is trained, then fine-tuned."
        )
    check_output_dir(training_args)
    experiment = replace(
        image_experiment(protocol, args, training_args), published=PUBLISHED.get((protocol.name, args.protocol, "gan"))
    )
    gan = DCGANConfig(
        image_size=protocol.image_size,
        num_channels=protocol.num_channels,
        base_channels=args.gan_channels,
        mean=protocol.mean,
        std=protocol.std,
    )
    trainer = partial(GANTrainer, gan=gan, beta=args.beta)
    epochs = args.oe_epochs or training_args.num_train_epochs
    stages = [
        Stage("gan", args.gan_epochs, args.gan_learning_rate, trainer=trainer),
        Stage("oe", epochs, training_args.learning_rate, outliers=True, starts_from="gan"),
    ]
    return run_stages(experiment, stages, training_args)
