"""Reads rows of any dataset, and what a person or a probe looks at in them: a picture or a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Content = str | np.ndarray
"""A text, or a picture `(channels, height, width)`, uint8 or of floats in [0, 1]."""

Readable = Callable[[Any], Content]
"""From a row of a dataset to what a person would read or look at in it."""


def fetch_rows(dataset: Any, indices: Sequence[int]) -> list[Any]:
    """Rows of a map-style dataset, array or list; as one batch where the dataset can."""
    fetch = getattr(dataset, "__getitems__", None)
    return list(fetch(list(indices)) if fetch else (dataset[index] for index in indices))


def row_content(row: Any) -> Content:
    """The text or the picture of a row that holds it as it is.

    Args:
        row: one of them itself, a PIL image, or a mapping that holds one as `pixel_values`, `image` or `text`.
    """
    if isinstance(row, Mapping):
        known = [key for key in ("pixel_values", "image", "text") if key in row]
        if not known:
            raise ValueError(f"Rows must hold `pixel_values`, `image` or `text`, got {', '.join(map(str, row))}.")
        row = row[known[0]]
    if isinstance(row, str):
        return row
    pixels = np.asarray(row)
    if hasattr(row, "getbands"):  # a PIL image: channels last, or no axis for them
        pixels = pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)
    return pixels
