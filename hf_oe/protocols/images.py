"""The paper's image experiments as data: networks, schedules, transforms and test corpora of both its versions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

_CIFAR_MEAN = (125.3 / 255, 123.0 / 255, 113.9 / 255)
_CIFAR_STD = (63.0 / 255, 62.1 / 255, 66.7 / 255)
_NATURAL_ANOMALIES = ("gaussian", "rademacher", "blobs", "textures", "svhn", "places365", "lsun")
_FAR_FROM_CIFAR = ("mnist", "svhn", "textures", "places365")


@dataclass(frozen=True)
class ImageProtocol:
    """One in-distribution set's experiment.

    Attributes:
        name: corpus name of the in-distribution set; `train_split` and `test_split` are its splits.
        mean, std: of pixels scaled to [0, 1]; synthetic anomalies skip this normalisation.
        value_range: of synthetic anomalies, in the network's input space: "signed" is [-1, 1], "unit" is [0, 1].
        architecture: for each version of the paper, "paper" (2018) and "iclr" (2019).
        baseline_epochs, baseline_learning_rate, oe_epochs, oe_learning_rate: of the two stages.
        batch_size, outlier_batch_size: outliers a step in the "iclr" version; the "paper" adds as many as examples.
        weight_decay: on every parameter.
        crop_padding, flip: training augmentation; `outlier_crop_padding` and `outlier_flip` that of the outliers.
        corpora: test anomalies of the paper.
        recall_level: at which false positives are counted; the first is the main one.
        hold_out: training examples kept out for the softmax temperature (section 4.4.1).
        groups: test corpora that are near the in-distribution set and far from it, as OpenOOD groups them (Yang et al.
            2022 for MNIST, Zhang et al. 2023 for CIFAR); some are not among `corpora`.
        inverted: corpora whose images are turned from black on white to white on black.
    """

    name: str
    num_labels: int
    architecture: dict[str, str]
    corpora: tuple[str, ...]
    train_split: str = "train"
    test_split: str = "test"
    image_size: int = 32
    num_channels: int = 3
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    value_range: str = "unit"
    baseline_epochs: float = 100
    baseline_learning_rate: float = 0.1
    oe_epochs: float = 10
    oe_learning_rate: float = 0.001
    batch_size: int = 128
    outlier_batch_size: int = 256
    weight_decay: float = 5e-4
    crop_padding: int = 0
    flip: bool = False
    outlier_crop_padding: int = 0
    outlier_flip: bool = False
    outliers: tuple[str, ...] = ("random_images_300k",)
    recall_level: tuple[float, ...] = (0.95,)
    hold_out: int = 5000
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    inverted: frozenset[str] = field(default_factory=frozenset)


MNIST = ImageProtocol(
    name="mnist",
    num_labels=10,
    architecture={"paper": "oe_mnist_convnet", "iclr": "oe_mnist_convnet"},
    image_size=28,
    num_channels=1,
    baseline_epochs=10,
    baseline_learning_rate=0.01,
    oe_epochs=5,
    oe_learning_rate=0.01,
    batch_size=50,
    outlier_batch_size=100,
    weight_decay=0.0,
    outlier_flip=True,
    corpora=(
        "gaussian",
        "bernoulli",
        "cifar10",
        "icons50",
        "fashion_mnist",
        "negative_mnist",
        "notmnist",
        "omniglot",
    ),
    recall_level=(0.95, 0.99),
    hold_out=6000,
    groups={
        "near": ("notmnist", "fashion_mnist"),
        "far": ("textures", "cifar10", "tiny_imagenet", "places365"),
    },
    inverted=frozenset({"omniglot"}),
)

SVHN = ImageProtocol(
    name="svhn",
    train_split="train+extra",
    num_labels=10,
    architecture={"paper": "wrn_16_4", "iclr": "wrn_16_4"},
    baseline_epochs=20,
    baseline_learning_rate=0.01,
    oe_epochs=5,
    oe_learning_rate=0.0001,
    outlier_flip=True,
    corpora=(
        "gaussian",
        "bernoulli",
        "blobs",
        "icons50",
        "textures",
        "places365",
        "lsun",
        "cifar10",
        "chars74k",
    ),
    recall_level=(0.95, 0.99),
)

CIFAR10 = ImageProtocol(
    name="cifar10",
    num_labels=10,
    architecture={"paper": "wrn_40_4", "iclr": "wrn_40_2"},
    mean=_CIFAR_MEAN,
    std=_CIFAR_STD,
    value_range="signed",
    crop_padding=4,
    flip=True,
    outlier_crop_padding=4,
    outlier_flip=True,
    corpora=(*_NATURAL_ANOMALIES, "cifar100"),
    groups={"near": ("cifar100", "tiny_imagenet"), "far": _FAR_FROM_CIFAR},
)

CIFAR100 = replace(
    CIFAR10,
    name="cifar100",
    num_labels=100,
    corpora=(*_NATURAL_ANOMALIES, "cifar10"),
    groups={"near": ("cifar10", "tiny_imagenet"), "far": _FAR_FROM_CIFAR},
)

FEW_SHOT = replace(
    CIFAR100,
    architecture=dict.fromkeys(("paper", "iclr"), "google/vit-base-patch16-224-in21k"),
    corpora=("cifar10",),
    outliers=("cifar10",),
    image_size=224,
    mean=(0.5,) * 3,
    std=(0.5,) * 3,
    crop_padding=28,
    outlier_crop_padding=28,
    baseline_epochs=5,
    baseline_learning_rate=0.01,
    oe_epochs=1,
    weight_decay=0.0,
)
"""Not the paper's: a pretrained vision transformer on CIFAR-100, for a handful of outliers (Fort et al. 2021)."""

TINY_IMAGENET = ImageProtocol(
    name="tiny_imagenet",
    test_split="valid",
    num_labels=200,
    architecture={"paper": "wrn_40_2", "iclr": "wrn_40_2"},
    image_size=64,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    value_range="signed",
    outlier_batch_size=180,
    crop_padding=8,
    flip=True,
    outliers=("imagenet22k",),
    hold_out=10_000,
    corpora=(*_NATURAL_ANOMALIES, "imagenet"),
)

DIGITS = ImageProtocol(
    name="digits",
    num_labels=10,
    architecture={"paper": "oe_mnist_convnet", "iclr": "oe_mnist_convnet"},
    image_size=28,
    num_channels=1,
    baseline_epochs=40,
    baseline_learning_rate=0.01,
    oe_epochs=20,
    oe_learning_rate=0.01,
    batch_size=50,
    outlier_batch_size=100,
    weight_decay=0.0,
    outlier_flip=True,
    outliers=("photographs",),
    corpora=(
        "texture_crops",
        "faces",
        "astronomy",
        "medical",
        "documents",
        "letters",
        "negative_digits",
        "gaussian",
        "bernoulli",
        "blobs",
    ),
)
"""Not the paper's: handwritten digits and photographs that come with installed packages, to try everything offline."""
