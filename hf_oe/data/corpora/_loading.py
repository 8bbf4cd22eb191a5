"""Finds a corpus by name: in the user's folder first, then at its public home."""

from __future__ import annotations

import importlib
import os
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any

import datasets

from ...registry import nearest_names
from . import _builder, _files, _local
from ._columns import conventional_columns
from ._errors import CorpusNotFoundError
from ._info import CorpusInfo


@cache
def corpus_classes() -> dict[str, Any]:
    """Every corpus of the paper by name: the modules of this package, one each."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"{package}.{module.name}")
    return dict(sorted(_builder.CORPORA.items()))


def list_corpora() -> dict[str, CorpusInfo]:
    """Every corpus of the paper by name."""
    return {name: corpus_class.corpus for name, corpus_class in corpus_classes().items()}


def list_own(data_dir: str | os.PathLike | None = None) -> dict[str, list[str]]:
    """Splits by name of the corpora in `data_dir` that are not the paper's."""
    folder = _local.resolve_data_dir(data_dir)
    names = {path.parent.name for path in folder.glob("*/*.parquet")} if folder else set()
    return {name: list(_local.parquet_splits(folder / name)) for name in sorted(names - corpus_classes().keys())}


def known_corpora(folder: Path | None) -> list[str]:
    """Names of the paper's corpora and of the user's own in `data_dir`."""
    return sorted([*corpus_classes(), *list_own(folder)])


def known_splits(name: str, folder: Path | None) -> list[str]:
    """The splits that the corpus has, and those that `data_dir` holds as parquet files."""
    published = corpus_classes()[name].corpus.splits if name in corpus_classes() else ()
    return list(dict.fromkeys([*published, *(_local.parquet_splits(folder / name) if folder else ())]))


def unknown_corpus(name: str, known: list[str]) -> CorpusNotFoundError:
    """The error for a name that is none of the `known` ones."""
    return CorpusNotFoundError(
        f"Unknown corpus {name!r}: {nearest_names(name, known)}The known ones are {', '.join(known)}."
    )


def locate_corpus(name: str, split: str, data_dir: str | os.PathLike | None = None) -> str | None:
    """Where a split of a corpus is on this machine: "data_dir", "data_dir, original files", "cache" …"""
    folder = _local.resolve_data_dir(data_dir)
    if folder and split in _local.parquet_splits(folder / name):
        return "data_dir"
    corpus_class = corpus_classes().get(name)
    if corpus_class is None:
        return None
    corpus = corpus_class.corpus
    if corpus.derived_from in corpus_classes():
        return locate_corpus(corpus.derived_from, split, folder)
    files = _files.find_files(corpus, split, folder)
    if files and all(files):
        return "data_dir, original files"
    return corpus_class.place(split)


def load_corpus(
    name: str, split: str, data_dir: str | os.PathLike | None = None, streaming: bool = False
) -> datasets.Dataset | datasets.IterableDataset:
    """Loads one split of a corpus.

    Args:
        name: one of `list_corpora()`, or a folder of yours in `data_dir`.
        split: "train", "valid", "test" …
        data_dir: looked at first, by default the environment's `HF_OE_DATA_DIR`: `<data_dir>/<name>/<split>.parquet`,
            or the original files under their own names in that folder or in `data_dir` itself.
        streaming: return an `IterableDataset` that reads as it goes.

    Returns:
        A dataset with `image` (and `label`, if labelled) or `text`, and what other columns the corpus has. The noise
        corpora have `pixel_values`, see `hf_oe.data.synthetic.as_dataset`.

    Raises:
        CorpusNotFoundError: the corpus or the split is unknown or out of reach; the message says what was tried.
        CorruptFileError: an original file is damaged.
    """
    folder = _local.resolve_data_dir(data_dir)
    split = _local.SPLIT_ALIASES.get(split, split)
    own = _local.parquet_splits(folder / name) if folder else {}
    if split in own:
        return conventional_columns(_local.load_files("parquet", own[split], split, streaming))
    corpus_class = corpus_classes().get(name)
    if corpus_class is None and not own:
        raise unknown_corpus(name, known_corpora(folder))
    if corpus_class is None or split not in corpus_class.corpus.splits:
        splits = ", ".join(corpus_class.corpus.splits if corpus_class else own)
        raise CorpusNotFoundError(f"Corpus {name!r} has no split {split!r}: name one of {splits}.")
    if corpus_class.corpus.streamed_only and not streaming:
        raise ValueError(f"Corpus {name!r} is too large to be kept as a whole: load it with streaming=True.")
    return corpus_class.load(split, folder, streaming)
