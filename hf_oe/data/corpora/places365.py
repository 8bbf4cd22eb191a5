"""Places365: a fixed subset of 10,000 images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from ._archives import is_image, members, readable_images
from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._info import CorpusInfo, published_at

_SUBSET_SIZE = 10_000


@cache
def test_subset() -> frozenset[str]:
    """File names of the test subset: of the 36,500 of the validation set, the 10,000 with the smallest SHA-256.

    The digest is that of the bare file name, so anyone can write the list down without the images.
    """
    names = [f"Places365_val_{number:08}.jpg" for number in range(1, 36_501)]
    return frozenset(sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())[:_SUBSET_SIZE])


@register
class Places365(CorpusBuilder):
    corpus = CorpusInfo(
        name="places365",
        roles=("test anomaly",),
        modality="image",
        splits={"test": _SUBSET_SIZE},
        description="Photographs of places, 256x256, colour.",
        licence="research use; the photographers keep their rights",
        citation="Zhou, Lapedriza, Khosla, Oliva, Torralba: Places: a 10 million image database, 2017",
        homepage="http://places2.csail.mit.edu/",
        files={
            "test": published_at(
                "http://data.csail.mit.edu/places/places365", {"val_256.tar": "md5:e27b17d8d44f4af9a78502beb927f808"}
            )
        },
        notes="The authors never published their list of 10,000 images. This one holds those files of val_256.tar "
        "whose bare names have the smallest SHA-256 digests.",
    )
    features = image_features()

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        chosen = members(path, lambda name: is_image(name) and name.rpartition("/")[2] in test_subset())
        for _, image in readable_images(chosen, path):
            yield {"image": image}
