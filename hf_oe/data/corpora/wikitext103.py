"""WikiText-103."""

from __future__ import annotations

from ._builder import register
from ._info import CorpusInfo, HubRepository, SourceFile
from .wikitext2 import WikiText, WikiText2


@register
class WikiText103(WikiText):
    corpus = CorpusInfo(
        name="wikitext103",
        roles=("outlier",),
        modality="text",
        splits={"train": None, "valid": 2_461, "test": 2_891},
        description="A hundred million words of Wikipedia, rare words as <unk>.",
        licence=WikiText2.corpus.licence,
        citation=WikiText2.corpus.citation,
        homepage=WikiText2.corpus.homepage,
        hub=HubRepository("Salesforce/wikitext", "wikitext-103-v1", splits=WikiText.splits),
        files=dict.fromkeys(WikiText2.corpus.splits, (SourceFile("wikitext-103-v1.zip"),)),
    )
