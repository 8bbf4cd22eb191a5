"""300K Random Images: the authors' substitute for 80 Million Tiny Images, and the default outlier set at 32x32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import _files, _npy
from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._formats import read_npy
from ._info import CorpusInfo, published_at


@register
class RandomImages300k(CorpusBuilder):
    corpus = CorpusInfo(
        name="random_images_300k",
        roles=("outlier",),
        modality="image",
        splits={"train": 300_000},
        description="Photographs from the web, 32x32, colour, without those of CIFAR's, Places' and LSUN's classes.",
        licence="none stated; research use",
        citation="Hendrycks, Mazeika, Dietterich: Deep anomaly detection with outlier exposure, 2019",
        homepage="https://github.com/hendrycks/outlier-exposure",
        files={
            "train": published_at(
                "https://people.eecs.berkeley.edu/~hendrycks",
                {"300K_random_images.npy": "md5:64ca64357de98351f28454274a112dc3"},
            )
        },
        notes="Drawn by the authors from 80 Million Tiny Images and cleaned of harmful content, after the withdrawal.",
    )
    features = image_features()

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for image in read_npy(path):
            yield {"image": image}

    @classmethod
    def from_files(cls, split: str, paths: list[str], streaming: bool) -> Any:
        if streaming:
            return _npy.stream(paths[0] if paths else _files.download(cls.corpus.files[split][0]))
        return super().from_files(split, paths, streaming)
