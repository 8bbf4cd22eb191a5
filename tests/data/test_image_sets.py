"""The image sets of an experiment, from files that the test makes."""

import datasets
import numpy as np
import pytest
from PIL import Image

from hf_oe.data.image_sets import load_image_sets
from hf_oe.models import DCGANConfig, DCGANGenerator
from hf_oe.protocols.images import MNIST
from tests.pictures import as_dataset, structured_images


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    images = structured_images(60, seed=0)
    sets = {
        "mnist/train": images[:30],
        "mnist/test": images[30:40],
        "strange/test": images[40:50],
        "outside/train": np.concatenate([images[50:], images[3:5], images[41:44, :, ::-1], images[35:36]]),
    }
    for name, pictures in sets.items():
        dataset = as_dataset(pictures).add_column("label", [index % 10 for index in range(len(pictures))])
        (folder / name).parent.mkdir(exist_ok=True)
        dataset.to_parquet(folder / f"{name}.parquet")
    return str(folder)


def test_copies_of_training_test_and_anomalous_images_leave_the_outliers(data_dir):
    sets = load_image_sets(MNIST, ["outside", "gaussian"], ["strange"], data_dir, remove_copies=True)
    assert len(sets.outliers) == 10 + 50_000
    assert sets.decontamination["outside"].counts() == {
        "in_distribution": {"exact": 2, "near": 0},
        "mnist test": {"exact": 1, "near": 0},
        "strange": {"exact": 0, "near": 3},
    }


def test_outliers_stay_as_they_are_unless_asked(data_dir):
    sets = load_image_sets(MNIST, ["outside"], ["strange"], data_dir)
    assert len(sets.outliers) == 16 and sets.decontamination == {}


def test_held_out_examples_are_not_trained_on(data_dir):
    sets = load_image_sets(MNIST, ["outside"], ["strange"], data_dir, hold_out=5)
    held_out, train = ({row["pixel_values"].numpy().tobytes() for row in part} for part in (sets.held_out, sets.train))
    assert (len(held_out), len(train), len(held_out & train)) == (5, 25, 0)


@pytest.mark.parametrize(("hold_out", "held_out"), [(None, 3), (0, None)])
def test_a_tenth_is_held_out_of_a_small_set_unless_told_otherwise(data_dir, hold_out, held_out):
    sets = load_image_sets(MNIST, ["outside"], ["strange"], data_dir, hold_out=hold_out)
    assert (sets.held_out and len(sets.held_out), len(sets.train)) == (held_out, 30 - (held_out or 0))


def test_large_pictures_are_cropped_anew_at_each_draw(tmp_path, data_dir):
    (tmp_path / "large").mkdir()
    pictures = [Image.fromarray(picture) for picture in structured_images(4, seed=1, size=96)]
    datasets.Dataset.from_dict({"image": pictures}).cast_column("image", datasets.Image()).to_parquet(
        tmp_path / "large" / "train.parquet"
    )
    sets = load_image_sets(MNIST, [str(tmp_path / "large" / "train.parquet")], ["strange"], data_dir)
    first, second = (sets.outliers[0]["pixel_values"] for _ in range(2))
    assert first.shape == second.shape == (1, 28, 28) and not first.equal(second)


def test_a_saved_generator_makes_outliers_of_the_experiments_size(tmp_path, data_dir):
    DCGANGenerator(DCGANConfig(image_size=28, num_channels=1, base_channels=2)).save_pretrained(tmp_path / "grey")
    sets = load_image_sets(MNIST, [str(tmp_path / "grey"), "outside"], ["strange"], data_dir)
    assert len(sets.outliers) == 50_000 + 16
    assert sets.outliers[0]["pixel_values"].shape == sets.outliers[50_000]["pixel_values"].shape == (1, 28, 28)
    DCGANGenerator(DCGANConfig(base_channels=2)).save_pretrained(tmp_path / "colour")
    with pytest.raises(ValueError, match="whose images have 3 channels and 32 pixels a side; mnist has 1 and 28"):
        load_image_sets(MNIST, [str(tmp_path / "colour")], ["strange"], data_dir)
