"""LSUN, the test set of its scenes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._archives import readable_images
from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._formats import read_lmdb
from ._info import CorpusInfo, published_at


@register
class Lsun(CorpusBuilder):
    corpus = CorpusInfo(
        name="lsun",
        roles=("test anomaly",),
        modality="image",
        splits={"test": 10_000},
        description="Photographs of ten kinds of scenes, short side 256, colour.",
        licence="none stated; research use",
        citation="Yu, Seff, Zhang, Song, Funkhouser, Xiao: LSUN: construction of a large-scale image dataset, 2015",
        homepage="https://www.yf.io/p/lsun",
        files={"test": published_at("http://dl.yf.io/lsun/scenes", {"test_lmdb.zip": None})},
        notes="Reading it needs the package lmdb. LSUN_resize.tar.gz and LSUN.tar.gz of the ODIN project are other "
        "images than the paper's: resized without smoothing, or cropped.",
    )
    features = image_features()

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        images = ((key.decode(errors="replace"), content) for key, content in read_lmdb(path))
        for _, image in readable_images(images, path):
            yield {"image": image}
