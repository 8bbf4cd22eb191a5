"""Image sets that come with installed packages (the extra `hf_oe[digits]`), to try everything offline.

Handwritten digits are the in-distribution set, whole photographs the outliers; the test anomalies are seeded crops of
other pictures, letters drawn with installed fonts, and the digits' negatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..registry import nearest_names

if TYPE_CHECKING:
    import datasets

PACKAGED = {
    "digits": "In-distribution: 8x8 handwritten digits of scikit-learn, with labels",
    "photographs": "Outliers for training: whole photographs of scikit-image and scikit-learn",
    "texture_crops": "Test anomalies: crops of brick, grass and gravel from scikit-image",
    "faces": "Test anomalies: crops of Labeled Faces in the Wild from scikit-image",
    "astronomy": "Test anomalies: crops of the Hubble deep field and the moon from scikit-image",
    "medical": "Test anomalies: crops of tissue and eye grounds from scikit-image",
    "documents": "Test anomalies: crops of a printed and a handwritten page from scikit-image",
    "letters": "Test anomalies: letters in matplotlib's fonts, in the digits' resolution",
    "negative_digits": "Test anomalies: the test digits in black on white",
}
"""Name of each image set, its role and its source."""

_FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSansMono-Bold"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
)

SOURCES: dict[str, tuple[str, ...]] = {
    "photographs": (
        "skimage/data/astronaut.png",
        "skimage/data/camera.png",
        "skimage/data/chelsea.png",
        "skimage/data/coffee.png",
        "skimage/data/coins.png",
        "skimage/data/motorcycle_left.png",
        "skimage/data/rocket.jpg",
        "sklearn/datasets/images/china.jpg",
        "sklearn/datasets/images/flower.jpg",
    ),
    "texture_crops": ("skimage/data/brick.png", "skimage/data/grass.png", "skimage/data/gravel.png"),
    "faces": ("skimage/data/lfw_subset.npy",),
    "astronomy": ("skimage/data/hubble_deep_field.jpg", "skimage/data/moon.png"),
    "medical": ("skimage/data/ihc.png", "skimage/data/retina.jpg", "skimage/data/microaneurysms.png"),
    "documents": ("skimage/data/page.png", "skimage/data/text.png"),
    "letters": tuple(f"matplotlib/mpl-data/fonts/ttf/{font}.ttf" for font in _FONTS),
}
"""The files that an image set is made of, each as package/path; no file serves both training and testing."""

LETTERS = "ACEFHJKLMNPRTUVWXdefhkmnprtuvwx"
"""Without those that a digit can be taken for in 8x8 pixels, such as O, I, Z, S, b, B and q."""

NUM_ANOMALIES = 500
"""Examples of each test corpus, and of the test digits."""

_CROP_SIZE = 28  # The input size of `hf_oe.protocols.images.DIGITS`.
_MIN_CONTRAST = 16  # Of 255 greys; excludes the black corners of an eye ground and the blank margins of a page.
_SPLITS = {"digits": ("train", "test"), "photographs": ("train",)}


def load_packaged(name: str, split: str = "test", seed: int = 0) -> datasets.Dataset:
    """Loads one of the image sets in `PACKAGED`; the same name, split and seed give the same images.

    Args:
        name: "digits" has the splits "train" and "test", "photographs" has "train", the test anomalies have "test".
        seed: of the digits' stratified split (1,297 and 500), the crops and the letters.

    Returns:
        A dataset with `image` (`datasets.Image`, 8-bit grey or colour: 8x8 digits and letters, 28x28 crops,
        photographs of their own size) and, for "digits", `label`.

    Raises `ValueError` for an unknown name or split and `ImportError` where the package or its file is missing.
    """
    _check(name, split)
    if name == "digits":
        images, labels = _digits(split, seed)
        return _as_dataset(images, labels)
    if name == "photographs":
        return _as_dataset([str(path) for path in _paths(name)])
    if name == "negative_digits":
        images, _ = _digits("test", seed)
        return _as_dataset([Image.eval(image, lambda grey: 255 - grey) for image in images])
    rng = np.random.default_rng([seed, *name.encode()])
    return _as_dataset(_letters(rng) if name == "letters" else _crops(_pictures(name), rng))


def _check(name: str, split: str) -> None:
    if name not in PACKAGED:
        raise ValueError(
            f"Unknown packaged image set {name!r}: {nearest_names(name, list(PACKAGED))}The known ones are "
            f"{', '.join(PACKAGED)}."
        )
    splits = _SPLITS.get(name, ("test",))
    if split not in splits:
        raise ValueError(f"`split` is {split!r}, but the packaged image set {name!r} has only {' and '.join(splits)}.")


def _missing(name: str, file: str) -> ImportError:
    return ImportError(
        f"The packaged image set {name!r} needs {file}, which is not installed: run `pip install 'hf_oe[digits]'`."
    )


def _paths(name: str) -> list[Path]:
    paths = []
    for source in SOURCES[name]:
        package, _, file = source.partition("/")
        try:
            path = Path(str(files(package))) / file
        except ModuleNotFoundError as error:
            raise _missing(name, source) from error
        if not path.is_file():
            raise _missing(name, source)
        paths.append(path)
    return paths


def _as_dataset(images: Sequence[Image.Image | str], labels: Sequence[int] | None = None) -> datasets.Dataset:
    import datasets

    columns, features = {"image": images}, {"image": datasets.Image()}
    if labels is not None:
        columns["label"] = labels
        features["label"] = datasets.ClassLabel(names=[str(digit) for digit in range(10)])
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def _digits(split: str, seed: int) -> tuple[list[Image.Image], list[int]]:
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ModuleNotFoundError as error:
        raise _missing("digits", "scikit-learn") from error
    greys, labels = load_digits(return_X_y=True)
    train, test = train_test_split(np.arange(len(labels)), test_size=NUM_ANOMALIES, stratify=labels, random_state=seed)
    rows = np.sort(train if split == "train" else test)
    # The greys count the inked pixels of each 4x4 block of a 32x32 bitmap.
    pixels = np.round(greys[rows] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    return [Image.fromarray(image) for image in pixels], labels[rows].tolist()


def _pictures(name: str) -> list[Image.Image]:
    if name == "faces":
        (path,) = _paths(name)
        # The second hundred of the file are background patches.
        return [Image.fromarray(np.uint8(face * 255)) for face in np.load(path)[:100]]
    return [Image.open(path) for path in _paths(name)]


def _crops(pictures: Sequence[Image.Image], rng: np.random.Generator) -> list[Image.Image]:
    return [_crop(pictures[index % len(pictures)], rng) for index in range(NUM_ANOMALIES)]


def _crop(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A square at random place and scale, its side log-uniform up to the picture's short side; never a blank one."""
    short = min(picture.size)
    # A face is smaller than a crop: three quarters of it keep it recognisable.
    smallest = min(_CROP_SIZE, 0.75 * short)
    while True:
        side = smallest * (short / smallest) ** rng.random()
        left, top = (np.array(picture.size) - side) * rng.random(2)
        box = (left, top, left + side, top + side)
        crop = picture.resize((_CROP_SIZE, _CROP_SIZE), Image.Resampling.BILINEAR, box=box)
        darkest, brightest = crop.convert("L").getextrema()
        if brightest - darkest >= _MIN_CONTRAST:
            return crop


def _letters(rng: np.random.Generator) -> list[Image.Image]:
    fonts = [ImageFont.truetype(path, 64) for path in _paths("letters")]
    choices = zip(rng.choice(len(fonts), NUM_ANOMALIES), rng.choice(list(LETTERS), NUM_ANOMALIES), strict=True)
    return [_letter(fonts[font], letter, rng) for font, letter in choices]


def _letter(font: ImageFont.FreeTypeFont, letter: str, rng: np.random.Generator) -> Image.Image:
    """White on black, slightly turned, filling its frame and reduced as the digits were: from 32x32 in 4x4 blocks."""
    canvas = Image.new("L", (128, 128))
    ImageDraw.Draw(canvas).text((64, 64), letter, fill=255, font=font, anchor="mm")
    canvas = canvas.rotate(rng.uniform(-10, 10), Image.Resampling.BILINEAR)
    glyph = canvas.crop(canvas.getbbox())
    glyph.thumbnail((32, 32), Image.Resampling.BOX)
    frame = Image.new("L", (32, 32))
    frame.paste(glyph, ((32 - glyph.width) // 2, (32 - glyph.height) // 2))
    return frame.reduce(4)
