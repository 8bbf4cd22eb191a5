"""The processor that travels with the paper's networks: the same pixels as in training, wherever it is loaded."""

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor

from hf_oe.data.images import BatchTransform, ImageDataset, prepare_images
from hf_oe.models import SmallImageProcessor

MODES = ["L", "RGB", "RGBA", "1"]


@pytest.mark.parametrize(("size", "mean", "std"), [(28, (0.0,), (1.0,)), (32, (0.49, 0.48, 0.45), (0.25, 0.24, 0.26))])
def test_it_makes_the_inputs_that_training_makes(size, mean, std):
    generator = np.random.default_rng(0)
    shapes = [(8, 8), (32, 32), (28, 28), (40, 90), (90, 41)]
    images = [
        Image.fromarray(generator.integers(0, 256, (*shape, 3), dtype=np.uint8)).convert(mode)
        for shape in shapes
        for mode in MODES
    ]
    channels = len(mean)
    prepared = prepare_images(datasets.Dataset.from_dict({"image": images}), size, channels)
    trained = ImageDataset(prepared, size, channels, BatchTransform(mean, std)).__getitems__(range(len(images)))
    processor = SmallImageProcessor(size, channels, mean, std)
    processed = processor(images, return_tensors="pt")["pixel_values"]
    assert torch.equal(processed, torch.stack([row["pixel_values"] for row in trained]))


def test_it_is_saved_with_its_code_and_loaded_as_ours(tmp_path):
    SmallImageProcessor(28, 1, (0.1,), (0.3,)).save_pretrained(tmp_path)
    assert (tmp_path / "image_processing_small_image.py").exists()
    loaded = AutoImageProcessor.from_pretrained(tmp_path)
    assert isinstance(loaded, SmallImageProcessor)
    assert (loaded.image_size, loaded.num_channels, loaded.image_mean, loaded.image_std) == (28, 1, [0.1], [0.3])


def test_bad_channels_are_named():
    with pytest.raises(ValueError, match="`num_channels` must be 1"):
        SmallImageProcessor(num_channels=4)
