"""Stanford Sentiment Treebank, whole sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ._archives import members
from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._errors import CorruptFileError
from ._info import CorpusInfo, HubRepository, SourceFile

_FILE_NAMES = {"train": "trees/train.txt", "valid": "trees/dev.txt", "test": "trees/test.txt"}
_ARCHIVE = (
    SourceFile(
        "trainDevTestTrees_PTB.zip",
        "https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip",
        "sha256:5c613a4f673fc74097d523a2c83f38e0cc462984d847b82c7aaf36b01cbbbfcc",
    ),
)
_BRACKETS = {"-LRB-": "(", "-RRB-": ")"}


@register
class Sst(CorpusBuilder):
    corpus = CorpusInfo(
        name="sst",
        roles=("in-distribution",),
        modality="text",
        splits={"train": 8_544, "valid": 1_101, "test": 2_210},
        description="Sentences of film reviews, from very negative (0) over neutral (2) to very positive (4).",
        licence="none stated",
        citation="Socher et al.: Recursive deep models for semantic compositionality, 2013",
        homepage="https://nlp.stanford.edu/sentiment/",
        hub=HubRepository("SetFit/sst5", splits={"valid": "validation"}),
        files=dict.fromkeys(_FILE_NAMES, _ARCHIVE),
        notes="The authors drop the neutral sentences and merge the others to two classes. The Hub's copy writes its "
        "text somewhat differently (spaces, accents).",
    )
    features = text_features(("very negative", "negative", "neutral", "positive", "very positive"))

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for name, content in members(path, lambda name: name.endswith(_FILE_NAMES[split])):
            for number, tree in enumerate(content.decode().splitlines(), start=1):
                words = re.findall(r"\([0-4] ([^() ]+)\)", tree)
                if not words or tree.count("(") != tree.count(")"):
                    raise CorruptFileError(path, f"line {number} of {name} is no tree of words")
                yield {"text": " ".join(_BRACKETS.get(word, word) for word in words), "label": int(tree[1])}
