"""Anything that may serve as a set of outliers or anomalies: a corpus, a file, a folder, a Hub dataset."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import datasets

from ...registry import nearest_names
from . import _files, _hub, _local
from ._columns import conventional_columns
from ._errors import CorpusNotFoundError, first_line
from ._loading import known_corpora, known_splits, list_corpora, load_corpus


def load_source(
    source: str, split: str, data_dir: str | os.PathLike | None = None, streaming: bool = False
) -> datasets.Dataset | datasets.IterableDataset:
    """Loads a set of outliers or test anomalies from wherever it is.

    Args:
        source: the name of a corpus or of a folder in `data_dir`; a folder of images, parquet files or WebDataset
            shards; a file `.parquet`, `.npy` (uint8 images, read block by block), `.tar` (WebDataset shards, `*`
            allowed) or `.txt` (an example a line); or a dataset on the Hub, "user/name" or "user/name:config".
        split: taken if the source has it. A source with one split gives that; one without a "test" split its "valid".
        data_dir, streaming: as `load_corpus` takes them.

    Returns:
        A dataset with a column `image` or `text`, and `label` where there are labels.

    Raises:
        CorpusNotFoundError: there is no such source, or it is out of reach; the message says what was tried.
        CorruptFileError: its file is damaged.
    """
    folder = _local.resolve_data_dir(data_dir)
    known = known_corpora(folder)
    if source in known:
        return load_corpus(source, _local.nearest_split(split, known_splits(source, folder)), data_dir, streaming)
    if path := _path(source, folder):
        return conventional_columns(_local.load_path(path, split, streaming))
    if re.fullmatch(r"\w[\w.-]*/[\w.-]+(:[\w.-]+)?", source) and not source.endswith(_local.SUFFIXES):
        return conventional_columns(_load_from_hub(source, split, streaming))
    raise CorpusNotFoundError(
        f"There is no corpus, file or folder {source!r}: {nearest_names(source, known)}Name a corpus "
        f"({', '.join(known)}), a file or folder that exists, or a dataset on the Hub as user/name."
    )


def is_read_as_it_comes(source: str, data_dir: str | os.PathLike | None = None) -> bool:
    """Whether a source of outliers is to be streamed: a corpus too large to be kept as a whole, or WebDataset shards.

    Args:
        source, data_dir: as `load_source` takes them.
    """
    if corpus := list_corpora().get(source):
        return corpus.streamed_only
    path = _path(source, _local.resolve_data_dir(data_dir))
    return path is not None and bool(_local.shards(path))


def _path(source: str, folder: Path | None) -> str | None:
    """The file, pattern of files or folder that a source names, itself or in the data folder; `None` if it is none."""
    for path in (source, str(folder / source) if folder else source):
        if _local.matching_files(path) or Path(path).expanduser().is_dir():
            return path
    return None


def _load_from_hub(source: str, split: str, streaming: bool) -> Any:
    repo, _, config = source.partition(":")
    try:
        with _hub.offline_unless_it_answers():
            names = datasets.get_dataset_split_names(repo, config or None)
            by_convention = {_local.SPLIT_ALIASES.get(name, name): name for name in names}
            chosen = by_convention.get(_local.nearest_split(split, by_convention))
            if chosen:
                return datasets.load_dataset(repo, config or None, split=chosen, streaming=streaming)
    except _files.UNREACHABLE as error:
        raise CorpusNotFoundError(
            f"Hub dataset {source!r} is out of reach ({first_line(error)}): check its name and the network, or name "
            "a local file or folder."
        ) from error
    except ValueError as error:
        raise CorpusNotFoundError(
            f"Hub dataset {source!r} cannot be loaded so ({first_line(error)}): name one of its configurations as "
            "user/name:config."
        ) from error
    raise CorpusNotFoundError(f"Hub dataset {source!r} has no split {split!r}: its splits are {', '.join(names)}.")
