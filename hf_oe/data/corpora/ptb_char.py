"""Penn Treebank by characters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ._builder import register
from ._info import CorpusInfo
from ._loading import load_corpus
from .ptb import Ptb


@register
class PtbChar:
    corpus = CorpusInfo(
        name="ptb_char",
        roles=("in-distribution",),
        modality="text",
        splits=Ptb.corpus.splits,
        description="The sentences of ptb, each character a token, _ for a space.",
        licence=Ptb.corpus.licence,
        citation=Ptb.corpus.citation,
        homepage=Ptb.corpus.homepage,
        derived_from="ptb",
    )

    @classmethod
    def load(cls, split: str, folder: Path | None, streaming: bool) -> Any:
        return load_corpus("ptb", split, folder, streaming).map(_by_characters)


def _by_characters(row: dict[str, Any]) -> dict[str, Any]:
    return {"text": " ".join(row["text"].replace(" ", "_"))}
