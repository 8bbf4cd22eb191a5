"""ImageNet-22K without the classes of ImageNet-1K, the paper's outlier set for Tiny ImageNet; streamed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import datasets

from . import _local
from ._archives import members, readable_images, tar_members
from ._builder import CorpusBuilder, register
from ._columns import conventional_columns, image_features
from ._info import CorpusInfo, HubRepository, SourceFile


@cache
def _imagenet_1k() -> frozenset[str]:
    from timm.data import ImageNetInfo

    return frozenset(ImageNetInfo("imagenet-1k").label_names())


def _is_outside(row: dict[str, Any]) -> bool:
    """Whether a WebDataset row, whose key or description names its class by WordNet id, is not of ImageNet-1K."""
    found = re.search(r"n\d{8}", f"{row.get('__key__')} {row.get('json')}")
    return found is not None and found.group() not in _imagenet_1k()


@register
class Imagenet22k(CorpusBuilder):
    corpus = CorpusInfo(
        name="imagenet22k",
        roles=("outlier",),
        modality="image",
        splits={"train": None},
        description="Photographs of the classes of ImageNet outside ImageNet-1K, of various sizes, colour.",
        licence="ImageNet's terms: non-commercial research",
        citation="Deng, Dong, Socher, Li, Li, Fei-Fei: ImageNet: a large-scale hierarchical image database, 2009",
        homepage="https://image-net.org/",
        hub=HubRepository("timm/imagenet-22k-wds"),
        files={"train": (SourceFile("fall11_whole.tar"),)},
        streamed_only=True,
        notes="WebDataset shards (*.tar) in <data_dir>/imagenet22k/ are read, too. An example is left out if neither "
        "its key nor its json names the WordNet id of its class; whether the Hub's shards do could not be checked.",
    )
    features = image_features()

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for _, content in members(path, lambda name: name.removesuffix(".tar") not in _imagenet_1k()):
            for _, image in readable_images(tar_members(io.BytesIO(content), path), path):
                yield {"image": image}

    @classmethod
    def load(cls, split: str, folder: Path | None, streaming: bool) -> Any:
        shards = folder and _local.matching_files(str(folder / cls.corpus.name / "*.tar"))
        if shards and Path(shards[0]).name != "fall11_whole.tar":
            return cls.adapt(_local.load_files("webdataset", shards, split, streaming))
        return super().load(split, folder, streaming)

    @classmethod
    def adapt(cls, dataset: datasets.IterableDataset) -> datasets.IterableDataset:
        return conventional_columns(dataset.filter(_is_outside)).select_columns("image")
