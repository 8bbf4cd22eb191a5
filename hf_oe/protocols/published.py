"""The figures that the paper and its authors published, to stand beside a run's.

Two versions exist and are never mixed: `paper` is the first (2018; its Tables 1, 6 and 8), `iclr` the published one
(2019), whose figures are those of the authors' result files. They used other outliers (80 Million Tiny Images,
ImageNet-22K for images).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Figures = tuple[float, float, float | None]


@dataclass(frozen=True)
class PublishedTable:
    """Percentages of a score, as printed: for each corpus (FPR, AUROC, AUPR) of the baseline, then with OE.

    `mean_over` names the corpora of the row `mean`, by default those of the other rows; `outliers` what it trained on;
    `score` the one of a run's whose figures they stand beside. `calibration` holds (RMS error, MAV error, soft F1),
    means over the corpora, of the baseline with a temperature, of that with 0-1 posterior rescaling, and of both with
    Outlier Exposure (Table 7).
    """

    source: str
    recall_level: float
    rows: dict[str, tuple[Figures, Figures]]
    mean_over: str = ""
    outliers: str = "other outliers"
    score: str = "msp"
    calibration: tuple[Figures, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As fractions of 1, by corpus (`mean` among them), stage (`baseline`, `oe`) and metric."""
        return {
            corpus: {
                stage: {
                    metric: value / 100
                    for metric, value in zip(("fpr", "auroc", "aupr"), figures, strict=True)
                    if value is not None
                }
                for stage, figures in zip(("baseline", "oe"), stages, strict=True)
            }
            for corpus, stages in self.rows.items()
        }


_TEXT_CORPORA = "SNLI, IMDB, Multi30K, WMT16, the five domains of the English Web Treebank and Yelp"


def _text_means(baseline: Figures, exposed: Figures) -> PublishedTable:
    return PublishedTable(
        "the paper's published version", 0.9, {"mean": (baseline, exposed)}, _TEXT_CORPORA, "WikiText-2"
    )


