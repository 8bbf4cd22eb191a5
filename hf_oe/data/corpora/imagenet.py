"""ImageNet: the validation images of the 800 classes that are not in Tiny ImageNet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import datasets

from ._archives import members, readable_images, stem
from ._builder import CorpusBuilder, register
from ._imagenet import crop, read_annotations
from ._info import CorpusInfo, HubRepository
from .tiny_imagenet import WORDNET_IDS
from .tiny_imagenet_recrop import TinyImagenetRecrop


@register
class Imagenet(CorpusBuilder):
    corpus = CorpusInfo(
        name="imagenet",
        roles=("test anomaly",),
        modality="image",
        splits={"test": 40_000},
        description="Photographs of the 800 classes of ImageNet-1K outside Tiny ImageNet, colour.",
        licence="ImageNet's terms: non-commercial research",
        citation="Russakovsky et al.: ImageNet large scale visual recognition challenge, 2015",
        homepage="https://image-net.org/challenges/LSVRC/2012/",
        hub=HubRepository("ILSVRC/imagenet-1k", splits={"test": "validation"}),
        files={"test": TinyImagenetRecrop.corpus.files["valid"]},
        notes="From the original files cropped by bounding boxes to 64x64, as Tiny ImageNet is. The Hub's copy is for "
        "registered users only and has no boxes: there the whole picture is given.",
    )
    features = datasets.Features({"image": datasets.Image(), "wordnet_id": datasets.Value("string")})

    def examples(self, split: str, images: str, boxes: str) -> Iterator[dict[str, Any]]:
        annotations = read_annotations(boxes)
        outside = {name: found for name, found in annotations.items() if found.wordnet_id not in WORDNET_IDS}
        for name, image in readable_images(members(images, lambda name: stem(name) in outside), images):
            annotation = outside[stem(name)]
            yield {"image": crop(image["bytes"], annotation), "wordnet_id": annotation.wordnet_id}

    @classmethod
    def adapt(cls, dataset: Any) -> Any:
        from timm.data import ImageNetInfo

        names = ImageNetInfo("imagenet-1k").label_names()
        outside = {label for label, name in enumerate(names) if name not in WORDNET_IDS}
        return dataset.filter(lambda label: label in outside, input_columns="label").remove_columns("label")
