"""Project Gutenberg, books in paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets

from . import _local
from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._info import CorpusInfo, HubRepository


def paragraphs(book: str) -> Iterator[str]:
    """Blocks between blank lines, each on one line."""
    for block in re.split(r"\r?\n\s*\n", book):
        if block.strip():
            yield " ".join(block.split())


def _split(books: dict[str, list[str]]) -> dict[str, list[str]]:
    return {"text": [paragraph for book in books["text"] for paragraph in paragraphs(book)]}


@register
class Gutenberg(CorpusBuilder):
    corpus = CorpusInfo(
        name="gutenberg",
        roles=("outlier",),
        modality="text",
        splits={"train": None},
        description="Books out of copyright, a paragraph an example.",
        licence="public domain in the USA",
        citation="Project Gutenberg, www.gutenberg.org",
        homepage="https://www.gutenberg.org/",
        hub=HubRepository("sedthh/gutenberg_english", columns={"TEXT": "text"}),
        notes="Any books as <data_dir>/gutenberg/*.txt. Which books the authors used is not known, and the Hub's copy "
        "is another selection (48,000 English books, 11 GB).",
    )
    features = text_features()

    def examples(self, split: str, *paths: str) -> Iterator[dict[str, Any]]:
        for path in paths:
            for paragraph in paragraphs(Path(path).read_text(encoding="utf-8", errors="replace")):
                yield {"text": paragraph}

    @classmethod
    def load(cls, split: str, folder: Path | None, streaming: bool) -> Any:
        books = _local.matching_files(str(folder / cls.corpus.name / "*.txt")) if folder else []
        return cls.from_files(split, books, streaming) if books else super().load(split, folder, streaming)

    @classmethod
    def adapt(cls, dataset: Any) -> Any:
        return dataset.map(
            _split,
            batched=True,
            batch_size=10,
            remove_columns=dataset.column_names,
            features=datasets.Features(text_features()),
        )
