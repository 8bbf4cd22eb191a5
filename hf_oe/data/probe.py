"""The shortcut probe: can trivial cues alone tell outliers from in-distribution examples?

Outlier Exposure teaches a model whatever tells the outliers apart. If compression, resizing or colour do, or length
and punctuation of texts, it may learn that cue and miss anomalies without it; the published version of the paper
(Hendrycks et al. 2019) reports weak detectors where outliers were preprocessed differently. The probe fits a tiny
classifier on such cues before anybody trusts the detector.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit

from ..detection import auroc
from .rows import Readable, fetch_rows, row_content

SEPARABLE = 0.9
"""From this cross-validated AUROC on, of a cue or of all, they separate outliers from in-distribution examples."""

_FOLDS = 5
_FEWEST_DRAWS = 500
_JPEG_BLOCK = 8


@dataclass(frozen=True)
class ShortcutProbe:
    """How well trivial cues separate outliers from in-distribution examples.

    Attributes:
        auroc: cross-validated, of all cues together; 0.5 is chance.
        cues: the same for each cue alone.
        in_distribution, outliers: numbers of draws.
    """

    auroc: float
    cues: dict[str, float]
    in_distribution: int
    outliers: int

    @property
    def separable(self) -> bool:
        return max(self.auroc, *self.cues.values()) >= SEPARABLE


def shortcut_probe(
    in_distribution: Iterable[Any],
    outliers: Iterable[Any],
    max_examples: int = 2000,
    seed: int = 0,
    readable: Readable = row_content,
) -> ShortcutProbe:
    """Fits a logistic regression on trivial cues, of each kind alone and of all, by five-fold cross-validation.

    Cues of images are JPEG's 8-pixel blocks, the share of high frequencies (which tells how a picture was resized),
    mean and variance of each channel, and saturation; those of texts are length, punctuation, capitals and digits.

    Args:
        in_distribution, outliers: as the model sees them. Arrays of images `(examples, channels, height, width)` of
            any scale, lists of strings, or datasets (with a length, or streams) whose rows are such images or strings,
            or hold one as `pixel_values`, `image` (a PIL image) or `text`. Images of one set must have one shape.
        max_examples: to sample from each; of a stream, the first. A small dataset is drawn from repeatedly, 500 times
            in all, since a few photographs may stand for many random crops.
        seed: of the sample, of random augmentation, and of the folds, which keep draws of one example together.
        readable: from a row to its picture or text, for rows of another kind.

    Raises `ValueError` for fewer than five examples of either, and for images against texts.

    Example:
        >>> shortcut_probe(train_dataset, outlier_dataset).cues["high frequencies"]
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        samples = [_sample(data, max_examples, seed, readable) for data in (in_distribution, outliers)]
    for name, (_, sources) in zip(("in_distribution", "outliers"), samples, strict=True):
        if len(np.unique(sources)) < _FOLDS:
            raise ValueError(f"`{name}` must hold at least {_FOLDS} examples, got {len(np.unique(sources))}.")
    normal, anomalous = (_cues(sample) for sample, _ in samples)
    if normal.keys() != anomalous.keys():
        raise ValueError(
            "`in_distribution` and `outliers` must be of one kind, got cues of "
            f"{', '.join(normal)} and of {', '.join(anomalous)}: prepare both as the model takes them."
        )
    folds = [_folds(sources, seed) for _, sources in samples]
    together = [np.hstack(list(cues.values())) for cues in (normal, anomalous)]
    return ShortcutProbe(
        auroc=_cross_validated(together, folds),
        cues={name: _cross_validated([normal[name], anomalous[name]], folds) for name in normal},
        in_distribution=len(folds[0]),
        outliers=len(folds[1]),
    )


# ---- Examples ----


def _sample(data: Any, count: int, seed: int, readable: Readable) -> tuple[list[str] | np.ndarray, np.ndarray]:
    """Strings, or images as float32 `(draws, channels, height, width)`, and which example each was drawn from."""
    if not hasattr(data, "__len__"):
        rows = list(islice(data, count))
        sources = np.arange(len(rows))
    else:
        order = np.random.default_rng(seed).permutation(len(data))
        sources = np.sort(np.resize(order, min(count, max(len(data), _FEWEST_DRAWS)) if len(data) else 0))
        rows = fetch_rows(data, sources.tolist())
    contents = [readable(row) for row in rows]
    if contents and isinstance(contents[0], str):
        return contents, sources
    shapes = {content.shape for content in contents}
    if len(shapes) > 1:
        raise ValueError(f"Images of one set must have one shape, got {' and '.join(map(str, sorted(shapes)[:2]))}.")
    return np.asarray(contents, dtype=np.float32), sources


# ---- Cues: each `(examples, features)` ----


