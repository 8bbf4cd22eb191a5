"""TREC question classification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._errors import CorruptFileError
from ._formats import read_lines
from ._info import CorpusInfo, HubRepository, published_at

_HOME = "https://cogcomp.seas.upenn.edu/Data/QA/QC"
_CLASSES = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")


@register
class Trec(CorpusBuilder):
    corpus = CorpusInfo(
        name="trec",
        roles=("in-distribution",),
        modality="text",
        splits={"train": 5_452, "test": 500},
        description="Questions by the kind of their answer: 6 classes (label), 50 finer ones (fine_label).",
        licence="none stated",
        citation="Li, Roth: Learning question classifiers, 2002",
        homepage="https://cogcomp.seas.upenn.edu/Data/QA/QC/",
        hub=HubRepository("SetFit/TREC-QC"),
        files={
            "train": published_at(_HOME, {"train_5500.label": None}),
            "test": published_at(_HOME, {"TREC_10.label": None}),
        },
        notes="The Hub's copy has no fine_label.",
    )
    features = text_features(_CLASSES, fine_label="string")

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(read_lines(path, "latin-1"), start=1):
            labels, _, text = line.partition(" ")
            label, _, fine_label = labels.partition(":")
            if label not in _CLASSES:
                raise CorruptFileError(path, f"line {number} does not begin with a class such as NUM:date")
            yield {"text": text, "label": label, "fine_label": fine_label}

    @classmethod
    def adapt(cls, dataset: Any) -> Any:
        features = text_features(_CLASSES)
        return dataset.map(
            lambda row: {"text": row["text"], "label": _CLASSES.index(row["label_coarse_original"])},
            remove_columns=dataset.column_names,
            features=features,
        )
