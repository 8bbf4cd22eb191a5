"""The image path: decoded once, the same pixels as PIL's, the same augmentation as one image at a time."""

import pickle

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from transformers import default_data_collator

from hf_oe.data.images import (
    BatchTransform,
    ConcatImages,
    ImageDataset,
    PhotographDataset,
    prepare_images,
    stream_photographs,
)


def random_pixels(count, height=8, width=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def planes(pixels):
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def as_dataset(pixels, labelled=True):
    columns = {"image": [Image.fromarray(image) for image in pixels]}
    features = {"image": datasets.Image()}
    if labelled:
        columns["label"] = list(range(len(pixels)))
        features["label"] = datasets.Value("int64")
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def image_dataset(pixels, transform=None, size=8, **kwargs):
    return ImageDataset(prepare_images(as_dataset(pixels, **kwargs), size, 3), size, 3, transform or BatchTransform())


def test_pixels_survive_the_cache_exactly():
    pixels = random_pixels(7)
    dataset = image_dataset(pixels)
    np.testing.assert_array_equal(dataset.pixels([3, 0, 3]), planes(pixels[[3, 0, 3]]))
    row = dataset[5]
    assert row["labels"] == 5 and row["pixel_values"].shape == (3, 8, 8)


def test_normalisation():
    pixels = random_pixels(4)
    mean, std = (0.1, 0.5, 0.9), (0.5, 0.25, 2.0)
    expected = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - torch.tensor(mean).view(1, 3, 1, 1)) / (
        torch.tensor(std).view(1, 3, 1, 1)
    )
    actual = BatchTransform(mean, std)(planes(pixels))
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, expected)


def test_inversion_turns_black_into_white():
    torch.testing.assert_close(BatchTransform(invert=True)(np.zeros((1, 1, 2, 2), np.uint8)), torch.ones(1, 1, 2, 2))


def test_crops_and_flips_are_those_of_the_zero_padded_image_and_all_occur():
    image = random_pixels(1)[0]
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    crops = [padded[top : top + 8, left : left + 8] for top in range(3) for left in range(3)]
    expected = {crop.tobytes() for crop in crops} | {crop[:, ::-1].tobytes() for crop in crops}
    torch.manual_seed(0)
    augmented = BatchTransform(crop_padding=1, flip=True)(planes(np.repeat(image[None], 400, axis=0)))
    actual = {(255 * one.permute(1, 2, 0)).round().byte().numpy().tobytes() for one in augmented}
    assert actual == expected


def test_augmentation_follows_torchs_generator():
    transform, pixels = BatchTransform(crop_padding=2, flip=True), planes(random_pixels(9))
    torch.manual_seed(1)
    first = transform(pixels)
    assert not torch.equal(transform(pixels), first)
    torch.manual_seed(1)
    torch.testing.assert_close(transform(pixels), first, rtol=0, atol=0)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "RGB"])
def test_every_mode_is_decoded(mode):
    image = Image.fromarray(random_pixels(1)[0]).convert(mode)
    dataset = datasets.Dataset.from_dict({"image": [image]}, features=datasets.Features({"image": datasets.Image()}))
    (actual,) = ImageDataset(prepare_images(dataset, 8, 3), 8, 3, BatchTransform()).pixels([0])
    np.testing.assert_array_equal(actual, planes(np.asarray(image.convert("RGB"))[None])[0])


def test_other_sizes_are_resized_and_cropped_at_the_centre():
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 200
    grey = ImageDataset(prepare_images(as_dataset([wide]), 4, 1), 4, 1, BatchTransform())
    assert grey.pixels([0]).shape == (1, 1, 4, 4)
    np.testing.assert_array_equal(grey.pixels([0])[0, 0, :, 1:3], np.full((4, 2), 200))


