"""English Web Treebank: sentences of five domains of the web."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._formats import read_conllu
from ._info import CorpusInfo, published_at

_HOME = (
    "https://raw.githubusercontent.com/UniversalDependencies/UD_English-EWT/15d613d8447b3478787d4c278730a1e48a945efb"
)


@register
class EnglishWebTreebank(CorpusBuilder):
    corpus = CorpusInfo(
        name="english_web_treebank",
        roles=("test anomaly",),
        modality="text",
        splits={"test": 16_622},
        description="Tokenised sentences of answers, emails, newsgroups, reviews and weblogs (column domain).",
        licence="CC BY-SA 4.0",
        citation="Silveira et al.: A gold standard dependency corpus for English, 2014",
        homepage="https://github.com/UniversalDependencies/UD_English-EWT",
        files={
            "test": published_at(
                _HOME,
                {
                    "en_ewt-ud-train.conllu": None,
                    "en_ewt-ud-dev.conllu": "sha256:531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6",
                    "en_ewt-ud-test.conllu": "sha256:e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd",
                },
            )
        },
        notes="The paper used LDC2012T13, the LDC's release of this text. All three parts are test anomalies.",
    )
    features = text_features(domain="string", document="string")

    def examples(self, split: str, *paths: str) -> Iterator[dict[str, Any]]:
        for path in paths:
            for comments, words in read_conllu(path):
                yield {
                    "text": " ".join(words),
                    "domain": comments.get("sent_id", "").partition("-")[0],
                    "document": comments.get("newdoc id", ""),
                }
