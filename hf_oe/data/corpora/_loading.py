"""Finds a corpus by name: in the user's folder first, then at its public home."""

from __future__ import annotations

import os
from pathlib import Path

import datasets

from ...registry import nearest_names
from . import _local
from ._info import CorpusInfo, CorpusNotFoundError


def list_corpora() -> dict[str, CorpusInfo]:
    """Every corpus by name."""
    return {}


def load_corpus(
    name: str, split: str, data_dir: str | os.PathLike | None = None, streaming: bool = False
) -> datasets.Dataset | datasets.IterableDataset:
    """Loads one split of a corpus.

    Args:
        name: one of `list_corpora()`, or a folder of yours in `data_dir`.
        split: "train", "valid", "test" …
        data_dir: looked at first, by default the environment's `HF_OE_DATA_DIR`: `<data_dir>/<name>/<split>.parquet`.
        streaming: return an `IterableDataset` that reads as it goes.

    Returns:
        A dataset with `image` (and `label`, if labelled) or `text`, and what other columns the corpus has.

    Raises:
        CorpusNotFoundError: the corpus or the split is unknown or out of reach; the message says what was tried.
    """
    folder = _local.resolve_data_dir(data_dir)
    split = _local.SPLIT_ALIASES.get(split, split)
    if folder:
        found = _local.parquet_splits(folder / name)
        if split in found:
            return _local.load_files("parquet", found[split], split, streaming)
    if name == "negative_mnist":
        return load_corpus("mnist", "test", data_dir, streaming).map(_negative)
    known = known_corpora(folder)
    raise CorpusNotFoundError(
        f"Unknown corpus {name!r}: {nearest_names(name, known)}The known ones are {', '.join(known)}."
    )


def _negative(row: dict) -> dict:
    return {"image": row["image"].point(lambda value: 255 - value)}


def known_corpora(folder: Path | None) -> list[str]:
    """Names of the paper's corpora and of the user's own in `data_dir`."""
    own = {path.parent.name for path in folder.glob("*/*.parquet")} if folder else set()
    return sorted({*list_corpora(), *own, "negative_mnist"})


def own_splits(name: str, folder: Path | None) -> list[str]:
    return list(_local.parquet_splits(folder / name)) if folder else []