PUBLISHED = {
    ("mnist", "paper", "finetune"): PublishedTable(
        "Table 8",
        0.99,
        {
            "gaussian": ((1.0, 99.9, 99.4), (0.0, 100.0, 100.0)),
            "bernoulli": ((3.3, 99.6, 97.0), (0.0, 100.0, 100.0)),
            "cifar10": ((7.7, 99.5, 97.4), (0.0, 100.0, 100.0)),
            "icons50": ((6.4, 99.5, 97.7), (0.0, 100.0, 99.9)),
            "fashion_mnist": ((12.1, 98.2, 91.4), (4.7, 99.9, 99.3)),
            "negative_mnist": ((17.8, 98.0, 90.4), (0.4, 100.0, 99.9)),
            "notmnist": ((32.4, 96.2, 76.8), (12.8, 98.8, 92.6)),
            "omniglot": ((45.2, 95.8, 77.8), (48.5, 95.5, 77.6)),
            "mean": ((15.7, 98.3, 91.0), (8.3, 99.3, 96.2)),
        },
        calibration=((13.5, 7.1, 53.9), (12.7, 6.8, 57.3), (5.9, 3.0, 74.4)),
    ),
    ("mnist", "iclr", "finetune"): PublishedTable(
        "the authors' result files",
        0.95,
        {
            "gaussian": ((0.21, 99.96, 99.81), (0.0, 100.0, 100.0)),
            "bernoulli": ((1.04, 99.81, 99.01), (0.0, 100.0, 100.0)),
            "cifar10": ((0.86, 99.87, 99.34), (0.0, 100.0, 100.0)),
            "icons50": ((1.44, 99.74, 98.79), (0.0, 99.99, 99.94)),
            "fashion_mnist": ((2.96, 99.31, 96.31), (0.65, 99.9, 99.52)),
            "negative_mnist": ((5.2, 98.55, 91.91), (0.68, 99.9, 99.5)),
            "notmnist": ((16.64, 96.04, 84.89), (6.99, 98.37, 93.69)),
            "omniglot": ((14.81, 96.23, 83.85), (16.57, 95.94, 83.49)),
            "mean": ((5.4, 98.69, 94.24), (3.11, 99.26, 97.02)),
        },
    ),
    ("mnist", "iclr", "scratch"): PublishedTable(
        "the authors' result files",
        0.95,
        {
            "gaussian": ((0.21, 99.96, 99.81), (0.0, 100.0, 100.0)),
            "bernoulli": ((1.04, 99.81, 99.01), (0.0, 100.0, 100.0)),
            "cifar10": ((0.86, 99.87, 99.34), (0.0, 100.0, 100.0)),
            "icons50": ((1.44, 99.74, 98.79), (0.0, 99.98, 99.93)),
            "fashion_mnist": ((2.96, 99.31, 96.31), (0.38, 99.92, 99.61)),
            "negative_mnist": ((5.2, 98.55, 91.91), (0.18, 99.95, 99.76)),
            "notmnist": ((16.64, 96.04, 84.89), (6.44, 98.6, 94.22)),
            "omniglot": ((14.81, 96.23, 83.85), (16.48, 95.86, 82.44)),
            "mean": ((5.4, 98.69, 94.24), (2.93, 99.29, 97.0)),
        },
    ),
    ("svhn", "paper", "finetune"): PublishedTable(
        "Table 8",
        0.99,
        {
            "gaussian": ((48.3, 96.6, 75.2), (0.0, 100.0, 99.3)),
            "bernoulli": ((34.9, 97.1, 78.1), (0.0, 100.0, 99.2)),
            "blobs": ((11.6, 98.4, 85.1), (0.0, 100.0, 100.0)),
            "icons50": ((66.6, 96.8, 87.7), (0.2, 100.0, 99.9)),
            "textures": ((53.8, 97.0, 83.3), (0.5, 100.0, 99.6)),
            "places365": ((42.7, 97.5, 83.5), (0.1, 100.0, 99.9)),
            "lsun": ((48.4, 97.2, 81.1), (0.1, 100.0, 99.9)),
            "cifar10": ((53.1, 97.3, 89.3), (0.1, 100.0, 100.0)),
            "chars74k": ((80.5, 95.1, 71.5), (17.6, 98.7, 90.1)),
            "mean": ((48.9, 97.0, 81.6), (2.1, 99.8, 98.6)),
        },
        calibration=((16.0, 6.7, 50.8), (14.8, 6.2, 54.4), (2.7, 1.0, 88.1)),
    ),
    ("svhn", "iclr", "finetune"): PublishedTable(
        "the authors' result files",
        0.95,
        {
            "gaussian": ((5.41, 98.24, 90.44), (0.0, 100.0, 99.99)),
            "bernoulli": ((4.44, 98.56, 91.87), (0.0, 100.0, 99.99)),
            "blobs": ((3.69, 98.9, 93.51), (0.0, 100.0, 99.99)),
            "icons50": ((11.4, 96.43, 87.17), (0.25, 99.76, 99.23)),
            "textures": ((7.16, 97.48, 90.91), (0.18, 99.95, 99.73)),
            "places365": ((5.61, 98.16, 92.53), (0.05, 99.99, 99.94)),
            "lsun": ((6.38, 97.84, 90.96), (0.05, 99.99, 99.93)),
            "cifar10": ((6.01, 98.04, 91.18), (0.05, 99.99, 99.93)),
            "chars74k": ((6.39, 97.86, 91.49), (0.05, 99.98, 99.91)),
            "mean": ((6.28, 97.95, 91.12), (0.07, 99.96, 99.85)),
        },
    ),
    ("svhn", "iclr", "scratch"): PublishedTable(
        "the authors' result files",
        0.95,
        {
            "gaussian": ((5.41, 98.24, 90.44), (0.02, 99.99, 99.79)),
            "bernoulli": ((4.44, 98.56, 91.87), (0.01, 100.0, 99.9)),
            "blobs": ((3.69, 98.9, 93.51), (0.03, 99.99, 99.86)),
            "icons50": ((11.4, 96.43, 87.17), (0.03, 99.92, 99.61)),
            "textures": ((7.16, 97.48, 90.91), (0.03, 99.98, 99.85)),
            "places365": ((5.61, 98.16, 92.53), (0.03, 99.99, 99.87)),
            "lsun": ((6.38, 97.84, 90.96), (0.03, 99.99, 99.88)),
            "cifar10": ((6.01, 98.04, 91.18), (0.03, 99.99, 99.88)),
            "chars74k": ((6.39, 97.86, 91.49), (0.03, 99.99, 99.86)),
            "mean": ((6.28, 97.95, 91.12), (0.03, 99.98, 99.83)),
        },
    ),
    ("cifar10", "paper", "finetune"): PublishedTable(
        "Table 1",
        0.95,
        {
            "gaussian": ((29.6, 86.6, 42.1), (0.7, 99.7, 97.1)),
            "rademacher": ((36.0, 84.6, 39.1), (0.6, 99.8, 97.6)),
            "blobs": ((19.9, 92.9, 67.5), (4.0, 99.0, 94.1)),
            "textures": ((36.8, 89.4, 60.8), (8.0, 98.5, 93.7)),
            "svhn": ((18.1, 93.3, 68.8), (8.3, 98.0, 88.7)),
            "places365": ((50.0, 86.9, 56.3), (11.1, 97.7, 91.3)),
            "lsun": ((42.7, 87.1, 54.6), (6.8, 98.7, 93.5)),
            "cifar100": ((42.7, 85.4, 50.8), (26.4, 94.3, 80.1)),
            "mean": ((34.5, 88.3, 55.0), (8.2, 98.2, 92.0)),
        },
        calibration=((20.3, 13.2, 41.1), (18.6, 12.1, 44.4), (6.2, 3.8, 73.6)),
    ),
    ("cifar10", "iclr", "finetune"): PublishedTable(
        "the authors' result files",
        0.95,
        {
            "gaussian": ((14.39, 94.72, 70.0), (0.69, 99.6, 94.28)),
            "rademacher": ((47.55, 79.93, 32.29), (0.49, 99.78, 97.39)),
            "blobs": ((16.2, 94.54, 73.71), (0.57, 99.83, 98.92)),
            "textures": ((42.82, 88.37, 58.44), (12.16, 97.72, 90.97)),
            "svhn": ((28.82, 91.83, 66.93), (4.76, 98.43, 89.41)),
            "places365": ((47.54, 87.8, 57.49), (17.28, 96.23, 87.27)),
            "lsun": ((38.74, 89.08, 58.58), (12.08, 97.57, 89.42)),
            "cifar100": ((43.47, 87.88, 55.81), (27.95, 93.31, 76.22)),
            "mean": ((34.94, 89.27, 59.16), (9.5, 97.81, 90.48)),
        },
    ),
    ("cifar10", "iclr", "scratch"): PublishedTable(
        "the authors' result files",
        0.95,
        {
            "gaussian": ((14.39, 94.72, 70.0), (0.29, 99.8, 96.49)),
            "rademacher": ((47.55, 79.93, 32.29), (0.64, 99.65, 94.72)),
            "blobs": ((16.2, 94.54, 73.71), (0.88, 99.75, 97.75)),
            "textures": ((42.82, 88.37, 58.44), (3.74, 99.07, 95.83)),
            "svhn": ((28.82, 91.83, 66.93), (2.11, 99.47, 97.08)),
            "places365": ((47.54, 87.8, 57.49), (11.88, 97.24, 91.13)),
            "lsun": ((38.74, 89.08, 58.58), (5.99, 98.72, 93.84)),
            "cifar100": ((43.47, 87.88, 55.81), (23.68, 94.79, 83.14)),
            "mean": ((34.94, 89.27, 59.16), (6.15, 98.56, 93.75)),
        },
    ),
    ("cifar100", "paper", "finetune"): PublishedTable(
        "Table 1",
        0.95,
        {
            "gaussian": ((53.0, 68.5, 21.7), (1.6, 99.5, 95.7)),
            "rademacher": ((43.6, 77.7, 29.2), (0.1, 100.0, 99.9)),
            "blobs": ((34.4, 88.9, 54.8), (3.9, 99.1, 95.0)),
            "textures": ((61.7, 76.5, 35.3), (51.6, 84.0, 52.1)),
            "svhn": ((55.8, 78.9, 39.1), (47.3, 83.3, 42.7)),
            "places365": ((66.8, 74.8, 34.1), (46.0, 88.1, 62.6)),
            "lsun": ((66.3, 73.6, 31.1), (50.9, 86.6, 60.1)),
            "cifar10": ((64.7, 75.1, 33.7), (54.4, 78.6, 35.4)),
            "mean": ((55.8, 76.7, 34.9), (32.0, 89.9, 67.9)),
        },
        calibration=((14.1, 12.0, 58.8), (13.8, 11.3, 59.3), (10.2, 7.9, 66.5)),
    ),
    ("cifar100", "iclr", "finetune"): PublishedTable(
        "the authors' result files",
        0.95,
        {
            "gaussian": ((54.27, 64.67, 19.7), (12.13, 95.7, 71.05)),
            "rademacher": ((38.98, 79.37, 30.13), (17.12, 93.0, 56.86)),
            "blobs": ((58.01, 75.29, 29.69), (12.07, 97.15, 86.16)),
            "textures": ((71.46, 73.81, 33.33), (54.39, 84.79, 56.31)),
            "svhn": ((69.28, 71.4, 30.69), (42.9, 86.86, 52.93)),
            "places365": ((70.39, 74.23, 33.75), (49.76, 86.5, 57.92)),
            "lsun": ((73.99, 70.73, 28.82), (57.49, 83.42, 51.4)),
            "cifar10": ((64.87, 75.41, 34.28), (62.1, 75.7, 32.59)),
            "mean": ((62.66, 73.11, 30.05), (38.5, 87.89, 58.15)),
        },
    ),
    ("cifar100", "iclr", "scratch"): PublishedTable(
        "the authors' result files",
        0.95,
        {
            "gaussian": ((54.27, 64.67, 19.7), (26.24, 86.57, 39.33)),
            "rademacher": ((38.98, 79.37, 30.13), (2.57, 98.95, 88.8)),
            "blobs": ((58.01, 75.29, 29.69), (3.19, 99.23, 95.39)),
            "textures": ((71.46, 73.81, 33.33), (44.22, 89.61, 68.84)),
            "svhn": ((69.28, 71.4, 30.69), (23.41, 94.17, 75.96)),
            "places365": ((70.39, 74.23, 33.75), (47.17, 87.76, 61.62)),
            "lsun": ((73.99, 70.73, 28.82), (57.53, 84.54, 56.12)),
            "cifar10": ((64.87, 75.41, 34.28), (56.36, 79.39, 37.96)),
            "mean": ((62.66, 73.11, 30.05), (32.59, 90.03, 65.5)),
        },
    ),
    ("tiny_imagenet", "paper", "finetune"): PublishedTable(
        "Table 1",
        0.95,
        {
            "gaussian": ((48.3, 67.8, 21.3), (18.0, 93.9, 66.0)),
            "rademacher": ((69.0, 42.2, 13.5), (57.4, 57.1, 16.9)),
            "blobs": ((66.9, 52.7, 15.7), (0.0, 100.0, 99.6)),
            "textures": ((77.3, 68.0, 28.3), (13.8, 97.7, 94.6)),
            "svhn": ((47.1, 83.3, 40.3), (0.2, 99.9, 99.3)),
            "places365": ((63.0, 76.3, 35.4), (0.1, 99.9, 99.6)),
            "lsun": ((69.9, 73.1, 31.3), (0.1, 100.0, 99.8)),
            "imagenet": ((66.5, 73.7, 30.9), (20.0, 96.9, 91.5)),
            "mean": ((63.5, 67.1, 27.1), (13.7, 93.2, 83.4)),
        },
        calibration=((8.4, 6.6, 65.5), (8.3, 6.5, 65.7), (4.2, 3.0, 73.0)),
    ),
    ("tiny_imagenet", "iclr", "finetune"): PublishedTable(
        "the authors' result files",
        0.95,
        {
            "gaussian": ((72.55, 33.65, 12.31), (45.39, 76.47, 28.59)),
            "rademacher": ((51.66, 62.02, 18.82), (49.0, 65.08, 19.95)),
            "blobs": ((79.38, 48.17, 14.44), (0.05, 99.99, 99.93)),
            "textures": ((76.41, 70.4, 31.38), (4.77, 98.49, 95.78)),
            "svhn": ((52.34, 80.8, 42.79), (0.39, 99.83, 98.17)),
            "places365": ((63.58, 76.93, 36.26), (0.43, 99.84, 99.3)),
            "lsun": ((66.98, 74.15, 31.21), (0.36, 99.86, 99.45)),
            "imagenet": ((67.29, 72.79, 29.96), (11.55, 97.89, 92.93)),
            "mean": ((66.27, 64.86, 27.15), (13.99, 92.18, 79.26)),
        },
    ),
    ("cifar10", "paper", "gan"): PublishedTable(
        "Table 4", 0.95, {"mean": ((37.3, 89.6, 59.0), (11.8, 97.2, 88.5))}, "the corpora of Table 1"
    ),
    ("cifar100", "paper", "gan"): PublishedTable(
        "Table 4", 0.95, {"mean": ((66.2, 69.3, 33.0), (49.0, 77.9, 44.7))}, "the corpora of Table 1"
    ),
    ("newsgroups20", "iclr", "finetune"): _text_means((42.4, 82.7, None), (4.9, 97.7, None)),
    ("trec", "iclr", "finetune"): _text_means((43.5, 82.1, None), (0.8, 99.3, None)),
    ("sst", "iclr", "finetune"): _text_means((74.9, 61.6, None), (27.3, 89.3, None)),
    # The mean FPR of the word-level baseline is not printed: it is that of its column.
    ("ptb", "paper", "finetune"): PublishedTable(
        "Table 6, whose baseline is scored by the negative log-likelihood",
        0.9,
        {
            "answers": ((40.6, 82.6, 55.0), (3.48, 98.1, 96.3)),
            "email": ((73.4, 73.5, 52.6), (0.17, 99.2, 98.8)),
            "newsgroup": ((58.1, 75.6, 41.7), (0.17, 99.5, 98.6)),
            "reviews": ((29.6, 88.1, 67.0), (0.85, 99.0, 98.0)),
            "weblog": ((47.8, 80.8, 51.4), (0.08, 99.9, 99.8)),
            "mean": ((49.9, 80.1, 53.6), (0.95, 99.1, 98.3)),
        },
        outliers="the same outliers",
        score="kl_uniform",
    ),
    ("ptb_char", "paper", "finetune"): PublishedTable(
        "Table 6, whose baseline is scored by the negative log-likelihood",
        0.9,
        {
            "answers": ((99.0, 79.8, 81.7), (93.0, 87.3, 89.0)),
            "email": ((98.5, 81.7, 83.8), (76.9, 89.2, 91.2)),
            "newsgroup": ((99.6, 77.9, 77.5), (98.0, 89.3, 87.7)),
            "reviews": ((98.6, 81.0, 82.4), (72.2, 89.3, 91.1)),
            "weblog": ((100.0, 68.3, 70.0), (100.0, 78.7, 81.8)),
            "mean": ((99.1, 77.7, 79.1), (88.0, 86.8, 88.2)),
        },
        outliers="the same outliers",
        score="kl_uniform",
    ),
}
"""By in-distribution set, version of the paper and mode; in the mode `gan` the baseline is the classifier with GAN."""

PUBLISHED_PIXELCNN = PublishedTable(
    "Table 5",
    0.95,
    {
        "gaussian": ((0.0, 100.0, 100.0), (0.0, 100.0, 99.6)),
        "rademacher": ((61.4, 44.2, 14.2), (50.3, 56.5, 17.3)),
        "blobs": ((17.2, 93.2, 60.0), (1.3, 99.5, 96.2)),
        "textures": ((96.8, 69.4, 40.9), (48.9, 88.8, 70.0)),
        "svhn": ((98.8, 15.8, 9.7), (86.9, 75.8, 60.0)),
        "places365": ((86.1, 74.8, 38.6), (50.3, 89.3, 70.4)),
        "lsun": ((76.9, 76.4, 36.5), (43.2, 90.9, 72.4)),
        "cifar100": ((96.1, 52.4, 19.0), (89.8, 68.5, 41.9)),
        "mean": ((66.6, 65.8, 39.9), (46.4, 83.7, 66.0)),
    },
    score="bits_per_dim",
)
"""PixelCNN++ on CIFAR-10, section 4.3 of the paper."""
