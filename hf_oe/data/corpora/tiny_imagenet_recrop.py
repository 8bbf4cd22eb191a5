"""Tiny ImageNet cropped anew from ImageNet by bounding boxes, as section 4.1 of the paper describes it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from ._archives import members, readable_images, stem, tar_members
from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._imagenet import crop, read_annotations
from ._info import CorpusInfo, published_at
from .tiny_imagenet import WORDNET_IDS

_IMAGES_PER_CLASS = 500


@register
class TinyImagenetRecrop(CorpusBuilder):
    corpus = CorpusInfo(
        name="tiny_imagenet_recrop",
        roles=("in-distribution",),
        modality="image",
        splits={"train": 100_000, "valid": 10_000},
        description="Tiny ImageNet's 200 classes, cropped from ImageNet by bounding boxes, 64x64, colour.",
        licence="ImageNet's terms: non-commercial research",
        citation="Russakovsky et al.: ImageNet large scale visual recognition challenge, 2015",
        homepage="https://image-net.org/challenges/LSVRC/2012/",
        files={
            "train": published_at(
                None,
                {
                    "ILSVRC2012_img_train.tar": "md5:1d675b47d978889d74fa0da5fadfb00e",
                    "ILSVRC2012_bbox_train_v2.tar.gz": None,
                },
            ),
            "valid": published_at(
                None,
                {
                    "ILSVRC2012_img_val.tar": "md5:29b22e2961454d5413ddabcf34fc5622",
                    "ILSVRC2012_bbox_val_v3.tgz": None,
                },
            ),
        },
        notes="Of each class the first 500 training images by file name, those with a bounding box before the others, "
        "and all 50 validation images. ImageNet is given out to registered users only.",
    )
    features = image_features(WORDNET_IDS)

    def examples(self, split: str, images: str, boxes: str) -> Iterator[dict[str, Any]]:
        annotations = read_annotations(boxes)
        if split == "train":
            for name, content in members(images, lambda name: name.removesuffix(".tar") in WORDNET_IDS):
                pictures = sorted(
                    tar_members(io.BytesIO(content), images),
                    key=lambda item: (stem(item[0]) not in annotations, item),
                )
                for picture, image in readable_images(pictures[:_IMAGES_PER_CLASS], images):
                    yield {
                        "image": crop(image["bytes"], annotations.get(stem(picture))),
                        "label": name.removesuffix(".tar"),
                    }
            return
        wanted = {name for name, annotation in annotations.items() if annotation.wordnet_id in WORDNET_IDS}
        for name, image in readable_images(members(images, lambda name: stem(name) in wanted), images):
            annotation = annotations[stem(name)]
            yield {"image": crop(image["bytes"], annotation), "label": annotation.wordnet_id}
