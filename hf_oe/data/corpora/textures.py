"""Describable Textures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._archives import is_image, members, readable_images
from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._info import CorpusInfo, HubRepository, published_at

_CLASSES = """
    banded blotchy braided bubbly bumpy chequered cobwebbed cracked crosshatched crystalline dotted fibrous flecked
    freckled frilly gauzy grid grooved honeycombed interlaced knitted lacelike lined marbled matted meshed paisley
    perforated pitted pleated polka-dotted porous potholed scaly smeared spiralled sprinkled stained stratified striped
    studded swirly veined waffled woven wrinkled zigzagged
""".split()


@register
class Textures(CorpusBuilder):
    corpus = CorpusInfo(
        name="textures",
        roles=("test anomaly",),
        modality="image",
        splits={"test": 5_640},
        description="Photographs of textures in 47 classes, sides of 300 to 640 pixels, colour.",
        licence="research use",
        citation="Cimpoi, Maji, Kokkinos, Mohamed, Vedaldi: Describing textures in the wild, 2014",
        homepage="https://www.robots.ox.ac.uk/~vgg/data/dtd/",
        hub=HubRepository("tanganke/dtd", splits={"test": "train+test"}),
        files={
            "test": published_at(
                "https://www.robots.ox.ac.uk/~vgg/data/dtd/download",
                {"dtd-r1.0.1.tar.gz": "md5:fff73e5086ae6bdbea199a49dfb8a4c1"},
            )
        },
        notes="The paper tests on all 5,640 images, so the set's own splits are put together. The Hub's copy was not "
        "compared with the archive image by image.",
    )
    features = image_features(_CLASSES)

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for name, image in readable_images(members(path, is_image), path):
            yield {"image": image, "label": name.split("/")[-2]}
