"""Anything that may serve as a set of outliers or anomalies: a corpus, a file, a folder, a Hub dataset."""

from __future__ import annotations

import os
from pathlib import Path

import datasets

from . import _local
from ._columns import conventional_columns
from ._loading import known_corpora, load_corpus, own_splits

AnyDataset = datasets.Dataset | datasets.IterableDataset


def load_source(
    source: str, split: str, data_dir: str | os.PathLike | None = None, streaming: bool = False
) -> AnyDataset:
    """Loads a set of outliers or test anomalies from wherever it is.

    Args:
        source: the name of a corpus or of a folder in `data_dir`; a folder of images; a file `.parquet`, `.npy` (uint8
            images, memory-mapped), `.tar` (WebDataset shards, `*` allowed) or `.txt` (an example a line); or a dataset
            on the Hub, "user/name" or "user/name:config".
        split: taken if the source has it. A source with one split gives that; one without a "test" split its "valid".
        data_dir, streaming: as `load_corpus` takes them.

    Returns:
        A dataset with a column `image` or `text`, and `label` where there are labels.

    Raises:
        CorpusNotFoundError: there is no such source, or it is out of reach; the message says what was tried.
    """
    folder = _local.resolve_data_dir(data_dir)
    if source in known_corpora(folder):
        return load_corpus(source, _nearest_split(source, split, folder), data_dir, streaming)
    if _is_local(source):
        return conventional_columns(_local.load_path(source, split, streaming))
    return load_corpus(source, split, data_dir, streaming)


def _is_local(source: str) -> bool:
    return bool(_local.matching_files(source)) or Path(source).is_dir()


def _nearest_split(name: str, split: str, folder: Path | None) -> str:
    available = own_splits(name, folder)
    if split in available or not available:
        return split
    if len(available) == 1:
        return available[0]
    return "valid" if split == "test" and "valid" in available else split
