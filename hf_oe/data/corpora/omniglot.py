"""Omniglot: handwritten characters of those alphabets that have none that look like digits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._archives import is_image, members, readable_images
from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._info import CorpusInfo, published_at

_ALPHABETS = """
    Alphabet_of_the_Magi Arcadian Balinese Bengali Braille Futurama Grantha Greek Gujarati Hebrew
    Inuktitut_(Canadian_Aboriginal_Syllabics) Japanese_(hiragana) Japanese_(katakana) Latin Sanskrit
""".split()


@register
class Omniglot(CorpusBuilder):
    corpus = CorpusInfo(
        name="omniglot",
        roles=("test anomaly",),
        modality="image",
        splits={"test": 9_760},
        description="Handwritten characters of 15 alphabets, 105x105, black strokes on white.",
        licence="MIT",
        citation="Lake, Salakhutdinov, Tenenbaum: Human-level concept learning, 2015",
        homepage="https://github.com/brendenlake/omniglot",
        files={
            "test": published_at(
                "https://raw.githubusercontent.com/brendenlake/omniglot/master/python",
                {"images_background.zip": "md5:68d2efa1b9178cc56df9314c21c6e718"},
            )
        },
        notes="The authors keep 15 of the 30 background alphabets and name them by number; the numbers are taken to "
        "follow the alphabetical order.",
    )
    features = image_features(_ALPHABETS)

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        chosen = members(path, lambda name: is_image(name) and name.split("/")[-3] in _ALPHABETS)
        for name, image in readable_images(chosen, path):
            yield {"image": image, "label": name.split("/")[-3]}
