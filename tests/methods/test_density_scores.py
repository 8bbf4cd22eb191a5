"""Scores that correct the likelihood."""

import io

import numpy as np
import pytest
from PIL import Image

from hf_oe.methods.density_scores import compressed_bits_per_dim, input_complexity, likelihood_ratio


def pictures(channels):
    noise = np.random.default_rng(0).integers(0, 256, (1, channels, 16, 16), dtype=np.uint8)
    return np.concatenate([np.zeros_like(noise), noise])


@pytest.mark.parametrize("channels", [1, 3])
def test_complexity_is_the_length_of_the_png(channels):
    plain, noise = compressed_bits_per_dim(pictures(channels))
    file = io.BytesIO()
    Image.fromarray(pictures(channels)[1].transpose(1, 2, 0).squeeze()).save(file, "PNG", compress_level=9)
    assert noise == 8 * len(file.getvalue()) / (channels * 256)
    assert plain < noise and noise > 8


def test_a_simple_image_of_the_same_likelihood_is_more_anomalous():
    plain, noise = input_complexity([4.0, 4.0], pictures(3))
    assert plain > noise


def test_likelihood_ratio_is_against_the_background():
    assert likelihood_ratio([3.0, 4.0], [2.0, 5.0]).tolist() == [1.0, -1.0]


@pytest.mark.parametrize(
    "images", [np.zeros((2, 3, 4, 4)), np.zeros((2, 2, 4, 4), np.uint8), np.zeros((4, 4), np.uint8)]
)
def test_other_images_are_refused(images):
    with pytest.raises(ValueError, match="`images` must be uint8"):
        compressed_bits_per_dim(images)
