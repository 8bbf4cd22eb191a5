"""Negative MNIST: 1 - x for each test image x of MNIST (appendix A of the paper)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import ImageOps

from ._builder import register
from ._info import CorpusInfo
from ._loading import load_corpus
from .mnist import Mnist


@register
class NegativeMnist:
    corpus = CorpusInfo(
        name="negative_mnist",
        roles=("test anomaly",),
        modality="image",
        splits={"test": 10_000},
        description="MNIST's test images with black and white exchanged.",
        licence=Mnist.corpus.licence,
        citation=Mnist.corpus.citation,
        homepage=Mnist.corpus.homepage,
        derived_from="mnist",
    )

    @classmethod
    def load(cls, split: str, folder: Path | None, streaming: bool) -> Any:
        return load_corpus("mnist", split, folder, streaming).map(_inverted)


def _inverted(row: dict[str, Any]) -> dict[str, Any]:
    return {"image": ImageOps.invert(row["image"])}
