"""SNLI, premises and hypotheses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ._archives import members
from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._errors import corrupt_if
from ._info import CorpusInfo, HubRepository, SourceFile

_FILE_NAMES = {"train": "snli_1.0_train.jsonl", "valid": "snli_1.0_dev.jsonl", "test": "snli_1.0_test.jsonl"}
_CLASSES = ("entailment", "neutral", "contradiction")
_ARCHIVE = (
    SourceFile(
        "snli_1.0.zip",
        "https://nlp.stanford.edu/projects/snli/snli_1.0.zip",
        "sha256:afb3d70a5af5d8de0d9d81e2637e0fb8c22d1235c2749d83125ca43dab0dbd3e",
    ),
)


@register
class Snli(CorpusBuilder):
    corpus = CorpusInfo(
        name="snli",
        roles=("test anomaly",),
        modality="text",
        splits={"train": 549_367, "valid": 9_842, "test": 9_824},
        description="Captions of photographs with sentences that follow, may follow or do not follow from them.",
        licence="CC BY-SA 4.0",
        citation="Bowman, Angeli, Potts, Manning: A large annotated corpus for natural language inference, 2015",
        homepage="https://nlp.stanford.edu/projects/snli/",
        hub=HubRepository("stanfordnlp/snli", splits={"valid": "validation"}),
        files=dict.fromkeys(_FILE_NAMES, _ARCHIVE),
        notes="text is premise and hypothesis; pairs without a label that most annotators share are left out. The "
        "premises come from Flickr30K, as multi30k does.",
    )
    features = text_features(_CLASSES, premise="string", hypothesis="string")

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for name, content in members(path, lambda name: name.endswith("/" + _FILE_NAMES[split])):
            for line in content.decode().splitlines():
                with corrupt_if(f"{path}, member {name}", json.JSONDecodeError, KeyError):
                    pair = json.loads(line)
                    label, premise, hypothesis = pair["gold_label"], pair["sentence1"], pair["sentence2"]
                if label in _CLASSES:
                    yield {
                        "text": f"{premise} {hypothesis}",
                        "label": label,
                        "premise": premise,
                        "hypothesis": hypothesis,
                    }

    @classmethod
    def adapt(cls, dataset: Any) -> Any:
        labelled = dataset.filter(lambda label: label >= 0, input_columns="label")
        return labelled.map(lambda row: {"text": f"{row['premise']} {row['hypothesis']}"})
