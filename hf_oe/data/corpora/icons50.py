"""Icons-50 without the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._archives import is_image, members, readable_images
from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._info import CorpusInfo, SourceFile


@register
class Icons50(CorpusBuilder):
    corpus = CorpusInfo(
        name="icons50",
        roles=("test anomaly",),
        modality="image",
        splits={"test": None},
        description="Icons of 50 kinds in the styles of several makers, of various sizes, colour.",
        licence="the makers of the icons keep their rights",
        citation="Hendrycks, Dietterich: Benchmarking neural network robustness to common corruptions, 2018",
        homepage="https://github.com/hendrycks/robustness",
        files={"test": (SourceFile("Icons-50.tar"),)},
        notes="Linked from the homepage to cloud drives that cannot be downloaded from without a browser. The class "
        "of numbers is left out (in the authors' code the filter does nothing with torchvision after 0.2.0).",
    )
    features = image_features()

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        chosen = members(path, lambda name: is_image(name) and "numbers" not in name.lower().split("/"))
        for _, image in readable_images(chosen, path):
            yield {"image": image}
