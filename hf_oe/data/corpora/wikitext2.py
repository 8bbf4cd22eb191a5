"""WikiText-2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from ._archives import members
from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._info import CorpusInfo, HubRepository, SourceFile

_FILE_NAMES = {"train": "wiki.train.tokens", "valid": "wiki.valid.tokens", "test": "wiki.test.tokens"}


class WikiText(CorpusBuilder):
    """What both sizes of WikiText have in common: a line is a paragraph or a heading; blank lines are dropped."""

    features = text_features()
    splits: ClassVar[dict[str, str]] = {"valid": "validation"}

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for _, content in members(path, lambda name: name.endswith(_FILE_NAMES[split])):
            # Not splitlines(): the text holds other characters that Python takes for the end of a line.
            for line in content.decode().split("\n"):
                if line.strip():
                    yield {"text": line.strip()}

    @classmethod
    def adapt(cls, dataset: Any) -> Any:
        return dataset.map(lambda row: {"text": row["text"].strip()}).filter(lambda row: bool(row["text"]))


@register
class WikiText2(WikiText):
    corpus = CorpusInfo(
        name="wikitext2",
        roles=("outlier",),
        modality="text",
        splits={"train": 23_767, "valid": 2_461, "test": 2_891},
        description="Articles of Wikipedia, rare words as <unk>.",
        licence="CC BY-SA 3.0",
        citation="Merity, Xiong, Bradbury, Socher: Pointer sentinel mixture models, 2016",
        homepage="https://huggingface.co/datasets/Salesforce/wikitext",
        hub=HubRepository("Salesforce/wikitext", "wikitext-2-v1", splits=WikiText.splits),
        files=dict.fromkeys(
            _FILE_NAMES, (SourceFile("wikitext-2-v1.zip", checksum="md5:542ccefacc6c27f945fb54453812b3cd"),)
        ),
    )
