"""What people hand in: images and texts, with one sentence where they will not do."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from transformers.image_utils import load_image


def read_image(source: Any, timeout: float | None = None) -> Image.Image:
    """The image as RGB, upright.

    Args:
        source: a path, an address (`http://`, `https://`), a Pillow image, or pixels: a uint8 array or tensor
            `(height, width)` or `(height, width, channels)` with 1, 3 or 4 channels.
        timeout: for an address, in seconds.

    Raises `ValueError` for anything else, and for a file that is missing, no image, damaged or too large.
    """
    if isinstance(source, os.PathLike):
        source = os.fspath(source)
    name = f"image {source[:200]!r}" if isinstance(source, str) else "image"
    if isinstance(source, str) and not source.startswith(("http://", "https://")):
        if not os.path.isfile(source):
            raise ValueError(f"There is no {name}: give the path of a file, an address, or the image itself.")
    elif not isinstance(source, str | Image.Image):
        source = _from_pixels(source)
    try:
        return load_image(source, timeout)
    except UnidentifiedImageError as error:
        raise ValueError(f"The {name} is not an image of a kind that Pillow reads: give a PNG or JPEG.") from error
    except Image.DecompressionBombError as error:
        most = 2 * Image.MAX_IMAGE_PIXELS
        raise ValueError(f"The {name} is too large: give one of at most {most:,} pixels.") from error
    except Exception as error:  # every image plugin and HTTP client has errors of its own
        raise ValueError(f"The {name} cannot be read ({error}): it is damaged, cut off or out of reach.") from error


def _from_pixels(source: Any) -> Image.Image:
    pixels = np.asarray(source)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise ValueError(
            "An image must be a path, an address, a Pillow image, or uint8 pixels (height, width) or (height, width, "
            f"channels), got {type(source).__name__} of the type {pixels.dtype} and the shape {pixels.shape}."
        )
    return Image.fromarray(pixels)


def read_text(source: Any) -> str:
    """The text itself; raises `ValueError` if it is none, or blank."""
    if not isinstance(source, str):
        raise ValueError(f"A text must be a string, got {type(source).__name__}.")
    if not source.strip():
        raise ValueError("The text is empty: give at least one word.")
    return source
