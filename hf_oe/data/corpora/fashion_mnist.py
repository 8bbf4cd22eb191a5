"""Fashion-MNIST, articles of clothing in MNIST's form."""

from __future__ import annotations

from ._builder import register
from ._columns import image_features
from ._info import CorpusInfo, HubRepository, published_at
from .mnist import Mnist

_HOME = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"


@register
class FashionMnist(Mnist):
    corpus = CorpusInfo(
        name="fashion_mnist",
        roles=("test anomaly",),
        modality="image",
        splits={"train": 60_000, "test": 10_000},
        description="Articles of clothing, 28x28, grey.",
        licence="MIT",
        citation="Xiao, Rasul, Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking, 2017",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
        hub=HubRepository("zalando-datasets/fashion_mnist"),
        files={
            "train": published_at(
                _HOME,
                {
                    "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                    "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
                },
            ),
            "test": published_at(
                _HOME,
                {
                    "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
                    "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
                },
            ),
        },
        common_file_names=True,
        notes="The files bear MNIST's names, so they are looked for in <data_dir>/fashion_mnist/ only.",
    )
    features = image_features("T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(","))
