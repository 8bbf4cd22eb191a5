"""Multi30K, English captions, as the authors' experiments read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._formats import read_lines
from ._info import CorpusInfo, published_at

_HOME = "https://raw.githubusercontent.com/hendrycks/outlier-exposure/master/NLP_classification/multi30k"


@register
class Multi30k(CorpusBuilder):
    corpus = CorpusInfo(
        name="multi30k",
        roles=("test anomaly",),
        modality="text",
        splits={"test": 29_000, "valid": 1_014},
        description="Captions of photographs, lower case, tokenised.",
        licence="CC BY-NC-SA 4.0",
        citation="Elliott, Frank, Sima'an, Specia: Multi30K: multilingual English-German image descriptions, 2016",
        homepage="https://github.com/multi30k/dataset",
        files={
            "test": published_at(_HOME, {"train.txt": "md5:094c68794632983239bf1bc1b37282a8"}),
            "valid": published_at(_HOME, {"val.txt": "md5:8d407ae05dbc61e3e61ffd3a3f9d39fb"}),
        },
        common_file_names=True,
        notes="The training captions are the test anomalies. Quotes around a caption, left from a table, are removed.",
    )
    features = text_features()

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for line in read_lines(path):
            yield {"text": line.strip('"').strip()}
