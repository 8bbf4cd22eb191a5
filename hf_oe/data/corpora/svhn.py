"""SVHN, cropped house numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._formats import read_mat
from ._info import CorpusInfo, HubRepository, published_at

_HOME = "http://ufldl.stanford.edu/housenumbers"


@register
class Svhn(CorpusBuilder):
    corpus = CorpusInfo(
        name="svhn",
        roles=("in-distribution", "test anomaly"),
        modality="image",
        splits={"train": 73_257, "extra": 531_131, "test": 26_032},
        description="House numbers cropped to one digit, 32x32, colour.",
        licence="non-commercial use only",
        citation="Netzer, Wang, Coates, Bissacco, Wu, Ng: Reading digits in natural images, 2011",
        homepage="http://ufldl.stanford.edu/housenumbers/",
        hub=HubRepository("ufldl-stanford/svhn", "cropped_digits"),
        files={
            "train": published_at(_HOME, {"train_32x32.mat": "md5:e26dedcc434d2e4c54c9b2d4a06d8373"}),
            "extra": published_at(_HOME, {"extra_32x32.mat": "md5:a93ce644f1a588dc4d68dda5feec44a7"}),
            "test": published_at(_HOME, {"test_32x32.mat": "md5:eb5a983be6a315427106f1b164d9cef3"}),
        },
        notes="The paper's 604,388 training images are train and extra together.",
    )
    features = image_features([str(digit) for digit in range(10)])

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        images, labels = read_mat(path, "X", "y")
        # The file counts the digit 0 as 10, and the images along the last axis.
        for index, label in enumerate(labels.ravel() % 10):
            yield {"image": images[..., index], "label": int(label)}
