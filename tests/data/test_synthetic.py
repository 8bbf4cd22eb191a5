"""Synthetic anomalies: the laws of the paper, and what a seed promises."""

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from hf_oe.data import synthetic
from hf_oe.data.synthetic import NAMES, VALIDATION_NAMES, SyntheticDataset, generate, validation_anomalies

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)

every_noise = pytest.mark.parametrize("name", NAMES)
every_range = pytest.mark.parametrize("value_range", ["signed", "unit"])


@every_noise
@every_range
def test_noise_has_the_shape_type_and_range_of_the_input(name, value_range):
    images = generate(name, 3, 28, 1, value_range)
    assert images.shape == (3, 28, 28, 1) and images.dtype == np.float32
    assert images.min() >= (-1 if value_range == "signed" else 0) and images.max() <= 1


@every_noise
@every_range
def test_noise_is_a_function_of_the_seed_and_more_examples_keep_the_first(name, value_range):
    few, many = generate(name, 3, 16, 3, value_range, 1), generate(name, 5, 16, 3, value_range, 1)
    np.testing.assert_array_equal(few, many[:3])
    other = generate(name, 3, 16, 3, value_range, 2)
    assert not np.array_equal(few, other)
    assert not np.array_equal(few[0], few[1])


def test_gaussian_noise_is_clipped_with_half_a_standard_deviation():
    signed, unit = generate("gaussian", 200, value_range="signed"), generate("gaussian", 200, value_range="unit")
    # P(|N(0, 0.5)| > 1) = 4.55 %; P(N(0.5, 0.5) outside of [0, 1]) = 31.7 %.
    assert np.mean(np.abs(signed) == 1) == pytest.approx(0.0455, abs=0.002)
    assert np.mean((unit == 0) | (unit == 1)) == pytest.approx(0.317, abs=0.003)
    assert signed.mean() == pytest.approx(0, abs=0.005) and unit.mean() == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("name", ["rademacher", "bernoulli"])
def test_coins_show_both_sides_equally_often(name):
    for value_range, values in (("signed", [-1, 1]), ("unit", [0, 1])):
        images = generate(name, 100, value_range=value_range)
        assert np.unique(images).tolist() == values
        assert np.mean(images == 1) == pytest.approx(0.5, abs=0.01)


def test_blobs_cover_a_fifth_of_the_image_and_have_definite_edges():
    images = generate("blobs", 1500, value_range="unit")
    assert np.mean(images != 0) == pytest.approx(0.21, abs=0.01)
    assert images[images != 0].min() >= 0.75
    # Blurred over the channels, too: they are not independent.
    red, _, blue = np.moveaxis(images != 0, -1, 0)
    assert np.corrcoef(red.ravel(), blue.ravel())[0, 1] > 0.2
    np.testing.assert_allclose(generate("blobs", 2), 2 * images[:2] - 1)


def test_grey_blobs_are_a_channel_of_coloured_ones():
    np.testing.assert_array_equal(generate("blobs", 3, num_channels=1), generate("blobs", 3)[..., :1])


def test_uniform_noise():
    assert generate("uniform", 100, value_range="unit").std() == pytest.approx(12**-0.5, abs=0.005)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("gausian", 1), "did you mean 'gaussian'"), (("blobs", 1, 32, 3, "wide"), "`value_range` is 'wide'")],
)
def test_a_wrong_argument_is_named(arguments, message):
    for make in (generate, SyntheticDataset):
        with pytest.raises(ValueError, match=message):
            make(*arguments)


def test_the_torch_dataset_yields_the_generated_images():
    dataset = SyntheticDataset("gaussian", 5, 8, 3, "unit", seed=7)
    images = generate("gaussian", 5, 8, 3, "unit", seed=7)
    assert len(dataset) == 5
    rows = dataset.__getitems__([4, 0])
    assert rows[0]["pixel_values"].dtype == torch.float32
    np.testing.assert_array_equal(rows[0]["pixel_values"], images[4].transpose(2, 0, 1))
    np.testing.assert_array_equal(dataset[-1]["pixel_values"], rows[0]["pixel_values"])
    with pytest.raises(IndexError, match="index 5 is out of range"):
        dataset[5]


