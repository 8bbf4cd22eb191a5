"""Reads data files that lie on this machine: the user's `data_dir` and files named on the command line."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from tarfile import TarError
from typing import Any

import datasets
from pyarrow import ArrowException

from . import _npy
from ._errors import CorpusNotFoundError, CorruptFileError, corrupt_if, explaining

logger = logging.getLogger(__name__)

SPLIT_ALIASES = {"validation": "valid", "val": "valid", "dev": "valid"}

_KINDS = {".parquet": "parquet", ".tar": "webdataset", ".txt": "text"}
SUFFIXES = (*_KINDS, ".npy")


def resolve_data_dir(data_dir: str | os.PathLike | None) -> Path | None:
    """`data_dir`, or else the environment's `HF_OE_DATA_DIR`; raises `NotADirectoryError` if it is no folder."""
    given = data_dir or os.environ.get("HF_OE_DATA_DIR")
    if not given:
        return None
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise NotADirectoryError(
            f"`data_dir` {str(given)!r} is not a folder: name one that holds <corpus>/<split>.parquet."
        )
    return folder


def parquet_splits(folder: Path) -> dict[str, list[str]]:
    """The files `<split>.parquet` or `<split>-<shard>.parquet` of a folder, by split."""
    splits: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.parquet")):
        split = path.stem.split("-")[0]
        splits.setdefault(SPLIT_ALIASES.get(split, split), []).append(str(path))
    return splits


def load_files(kind: str, files: Iterable[str], split: str, streaming: bool) -> Any:
    """`datasets.load_dataset` of local files of one `kind` ("parquet", "webdataset" …); raises `CorruptFileError`."""
    files = list(files)
    names = ", ".join(files)
    try:
        with corrupt_if(names, ArrowException, TarError, UnicodeDecodeError), explaining(f"reading {files[0]}"):
            return datasets.load_dataset(kind, data_files={split: files}, split=split, streaming=streaming)
    except OSError as error:
        # Arrow finds some kinds of damage only while reading, and calls that an error of input and output.
        if type(error) is OSError and error.errno is None:
            raise CorruptFileError(names, str(error)) from error
        raise


def matching_files(pattern: str) -> list[str]:
    """The files that a path with `*` and `?` names, in order."""
    return sorted(path for path in glob.glob(os.path.expanduser(pattern)) if os.path.isfile(path))


def nearest_split(split: str, available: Iterable[str]) -> str:
    """`split` if it is available, else the only one there is, or "valid" for "test"; it may still not be available."""
    split, available = SPLIT_ALIASES.get(split, split), list(available)
    if split not in available and len(available) == 1:
        logger.warning("There is no split %r, so the only one, %r, is used.", split, available[0])
        return available[0]
    return "valid" if split == "test" and "test" not in available and "valid" in available else split


def load_path(path: str, split: str, streaming: bool) -> Any:
    """A dataset from a file, shards, or a folder of images or parquet files; `ValueError` for other kinds of files."""
    files = matching_files(path)
    if not files:
        return _load_folder(Path(path).expanduser(), split, streaming)
    suffix = Path(files[0]).suffix
    if suffix == ".npy":
        return _npy.stream(files[0]) if streaming else _npy.load(files[0])
    if suffix not in _KINDS:
        raise ValueError(f"{path!r} cannot be read: name a file {', '.join(SUFFIXES)}, or a folder of images.")
    return load_files(_KINDS[suffix], files, "train", streaming)


def shards(path: str) -> list[str]:
    """The WebDataset shards of a folder, or that a pattern names; none for other kinds of files."""
    pattern = str(Path(path).expanduser() / "*.tar") if Path(path).expanduser().is_dir() else path
    return [file for file in matching_files(pattern) if file.endswith(".tar")]


def _load_folder(folder: Path, split: str, streaming: bool) -> Any:
    if found := shards(str(folder)):
        return load_files("webdataset", found, "train", streaming)
    if found := parquet_splits(folder):
        chosen = nearest_split(split, found)
        if chosen in found:
            return load_files("parquet", found[chosen], chosen, streaming)
        raise _no_split(folder, split, found)
    try:
        by_split = datasets.load_dataset("imagefolder", data_dir=str(folder), streaming=streaming)
    except FileNotFoundError as error:
        raise CorpusNotFoundError(
            f"{folder} holds no images, parquet files or shards: name another folder."
        ) from error
    by_split = {SPLIT_ALIASES.get(name, name): dataset for name, dataset in by_split.items()}
    chosen = nearest_split(split, by_split)
    if chosen not in by_split:
        raise _no_split(folder, split, by_split)
    return by_split[chosen]


def _no_split(folder: Path, split: str, available: Iterable[str]) -> CorpusNotFoundError:
    return CorpusNotFoundError(f"{folder} has no split {split!r}: its splits are {', '.join(available)}.")
