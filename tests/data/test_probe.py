"""The shortcut probe: it finds a planted cue, names it, and finds nothing where there is nothing."""

from io import BytesIO

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from hf_oe.data.probe import SEPARABLE, shortcut_probe

COUNT, SIDE = 120, 32


def pictures(seed, channels=3, side=SIDE):
    """Soft colourful noise, uint8 `(COUNT, channels, side, side)`."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (COUNT, channels, side // 4 + 1, side // 4 + 1))
    images = coarse.repeat(4, axis=2).repeat(4, axis=3)[:, :, :side, :side].astype(float)
    images += generator.normal(0, 8, images.shape)
    return images.clip(0, 255).astype(np.uint8)


def through(change, images):
    """Each picture through a function of PIL images."""
    changed = [np.asarray(change(Image.fromarray(image.transpose(1, 2, 0)))) for image in images]
    return np.stack(changed).transpose(0, 3, 1, 2)


def compressed(image):
    buffer = BytesIO()
    image.save(buffer, "jpeg", quality=5)
    return Image.open(buffer).convert("RGB")


def enlarged(image):
    small = image.resize((SIDE * 2 // 3, SIDE * 2 // 3), Image.Resampling.BILINEAR)
    return small.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def pale(images):
    return (0.3 * images + 0.7 * images.mean(axis=1, keepdims=True)).astype(np.uint8)


def test_sets_of_one_kind_are_not_separable():
    probe = shortcut_probe(pictures(0), pictures(1))
    assert not probe.separable and abs(probe.auroc - 0.5) < 0.15
    assert all(abs(auroc - 0.5) < 0.15 for auroc in probe.cues.values())


@pytest.mark.parametrize(
    ("cue", "outliers"),
    [
        ("high frequencies", through(enlarged, pictures(1))),
        ("mean colour", (pictures(1) * np.array([1.0, 0.8, 0.8])[:, None, None]).astype(np.uint8)),
        ("colour variance", (64 + pictures(1) // 2).astype(np.uint8)),
        ("saturation", pale(pictures(1))),
    ],
)
def test_a_planted_cue_is_found_and_named(cue, outliers):
    probe = shortcut_probe(pictures(0), outliers)
    assert probe.separable and probe.cues[cue] > SEPARABLE


def test_jpeg_blocks_are_found_wherever_their_grid_lies():
    smooth = [
        through(lambda image: image.resize((96, 96), Image.Resampling.BICUBIC), pictures(seed)) for seed in (0, 1)
    ]
    places = np.random.default_rng(0).integers(0, 60, (COUNT, 2))

    def crops(images):
        return np.stack([image[:, y : y + 32, x : x + 32] for image, (y, x) in zip(images, places, strict=True)])

    probe = shortcut_probe(crops(smooth[0]), crops(through(compressed, smooth[1])))
    assert probe.cues["JPEG blocks"] > SEPARABLE
    assert abs(shortcut_probe(crops(smooth[0]), crops(smooth[1])).cues["JPEG blocks"] - 0.5) < 0.15


def test_outliers_on_both_sides_are_found():
    spread = pictures(1) * np.where(np.arange(COUNT) % 2, 0.5, 1.0)[:, None, None, None]
    spread += np.where(np.arange(COUNT) % 2, 0, 60)[:, None, None, None]
    assert shortcut_probe(pictures(0), spread).cues["mean colour"] > SEPARABLE


def test_grey_and_small_images_have_the_cues_that_apply():
    probe = shortcut_probe(pictures(0, channels=1, side=12), pictures(1, channels=1, side=12))
    assert set(probe.cues) == {"high frequencies", "mean colour", "colour variance"}


def test_constant_images_are_no_difficulty():
    assert shortcut_probe(np.zeros((20, 1, 20, 20)), np.zeros((20, 1, 20, 20))).auroc == 0.5


TEXTS = [f"The {colour} house number {number} stands alone." for colour in ("red", "blue") for number in range(30)]


@pytest.mark.parametrize(
    ("cue", "change"),
    [
        ("length", lambda text: text + " " + text),
        ("punctuation", lambda text: text.rstrip(".")),
        ("capitals", str.lower),
        ("digits", lambda text: "".join("N" if char.isdigit() else char for char in text)),
    ],
)
def test_a_cue_of_texts_is_found(cue, change):
    assert shortcut_probe(TEXTS, [change(text) for text in TEXTS]).cues[cue] > SEPARABLE
    assert abs(shortcut_probe(TEXTS[::2], TEXTS[1::2]).cues[cue] - 0.5) < 0.2


def test_datasets_streams_and_arrays_agree():
    images = {0: pictures(0)[:40], 1: np.concatenate([pictures(seed) for seed in range(1, 6)])}
    expected = shortcut_probe(images[0], images[1])
    rows = {seed: [{"pixel_values": torch.from_numpy(image)} for image in images[seed]] for seed in images}
    pil = [{"image": Image.fromarray(image.transpose(1, 2, 0))} for image in images[1]]
    stream = datasets.IterableDataset.from_generator(lambda: iter(pil))
    assert shortcut_probe(rows[0], stream) == expected
    assert shortcut_probe([{"text": text} for text in TEXTS], TEXTS).cues.keys() >= {"length"}
    numbers = [{"input_ids": [number] * 3} for number in range(30)]
    assert "digits" in shortcut_probe(numbers, numbers, readable=lambda row: str(row["input_ids"])).cues


def test_draws_of_one_example_are_never_on_both_sides_of_a_fold():
    # Ten pictures, each its own constant: remembering them would separate the sets perfectly.
    shades = np.random.default_rng(0).permutation(20).reshape(2, 10, 1, 1, 1)
    normal, anomalous = np.broadcast_to(shades, (2, 10, 1, 20, 20))
    probe = shortcut_probe(normal, anomalous)
    assert probe.auroc < 0.8 and probe.outliers == 500


def test_a_few_photographs_are_probed_by_many_crops():
    class Crops(torch.utils.data.Dataset):
        def __len__(self):
            return 9

        def __getitem__(self, index):
            return {"pixel_values": torch.rand(1, 16, 16) * torch.rand(1)}

    assert shortcut_probe(pictures(0, channels=1, side=16), Crops()).outliers == 500


def test_the_sample_is_bounded_and_leaves_torchs_generator_alone():
    class Random(torch.utils.data.Dataset):
        def __len__(self):
            return 1000

        def __getitem__(self, index):
            return {"pixel_values": torch.rand(3, 16, 16)}

    before = torch.get_rng_state()
    probe = shortcut_probe(Random(), Random(), max_examples=30)
    assert probe.in_distribution == probe.outliers == 30
    assert torch.equal(torch.get_rng_state(), before)
    assert shortcut_probe(Random(), Random(), max_examples=30) == probe


@pytest.mark.parametrize(
    ("in_distribution", "outliers", "message"),
    [
        (np.zeros((3, 1, 8, 8)), np.zeros((30, 1, 8, 8)), "`in_distribution` must hold at least 5 examples, got 3"),
        (TEXTS, [], "`outliers` must hold at least 5 examples, got 0"),
        (TEXTS, np.zeros((30, 1, 8, 8)), "must be of one kind"),
        (np.zeros((30, 8, 8)), np.zeros((30, 8, 8)), r"must have the shape \(channels, height, width\)"),
        ([{"label": 1}] * 30, TEXTS, "must hold `pixel_values`, `image` or `text`, got label"),
        ([np.zeros((1, 8, 8)), np.zeros((1, 9, 9))] * 9, np.zeros((30, 1, 8, 8)), "must have one shape"),
    ],
)
def test_what_cannot_be_probed_is_refused(in_distribution, outliers, message):
    with pytest.raises(ValueError, match=message):
        shortcut_probe(in_distribution, outliers)
