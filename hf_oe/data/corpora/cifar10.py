"""CIFAR-10."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._formats import read_cifar
from ._info import CorpusInfo, HubRepository, published_at

_ARCHIVE = published_at(
    "https://www.cs.toronto.edu/~kriz", {"cifar-10-python.tar.gz": "md5:c58f30108f718f92721af3b95e74349a"}
)
_BATCHES = {
    "train": ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"),
    "test": ("test_batch",),
}


@register
class Cifar10(CorpusBuilder):
    corpus = CorpusInfo(
        name="cifar10",
        roles=("in-distribution", "test anomaly"),
        modality="image",
        splits={"train": 50_000, "test": 10_000},
        description="Photographs of ten classes of animals and vehicles, 32x32, colour.",
        licence="none stated; research use",
        citation="Krizhevsky: Learning multiple layers of features from tiny images, 2009",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        hub=HubRepository("uoft-cs/cifar10", columns={"img": "image"}),
        files={"train": _ARCHIVE, "test": _ARCHIVE},
    )
    features = image_features("airplane automobile bird cat deer dog frog horse ship truck".split())

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for batch in read_cifar(path, _BATCHES[split]):
            for image, label in zip(batch[b"data"], batch[b"labels"], strict=True):
                yield {"image": image, "label": label}
