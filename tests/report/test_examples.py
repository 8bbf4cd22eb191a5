"""The most and the least anomalous examples, as the model sees them."""

import numpy as np
import pytest
import torch
from PIL import Image

from hf_oe.report import most_and_least_anomalous

SHADES = np.arange(10, dtype=np.uint8)


def plain(shade, side=6, channels=1):
    return np.full((channels, side, side), shade, np.uint8)


def test_extremes_come_first_with_their_scores():
    images = [plain(shade) for shade in SHADES]
    examples = most_and_least_anomalous(images, (SHADES - 4.2) ** 2, count=3)
    assert examples.most[:, 0, 0, 0].tolist() == [9, 0, 8] and examples.least[:, 0, 0, 0].tolist() == [4, 5, 3]
    assert examples.most_scores.tolist() == pytest.approx([4.8**2, 4.2**2, 3.8**2])
    assert (np.diff(examples.least_scores) > 0).all()


def test_rows_of_another_kind_are_made_readable():
    rows = [{"pixel_values": torch.full((1, 4, 4), value)} for value in (-1.0, 0.0, 0.2, 1.0)]
    examples = most_and_least_anomalous(rows, range(4), readable=lambda row: np.asarray(row["pixel_values"]) / 2 + 0.5)
    assert examples.most[:, 0, 0, 0].tolist() == [255, 153, 128, 0]
    beyond = most_and_least_anomalous([{"pixel_values": torch.full((1, 4, 4), 1.5)}], [0.0])
    assert beyond.most.max() == beyond.most.min() == 255


def test_large_pictures_of_any_shape_become_small_squares():
    pictures = [{"image": Image.new("RGB", (300, 200), "red")}, {"image": Image.new("RGB", (150, 400), "blue")}]
    examples = most_and_least_anomalous(pictures, [1.0, 2.0])
    assert examples.most.shape == (2, 3, 96, 96)
    assert examples.most[:, :, 50, 50].tolist() == [[0, 0, 255], [255, 0, 0]]


def test_texts():
    examples = most_and_least_anomalous([{"text": "a"}, {"text": "bcd"}, "ef"], [1.0, 3.0, 2.0], count=2)
    assert examples.most.tolist() == ["bcd", "ef"] and examples.least.tolist() == ["a", "ef"]


@pytest.mark.parametrize(("scores", "count"), [([1.0], 2), ([[1.0], [2.0]], 2), ([1.0, 2.0], 0)])
def test_scores_that_do_not_belong_to_the_dataset_are_refused(scores, count):
    with pytest.raises(ValueError, match="`scores` must be one for each of the 2 examples"):
        most_and_least_anomalous([plain(0), plain(1)], scores, count)
