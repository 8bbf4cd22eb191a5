"""The most and the least anomalous examples of a corpus, to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageOps

from ..data.rows import Readable, fetch_rows, row_content

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
    dataset: Any, scores: ArrayLike, count: int = 8, readable: Readable = row_content
) -> Examples:
    """Picks the extremes of a dataset by its anomaly scores.

    Args:
        dataset: map-style.
        scores: `(examples,)`, in the order of the dataset, higher for more anomalous.
        count: of either kind; of a smaller dataset, as many as there are.
        readable: from a row of the dataset to its picture or text.
    """
    scores = np.asarray(scores)
    if scores.shape != (len(dataset),) or count < 1:
        raise ValueError(
            f"`scores` must be one for each of the {len(dataset)} examples and `count` at least 1, got the shape "
            f"{scores.shape} and {count}."
        )
    order = np.argsort(scores, kind="stable")
    least, most = order[:count], order[::-1][:count]
    contents = [readable(row) for row in fetch_rows(dataset, [*most.tolist(), *least.tolist()])]
    if isinstance(contents[0], str):
        shown = np.array(contents)
    else:
        side = min(MAX_SIDE, *contents[0].shape[1:])
        shown = np.stack([_thumbnail(_as_pixels(content), side) for content in contents])
    return Examples(shown[: len(most)], shown[len(most) :], scores[most], scores[least])


def _as_pixels(picture: np.ndarray) -> np.ndarray:
    """uint8 `(height, width)` or `(height, width, 3)`."""
    if picture.dtype != np.uint8:
        picture = (255 * picture).round().clip(0, 255).astype(np.uint8)
    return picture[0] if len(picture) == 1 else picture[:3].transpose(1, 2, 0)


def _thumbnail(pixels: np.ndarray, side: int) -> np.ndarray:
    """uint8 `(channels, side, side)`, the centre of the picture."""
    thumbnail = np.asarray(ImageOps.fit(Image.fromarray(pixels), (side, side)))
    return thumbnail[None] if thumbnail.ndim == 2 else thumbnail.transpose(2, 0, 1)
