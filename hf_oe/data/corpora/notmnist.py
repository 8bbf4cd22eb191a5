"""notMNIST, the letters A to J in many fonts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._archives import is_image, members, readable_images
from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._info import CorpusInfo, HubRepository, published_at


@register
class NotMnist(CorpusBuilder):
    corpus = CorpusInfo(
        name="notmnist",
        roles=("test anomaly",),
        modality="image",
        splits={"test": 18_724},
        description="Letters A to J in many fonts, 28x28, grey, white on black.",
        licence="none stated; free to use, says its maker",
        citation="Bulatov: notMNIST dataset, 2011",
        homepage="http://yaroslavvb.blogspot.com/2011/09/notmnist-dataset.html",
        hub=HubRepository("anubhavmaity/notMNIST", splits={"test": "train+test"}),
        files={
            "test": published_at(
                "https://zenodo.org/record/8274268/files",
                {"notMNIST_small.zip": "md5:3de91fb69221d9c2d5c57387101ebc6c"},
            )
        },
        notes="Two of the 18,726 files are damaged in the original; they are left out. The authors tested on 10,000 "
        "images of it that they did not list.",
    )
    features = image_features("ABCDEFGHIJ")

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for name, image in readable_images(members(path, is_image), path):
            yield {"image": image, "label": name.split("/")[-2]}
