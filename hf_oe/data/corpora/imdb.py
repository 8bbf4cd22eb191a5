"""IMDB film reviews."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._archives import members
from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._info import CorpusInfo, HubRepository, published_at

_ARCHIVE = published_at(
    "https://ai.stanford.edu/~amaas/data/sentiment", {"aclImdb_v1.tar.gz": "md5:7c2ac02c03563afcf9b574c7e56c153a"}
)


@register
class Imdb(CorpusBuilder):
    corpus = CorpusInfo(
        name="imdb",
        roles=("test anomaly",),
        modality="text",
        splits={"train": 25_000, "test": 25_000},
        description="Film reviews, negative or positive.",
        licence="none stated",
        citation="Maas, Daly, Pham, Huang, Ng, Potts: Learning word vectors for sentiment analysis, 2011",
        homepage="https://ai.stanford.edu/~amaas/data/sentiment/",
        hub=HubRepository("stanfordnlp/imdb"),
        files={"train": _ARCHIVE, "test": _ARCHIVE},
    )
    features = text_features(("neg", "pos"))

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        folders = tuple(f"aclImdb/{split}/{label}/" for label in ("neg", "pos"))
        for name, content in members(path, lambda name: name.removeprefix("./").startswith(folders)):
            yield {"text": content.decode(), "label": name.split("/")[-2]}
