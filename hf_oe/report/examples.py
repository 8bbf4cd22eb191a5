"""The most and the least anomalous examples of a corpus, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageOps

from ..data.rows import fetch_rows, row_content

MAX_SIDE = 96
"""Larger pictures are shrunk to this side, in pixels."""


@dataclass(frozen=True)
class Examples:
    """The extremes of a corpus, the most extreme first.

    Attributes:
        most, least: uint8 `(examples, channels, side, side)`, or texts `(examples,)`.
        most_scores, least_scores: float `(examples,)`.
    """

    most: np.ndarray
    least: np.ndarray
    most_scores: np.ndarray
    least_scores: np.ndarray


def most_and_least_anomalous(
    dataset: Any,
    scores: ArrayLike,
    count: int = 8,
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (1.0,),
) -> Examples:
    """Picks the extremes of a dataset by its anomaly scores.

    Args:
        dataset: map-style, rows as `hf_oe.data.rows.row_content` takes them: pictures or texts.
        scores: `(examples,)`, in the order of the dataset, higher for more anomalous.
        count: of either kind; of a smaller dataset, as many as there are.
        mean, std: of the normalisation of float pictures, one a channel, to be undone: they are shown as the model
            sees them. Without one, floats are taken as of [0, 1].
    """
    scores = np.asarray(scores)
    if scores.shape != (len(dataset),) or count < 1:
        raise ValueError(
            f"`scores` must be one for each of the {len(dataset)} examples and `count` at least 1, got the shape "
            f"{scores.shape} and {count}."
        )
    order = np.argsort(scores, kind="stable")
    least, most = order[:count], order[::-1][:count]
    contents = [row_content(row) for row in fetch_rows(dataset, [*most.tolist(), *least.tolist()])]
    if isinstance(contents[0], str):
        shown = np.array(contents)
    else:
        side = min(MAX_SIDE, *contents[0].shape[1:])
        shown = np.stack([_thumbnail(_as_pixels(content, mean, std), side) for content in contents])
    return Examples(shown[: len(most)], shown[len(most) :], scores[most], scores[least])


def _as_pixels(picture: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """uint8 `(height, width)` or `(height, width, 3)`."""
    if picture.dtype != np.uint8:
        mean, std = (np.reshape(values, (-1, 1, 1)) for values in (mean, std))
        picture = (255 * (picture * std + mean)).round().clip(0, 255).astype(np.uint8)
    return picture[0] if len(picture) == 1 else picture[:3].transpose(1, 2, 0)


def _thumbnail(pixels: np.ndarray, side: int) -> np.ndarray:
    """uint8 `(channels, side, side)`, the centre of the picture."""
    thumbnail = np.asarray(ImageOps.fit(Image.fromarray(pixels), (side, side)))
    return thumbnail[None] if thumbnail.ndim == 2 else thumbnail.transpose(2, 0, 1)
