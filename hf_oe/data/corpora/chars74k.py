"""Chars74K: photographed letters, without those that look like digits."""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Any

from ._archives import is_image, members, readable_images
from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._info import CorpusInfo, published_at

_CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_LOOK_LIKE_DIGITS = "OoIil"


def _character(name: str) -> str:
    """The character that `English/Img/GoodImg/Bmp/Sample011/img011-00001.png` shows: the 11th."""
    return _CHARACTERS[int(name.split("/")[-2].removeprefix("Sample")) - 1]


def _is_wanted(name: str) -> bool:
    if not is_image(name) or "/GoodImg/Bmp/" not in name:
        return False
    return _character(name).isalpha() and _character(name) not in _LOOK_LIKE_DIGITS


@register
class Chars74k(CorpusBuilder):
    corpus = CorpusInfo(
        name="chars74k",
        roles=("test anomaly",),
        modality="image",
        splits={"test": None},
        description="Letters cropped from photographs of streets, of various sizes, colour.",
        licence="research use",
        citation="de Campos, Babu, Varma: Character recognition in natural images, 2009",
        homepage="http://www.ee.surrey.ac.uk/CVSSP/demos/chars74k/",
        files={
            "test": published_at(
                "http://www.ee.surrey.ac.uk/CVSSP/demos/chars74k",
                {"EnglishImg.tgz": "md5:85d157e0c58f998e1cda8def62bcda0d"},
            )
        },
        notes="The well-segmented images (GoodImg) of the English set, without the digits and the letters O, o, I, i "
        "and l; the paper names only O and I.",
    )
    features = image_features(_CHARACTERS)

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for name, image in readable_images(members(path, _is_wanted), path):
            yield {"image": image, "label": _character(name)}
