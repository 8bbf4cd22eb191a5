"""WMT16, English news sentences, as the authors' experiments read it."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._formats import read_lines
from ._info import CorpusInfo, published_at


@register
class Wmt16(CorpusBuilder):
    corpus = CorpusInfo(
        name="wmt16",
        roles=("test anomaly",),
        modality="text",
        splits={"test": 22_191},
        description="English sentences of translated news, lower case, tokenised.",
        licence="research use",
        citation="Bojar et al.: Findings of the 2016 conference on machine translation, 2016",
        homepage="https://www.statmt.org/wmt16/",
        files={
            "test": published_at(
                "https://raw.githubusercontent.com/hendrycks/outlier-exposure/master/NLP_classification/wmt16",
                {"wmt16_sentences": "md5:6dff65f45ac112c150b8a2cc30509b03"},
            )
        },
        notes="The authors' own selection; escapes such as &apos; are undone.",
    )
    features = text_features()

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for line in read_lines(path):
            yield {"text": html.unescape(line)}