def test_the_arrow_dataset_yields_the_generated_images():
    dataset = synthetic.as_dataset("blobs", 4, 16, 1, "unit", seed=3)
    assert isinstance(dataset, datasets.Dataset) and len(dataset) == 4
    images = generate("blobs", 4, 16, 1, "unit", seed=3)
    np.testing.assert_array_equal(dataset[:]["pixel_values"], images.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("name", VALIDATION_NAMES)
def test_validation_anomalies_are_seeded_images_unlike_their_source(name):
    anomalies = validation_anomalies(IMAGES, name, seed=1)
    assert anomalies.dtype == np.uint8 and anomalies.shape == IMAGES.shape
    assert not np.array_equal(anomalies, IMAGES)
    np.testing.assert_array_equal(anomalies, validation_anomalies(IMAGES, name, seed=1))


def test_means_mix_each_image_with_another_one():
    flat = np.broadcast_to(np.array([0, 100, 200], np.uint8)[:, None, None, None], (3, 4, 4, 3))
    arithmetic = validation_anomalies(flat, "arithmetic_mean")[:, 0, 0, 0]
    assert sorted(arithmetic) == [50, 100, 150]
    geometric = validation_anomalies(flat, "geometric_mean")[:, 0, 0, 0]
    assert sorted(geometric) == [0, 0, 141]


def test_a_jigsaw_has_the_sixteen_tiles_in_another_order():
    def tiles(image):
        return {image[y : y + 8, x : x + 8].tobytes() for y in range(0, 32, 8) for x in range(0, 32, 8)}

    for image, puzzle in zip(IMAGES, validation_anomalies(IMAGES, "jigsaw"), strict=True):
        assert tiles(image) == tiles(puzzle)


def test_speckles_leave_black_black_and_scale_with_brightness():
    images = np.zeros((1, 64, 64, 1), np.uint8)
    images[:, 32:] = 100
    speckled = validation_anomalies(images, "speckled").astype(float)
    assert speckled[:, :32].max() == 0 and 50 < speckled[:, 32:].std() < 100


@pytest.mark.parametrize("side", [28, 32, 64])
def test_pixelation_averages_cells_of_a_fifth_of_the_resolution(side):
    images = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    pixelated = validation_anomalies(images, "pixelated")
    cells = -(-side // 5)
    assert len(np.unique(pixelated[0, :, :, 0], axis=0)) == cells
    assert pixelated.mean() == pytest.approx(images.mean(), abs=1)


def test_ghosts_move_the_colour_channels_apart():
    images = np.zeros((1, 20, 20, 3), np.uint8)
    images[0, 10, 10] = 255
    ghosts = validation_anomalies(images, "rgb_ghosted")
    places = {tuple(np.argwhere(ghosts[0, :, :, channel])[0]) for channel in range(3)}
    assert len(places) == 3


def test_inversion():
    np.testing.assert_array_equal(validation_anomalies(IMAGES, "inverted"), 255 - IMAGES)


@pytest.mark.parametrize(
    ("images", "name", "message"),
    [
        (IMAGES, "jigsa", "did you mean 'jigsaw'"),
        (IMAGES[0], "inverted", "uint8 of shape"),
        (IMAGES.astype(float), "inverted", "float64 of shape"),
        (IMAGES[:, :30], "jigsaw", "30x32"),
        (IMAGES[..., :1], "rgb_ghosted", "1 channels"),
        (IMAGES[:1], "arithmetic_mean", "a mean needs two"),
    ],
)
def test_images_that_an_anomaly_cannot_be_made_from(images, name, message):
    with pytest.raises(ValueError, match=message):
        validation_anomalies(images, name)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_validation_anomalies_of_a_dataset(mode):
    pictures = [Image.fromarray(image).convert(mode) for image in IMAGES]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    dataset = datasets.Dataset.from_dict({"image": pictures, "label": [0] * 6}, features=features)
    inverted = synthetic.validation_dataset(dataset, "inverted")
    assert inverted.column_names == ["image"]
    np.testing.assert_array_equal(np.asarray(inverted[2]["image"]), 255 - np.asarray(pictures[2]))
