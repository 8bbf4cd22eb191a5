"""CIFAR-100."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import datasets

from ._builder import CorpusBuilder, register
from ._columns import image_features
from ._formats import read_cifar
from ._info import CorpusInfo, HubRepository, published_at

_ARCHIVE = published_at(
    "https://www.cs.toronto.edu/~kriz", {"cifar-100-python.tar.gz": "md5:eb9058c3a382ffc7106e4002c42a8d85"}
)
_CLASSES = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm
""".split()
_GROUPS = """
    aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices household_furniture
    insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes
    large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals trees
    vehicles_1 vehicles_2
""".split()


@register
class Cifar100(CorpusBuilder):
    corpus = CorpusInfo(
        name="cifar100",
        roles=("in-distribution", "test anomaly"),
        modality="image",
        splits={"train": 50_000, "test": 10_000},
        description="Photographs of a hundred classes in twenty groups, 32x32, colour.",
        licence="none stated; research use",
        citation="Krizhevsky: Learning multiple layers of features from tiny images, 2009",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        hub=HubRepository("uoft-cs/cifar100", columns={"img": "image", "fine_label": "label"}),
        files={"train": _ARCHIVE, "test": _ARCHIVE},
    )
    features = datasets.Features(
        {**image_features(_CLASSES), "coarse_label": datasets.ClassLabel(names=_GROUPS)},
    )

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for batch in read_cifar(path, (split,)):
            columns = batch[b"data"], batch[b"fine_labels"], batch[b"coarse_labels"]
            for image, label, group in zip(*columns, strict=True):
                yield {"image": image, "label": label, "coarse_label": group}
