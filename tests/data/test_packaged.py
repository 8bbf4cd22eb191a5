from __future__ import annotations

import socket
import sys
from collections import Counter
from importlib.resources import files
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import ImageFont

pytest.importorskip("skimage", reason="scikit-image is not installed: pip install 'hf_oe[digits]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'hf_oe[digits]'")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'hf_oe[digits]'")

from hf_oe.data.packaged import LETTERS, PACKAGED, SOURCES, load_packaged

ANOMALIES = [name for name in PACKAGED if name not in ("digits", "photographs")]


def pixels(dataset: datasets.Dataset) -> list[bytes]:
    return [image.tobytes() for image in dataset["image"][:]]


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("packaged data went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_there_are_five_real_corpora_besides_letters_and_negatives():
    assert len(set(ANOMALIES) - {"letters", "negative_digits"}) >= 5


@pytest.mark.parametrize("name", ANOMALIES)
def test_anomalies_are_500_different_images_with_something_on_them(name, offline):
    dataset = load_packaged(name)
    assert dataset.column_names == ["image"] and isinstance(dataset.features["image"], datasets.Image)
    assert len(set(pixels(dataset))) == len(dataset) == 500
    assert min(np.ptp(np.asarray(image.convert("L")).astype(int)) for image in dataset["image"][:]) >= 16


@pytest.mark.parametrize("name", ["faces", "letters", "negative_digits"])
def test_the_seed_decides_the_images(name):
    assert pixels(load_packaged(name, seed=3)) == pixels(load_packaged(name, seed=3))
    assert pixels(load_packaged(name, seed=3)) != pixels(load_packaged(name, seed=4))


def test_photographs_are_whole_and_large(offline):
    photographs = load_packaged("photographs", "train")
    assert len(photographs) == len(SOURCES["photographs"])
    assert all(min(image.size) >= 300 for image in photographs["image"][:])


def test_no_file_serves_both_training_and_testing():
    paths = Counter(path for sources in SOURCES.values() for path in sources)
    assert set(paths.values()) == {1}
    # The right picture of the stereo pair shows the same scene as the left one.
    stems = {Path(path).stem.replace("_right", "").replace("_left", "") for path in paths}
    assert len(stems) == len(paths)


def test_digits_are_split_without_overlap(offline):
    train, test = load_packaged("digits", "train"), load_packaged("digits", "test")
    assert (len(train), len(test)) == (1297, 500)
    assert train.features["label"].names == list("0123456789")
    assert len(set(pixels(train)) | set(pixels(test))) == 1797
    assert all(image.size == (8, 8) and image.mode == "L" for image in test["image"][:])


def test_digits_are_stratified():
    shares = [np.bincount(load_packaged("digits", split)["label"][:]) for split in ("train", "test")]
    np.testing.assert_allclose(shares[0] / 1297, shares[1] / 500, atol=0.002)


def test_digits_keep_scikit_learns_greys():
    from sklearn.datasets import load_digits

    greys = np.stack([np.asarray(image) for image in load_packaged("digits", "test")["image"][:]]) * (16 / 255)
    known = {image.tobytes() for image in load_digits().images.astype(np.uint8)}
    assert {image.tobytes() for image in np.round(greys).astype(np.uint8)} <= known


def test_negative_digits_are_the_test_digits_inverted():
    digits, negatives = load_packaged("digits", "test", seed=1), load_packaged("negative_digits", seed=1)
    for digit, negative in zip(digits["image"][:20], negatives["image"][:20], strict=True):
        np.testing.assert_array_equal(np.asarray(digit) + np.asarray(negative), 255)


def test_letters_look_like_the_digits_do_but_are_none():
    assert not set(LETTERS) & set("OoQDIilZzSsbBGgq0123456789")
    for image in load_packaged("letters")["image"][:]:
        assert image.size == (8, 8) and image.mode == "L"
        # White on black, and a glyph: ink, but no filled box.
        assert 0.05 < np.mean(np.asarray(image)) / 255 < 0.75


def test_every_letter_has_a_glyph_in_every_font():
    """A font draws the same box for each letter that it lacks."""
    for source in SOURCES["letters"]:
        package, _, file = source.partition("/")
        font = ImageFont.truetype(str(files(package) / file), 64)
        assert len({bytes(font.getmask(letter)) for letter in LETTERS}) == len(LETTERS)


def test_unknown_names_and_splits_are_explained():
    with pytest.raises(ValueError, match=r"'fases': did you mean 'faces'\?"):
        load_packaged("fases")
    with pytest.raises(ValueError, match="'photographs' has only train"):
        load_packaged("photographs", "test")
    with pytest.raises(ValueError, match="'letters' has only test"):
        load_packaged("letters", "train")


@pytest.mark.parametrize("source", ["skimage/data/absent.png", "no_such_package_here/page.png"])
def test_a_missing_file_or_package_names_the_extra(monkeypatch, source):
    monkeypatch.setitem(SOURCES, "documents", (source,))
    with pytest.raises(ImportError, match=rf"'documents' needs {source}.*hf_oe\[digits\]"):
        load_packaged("documents")


def test_missing_scikit_learn_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"'digits' needs scikit-learn.*hf_oe\[digits\]"):
        load_packaged("digits", "train")