def _cues(sample: list[str] | np.ndarray) -> dict[str, np.ndarray]:
    return _text_cues(sample) if isinstance(sample, list) else _image_cues(sample)


def _image_cues(images: np.ndarray) -> dict[str, np.ndarray]:
    if images.ndim != 4:
        raise ValueError(f"Images must have the shape (channels, height, width), got {images.shape[1:]}.")
    grey = images.mean(axis=1)
    cues = {
        "high frequencies": _spectrum(grey),
        "mean colour": images.mean(axis=(2, 3)),
        "colour variance": images.var(axis=(2, 3)),
    }
    if images.shape[1] >= 3:
        cues["saturation"] = np.ptp(images, axis=1).mean(axis=(1, 2))[:, None]
    if min(grey.shape[1:]) > 2 * _JPEG_BLOCK:
        cues["JPEG blocks"] = np.stack([_blockiness(grey), _blockiness(grey.transpose(0, 2, 1))], axis=1)
    return cues


def _spectrum(grey: np.ndarray) -> np.ndarray:
    """Logarithm of the share of an image's power in each octave of frequency, the highest of them split in two."""
    power = np.abs(np.fft.rfft2(grey - grey.mean(axis=(1, 2), keepdims=True))) ** 2
    frequency = np.hypot(np.fft.fftfreq(grey.shape[1])[:, None], np.fft.rfftfreq(grey.shape[2]))
    bands = np.digitize(frequency, [1 / 16, 1 / 8, 1 / 4, 3 / 8])
    shares = np.stack([power[:, bands == band].sum(axis=1) for band in range(5)], axis=1)
    return np.log(shares / (shares.sum(axis=1, keepdims=True) + 1e-12) + 1e-9)


def _blockiness(grey: np.ndarray) -> np.ndarray:
    """How far the steps between columns at one phase of the block grid exceed those at any other, as a logarithm."""
    steps = np.abs(np.diff(grey, axis=2)).mean(axis=1)
    phases = np.stack([steps[:, phase::_JPEG_BLOCK].mean(axis=1) for phase in range(_JPEG_BLOCK)], axis=1)
    phases.sort(axis=1)
    floor = 1e-6 + 1e-3 * phases.mean(axis=1)
    return np.log((phases[:, -1] + floor) / (phases[:, -2] + floor))


def _text_cues(texts: Sequence[str]) -> dict[str, np.ndarray]:
    lengths = np.array([[len(text), len(text.split())] for text in texts])

    def share(belongs: Any) -> np.ndarray:
        return np.array([[sum(map(belongs, text)) / max(1, len(text))] for text in texts])

    return {
        "length": np.log1p(lengths),
        "punctuation": share(string.punctuation.__contains__),
        "capitals": share(str.isupper),
        "digits": share(str.isdigit),
    }


# ---- Classifier ----


def _folds(sources: np.ndarray, seed: int) -> np.ndarray:
    """The fold of each draw; those of one example share it."""
    distinct, positions = np.unique(sources, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(distinct)) % _FOLDS)[positions]


def _cross_validated(classes: Sequence[np.ndarray], folds: Sequence[np.ndarray]) -> float:
    """Mean AUROC over the folds, each scored by a classifier that was fitted on the others."""
    areas = []
    for fold in range(_FOLDS):
        fitting = [features[part != fold] for features, part in zip(classes, folds, strict=True)]
        held_out = [features[part == fold] for features, part in zip(classes, folds, strict=True)]
        mean, scale = np.vstack(fitting).mean(axis=0), np.vstack(fitting).std(axis=0) + 1e-9
        weights = _fit(*(_expanded((features - mean) / scale) for features in fitting))
        areas.append(auroc(*(_expanded((features - mean) / scale) @ weights for features in held_out)))
    return float(np.mean(areas))


def _expanded(features: np.ndarray) -> np.ndarray:
    """Features and their squares, since outliers may lie on both sides, and a constant."""
    return np.hstack([features, features**2, np.ones((len(features), 1))])


def _fit(normal: np.ndarray, anomalous: np.ndarray, penalty: float = 1e-2) -> np.ndarray:
    """Weights of a ridge-penalised logistic regression, both classes counting equally."""
    features = np.vstack([normal, anomalous])
    target = np.repeat([0.0, 1.0], [len(normal), len(anomalous)])
    share = np.repeat([0.5 / len(normal), 0.5 / len(anomalous)], [len(normal), len(anomalous)])

    def loss(weights: ArrayLike) -> tuple[float, np.ndarray]:
        logits = features @ weights
        value = share @ (np.logaddexp(0, logits) - target * logits) + penalty * weights @ weights / 2
        return value, features.T @ (share * (expit(logits) - target)) + penalty * weights

    return minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B").x
