"""Scores that correct the likelihood of an image for what likelihood confuses with being normal: simplicity.

Both are the negative log-likelihood in bits a dimension minus a correction in that unit, higher for more anomalous.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image


def likelihood_ratio(bits_per_dim: ArrayLike, background_bits_per_dim: ArrayLike) -> np.ndarray:
    """How much likelier a background model finds each example: Ren et al., NeurIPS 2019, equation 5.

    Args:
        bits_per_dim: of the model, float `(examples,)`.
        background_bits_per_dim: of one that knows only what all images share, such as one trained on perturbed images.

    Returns:
        float64 `(examples,)`, in bits a dimension.
    """
    return np.asarray(bits_per_dim, float) - np.asarray(background_bits_per_dim, float)


def input_complexity(bits_per_dim: ArrayLike, images: np.ndarray) -> np.ndarray:
    """Likelihood ratio against a general compressor: Serrà et al., ICLR 2020, equation 2, with PNG.

    Args:
        bits_per_dim: of the model, float `(examples,)`.
        images: see `compressed_bits_per_dim`.

    Returns:
        float64 `(examples,)`, in bits a dimension.
    """
    return likelihood_ratio(bits_per_dim, compressed_bits_per_dim(images))


def compressed_bits_per_dim(images: np.ndarray) -> np.ndarray:
    """Length of each image as a PNG file, headers included, in bits divided by the pixels and channels.

    Args:
        images: uint8 `(examples, channels, height, width)`, grey or colour.

    Returns:
        float64 `(examples,)`.

    Raises:
        ValueError: for another dtype or shape.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            "`images` must be uint8 (examples, channels, height, width), grey or colour, got "
            f"{images.dtype} {images.shape}."
        )
    return np.array([8 * _png_length(image) / image.size for image in images])


def _png_length(image: np.ndarray) -> int:
    file = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0).squeeze(-1) if len(image) == 1 else image.transpose(1, 2, 0)).save(
        file, format="PNG", compress_level=9
    )
    return len(file.getvalue())