def test_selected_and_shuffled_datasets_keep_their_order():
    prepared = prepare_images(as_dataset(random_pixels(20)), 8, 3)
    for view in (prepared.select([4, 2, 9]), prepared.shuffle(seed=1), prepared.select(range(5, 12))):
        rows = ImageDataset(view, 8, 3, BatchTransform()).__getitems__(range(len(view)))
        whole = ImageDataset(prepared, 8, 3, BatchTransform())
        for row in rows:
            torch.testing.assert_close(row["pixel_values"], whole[row["labels"]]["pixel_values"])


def test_a_dataset_sent_to_a_worker_is_small_and_the_same():
    dataset = image_dataset(random_pixels(5))
    dataset[0]
    again = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again.pixels([1, 4]), dataset.pixels([1, 4]))


def test_rows_go_through_the_default_collator():
    batch = default_data_collator(image_dataset(random_pixels(6)).__getitems__([0, 2, 5]))
    assert batch["pixel_values"].shape == (3, 3, 8, 8) and batch["labels"].tolist() == [0, 2, 5]


def test_unlabelled_images_have_no_labels():
    assert set(image_dataset(random_pixels(2), labelled=False)[0]) == {"pixel_values"}


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="`image_column` 'img' is not in the dataset, whose columns are image, label"):
        prepare_images(as_dataset(random_pixels(1)), 8, image_column="img")


@pytest.fixture
def photographs():
    gradient = np.broadcast_to(np.arange(120, dtype=np.uint8)[None, :, None], (60, 120, 3))
    return as_dataset([np.ascontiguousarray(gradient), random_pixels(1, 50, 50)[0]], labelled=False)


def test_photographs_are_cropped_anew_at_each_draw(photographs):
    dataset = PhotographDataset(photographs, 8, 3, BatchTransform())
    torch.manual_seed(0)
    crops = [255 * row["pixel_values"] for row in dataset.__getitems__([0] * 200)]
    spans = torch.stack([crop.max() - crop.min() for crop in crops])
    middles = torch.stack([crop.mean() for crop in crops])
    assert crops[0].shape == (3, 8, 8)
    assert spans.min() < 10 and spans.max() > 45  # sides from 8 to 60 pixels
    assert middles.min() < 25 and middles.max() > 95  # places from left to right
    torch.manual_seed(0)
    torch.testing.assert_close(255 * dataset.__getitems__([0] * 200)[7]["pixel_values"], crops[7])


def test_photographs_decoded_at_each_draw_give_the_same_crops(photographs):
    def crops(**kwargs):
        torch.manual_seed(0)
        dataset = PhotographDataset(photographs, 8, 1, BatchTransform(), **kwargs)
        return torch.stack([row["pixel_values"] for row in dataset.__getitems__([0, 1, 0, 1])])

    assert crops().shape == (4, 1, 8, 8)
    torch.testing.assert_close(crops(max_in_memory=0), crops(), rtol=0, atol=0)


def test_pictures_smaller_than_the_input_are_used_whole():
    dataset = PhotographDataset(as_dataset([np.full((4, 4, 3), 7, np.uint8)]), 8, 3, BatchTransform())
    torch.testing.assert_close(255 * dataset[0]["pixel_values"], torch.full((3, 8, 8), 7.0))


def test_several_sets_as_one():
    first, second = random_pixels(3), random_pixels(4, seed=1)
    both = ConcatImages([image_dataset(first), image_dataset(second, labelled=False)])
    rows = both.__getitems__([5, 0, 2, 6])
    expected = BatchTransform()(planes(np.stack([second[2], first[0], first[2], second[3]])))
    torch.testing.assert_close(torch.stack([row["pixel_values"] for row in rows]), expected)


def test_a_stream_of_photographs_is_cropped_as_it_passes(photographs):
    stream = stream_photographs(photographs.to_iterable_dataset(), 8, 1, BatchTransform((0.5,), (0.5,)))
    torch.manual_seed(0)
    first = [row["pixel_values"] for row in stream]
    assert [crop.shape for crop in first] == [(1, 8, 8)] * 2
    assert not torch.equal(first[0], next(iter(stream))["pixel_values"])
