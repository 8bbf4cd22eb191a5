"""The two pipelines: what they return, whatever they are given, and how a threshold gets into them."""

import warnings

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from hf_oe import fit_threshold, pipeline
from hf_oe.config import update_oe_settings
from hf_oe.models import SmallImageProcessor, create_classifier
from hf_oe.scores import SCORES

from .tiny import tiny_reader

KEYS = {"label", "score", "anomaly_score", "is_anomalous"}


def pictures(count, size=40, seed=0):
    generator = np.random.default_rng(seed)
    return [Image.fromarray(generator.integers(0, 256, (size, size, 3), dtype=np.uint8)) for _ in range(count)]


@pytest.fixture
def detector():
    torch.manual_seed(0)
    model = create_classifier("oe_mnist_convnet", 3, id2label={0: "a", 1: "b", 2: "c"}).eval()
    return pipeline(
        "ood-image-classification",
        model=model,
        image_processor=SmallImageProcessor(image_size=28, num_channels=1),
        device="cpu",
    )


@pytest.fixture
def reader():
    return tiny_reader()


def test_the_score_is_calibrated_and_the_anomaly_score_is_not(detector):
    update_oe_settings(detector.model, temperature=2.5)
    (picture,) = pictures(1)
    logits = detector.model(**detector.image_processor(picture, return_tensors="pt")).logits
    result = detector(picture, threshold=0.0)
    assert set(result) == KEYS and result["label"] == "abc"[logits.argmax()]
    assert result["score"] == pytest.approx((logits / 2.5).softmax(-1).max().item(), rel=1e-6)
    assert result["anomaly_score"] == pytest.approx(SCORES["msp"](logits).item(), rel=1e-6)
    assert result["is_anomalous"] is False


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_batches_give_what_single_images_give(detector, batch_size):
    images = pictures(5)
    together = detector(images, batch_size=batch_size, threshold=-0.4)
    for result, image in zip(together, images, strict=True):
        alone = detector(image, threshold=-0.4)
        assert (result["label"], result["is_anomalous"]) == (alone["label"], alone["is_anomalous"])
        assert result["anomaly_score"] == pytest.approx(alone["anomaly_score"], rel=1e-5)


def test_paths_arrays_and_rows_of_a_dataset_are_the_same_image(detector, tmp_path):
    (picture,) = pictures(1)
    picture.save(tmp_path / "picture.png")
    dataset = datasets.Dataset.from_dict({"image": [picture], "label": [0]})
    same = [tmp_path / "picture.png", str(tmp_path / "picture.png"), np.asarray(picture), dataset[0]]
    same += [torch.from_numpy(np.array(picture)), {"image": picture}]
    expected = detector(picture, threshold=0.0)
    for source in same:
        assert detector(source, threshold=0.0) == expected


def test_without_a_threshold_it_says_once_how_to_get_one(detector):
    with pytest.warns(UserWarning, match=r"hf_oe.fit_threshold\(pipeline, in_distribution, target_fpr=0.05\)") as told:
        results = detector(pictures(3)) + [detector(pictures(1)[0])]
    assert [result["is_anomalous"] for result in results] == [None] * 4
    assert len(told) == 1


def test_a_fitted_threshold_is_used_and_flags_the_share_it_promises(detector):
    held_out = pictures(40)
    threshold = fit_threshold(detector, held_out, target_fpr=0.25, score="energy", batch_size=7)
    results = detector(held_out, batch_size=7)
    assert np.mean([result["is_anomalous"] for result in results]) == threshold.achieved <= 0.25
    # It was fitted for another score than this one.
    with pytest.warns(UserWarning, match="no threshold for the score 'msp'"):
        assert detector(held_out[0], score="msp")["is_anomalous"] is None


def test_a_threshold_survives_saving_the_pipeline(detector, tmp_path):
    fit_threshold(detector, datasets.Dataset.from_dict({"image": pictures(10)}), target_fpr=0.5)
    detector.save_pretrained(tmp_path)
    loaded = pipeline("ood-image-classification", model=str(tmp_path), device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loaded(pictures(3)) == detector(pictures(3))
    assert not (tmp_path / "pipelines.py").exists()


def test_texts(reader):
    texts = ["a film of rare beauty", "dull", "noise " * 50]
    threshold = fit_threshold(reader, [{"text": text} for text in texts], target_fpr=0.4)
    results = reader(texts, batch_size=2)
    assert sum(result["is_anomalous"] for result in results) == 1 and threshold.examples == 3
    assert all(set(result) == KEYS for result in results)
    for text in (" ", "", 3):
        with pytest.raises(ValueError, match=r"text is empty|text must be a string"):
            reader(text)


def write_truncated(path):
    pictures(1, size=200)[0].save(path)
    path.write_bytes(path.read_bytes()[:5000])


def write_huge(path):
    Image.new("1", (20_000, 20_000)).save(path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "There is no image '.*picture.png'"),
        (lambda path: path.write_text("no image"), "not an image of a kind that Pillow reads"),
        (write_truncated, "cannot be read .* damaged, cut off"),
        (write_huge, "too large: give one of at most 178,956,970 pixels"),
    ],
)
def test_a_file_that_is_no_image_is_named_in_one_sentence(detector, tmp_path, write, message):
    write(tmp_path / "picture.png")
    with pytest.raises(ValueError, match=message):
        detector(tmp_path / "picture.png")


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3)), 7, None])
def test_arrays_of_another_kind_are_refused(detector, pixels):
    with pytest.raises(ValueError, match="An image must be a path"):
        detector(pixels)


def test_models_and_scores_that_will_not_do_are_named(detector):
    with pytest.raises(ValueError, match="at least two classes"):
        pipeline("ood-image-classification", model=create_classifier("oe_mnist_convnet", 1), image_processor=object())
    with pytest.raises(ValueError, match="Unknown score 'mps': did you mean 'msp'"):
        detector(pictures(1), score="mps")
