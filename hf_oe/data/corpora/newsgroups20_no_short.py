"""20 Newsgroups as the authors' experiments read it: stemmed, without short words and short posts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._errors import CorruptFileError
from ._formats import read_lines
from ._info import CorpusInfo, published_at
from .newsgroups20 import GROUPS, Newsgroups20

_HOME = "https://raw.githubusercontent.com/hendrycks/outlier-exposure/master/NLP_classification/20newsgroups/orig_data"


@register
class Newsgroups20NoShort(CorpusBuilder):
    corpus = CorpusInfo(
        name="newsgroups20_no_short",
        roles=("in-distribution",),
        modality="text",
        splits={"train": None, "test": None},
        description="The words of posts to twenty newsgroups that are longer than two letters.",
        licence=Newsgroups20.corpus.licence,
        citation=Newsgroups20.corpus.citation,
        homepage="https://github.com/hendrycks/outlier-exposure",
        files={
            "train": published_at(_HOME, {"20ng-train-no-short.txt": "md5:4444a088dda968b44f7a6dec756698b3"}),
            "test": published_at(_HOME, {"20ng-test-no-short.txt": "md5:978c4d8fd3bde6a12a1e8312f0031815"}),
        },
    )
    features = text_features(GROUPS)

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(read_lines(path), start=1):
            group, _, text = line.replace("\t", " ", 1).partition(" ")
            if group not in GROUPS:
                raise CorruptFileError(path, f"line {number} does not begin with a newsgroup")
            yield {"text": text, "label": group}
