"""Yelp reviews."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from ._archives import members
from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._errors import corrupt_if
from ._info import CorpusInfo, HubRepository, SourceFile

_ARCHIVE = (SourceFile("yelp_review_full_csv.tar.gz", checksum="md5:f7ddfafed1033f68ec72b9267863af6c"),)


@register
class Yelp(CorpusBuilder):
    corpus = CorpusInfo(
        name="yelp",
        roles=("test anomaly",),
        modality="text",
        splits={"train": 650_000, "test": 50_000},
        description="Reviews of shops and restaurants, one to five stars.",
        licence="Yelp's dataset licence",
        citation="Zhang, Zhao, LeCun: Character-level convolutional networks for text classification, 2015",
        homepage="https://www.yelp.com/dataset",
        hub=HubRepository("Yelp/yelp_review_full"),
        files={"train": _ARCHIVE, "test": _ARCHIVE},
    )
    features = text_features(("1 star", "2 star", "3 stars", "4 stars", "5 stars"))

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for name, content in members(path, lambda name: name.endswith(f"/{split}.csv")):
            with corrupt_if(f"{path}, member {name}", csv.Error, UnicodeDecodeError, ValueError):
                for stars, text in csv.reader(io.StringIO(content.decode(), newline="")):
                    yield {"text": text.replace("\\n", "\n"), "label": int(stars) - 1}
